package io.crema.base;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A private key from a PEM file: PKCS #8, and the older forms of RSA (PKCS #1) and elliptic curve
 * keys (SEC 1), which kubeadm and openssl write. Those are wrapped in PKCS #8, the only one that
 * Java reads.
 */
public final class PemKey {
    private static final byte[] RSA_ALGORITHM = {
        0x30,
        0x0d,
        0x06,
        0x09,
        0x2a,
        (byte) 0x86,
        0x48,
        (byte) 0x86,
        (byte) 0xf7,
        0x0d,
        0x01,
        0x01,
        0x01,
        0x05,
        0x00
    };
    private static final byte[] EC_OID = {
        0x06, 0x07, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 0x02, 0x01
    };
    private static final byte[] VERSION_ZERO = {0x02, 0x01, 0x00};
    private static final int OCTET_STRING = 0x04;
    private static final int CURVE_TAG = 0xa0;
    private static final long MAX_FILE_BYTES = 1 << 20;

    private PemKey() {}

    /**
     * Reads the first key of a file.
     *
     * @throws InvalidKeySpecException whose message continues "the file …"
     */
    public static PrivateKey read(Path file) throws InvalidKeySpecException {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw invalid("is larger than " + MAX_FILE_BYTES + " bytes", null);
            }
            return of(Files.readString(file, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            throw invalid("cannot be read: " + e, e);
        }
    }

    private static PrivateKey of(String text) throws InvalidKeySpecException {
        if (text.contains("-----BEGIN PRIVATE KEY-----")) {
            return key(block(text, "PRIVATE KEY"));
        }
        if (text.contains("-----BEGIN RSA PRIVATE KEY-----")) {
            return key(pkcs8(RSA_ALGORITHM, block(text, "RSA PRIVATE KEY")));
        }
        if (text.contains("-----BEGIN EC PRIVATE KEY-----")) {
            byte[] sec1 = block(text, "EC PRIVATE KEY");
            return key(pkcs8(Der.sequence(EC_OID, curve(sec1)), sec1));
        }
        throw invalid(
                "holds no unencrypted PEM private key; make one with 'openssl pkcs8 -topk8"
                        + " -nodes'",
                null);
    }

    private static PrivateKey key(byte[] pkcs8) throws InvalidKeySpecException {
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(pkcs8);
        for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(spec);
            } catch (GeneralSecurityException e) {
                // Another kind, most likely.
            }
        }
        throw invalid("holds a private key that is neither RSA, EC nor EdDSA", null);
    }

    private static byte[] block(String text, String label) throws InvalidKeySpecException {
        String begin = "-----BEGIN " + label + "-----";
        int from = text.indexOf(begin) + begin.length();
        int to = text.indexOf("-----END " + label + "-----", from);
        if (to < 0) {
            throw invalid("has no END line", null);
        }
        try {
            return Base64.getMimeDecoder().decode(text.substring(from, to));
        } catch (IllegalArgumentException e) {
            throw invalid("is not base64: " + e.getMessage(), e);
        }
    }

    private static byte[] pkcs8(byte[] algorithm, byte[] key) {
        return Der.sequence(VERSION_ZERO, algorithm, Der.element(OCTET_STRING, key));
    }

    /** The name of the curve: element [0] of the ECPrivateKey sequence (RFC 5915). */
    private static byte[] curve(byte[] sec1) throws InvalidKeySpecException {
        int[] at = {0};
        enter(sec1, at); // the sequence
        while (at[0] < sec1.length) {
            int tag = sec1[at[0]] & 0xff;
            int size = enter(sec1, at);
            if (at[0] + size > sec1.length) {
                break;
            }
            if (tag == CURVE_TAG) {
                return Arrays.copyOfRange(sec1, at[0], at[0] + size);
            }
            at[0] += size;
        }
        throw invalid("holds an EC key that does not name its curve", null);
    }

    /** Moves behind tag and length and answers the length. */
    private static int enter(byte[] der, int[] at) throws InvalidKeySpecException {
        if (at[0] + 2 > der.length) {
            throw invalid("holds a key that is cut off", null);
        }
        int first = der[at[0] + 1] & 0xff;
        at[0] += 2;
        if (first < 0x80) {
            return first;
        }
        int size = 0;
        for (int i = 0; i < (first & 0x7f); i++) {
            if (at[0] >= der.length || size > 0xffff) {
                throw invalid("holds a key that is cut off", null);
            }
            size = (size << 8) | (der[at[0]++] & 0xff);
        }
        return size;
    }

    private static InvalidKeySpecException invalid(String why, @Nullable Throwable cause) {
        return new InvalidKeySpecException(why, cause);
    }
}
