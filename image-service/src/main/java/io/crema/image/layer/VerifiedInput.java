package io.crema.image.layer;

import io.crema.base.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Counts and hashes a layer's bytes as they come and holds them against what was promised. */
final class VerifiedInput implements AutoCloseable {
    /** Rather go on with a part than wait for the network to fill the whole buffer. */
    private static final int ENOUGH = 16 << 10;

    private final InputStream stream;
    private final LayerContent content;
    private final RunningHash hash;
    private final byte[] block;
    private long bytes;
    private boolean ended;
    private @Nullable Digest digest;

    VerifiedInput(InputStream stream, LayerContent content) {
        this.stream = stream;
        this.content = content;
        this.hash = RunningHash.like(content.digest().map(Digest::algorithm).orElse("sha256"));
        this.block = new byte[32 << 10];
    }

    /**
     * Fills the buffer as far as bytes come.
     *
     * @return false when there are no more
     */
    boolean fill(ByteBuffer buffer) throws IOException {
        int start = buffer.position();
        while (!ended && buffer.hasRemaining()) {
            int length = stream.read(block, 0, Math.min(block.length, buffer.remaining()));
            if (length < 0) {
                ended = true;
                break;
            }
            bytes += length;
            if (bytes > content.sizeBytes()) {
                throw new DamagedLayerException(
                        "more bytes come than the " + content.sizeBytes() + " that were promised");
            }
            buffer.put(block, 0, length);
            if (buffer.position() - start >= ENOUGH) {
                break;
            }
        }
        int length = buffer.position() - start;
        if (length > 0) {
            hash.update(buffer.slice(start, length));
        }
        return length > 0;
    }

    /** After the end: the digest, which is the promised one if there was a promise. */
    Digest verify() throws IOException {
        if (bytes != content.sizeBytes()) {
            throw new DamagedLayerException(
                    "it ends after " + bytes + " of " + content.sizeBytes() + " bytes");
        }
        Digest digest = digest();
        if (content.digest().isPresent() && !content.digest().get().equals(digest)) {
            throw new DamagedLayerException(
                    "its bytes have the digest "
                            + digest
                            + ", but the manifest promises "
                            + content.digest().get());
        }
        return digest;
    }

    /** Of all bytes; a hash ends with its first answer. */
    private Digest digest() {
        if (digest == null) {
            digest = hash.digest();
        }
        return digest;
    }

    /**
     * Reads on to the end, after a refusal.
     *
     * @param buffer outside the heap, like all that is hashed
     * @return whether all bytes together are the promised ones
     */
    boolean isAsPromised(ByteBuffer buffer) throws IOException {
        while (fill(buffer.clear())) {
            // Only the digest is wanted.
        }
        try {
            verify();
            return content.digest().isPresent();
        } catch (DamagedLayerException e) {
            return false;
        }
    }

    @Override
    public void close() {
        hash.close();
    }
}
