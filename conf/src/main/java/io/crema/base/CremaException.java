package io.crema.base;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The base of every error that reaches a user. Each module has one sealed family below it. The
 * message says what failed, which id, why, and what to do; the kind says how a caller can react.
 */
public abstract class CremaException extends RuntimeException {
    private final ErrorKind kind;

    protected CremaException(ErrorKind kind, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.kind = Objects.requireNonNull(kind, "kind");
    }

    public final ErrorKind kind() {
        return kind;
    }
}
