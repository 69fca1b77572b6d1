package io.crema.base;

import java.security.SecureRandom;
import java.util.HexFormat;

/** The shape shared by pod sandbox, container and image ids: 256 bits in lower-case hexadecimal. */
final class HexId {
    private static final int LENGTH = 64;

    /** Made by the first new id, not by the first id read back: it costs start-up time. */
    private static final class Source {
        static final SecureRandom RANDOM = new SecureRandom();
    }

    private HexId() {}

    static String random() {
        byte[] bytes = new byte[LENGTH / 2];
        Source.RANDOM.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    static void check(String what, String value) {
        if (value.length() != LENGTH || !isLowerHex(value)) {
            throw new IllegalArgumentException(
                    what + " must be 64 lower-case hexadecimal characters: '" + value + "'");
        }
    }

    static boolean isLowerHex(String value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
                return false;
            }
        }
        return true;
    }
}
