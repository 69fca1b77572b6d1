package io.crema.image.layer;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Zstandard (RFC 8878): any number of frames one after another, skippable frames among them (as
 * eStargz and zstd:chunked append).
 */
final class ZstdDecompressor implements Decompressor {
    /** 128 MiB: what the zstd command line accepts without being told otherwise. */
    private static final int MAX_WINDOW_LOG = 27;

    private final ZstdDecompressCtx context = new ZstdDecompressCtx();
    private boolean betweenFrames = true;

    ZstdDecompressor() {
        context.setLongMax(MAX_WINDOW_LOG);
    }

    @Override
    public void decompress(ByteBuffer in, ByteBuffer out) throws IOException {
        try {
            while (out.hasRemaining()) {
                int inBefore = in.position();
                int outBefore = out.position();
                if (betweenFrames && !in.hasRemaining()) {
                    return;
                }
                betweenFrames = context.decompressDirectByteBufferStream(out, in);
                if (in.position() == inBefore && out.position() == outBefore) {
                    return;
                }
            }
        } catch (ZstdException e) {
            throw new DamagedLayerException("its zstd data is damaged: " + e.getMessage(), e);
        }
    }

    @Override
    public void finish() throws IOException {
        if (!betweenFrames) {
            throw new DamagedLayerException("its zstd data ends in the middle of a frame");
        }
    }

    @Override
    public void close() {
        context.close();
    }
}
