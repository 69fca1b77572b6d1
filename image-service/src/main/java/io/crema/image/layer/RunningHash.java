package io.crema.image.layer;

import io.crema.base.Digest;
import java.nio.ByteBuffer;

/** The digest of a layer's bytes as they pass by in direct buffers. Used by one thread. */
interface RunningHash extends AutoCloseable {
    /** A hash to compare with the expected digest, by the fastest means there is. */
    static RunningHash like(Digest expected) {
        return like(expected.algorithm());
    }

    static RunningHash like(String algorithm) {
        return OpenSslHash.isAvailable() ? OpenSslHash.create(algorithm) : new JdkHash(algorithm);
    }

    /** Hashes what remains in the buffer without moving it. */
    void update(ByteBuffer bytes);

    /** The digest of all bytes so far; ends this computation. */
    Digest digest();

    @Override
    void close();
}
