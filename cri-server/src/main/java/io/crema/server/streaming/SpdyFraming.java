package io.crema.server.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;

/** DATA frames of one SPDY stream; an empty one with FIN is its half-close. */
record SpdyFraming(int streamId) implements Framing {
    private static final int HEADER_BYTES = 8;
    private static final int FLAG_FIN = 1;

    @Override
    public ByteBuf data(ByteBufAllocator allocator, ByteBuffer bytes) {
        int size = bytes.remaining();
        return allocator
                .buffer(HEADER_BYTES + size)
                .writeInt(streamId)
                .writeInt(size)
                .writeBytes(bytes);
    }

    @Override
    public ByteBuf end(ByteBufAllocator allocator) {
        return allocator.buffer(HEADER_BYTES).writeInt(streamId).writeInt(FLAG_FIN << 24);
    }
}
