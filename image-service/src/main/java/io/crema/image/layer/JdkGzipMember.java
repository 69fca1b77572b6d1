package io.crema.image.layer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Inflates by the JDK's zlib. */
final class JdkGzipMember implements GzipMember {
    private static final int TRAILER_LENGTH = 8;

    private final Inflater inflater = new Inflater(true);
    private final CRC32 crc = new CRC32();
    private long trailer;
    private int trailerSeen;

    @Override
    public void begin() {
        inflater.reset();
        crc.reset();
        trailer = 0;
        trailerSeen = 0;
    }

    @Override
    public boolean inflate(ByteBuffer in, ByteBuffer out) throws IOException {
        if (!inflater.finished()) {
            inflateData(in, out);
        }
        if (!inflater.finished()) {
            return false;
        }
        while (trailerSeen < TRAILER_LENGTH && in.hasRemaining()) {
            trailer |= (in.get() & 0xFFL) << (8 * trailerSeen++);
        }
        if (trailerSeen < TRAILER_LENGTH) {
            return false;
        }
        if ((trailer & 0xFFFFFFFFL) != crc.getValue()
                || (int) (trailer >>> 32) != (int) inflater.getBytesWritten()) {
            throw new DamagedLayerException(
                    "its gzip data is damaged: the checksum does not match");
        }
        return true;
    }

    private void inflateData(ByteBuffer in, ByteBuffer out) throws IOException {
        int start = out.position();
        inflater.setInput(in);
        try {
            while (out.hasRemaining() && !inflater.finished()) {
                if (inflater.inflate(out) == 0) {
                    if (inflater.needsDictionary()) {
                        throw new DamagedLayerException(
                                "its gzip data is damaged: it wants a dictionary");
                    }
                    break;
                }
            }
        } catch (DataFormatException e) {
            throw new DamagedLayerException("its gzip data is damaged: " + e.getMessage(), e);
        }
        int length = out.position() - start;
        if (length > 0) {
            crc.update(out.slice(start, length));
        }
    }

    @Override
    public void close() {
        inflater.end();
    }
}
