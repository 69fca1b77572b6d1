package io.crema.oci.process;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;

/** The first bytes of a stream that the poll loop reads to its end. */
public final class Collected {
    private static final int FIRST_SIZE = 1024;

    private final int maxBytes;
    private byte[] bytes = new byte[0];
    private int length;
    private long total;
    private CompletableFuture<Long> end = CompletableFuture.completedFuture(0L);

    Collected(int maxBytes) {
        if (maxBytes < 0) {
            throw new IllegalArgumentException("bound " + maxBytes);
        }
        this.maxBytes = maxBytes;
    }

    /**
     * Completed at the end of the stream with the count of all bytes, the dropped ones included.
     * Cancel it to stop reading earlier.
     */
    public synchronized CompletableFuture<Long> end() {
        return end;
    }

    /** What was kept so far. */
    public synchronized byte[] bytes() {
        return Arrays.copyOf(bytes, length);
    }

    /** Whether bytes beyond the bound were dropped. */
    public synchronized boolean isTruncated() {
        return total > length;
    }

    synchronized void follow(CompletableFuture<Long> watch) {
        end = watch;
    }

    synchronized long total() {
        return total;
    }

    synchronized void append(ByteBuffer more) {
        total += more.remaining();
        int count = Math.min(more.remaining(), maxBytes - length);
        if (length + count > bytes.length) {
            long size = Math.max(FIRST_SIZE, Math.max(2L * bytes.length, (long) length + count));
            bytes = Arrays.copyOf(bytes, (int) Math.min(size, maxBytes));
        }
        more.get(bytes, length, count);
        length += count;
    }
}
