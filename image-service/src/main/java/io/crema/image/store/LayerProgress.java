package io.crema.image.store;

import io.crema.image.PullProgress;
import io.crema.image.PullProgress.LayerState;
import io.crema.image.layer.LayerUnpacker;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/** How far one layer has come; written by the threads that work on it, read by anyone. */
final class LayerProgress implements LayerUnpacker.Meter {
    private final String digest;
    private final long sizeBytes;
    private final AtomicLong received = new AtomicLong();
    private final AtomicLong done = new AtomicLong();
    private final AtomicLong unpacked = new AtomicLong();
    private final AtomicLong changes = new AtomicLong();
    private final AtomicBoolean told = new AtomicBoolean();
    private volatile LayerState state;

    LayerProgress(String digest, long sizeBytes, LayerState state) {
        this.digest = digest;
        this.sizeBytes = sizeBytes;
        this.state = state;
    }

    void state(LayerState changed) {
        state = changed;
        changes.incrementAndGet();
    }

    boolean isWaiting() {
        return state == LayerState.WAITING;
    }

    boolean isFetching() {
        return state == LayerState.FETCHING;
    }

    boolean isPresent() {
        return state == LayerState.PRESENT;
    }

    /** Whether this is the first pull to count the layer, of those that wait for it. */
    boolean isFirstTold() {
        return told.compareAndSet(false, true);
    }

    /** The work begins anew. */
    void restart() {
        done.set(0);
    }

    /** Bytes that came over the network. */
    void received(long bytes) {
        received.addAndGet(bytes);
    }

    @Override
    public void consumed(int bytes) {
        done.addAndGet(bytes);
    }

    @Override
    public void unpacked(int bytes) {
        unpacked.addAndGet(bytes);
    }

    /** Grows whenever anything happens; what it counts has no meaning. */
    long steps() {
        return received.get() + unpacked.get() + changes.get();
    }

    long receivedBytes() {
        return received.get();
    }

    long sizeBytes() {
        return sizeBytes;
    }

    PullProgress.Layer now() {
        LayerState seen = state;
        boolean whole = seen == LayerState.DONE || seen == LayerState.PRESENT;
        return new PullProgress.Layer(
                digest,
                seen,
                sizeBytes,
                whole ? sizeBytes : Math.min(done.get(), sizeBytes),
                received.get(),
                unpacked.get());
    }
}
