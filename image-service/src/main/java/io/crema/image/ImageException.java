package io.crema.image;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import org.jspecify.annotations.Nullable;

/** An image could not be named, fetched, verified, unpacked, stored or removed. */
public final class ImageException extends CremaException {
    public ImageException(ErrorKind kind, String message, @Nullable Throwable cause) {
        super(kind, message, cause);
    }

    public ImageException(ErrorKind kind, String message) {
        this(kind, message, null);
    }
}
