package io.crema.image.layer;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Gzip (RFC 1952): one or more members one after another. Reads their headers; what follows a
 * header is read by a {@link GzipMember}. Bytes after the last member that do not begin another are
 * refused.
 */
final class GzipDecompressor implements Decompressor {
    private static final int FLAG_HEADER_CRC = 2;
    private static final int FLAG_EXTRA = 4;
    private static final int FLAG_NAME = 8;
    private static final int FLAG_COMMENT = 16;
    private static final int RESERVED_FLAGS = 0xE0;
    private static final int FIXED_HEADER_LENGTH = 10;

    private enum Part {
        FIXED_HEADER,
        EXTRA_LENGTH,
        EXTRA,
        NAME,
        COMMENT,
        HEADER_CRC,
        BODY
    }

    private final GzipMember member;
    private Part part = Part.FIXED_HEADER;

    /** Bytes of the current part seen so far. */
    private int seen;

    private int flags;
    private int extraLength;
    private boolean anyMember;

    GzipDecompressor(GzipMember member) {
        this.member = member;
    }

    @Override
    public void decompress(ByteBuffer in, ByteBuffer out) throws IOException {
        while (true) {
            if (part == Part.BODY) {
                if (!member.inflate(in, out)) {
                    return;
                }
                enter(Part.FIXED_HEADER);
            } else if (in.hasRemaining()) {
                header(in.get() & 0xFF);
            } else {
                return;
            }
        }
    }

    /** Takes one byte of a header. */
    private void header(int value) throws IOException {
        int index = seen++;
        switch (part) {
            case FIXED_HEADER -> fixedHeader(index, value);
            case EXTRA_LENGTH -> {
                extraLength |= value << (8 * index);
                if (seen == 2) {
                    afterHeader(extraLength > 0 ? Part.EXTRA : Part.NAME);
                }
            }
            case EXTRA -> {
                if (seen == extraLength) {
                    afterHeader(Part.NAME);
                }
            }
            case NAME -> {
                if (value == 0) {
                    afterHeader(Part.COMMENT);
                }
            }
            case COMMENT -> {
                if (value == 0) {
                    afterHeader(Part.HEADER_CRC);
                }
            }
            case HEADER_CRC -> {
                if (seen == 2) {
                    afterHeader(Part.BODY);
                }
            }
            case BODY -> throw new AssertionError();
        }
    }

    private void fixedHeader(int index, int value) throws IOException {
        boolean valid =
                switch (index) {
                    case 0 -> value == 0x1f;
                    case 1 -> value == 0x8b;
                    case 2 -> value == 8;
                    case 3 -> (value & RESERVED_FLAGS) == 0;
                    default -> true;
                };
        if (!valid) {
            throw new DamagedLayerException(
                    anyMember
                            ? "something that is not gzip follows its gzip data"
                            : "its gzip header is damaged");
        }
        if (index == 3) {
            flags = value;
        }
        if (seen == FIXED_HEADER_LENGTH) {
            extraLength = 0;
            afterHeader(Part.EXTRA_LENGTH);
        }
    }

    /** Enters the given optional part or the next one that this member has. */
    private void afterHeader(Part next) {
        Part entered = next;
        if (entered == Part.EXTRA_LENGTH && (flags & FLAG_EXTRA) == 0) {
            entered = Part.NAME;
        }
        if (entered == Part.NAME && (flags & FLAG_NAME) == 0) {
            entered = Part.COMMENT;
        }
        if (entered == Part.COMMENT && (flags & FLAG_COMMENT) == 0) {
            entered = Part.HEADER_CRC;
        }
        if (entered == Part.HEADER_CRC && (flags & FLAG_HEADER_CRC) == 0) {
            entered = Part.BODY;
        }
        if (entered == Part.BODY) {
            anyMember = true;
            member.begin();
        }
        enter(entered);
    }

    private void enter(Part next) {
        part = next;
        seen = 0;
    }

    @Override
    public void finish() throws IOException {
        if (!anyMember || part != Part.FIXED_HEADER || seen != 0) {
            throw new DamagedLayerException("its gzip data ends in the middle");
        }
    }

    @Override
    public void close() {
        member.close();
    }
}
