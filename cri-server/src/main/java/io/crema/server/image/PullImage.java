package io.crema.server.image;

import io.crema.base.Deadline;
import io.crema.cri.v1.AuthConfig;
import io.crema.cri.v1.PullImageRequest;
import io.crema.cri.v1.PullImageResponse;
import io.crema.image.Images;

/** PullImage: answers with the image's id, the one string that every other call uses for it. */
public final class PullImage {
    private final Images images;

    public PullImage(Images images) {
        this.images = images;
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
                        auth.getRegistryToken());
        return PullImageResponse.newBuilder()
                .setImageRef(images.pull(name, credentials, deadline).id().value())
                .build();
    }
}
