package io.crema.runtime.ttrpc;

import java.nio.ByteBuffer;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/** Puts the frames of one logical connection together from bytes that come in any pieces. */
final class FrameReader {
    /** Announced is soon; room is made for what comes. */
    private static final int FIRST_BYTES = 64 << 10;

    private final Consumer<Frame> frames;
    private final IntSupplier mostBytes;
    private final ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_BYTES);
    private @Nullable ByteBuffer payload;

    /**
     * @param mostBytes how long a payload may be now
     */
    FrameReader(Consumer<Frame> frames, IntSupplier mostBytes) {
        this.frames = frames;
        this.mostBytes = mostBytes;
    }

    /**
     * Takes all that remains.
     *
     * @throws RpcException when a frame is longer than any may be
     */
    void take(ByteBuffer bytes) {
        while (bytes.hasRemaining()) {
            ByteBuffer into = payload;
            if (into == null) {
                move(bytes, header);
                if (header.hasRemaining()) {
                    return;
                }
                into = ByteBuffer.allocate(Math.min(length(), FIRST_BYTES));
                payload = into;
            }
            move(bytes, into);
            if (into.hasRemaining()) {
                return;
            }
            int length = header.getInt(0);
            if (into.capacity() < length) {
                payload =
                        ByteBuffer.allocate(Math.min(length, 2 * into.capacity())).put(into.flip());
                continue;
            }
            Frame frame = new Frame(header.getInt(4), header.get(8), header.get(9), into.array());
            header.clear();
            payload = null;
            frames.accept(frame);
        }
    }

    private int length() {
        int length = header.getInt(0);
        int most = mostBytes.getAsInt();
        if (length < 0 || length > most) {
            throw RpcException.closed(
                    "it sent a message of "
                            + Integer.toUnsignedString(length)
                            + " bytes; the most is "
                            + most);
        }
        return length;
    }

    static void move(ByteBuffer from, ByteBuffer to) {
        int count = Math.min(from.remaining(), to.remaining());
        to.put(to.position(), from, from.position(), count);
        to.position(to.position() + count);
        from.position(from.position() + count);
    }
}
