package io.crema.runtime.ttrpc;

import java.nio.ByteBuffer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Puts the frames of one logical connection together from bytes that come in any pieces. */
final class FrameReader {
    private final Consumer<Frame> frames;
    private final ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_BYTES);
    private @Nullable ByteBuffer payload;

    FrameReader(Consumer<Frame> frames) {
        this.frames = frames;
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
                into = ByteBuffer.allocate(length());
                payload = into;
            }
            move(bytes, into);
            if (into.hasRemaining()) {
                return;
            }
            Frame frame = new Frame(header.getInt(4), header.get(8), header.get(9), into.array());
            header.clear();
            payload = null;
            frames.accept(frame);
        }
    }

    private int length() {
        int length = header.getInt(0);
        if (length < 0 || length > Frame.MOST_PAYLOAD_BYTES) {
            throw RpcException.closed(
                    "it sent a message of "
                            + Integer.toUnsignedString(length)
                            + " bytes; the most is "
                            + Frame.MOST_PAYLOAD_BYTES);
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
