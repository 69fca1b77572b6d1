package io.crema.server.streaming;

import java.util.concurrent.atomic.AtomicLong;

/**
 * What all streams together may hold for clients that do not read. Direct memory is 64 MiB (see
 * bin/crema); these bounds leave the rest for reading and for gRPC.
 */
final class OutputBudget {
    static final OutputBudget ROOMY = new OutputBudget(Long.MAX_VALUE, Long.MAX_VALUE);

    private final long tightBytes;
    private final long maxBytes;
    private final AtomicLong held = new AtomicLong();

    /**
     * @param tightBytes above it each stream stops after every chunk
     * @param maxBytes above it nothing is taken any more
     */
    OutputBudget(long tightBytes, long maxBytes) {
        this.tightBytes = tightBytes;
        this.maxBytes = maxBytes;
    }

    static OutputBudget standard() {
        return new OutputBudget(8L << 20, 44L << 20);
    }

    /** False when there is no room at all; nothing was taken then. */
    boolean take(int bytes) {
        if (held.addAndGet(bytes) <= maxBytes) {
            return true;
        }
        held.addAndGet(-bytes);
        return false;
    }

    void release(int bytes) {
        held.addAndGet(-bytes);
    }

    boolean isTight() {
        return held.get() > tightBytes;
    }

    long held() {
        return held.get();
    }
}
