package io.crema.image.layer;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * What follows the header of a gzip member: deflate data (RFC 1951), checksum and size. One object
 * reads one member after another. Works on direct buffers.
 */
interface GzipMember extends AutoCloseable {
    /** A new member begins. */
    void begin();

    /**
     * Inflates until the input is used up, the output is full or the member ends.
     *
     * @return whether the member ended with the right checksum and size; the input then stands
     *     right after it
     * @throws DamagedLayerException when the input is not what follows a gzip header
     */
    boolean inflate(ByteBuffer in, ByteBuffer out) throws IOException;

    @Override
    void close();
}
