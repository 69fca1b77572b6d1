package io.crema.cni;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import org.jspecify.annotations.Nullable;

/**
 * A CNI configuration is unusable or a plugin failed; the message names the plugin and its words.
 */
public final class NetworkException extends CremaException {
    public NetworkException(ErrorKind kind, String message, @Nullable Throwable cause) {
        super(kind, message, cause);
    }

    public NetworkException(ErrorKind kind, String message) {
        this(kind, message, null);
    }
}
