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
    private final PauseImageLogin pauseImage;

    public PullImage(Images images, NamespacedLogins logins, PauseImageLogin pauseImage) {
        this.images = images;
        this.logins = logins;
        this.pauseImage = pauseImage;
    }

    public PullImageResponse answer(PullImageRequest request, Deadline deadline) {
        String name = ImageName.required("PullImage", request.getImage());
        AuthConfig auth = request.getAuth();
        String namespace = request.getSandboxConfig().getMetadata().getNamespace();
        String ofNamespace = logins.take(namespace, name);
        Images.Credentials given =
                new Images.Credentials(
                        auth.getUsername(),
                        auth.getPassword(),
                        auth.getAuth(),
                        auth.getServerAddress(),
                        auth.getIdentityToken(),
                        auth.getRegistryToken());
        Images.Credentials credentials =
                ofNamespace.isEmpty()
                        ? given.withAuthFile("pause_image_auth_file", pauseImage.authFile(name))
                        : given.withAuthFile("namespaced_auth_dir", ofNamespace);
        return PullImageResponse.newBuilder()
                .setImageRef(images.pull(name, credentials, namespace, deadline).id().value())
                .build();
    }
}
