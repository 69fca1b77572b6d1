package io.crema.server.image;

import io.crema.cri.v1.ListImagesRequest;
import io.crema.cri.v1.ListImagesResponse;
import io.crema.image.Image;
import io.crema.image.Images;

/** ListImages: one entry per image id; a filter is a look-up by any name. */
public final class ListImages {
    private final Images images;

    public ListImages(Images images) {
        this.images = images;
    }

    public ListImagesResponse answer(ListImagesRequest request) {
        ListImagesResponse.Builder answer = ListImagesResponse.newBuilder();
        String wanted = request.getFilter().getImage().getImage();
        if (wanted.isEmpty()) {
            for (Image image : images.list()) {
                answer.addImages(ImageMessages.message(image));
            }
        } else {
            images.find(ImageName.bare(wanted))
                    .ifPresent(image -> answer.addImages(ImageMessages.message(image)));
        }
        return answer.build();
    }
}
