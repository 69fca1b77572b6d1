package io.crema.server.image;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.ImageSpec;
import io.crema.image.ImageException;

/** What a request means by an ImageSpec. */
final class ImageName {
    private static final String ID_PREFIX = "sha256:";

    private ImageName() {}

    /**
     * The reference to look up. Kubelet names an image by the id we gave it, other tools write the
     * same id with its algorithm; both mean the bare form that we use everywhere.
     */
    static String required(String call, ImageSpec spec) {
        String name = spec.getImage();
        if (name.isBlank()) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    call + " needs a name or an id in the field image.image");
        }
        return bare(name);
    }

    static String bare(String name) {
        return name.startsWith(ID_PREFIX) ? name.substring(ID_PREFIX.length()) : name;
    }
}
