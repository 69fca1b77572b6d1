package io.crema.image.layer;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A few buffers that go round between the thread that fills them and the thread that empties them.
 * Either side can fail, which ends the other's wait. Memory is outside the heap and freed when both
 * sides have {@linkplain #release released} the ring.
 */
final class ChunkRing implements PlainBytes {
    /** Only a guard against threads that hang for ever; every source has closer deadlines. */
    private static final Duration WAIT_LIMIT = Duration.ofHours(2);

    private final Arena arena = Arena.ofShared();
    private final Deque<ByteBuffer> free = new ArrayDeque<>();
    private final Deque<ByteBuffer> full = new ArrayDeque<>();
    private @Nullable ByteBuffer inUse;
    private boolean ended;
    private @Nullable Throwable failure;
    private int sides = 2;

    ChunkRing(int chunks, int chunkBytes) {
        for (int i = 0; i < chunks; i++) {
            free.add(allocate(chunkBytes));
        }
    }

    /** More memory that lives as long as the ring. */
    ByteBuffer allocate(int bytes) {
        return arena.allocate(bytes, 64).asByteBuffer();
    }

    /** Producer: an empty buffer. */
    synchronized ByteBuffer take() throws IOException {
        await(() -> !free.isEmpty());
        return free.removeFirst().clear();
    }

    /** Producer: hands over what it wrote. */
    synchronized void put(ByteBuffer chunk) throws IOException {
        throwFailure();
        full.addLast(chunk.flip());
        notifyAll();
    }

    /** Producer: nothing comes any more. */
    synchronized void end() {
        ended = true;
        notifyAll();
    }

    /** Either side: the work has failed; the other side's next call throws. */
    synchronized void fail(Throwable cause) {
        if (failure == null) {
            failure = cause;
        }
        notifyAll();
    }

    synchronized @Nullable Throwable failure() {
        return failure;
    }

    /** Consumer: the next bytes; takes back the buffer it gave before. */
    @Override
    public synchronized @Nullable ByteBuffer next() throws IOException {
        if (inUse != null) {
            free.addLast(inUse);
            inUse = null;
            notifyAll();
        }
        await(() -> !full.isEmpty() || ended);
        if (full.isEmpty()) {
            return null;
        }
        inUse = full.removeFirst();
        return inUse;
    }

    private void await(BooleanSupplier ready) throws IOException {
        long end = System.nanoTime() + WAIT_LIMIT.toNanos();
        throwFailure();
        while (!ready.getAsBoolean()) {
            try {
                wait(WAIT_LIMIT.toMillis());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            throwFailure();
            if (System.nanoTime() - end > 0) {
                throw new IOException("nothing moved for " + WAIT_LIMIT);
            }
        }
    }

    private void throwFailure() throws IOException {
        if (failure != null) {
            throw new IOException("the other side failed", failure);
        }
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("cancelled");
        }
    }

    /** Each side, once, when it touches no buffer any more. */
    synchronized void release() {
        if (--sides == 0) {
            arena.close();
        }
    }
}
