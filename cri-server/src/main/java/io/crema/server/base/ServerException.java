package io.crema.server.base;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import org.jspecify.annotations.Nullable;

/** The process cannot start, or one of its own commands failed; the message says what to do. */
public final class ServerException extends CremaException {
    public ServerException(ErrorKind kind, String message, @Nullable Throwable cause) {
        super(kind, message, cause);
    }

    public ServerException(ErrorKind kind, String message) {
        this(kind, message, null);
    }
}
