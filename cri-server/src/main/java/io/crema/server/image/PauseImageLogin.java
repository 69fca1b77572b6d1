package io.crema.server.image;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageName;
import io.crema.server.base.ServerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The credentials of {@code pause_image_auth_file}, for pulls of {@code pause_image} only. Crema
 * needs that image for no pod, but kubelet and administrators may want it on the node.
 */
public final class PauseImageLogin {
    private final Supplier<String> pauseImage;
    private final Supplier<Optional<Path>> file;

    /** Of what the configuration in effect says. */
    public PauseImageLogin(Supplier<String> pauseImage, Supplier<Optional<Path>> file) {
        this.pauseImage = pauseImage;
        this.file = file;
    }

    /** The content of the file; empty for other images, or when none is set. */
    String authFile(String image) {
        Optional<Path> credentials = file.get();
        if (credentials.isEmpty() || !isSame(image, pauseImage.get())) {
            return "";
        }
        try {
            return Files.readString(credentials.get());
        } catch (IOException e) {
            throw new ServerException(
                    ErrorKind.FAILED_PRECONDITION,
                    "pause_image_auth_file = " + credentials.get() + " cannot be read: " + e,
                    e);
        }
    }

    private static boolean isSame(String one, String other) {
        try {
            return ImageName.parse(one).equals(ImageName.parse(other));
        } catch (ImageException e) {
            return false;
        }
    }
}
