package io.crema.image.registry;

import java.io.InputStream;

/**
 * The bytes of a blob from an offset to its end. A broken or stalled transfer is resumed by range
 * inside {@link #read}, with back-off and a bound on attempts; the end of the stream comes only
 * after exactly the promised number of bytes. The digest is for the reader to check: whoever reads
 * hashes anyway.
 *
 * <p>{@code read} throws {@link io.crema.image.ImageException} (unchecked, in kubelet's words) when
 * attempts are used up, the registry refuses, or sends more or less than the descriptor says;
 * {@link io.crema.base.DeadlineExceededException} at the deadline; and ImageException CANCELLED
 * when the reading thread is interrupted. One thread reads; any thread may {@link #close}, which
 * ends the transfer at once and makes a waiting read fail with CANCELLED.
 */
public abstract class BlobStream extends InputStream {
    BlobStream() {}

    /** Bytes of the whole stream, from its offset to its end. */
    public abstract long lengthBytes();

    /** Bytes received over the network so far, those of broken attempts included. */
    public abstract long transferredBytes();

    /** Whether the server has shown that it serves ranges of this blob. */
    public boolean acceptsRanges() {
        return false;
    }

    /**
     * How many places, from the first on, need not be asked again when these bytes are wrong: those
     * that gave nothing and the one that gave all; more than one that gave some may be the liar.
     */
    public int placesDone() {
        return 1;
    }

    @Override
    public abstract int read(byte[] buffer, int offset, int length);

    @Override
    public final int read() {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public abstract void close();
}
