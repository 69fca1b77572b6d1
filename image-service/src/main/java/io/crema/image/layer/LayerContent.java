package io.crema.image.layer;

import io.crema.base.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/**
 * A layer to be unpacked: where its bytes come from and what they must be.
 *
 * @param name how messages call it
 * @param digest of the bytes as they come, where somebody said it
 * @param sizeBytes of the bytes as they come
 * @param diffId the digest of the bytes once decompressed
 * @param source opens the bytes; opened once
 * @param isOneOfSeveral whether other bytes can be had when these are not what they must be, so
 *     that it matters whether a layer is refused for itself or for bytes that are not its own
 */
public record LayerContent(
        String name,
        Optional<Digest> digest,
        long sizeBytes,
        Digest diffId,
        Source source,
        boolean isOneOfSeveral) {
    /** A layer that can be had once. */
    public LayerContent(
            String name, Optional<Digest> digest, long sizeBytes, Digest diffId, Source source) {
        this(name, digest, sizeBytes, diffId, source, false);
    }

    /** Opens the bytes of a layer. Closing the stream from another thread ends a waiting read. */
    @FunctionalInterface
    public interface Source {
        InputStream open() throws IOException;
    }
}
