package io.crema.oci.linux;

import io.crema.oci.linux.FakeTree.Refused;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * A socket of {@link FakeLinux}: a listener, one end of a connection, or not connected yet. Guarded
 * by the fake's monitor.
 *
 * @param <D> what an open descriptor is to the fake, for sending one
 */
final class FakeSocket<D> {
    private static final int BUFFER_SIZE = 64 * 1024;

    private final boolean packets;
    private final Deque<byte[]> incoming = new ArrayDeque<>();
    private final Deque<D> passed = new ArrayDeque<>();
    private final Deque<FakeSocket<D>> waiting = new ArrayDeque<>();
    private @Nullable FakeSocket<D> peer;
    private @Nullable Errno pending;
    private int backlog = -1;
    private int unread;
    private boolean isEnded;
    private boolean isShut;
    private boolean isClosed;

    FakeSocket(boolean packets) {
        this.packets = packets;
    }

    void listen(int newBacklog) {
        backlog = newBacklog;
    }

    void connectTo(@Nullable FakeSocket<D> listener) throws Refused {
        if (listener == null || listener.backlog < 0 || listener.isClosed) {
            throw new Refused(Errno.ECONNREFUSED);
        }
        if (listener.waiting.size() > listener.backlog) {
            throw new Refused(Errno.EAGAIN);
        }
        FakeSocket<D> other = new FakeSocket<>(packets);
        other.peer = this;
        peer = other;
        listener.waiting.add(other);
    }

    void fail(Errno errno) {
        pending = errno;
    }

    @Nullable Errno takeError() {
        Errno error = pending;
        pending = null;
        return error;
    }

    FakeSocket<D> accept() throws Refused {
        FakeSocket<D> accepted = waiting.poll();
        if (accepted == null) {
            throw new Refused(Errno.EAGAIN);
        }
        return accepted;
    }

    /** Zero when there is nothing now, −1 at the end. */
    int read(ByteBuffer buffer) {
        byte[] first = incoming.poll();
        if (first == null) {
            return isEnded ? -1 : 0;
        }
        int count = Math.min(first.length, buffer.remaining());
        buffer.put(first, 0, count);
        unread -= count;
        if (!packets && count < first.length) {
            incoming.addFirst(Arrays.copyOfRange(first, count, first.length));
        } else {
            unread -= first.length - count;
        }
        return count;
    }

    /** Zero when the other side has too much to read already. */
    int write(ByteBuffer buffer) throws Refused {
        FakeSocket<D> target = peer;
        if (target == null) {
            throw new Refused(Errno.ENOTCONN);
        }
        if (target.isClosed || isShut) {
            throw new Refused(Errno.EPIPE);
        }
        int room = BUFFER_SIZE - target.unread;
        int count = packets && room < buffer.remaining() ? 0 : Math.min(room, buffer.remaining());
        if (count > 0) {
            byte[] bytes = new byte[count];
            buffer.get(bytes);
            target.incoming.add(bytes);
            target.unread += count;
        }
        return count;
    }

    void send(D descriptor) throws Refused {
        write(ByteBuffer.allocate(1));
        if (peer != null) {
            peer.passed.add(descriptor);
        }
    }

    /** What was sent with the next message, or nothing. */
    @Nullable D receive() throws Refused {
        if (read(ByteBuffer.allocate(1)) == 0) {
            throw new Refused(Errno.EAGAIN);
        }
        return passed.poll();
    }

    int unread() {
        return unread;
    }

    boolean isReadable() {
        return !waiting.isEmpty() || !incoming.isEmpty() || isEnded;
    }

    boolean isWritable() {
        return pending != null
                || isShut
                || (peer != null && (peer.isClosed || peer.unread < BUFFER_SIZE));
    }

    void shutdownWrite() {
        isShut = true;
        if (peer != null) {
            peer.isEnded = true;
        }
    }

    void close() {
        isClosed = true;
        shutdownWrite();
        waiting.forEach(FakeSocket::close);
    }
}
