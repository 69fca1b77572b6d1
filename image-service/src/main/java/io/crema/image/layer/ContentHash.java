package io.crema.image.layer;

import io.crema.base.Digest;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Computes the digest of small things in memory. */
public final class ContentHash {
    private final String algorithm;
    private final MessageDigest hash;

    private ContentHash(String algorithm) {
        this.algorithm = algorithm;
        try {
            this.hash =
                    MessageDigest.getInstance(
                            switch (algorithm) {
                                case "sha256" -> "SHA-256";
                                case "sha512" -> "SHA-512";
                                default -> throw new IllegalArgumentException(algorithm);
                            });
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    public static ContentHash sha256() {
        return new ContentHash("sha256");
    }

    /** A hash to compare with the expected digest. */
    public static ContentHash like(Digest expected) {
        return by(expected.algorithm());
    }

    static ContentHash by(String algorithm) {
        return new ContentHash(algorithm);
    }

    public static Digest of(byte[] bytes) {
        ContentHash hash = sha256();
        hash.update(bytes, 0, bytes.length);
        return hash.digest();
    }

    public void update(byte[] bytes, int offset, int length) {
        hash.update(bytes, offset, length);
    }

    /** Hashes what remains in the buffer without moving it. */
    void update(ByteBuffer bytes) {
        hash.update(bytes.duplicate());
    }

    /** The digest of all bytes so far; ends this computation. */
    public Digest digest() {
        return new Digest(algorithm, HexFormat.of().formatHex(hash.digest()));
    }
}
