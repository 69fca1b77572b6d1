package io.crema.server.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;

/** How the bytes of one stream stand on the wire. */
interface Framing {
    /** A frame with a copy of all remaining bytes. Called by any thread. */
    ByteBuf data(ByteBufAllocator allocator, ByteBuffer bytes);

    /** What tells the end of the stream; empty where the protocol has no word for it. */
    ByteBuf end(ByteBufAllocator allocator);
}
