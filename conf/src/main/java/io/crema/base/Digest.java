package io.crema.base;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/**
 * A content digest as OCI writes it, {@code algorithm:hex} (image-spec, descriptor.md). SHA-256 and
 * SHA-512 are known; anything else is refused because we could not verify it.
 */
public record Digest(String algorithm, String hex) {
    public Digest {
        int length =
                switch (algorithm) {
                    case "sha256" -> 64;
                    case "sha512" -> 128;
                    default ->
                            throw new IllegalArgumentException(
                                    "unknown digest algorithm '"
                                            + algorithm
                                            + "': only sha256 and sha512 can be verified");
                };
        if (hex.length() != length || !HexId.isLowerHex(hex)) {
            throw new IllegalArgumentException(
                    algorithm
                            + " digest must be "
                            + length
                            + " lower-case hexadecimal characters: '"
                            + hex
                            + "'");
        }
    }

    public static Digest sha256(String hex) {
        return new Digest("sha256", hex);
    }

    /**
     * @throws IllegalArgumentException when the text is not {@code algorithm:hex} of a known
     *     algorithm
     */
    @JsonCreator
    public static Digest parse(String text) {
        int colon = text.indexOf(':');
        if (colon <= 0) {
            throw new IllegalArgumentException("digest must be algorithm:hex: '" + text + "'");
        }
        return new Digest(text.substring(0, colon), text.substring(colon + 1));
    }

    @JsonValue
    @Override
    public String toString() {
        return algorithm + ":" + hex;
    }
}
