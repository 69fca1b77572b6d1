package io.crema.image.trust;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.crema.base.Digest;
import io.crema.conf.SignatureRequirement;
import io.crema.image.registry.ImageSignature;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.util.Base64;

/** Signs images as cosign does, by the JDK. */
public final class Signer {
    private final KeyPair keys;
    private final String algorithm;

    private Signer(KeyPair keys, String algorithm) {
        this.keys = keys;
        this.algorithm = algorithm;
    }

    /** A new key: EC (P-256), RSA (2048 bits) or Ed25519. */
    public static Signer of(String kind) {
        return switch (kind) {
            case "EC" -> of("EC", 256, "SHA256withECDSA");
            case "RSA" -> of("RSA", 2048, "SHA256withRSA");
            case "Ed25519" -> of("Ed25519", 0, "Ed25519");
            default -> throw new IllegalArgumentException(kind);
        };
    }

    static Signer of(String kind, int bits, String algorithm) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance(kind);
            if (bits > 0) {
                generator.initialize(bits);
            }
            return new Signer(generator.generateKeyPair(), algorithm);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    public String publicPem() {
        return "-----BEGIN PUBLIC KEY-----\n"
                + Base64.getMimeEncoder(64, "\n".getBytes(US_ASCII))
                        .encodeToString(keys.getPublic().getEncoded())
                + "\n-----END PUBLIC KEY-----\n";
    }

    public SignatureRequirement.Key key() {
        return new SignatureRequirement.Key("/keys/" + algorithm, publicPem());
    }

    /** The payload as cosign writes it. */
    public static String payload(Digest manifest, String reference) {
        return """
        {"critical":{"identity":{"docker-reference":"%s"},"image":\
        {"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}\
        """
                .formatted(reference, manifest);
    }

    public ImageSignature sign(Digest manifest, String reference) {
        return sign(manifest, payload(manifest, reference).getBytes(UTF_8));
    }

    public ImageSignature sign(Digest of, byte[] payload) {
        try {
            Signature signature = Signature.getInstance(algorithm);
            signature.initSign(keys.getPrivate());
            signature.update(payload);
            return new ImageSignature(
                    of, payload, Base64.getEncoder().encodeToString(signature.sign()));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }
}
