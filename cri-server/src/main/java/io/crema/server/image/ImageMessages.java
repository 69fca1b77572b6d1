package io.crema.server.image;

import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.Int64Value;
import io.crema.image.Image;

/** Our image record as the CRI's message. */
final class ImageMessages {
    private ImageMessages() {}

    static io.crema.cri.v1.Image message(Image image) {
        io.crema.cri.v1.Image.Builder message =
                io.crema.cri.v1.Image.newBuilder()
                        .setId(image.id().value())
                        .addAllRepoTags(image.repoTags())
                        .addAllRepoDigests(image.repoDigests())
                        .setSize(image.sizeBytes())
                        .setSpec(ImageSpec.newBuilder().setImage(nameOf(image)))
                        .setPinned(image.pinned());
        addUser(message, image.configuration().user());
        return message.build();
    }

    /**
     * Kubelet decides by uid or username whether the image runs as root, so exactly one of them is
     * set; an image that names no user runs as root. The group is of no interest here.
     */
    private static void addUser(io.crema.cri.v1.Image.Builder message, String user) {
        int colon = user.indexOf(':');
        String name = colon < 0 ? user : user.substring(0, colon);
        if (name.isEmpty() || name.equals("root")) {
            message.setUid(Int64Value.getDefaultInstance());
            return;
        }
        try {
            message.setUid(Int64Value.newBuilder().setValue(Long.parseUnsignedLong(name)));
        } catch (NumberFormatException e) {
            message.setUsername(name);
        }
    }

    private static String nameOf(Image image) {
        if (!image.repoTags().isEmpty()) {
            return image.repoTags().getFirst();
        }
        return image.repoDigests().isEmpty() ? image.id().value() : image.repoDigests().getFirst();
    }
}
