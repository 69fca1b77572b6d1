package io.crema.runtime.state;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import org.jspecify.annotations.Nullable;

/** A pod sandbox or container call was wrong, came at the wrong time, or failed on this node. */
public final class PodException extends CremaException {
    public PodException(ErrorKind kind, String message, @Nullable Throwable cause) {
        super(kind, message, cause);
    }

    public PodException(ErrorKind kind, String message) {
        this(kind, message, null);
    }

    public static PodException invalid(String message) {
        return new PodException(ErrorKind.INVALID_ARGUMENT, message);
    }
}
