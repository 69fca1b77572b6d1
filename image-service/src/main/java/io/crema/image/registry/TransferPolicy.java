package io.crema.image.registry;

import java.time.Duration;

/**
 * How patient the client is.
 *
 * @param connectTimeout for one connection, TLS included
 * @param responseTimeout from a request to the head of its answer
 * @param stallTimeout how long a reader may wait in all for {@code stallBytes}
 * @param stallBytes fewer than this in a stall timeout is a stalled transfer; a positive number
 *     stops servers that trickle
 * @param smallTimeout for a whole manifest or token, attempts included
 * @param attempts for one piece of work; new progress gives new attempts
 * @param firstPause before the second attempt; doubles with every attempt, with jitter
 * @param longestPause the bound of a pause, also of one that a registry asks for
 */
public record TransferPolicy(
        Duration connectTimeout,
        Duration responseTimeout,
        Duration stallTimeout,
        int stallBytes,
        Duration smallTimeout,
        int attempts,
        Duration firstPause,
        Duration longestPause) {
    public TransferPolicy {
        if (stallBytes < 1 || attempts < 1) {
            throw new IllegalArgumentException("stallBytes and attempts must be at least 1");
        }
    }

    TransferPolicy withAttempts(int fewer) {
        return new TransferPolicy(
                connectTimeout,
                responseTimeout,
                stallTimeout,
                stallBytes,
                smallTimeout,
                Math.min(attempts, fewer),
                firstPause,
                longestPause);
    }

    /**
     * For a daemon that gives up pulls without progress after that long; zero for never. Every
     * single wait is at most half of it, so that there is a second attempt.
     */
    public static TransferPolicy within(Duration pullProgressTimeout) {
        TransferPolicy standard = standard();
        if (!pullProgressTimeout.isPositive()) {
            return standard;
        }
        Duration half = pullProgressTimeout.dividedBy(2);
        return new TransferPolicy(
                min(standard.connectTimeout, half),
                min(standard.responseTimeout, half),
                min(standard.stallTimeout, half),
                standard.stallBytes,
                min(standard.smallTimeout, pullProgressTimeout),
                standard.attempts,
                standard.firstPause,
                standard.longestPause);
    }

    private static Duration min(Duration one, Duration other) {
        return one.compareTo(other) <= 0 ? one : other;
    }

    public static TransferPolicy standard() {
        return new TransferPolicy(
                Duration.ofSeconds(10),
                Duration.ofSeconds(30),
                Duration.ofSeconds(30),
                4 << 10,
                Duration.ofMinutes(1),
                5,
                Duration.ofMillis(250),
                Duration.ofSeconds(20));
    }
}
