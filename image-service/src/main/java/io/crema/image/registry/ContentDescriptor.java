package io.crema.image.registry;

import io.crema.base.Digest;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a manifest or index says about one blob (image-spec, descriptor.md). Nothing here is true
 * until the blob's bytes have been counted and hashed.
 *
 * @param sizeBytes what the blob must have, never negative
 */
public record ContentDescriptor(
        String mediaType,
        Digest digest,
        long sizeBytes,
        List<String> urls,
        Optional<Platform> platform,
        Map<String, String> annotations) {
    public ContentDescriptor {
        if (sizeBytes < 0) {
            throw new IllegalArgumentException(
                    "size of " + digest + " must not be negative: " + sizeBytes);
        }
        urls = List.copyOf(urls);
        annotations = Map.copyOf(annotations);
    }

    public static ContentDescriptor of(String mediaType, Digest digest, long sizeBytes) {
        return new ContentDescriptor(
                mediaType, digest, sizeBytes, List.of(), Optional.empty(), Map.of());
    }
}
