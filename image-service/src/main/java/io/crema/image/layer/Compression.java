package io.crema.image.layer;

import java.nio.ByteBuffer;

/** How a layer is compressed: found by its first bytes, because media types are often wrong. */
public enum Compression {
    NONE,
    GZIP,
    ZSTD;

    /** Bytes that {@link #detect} needs to tell, if the layer has that many. */
    static final int MAGIC_LENGTH = 4;

    /** Looks at the bytes at the buffer's position without moving it. */
    static Compression detect(ByteBuffer start) {
        int at = start.position();
        if (start.remaining() >= 2 && start.get(at) == 0x1f && start.get(at + 1) == (byte) 0x8b) {
            return GZIP;
        }
        if (start.remaining() >= 4
                && start.get(at + 1) == (byte) 0xb5
                && start.get(at + 2) == 0x2f
                && start.get(at + 3) == (byte) 0xfd
                && start.get(at) == 0x28) {
            return ZSTD;
        }
        // Skippable frames, 0x184D2A50 to 0x184D2A5F in little endian, may come first.
        if (start.remaining() >= 4
                && (start.get(at) & 0xF0) == 0x50
                && start.get(at + 1) == 0x2a
                && start.get(at + 2) == 0x4d
                && start.get(at + 3) == 0x18) {
            return ZSTD;
        }
        return NONE;
    }

    Decompressor decompressor() {
        return switch (this) {
            case NONE -> new PlainDecompressor();
            case GZIP ->
                    new GzipDecompressor(
                            IsalGzipMember.isAvailable()
                                    ? IsalGzipMember.create()
                                    : new JdkGzipMember());
            case ZSTD -> new ZstdDecompressor();
        };
    }
}
