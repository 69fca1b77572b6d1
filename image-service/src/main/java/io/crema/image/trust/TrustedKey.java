package io.crema.image.trust;

import io.crema.base.ErrorKind;
import io.crema.conf.SignatureRequirement;
import io.crema.image.ImageException;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;

/**
 * A public key by which images are signed: ECDSA, RSA or Ed25519, as cosign makes and takes them.
 */
record TrustedKey(String source, PublicKey key, String algorithm) {
    private static final String BEGIN = "-----BEGIN PUBLIC KEY-----";
    private static final String END = "-----END PUBLIC KEY-----";

    /** Shorter ones have been broken. */
    private static final int MIN_RSA_BITS = 2048;

    /** ECDSA below P-256 is as weak. */
    private static final int MIN_CURVE_BITS = 256;

    /**
     * @throws ImageException INVALID_ARGUMENT when it is no public key of a kind we can verify by
     */
    static TrustedKey read(SignatureRequirement.Key configured) {
        String pem = configured.pem();
        int begin = pem.indexOf(BEGIN);
        int end = pem.indexOf(END);
        if (begin < 0 || end < begin) {
            throw refused(configured, "has no '" + BEGIN + "' (PEM, SubjectPublicKeyInfo)");
        }
        byte[] encoded;
        try {
            encoded = Base64.getMimeDecoder().decode(pem.substring(begin + BEGIN.length(), end));
        } catch (IllegalArgumentException e) {
            throw refused(configured, "is not base64: " + e.getMessage());
        }
        for (String kind : new String[] {"EC", "RSA", "Ed25519"}) {
            try {
                PublicKey key =
                        KeyFactory.getInstance(kind)
                                .generatePublic(new X509EncodedKeySpec(encoded));
                requireStrong(configured, key);
                return new TrustedKey(
                        configured.source(),
                        key,
                        switch (kind) {
                            case "EC" -> "SHA256withECDSA";
                            case "RSA" -> "SHA256withRSA";
                            default -> "Ed25519";
                        });
            } catch (InvalidKeySpecException e) {
                // Of another kind, or of none.
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException("every JDK has " + kind, e);
            }
        }
        throw refused(configured, "is neither an ECDSA nor an RSA nor an Ed25519 public key");
    }

    private static void requireStrong(SignatureRequirement.Key configured, PublicKey key) {
        if (key instanceof java.security.interfaces.RSAPublicKey rsa
                && rsa.getModulus().bitLength() < MIN_RSA_BITS) {
            throw refused(
                    configured,
                    "is an RSA key of "
                            + rsa.getModulus().bitLength()
                            + " bits; "
                            + MIN_RSA_BITS
                            + " are needed");
        }
        if (key instanceof ECPublicKey ec
                && ec.getParams().getOrder().bitLength() < MIN_CURVE_BITS) {
            throw refused(configured, "is on a curve of less than " + MIN_CURVE_BITS + " bits");
        }
    }

    private static ImageException refused(SignatureRequirement.Key configured, String why) {
        return new ImageException(
                ErrorKind.INVALID_ARGUMENT, "signature policy: " + configured.source() + " " + why);
    }

    /** Whether it made that signature over those bytes. */
    boolean made(byte[] signature, byte[] payload) {
        try {
            Signature verifier = Signature.getInstance(algorithm);
            verifier.initVerify(key);
            verifier.update(payload);
            return verifier.verify(signature);
        } catch (GeneralSecurityException e) {
            // Malformed signatures throw.
            return false;
        }
    }
}
