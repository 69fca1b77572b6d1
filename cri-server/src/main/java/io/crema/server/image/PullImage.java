package io.crema.server.image;

import io.crema.base.Deadline;
import io.crema.cri.v1.AuthConfig;
import io.crema.cri.v1.PullImageRequest;
import io.crema.cri.v1.PullImageResponse;
import io.crema.image.Images;
import io.crema.image.registry.NamespacedLogins;

/** PullImage: answers with the image's id, the one string that every other call uses for it. */
public final class PullImage {
    private final Images images;
    private final NamespacedLogins logins;

    public PullImage(Images images, NamespacedLogins logins) {
        this.images = images;
        this.logins = logins;
    }

    public PullImageResponse answer(PullImageRequest request, Deadline deadline) {
        String name = ImageName.required("PullImage", request.getImage());
        AuthConfig auth = request.getAuth();
        Images.Credentials credentials =
                new Images.Credentials(
                        auth.getUsername(),
                        auth.getPassword(),
                        auth.getAuth(),
                        auth.getServerAddress(),
                        auth.getIdentityToken(),
                        auth.getRegistryToken(),
                        logins.take(request.getSandboxConfig().getMetadata().getNamespace(), name));
        return PullImageResponse.newBuilder()
                .setImageRef(images.pull(name, credentials, deadline).id().value())
                .build();
    }
}
