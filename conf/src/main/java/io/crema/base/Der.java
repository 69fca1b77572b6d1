package io.crema.base;

import java.io.ByteArrayOutputStream;

/** Writes elements of DER (X.690, section 8.1) of up to 64 KiB: tag, length, content. */
public final class Der {
    private static final int SEQUENCE = 0x30;

    private Der() {}

    public static byte[] sequence(byte[]... parts) {
        return element(SEQUENCE, parts);
    }

    /**
     * @param parts the content, in pieces
     */
    public static byte[] element(int tag, byte[]... parts) {
        int length = 0;
        for (byte[] part : parts) {
            length += part.length;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(length + 4);
        out.write(tag);
        if (length < 0x80) {
            out.write(length);
        } else if (length < 0x100) {
            out.write(0x81);
            out.write(length);
        } else {
            out.write(0x82);
            out.write(length >> 8);
            out.write(length);
        }
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }
}
