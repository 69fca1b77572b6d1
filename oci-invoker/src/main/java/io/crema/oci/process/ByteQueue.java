package io.crema.oci.process;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/** Copies of bytes in the order they came, in buffers of a pool. Its owner bounds and guards it. */
final class ByteQueue {
    private final BufferPool buffers;
    private final Deque<ByteBuffer> queue = new ArrayDeque<>(2);
    private int size;

    ByteQueue(BufferPool buffers) {
        this.buffers = buffers;
    }

    /** In bytes. */
    int size() {
        return size;
    }

    boolean isEmpty() {
        return queue.isEmpty();
    }

    /** Takes all of the remaining bytes. */
    void add(ByteBuffer bytes) {
        size += bytes.remaining();
        while (bytes.hasRemaining()) {
            ByteBuffer last = queue.peekLast();
            // A buffer in the queue is ready to be read: its free part lies behind the limit.
            if (last == null || last.limit() == last.capacity()) {
                last = buffers.take().limit(0);
                queue.add(last);
            }
            int start = last.limit();
            int count = Math.min(bytes.remaining(), last.capacity() - start);
            last.limit(start + count);
            last.put(start, bytes, bytes.position(), count);
            bytes.position(bytes.position() + count);
        }
    }

    /** The first bytes, which stay; what is read of them is told by {@link #wasRead}. */
    @Nullable ByteBuffer first() {
        return queue.peek();
    }

    /** So many bytes of the first ones were read. */
    void wasRead(int count) {
        size -= count;
        ByteBuffer first = queue.peek();
        if (first != null && !first.hasRemaining()) {
            buffers.giveBack(queue.remove());
        }
    }

    /** Removes the first bytes, whose buffer is to be given back to the pool. */
    @Nullable ByteBuffer poll() {
        ByteBuffer first = queue.poll();
        if (first != null) {
            size -= first.remaining();
        }
        return first;
    }

    void clear() {
        queue.forEach(buffers::giveBack);
        queue.clear();
        size = 0;
    }
}
