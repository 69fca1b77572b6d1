package io.crema.oci.linux;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;

/** A system call failed: which call, on what, and with which error number. */
public final class LinuxException extends CremaException {
    private final String call;
    private final Errno errno;

    /**
     * @param call the system call's name
     * @param arguments the arguments that a reader needs to find the culprit, usually a path
     */
    public LinuxException(String call, String arguments, Errno errno) {
        super(
                kindOf(errno),
                call + "(" + arguments + "): " + errno.message() + " (" + errno + ")",
                null);
        this.call = call;
        this.errno = errno;
    }

    public String call() {
        return call;
    }

    public Errno errno() {
        return errno;
    }

    private static ErrorKind kindOf(Errno errno) {
        return switch (errno.name()) {
            case "ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM", "EUSERS" ->
                    ErrorKind.RESOURCE_EXHAUSTED;
            default -> ErrorKind.INTERNAL;
        };
    }
}
