package io.crema.e2e.image;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/**
 * Content that a registry serves by digest.
 *
 * @param hex SHA-256 under which the content is known
 */
public record Blob(String mediaType, String hex, byte[] content) {
    public Blob(String mediaType, byte[] content) {
        this(mediaType, sha256(content), content);
    }

    public String digest() {
        return "sha256:" + hex;
    }

    /** A descriptor (image-spec, descriptor.md); the caller may add to it. */
    public Map<String, Object> descriptor() {
        Map<String, Object> descriptor = new TreeMap<>();
        descriptor.put("mediaType", mediaType);
        descriptor.put("digest", digest());
        descriptor.put("size", content.length);
        return descriptor;
    }

    static String sha256(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
