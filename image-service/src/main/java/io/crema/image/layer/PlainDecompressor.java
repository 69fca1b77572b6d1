package io.crema.image.layer;

import java.nio.ByteBuffer;

/** Passes on the bytes of a layer that is not compressed. */
final class PlainDecompressor implements Decompressor {
    @Override
    public void decompress(ByteBuffer in, ByteBuffer out) {
        int length = Math.min(in.remaining(), out.remaining());
        out.put(out.position(), in, in.position(), length);
        in.position(in.position() + length);
        out.position(out.position() + length);
    }

    @Override
    public void finish() {}

    @Override
    public void close() {}
}
