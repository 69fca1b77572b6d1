package io.crema.base;

import java.time.Duration;

/**
 * The instant by which a piece of work must end, on the monotonic clock. Every wait in this program
 * takes one.
 */
public final class Deadline {
    /** Longer than any work here; stands for "the caller set no deadline". */
    private static final Duration FOREVER = Duration.ofDays(365);

    private final long nanoTime;

    private Deadline(long nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** A deadline that ends after the given duration, or after a year when that is longer. */
    public static Deadline after(Duration duration) {
        // Requests carry any 64-bit number of seconds; as nanoseconds most of those overflow.
        long nanos = 0;
        if (duration.isPositive()) {
            nanos = (duration.compareTo(FOREVER) < 0 ? duration : FOREVER).toNanos();
        }
        return new Deadline(System.nanoTime() + nanos);
    }

    public static Deadline none() {
        return after(FOREVER);
    }

    /** The earlier of this deadline and one that ends after the given duration from now. */
    public Deadline atMost(Duration duration) {
        Deadline other = after(duration);
        return other.nanoTime - nanoTime < 0 ? other : this;
    }

    /** Time left, never negative. */
    public Duration remaining() {
        return Duration.ofNanos(remainingNanos());
    }

    public long remainingNanos() {
        return Math.max(0, nanoTime - System.nanoTime());
    }

    /**
     * Time left rounded up to whole milliseconds, so that a wait never ends before the deadline.
     */
    public long remainingMillis() {
        return (remainingNanos() + 999_999) / 1_000_000;
    }

    public boolean hasPassed() {
        return remainingNanos() == 0;
    }

    /**
     * Does nothing while time is left.
     *
     * @param step what is about to be done or waited for, in words for the error message
     * @throws DeadlineExceededException when the deadline has passed
     */
    public void check(String step) {
        if (hasPassed()) {
            throw new DeadlineExceededException(step);
        }
    }

    @Override
    public String toString() {
        return "in " + remaining();
    }
}
