package io.crema.runtime.stats;

import java.time.Instant;

/** Time as the CRI has it: nanoseconds since 1970. */
final class Nanos {
    private static final long PER_SECOND = 1_000_000_000L;

    private Nanos() {}

    static long of(Instant instant) {
        return instant.getEpochSecond() * PER_SECOND + instant.getNano();
    }

    static long toSeconds(long nanos) {
        return nanos / PER_SECOND;
    }
}
