package io.crema.server.image;

import io.crema.cri.v1.RemoveImageRequest;
import io.crema.cri.v1.RemoveImageResponse;
import io.crema.image.Images;

/** RemoveImage: no error when there is no such image. */
public final class RemoveImage {
    private final Images images;

    public RemoveImage(Images images) {
        this.images = images;
    }

    public RemoveImageResponse answer(RemoveImageRequest request) {
        images.remove(ImageName.required("RemoveImage", request.getImage()));
        return RemoveImageResponse.getDefaultInstance();
    }
}
