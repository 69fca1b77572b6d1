package io.crema.oci.process;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Direct buffers of one size that are used again, so that streams of any length leave no garbage.
 * Up to {@link #IDLE} are kept when nobody needs them; more than that at once are garbage later.
 */
final class BufferPool {
    static final int SIZE = 32 * 1024;
    private static final int IDLE = 32;

    private final AtomicReferenceArray<@Nullable ByteBuffer> idle =
            new AtomicReferenceArray<@Nullable ByteBuffer>(IDLE);

    /** An empty buffer. */
    ByteBuffer take() {
        for (int i = 0; i < IDLE; i++) {
            ByteBuffer buffer = idle.getAndSet(i, null);
            if (buffer != null) {
                return buffer.clear();
            }
        }
        return ByteBuffer.allocateDirect(SIZE);
    }

    /** The giver must not touch it any more. */
    void giveBack(ByteBuffer buffer) {
        for (int i = 0; i < IDLE; i++) {
            if (idle.compareAndSet(i, null, buffer)) {
                return;
            }
        }
    }
}
