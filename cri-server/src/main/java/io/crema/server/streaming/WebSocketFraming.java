package io.crema.server.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;
import java.util.Base64;

/**
 * WebSocket messages of one stream: the channel's number, then the bytes; as text with base64 for
 * clients that cannot do otherwise. There is no message for the end of a stream from a server.
 */
record WebSocketFraming(int channel, boolean isBase64) implements Framing {
    private static final int FINAL_TEXT = 0x81;
    private static final int FINAL_BINARY = 0x82;
    private static final int MAX_HEADER_BYTES = 10;

    @Override
    public ByteBuf data(ByteBufAllocator allocator, ByteBuffer bytes) {
        if (isBase64) {
            ByteBuffer text = Base64.getEncoder().encode(bytes);
            return header(allocator, FINAL_TEXT, 1 + text.remaining())
                    .writeByte('0' + channel)
                    .writeBytes(text);
        }
        return header(allocator, FINAL_BINARY, 1 + bytes.remaining())
                .writeByte(channel)
                .writeBytes(bytes);
    }

    private static ByteBuf header(ByteBufAllocator allocator, int first, int size) {
        ByteBuf frame = allocator.buffer(MAX_HEADER_BYTES + size).writeByte(first);
        if (size < 126) {
            return frame.writeByte(size);
        }
        return size <= 0xffff
                ? frame.writeByte(126).writeShort(size)
                : frame.writeByte(127).writeLong(size);
    }

    @Override
    public ByteBuf end(ByteBufAllocator allocator) {
        return allocator.buffer(0);
    }
}
