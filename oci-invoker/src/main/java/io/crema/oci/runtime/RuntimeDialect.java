package io.crema.oci.runtime;

import java.nio.file.Path;

/**
 * Where an OCI runtime's command line departs from runc's, which the others imitate. Seen with runc
 * 1.1.5, crun 1.8.1 and youki 0.7.0: the global options {@code --root}, {@code --log} and {@code
 * --log-format json}, the verbs and the options used here are the same in all three. What differs:
 * crun of that age has no {@code features}; youki's {@code kill} needs its signal argument (we
 * always give it) and refuses real-time signals; the error texts ({@link RuntimeErrorText}).
 */
public enum RuntimeDialect {
    RUNC,
    CRUN,
    YOUKI;

    /** Judged by the file's name; what is not known is taken to speak like runc. */
    public static RuntimeDialect of(Path executable) {
        String file = String.valueOf(executable.getFileName());
        if (file.startsWith("crun")) {
            return CRUN;
        }
        return file.startsWith("youki") ? YOUKI : RUNC;
    }

    /** Whether {@code kill} takes the signals from 32 (SIGRTMIN as the kernel counts) up to 64. */
    boolean sendsRealTimeSignals() {
        return switch (this) {
            case RUNC, CRUN -> true;
            case YOUKI -> false;
        };
    }
}
