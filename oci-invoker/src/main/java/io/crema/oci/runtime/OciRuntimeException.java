package io.crema.oci.runtime;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import org.jspecify.annotations.Nullable;

/** An OCI runtime or the monitor around it failed; the message carries the runtime's own words. */
public final class OciRuntimeException extends CremaException {
    public OciRuntimeException(ErrorKind kind, String message, @Nullable Throwable cause) {
        super(kind, message, cause);
    }

    public OciRuntimeException(ErrorKind kind, String message) {
        this(kind, message, null);
    }
}
