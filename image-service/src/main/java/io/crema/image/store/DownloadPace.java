package io.crema.image.store;

/**
 * Whether the network or this machine sets the pace of what is pulled, over all layers at once:
 * what a quarter of a second was like holds for the next one.
 */
final class DownloadPace {
    private static final long WINDOW_NANOS = 250_000_000L;

    /** After such a pause nothing is known any more. */
    private static final long FORGET_NANOS = 2_000_000_000L;

    /** About a gigabit per second; where more comes, what is lost is soon fetched again. */
    private static final long MAX_BYTES = 32L << 20;

    private long windowBegan = System.nanoTime() - FORGET_NANOS;
    private long bytes;
    private long waitedNanos;
    private long elapsedNanos;
    private volatile boolean slow;

    /** The readers of layers mostly wait for the network. */
    boolean isSlow() {
        return slow;
    }

    /**
     * A layer's reader got bytes.
     *
     * @param waited how long it waited for them
     * @param elapsed since it got bytes before
     */
    synchronized void received(int count, long waited, long elapsed) {
        long now = System.nanoTime();
        long window = now - windowBegan;
        if (window >= FORGET_NANOS) {
            slow = false;
        } else if (window >= WINDOW_NANOS) {
            slow =
                    waitedNanos > elapsedNanos / 10 * 6
                            && bytes < (double) window / WINDOW_NANOS * MAX_BYTES;
        }
        if (window >= WINDOW_NANOS) {
            windowBegan = now;
            bytes = 0;
            waitedNanos = 0;
            elapsedNanos = 0;
        }
        bytes += count;
        waitedNanos += waited;
        elapsedNanos += elapsed;
    }
}
