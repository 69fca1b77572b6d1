package io.crema.oci.process;

import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;

/**
 * Stands between a source that must never wait and a receiver that may be slow: what the receiver
 * has no room for is kept, up to a bound.
 */
public final class Backlog {
    private final Receiver receiver;
    private final BufferPool buffers;
    private final int maxBytes;
    private final CompletableFuture<Void> written = new CompletableFuture<>();
    // All guarded by this.
    private final ByteQueue queue;
    private boolean isWaiting;
    private boolean isEnded;
    private boolean isDropped;

    Backlog(Receiver receiver, BufferPool buffers, int maxBytes) {
        this.receiver = receiver;
        this.buffers = buffers;
        this.queue = new ByteQueue(buffers);
        this.maxBytes = maxBytes;
    }

    /**
     * Hands on the bytes or keeps them. Calls come one at a time.
     *
     * @return false when there are too many to keep; none of these were taken
     */
    public boolean add(ByteBuffer bytes) {
        synchronized (this) {
            if (isDropped || isEnded) {
                return true;
            }
            if (isWaiting) {
                return keep(bytes);
            }
        }
        if (!receiver.write(bytes)) {
            synchronized (this) {
                isWaiting = true;
            }
            receiver.whenWritable(this::drain);
        }
        return true;
    }

    private boolean keep(ByteBuffer bytes) {
        if (queue.size() + bytes.remaining() > maxBytes) {
            return false;
        }
        queue.add(bytes);
        return true;
    }

    private void drain() {
        while (true) {
            ByteBuffer next;
            synchronized (this) {
                next = isDropped ? null : queue.poll();
                if (next == null) {
                    isWaiting = false;
                    if (!isEnded) {
                        return;
                    }
                    break;
                }
            }
            boolean hasRoom = receiver.write(next);
            buffers.giveBack(next);
            if (!hasRoom) {
                receiver.whenWritable(this::drain);
                return;
            }
        }
        written.complete(null);
    }

    /** No more comes. */
    public void end() {
        synchronized (this) {
            if (isEnded) {
                return;
            }
            isEnded = true;
            if (isWaiting) {
                return;
            }
        }
        written.complete(null);
    }

    /** Lets go of everything that was kept; what comes from now on is dropped. */
    public void drop() {
        synchronized (this) {
            isDropped = true;
            isEnded = true;
            queue.clear();
        }
        written.complete(null);
    }

    /**
     * Completed when it was ended and all was handed on, or it was dropped; a call of the receiver
     * may be under way in the latter case.
     */
    public CompletableFuture<Void> written() {
        return written.copy();
    }
}
