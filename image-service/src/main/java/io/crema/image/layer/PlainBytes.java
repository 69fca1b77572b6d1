package io.crema.image.layer;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The decompressed bytes of a layer in their order. */
interface PlainBytes {
    /** The next bytes, never empty; null at the end. The buffer given before becomes invalid. */
    @Nullable ByteBuffer next() throws IOException;

    /**
     * Passes over bytes after those given last, where that is cheaper than reading them.
     *
     * @return whether it did
     */
    default boolean skip(long bytes) throws IOException {
        return false;
    }
}
