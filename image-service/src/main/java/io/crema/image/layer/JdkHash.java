package io.crema.image.layer;

import io.crema.base.Digest;
import java.nio.ByteBuffer;

/** Hashes by the JDK. */
final class JdkHash implements RunningHash {
    private final ContentHash hash;

    JdkHash(String algorithm) {
        this.hash = ContentHash.by(algorithm);
    }

    @Override
    public void update(ByteBuffer bytes) {
        hash.update(bytes);
    }

    @Override
    public Digest digest() {
        return hash.digest();
    }

    @Override
    public void close() {}
}
