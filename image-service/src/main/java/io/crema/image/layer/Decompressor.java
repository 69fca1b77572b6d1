package io.crema.image.layer;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Turns compressed bytes into plain ones. Works on direct buffers; used by one thread. */
interface Decompressor extends AutoCloseable {
    /**
     * Reads from {@code in} and writes to {@code out} until one is exhausted; both positions move.
     * When it returns with room in {@code out}, it needs more input.
     *
     * @throws DamagedLayerException when the input is not what this class decompresses
     */
    void decompress(ByteBuffer in, ByteBuffer out) throws IOException;

    /**
     * The input has ended.
     *
     * @throws DamagedLayerException when that is in the middle of something
     */
    void finish() throws IOException;

    @Override
    void close();
}
