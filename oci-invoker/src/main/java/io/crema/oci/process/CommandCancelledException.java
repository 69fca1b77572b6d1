package io.crema.oci.process;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;

/** The thread that waited for a command was interrupted; the command was killed. */
public final class CommandCancelledException extends CremaException {
    CommandCancelledException(Commands.Command command) {
        super(
                ErrorKind.CANCELLED,
                "'" + command + "' was killed because its caller went away",
                null);
    }
}
