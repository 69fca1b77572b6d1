package io.crema.image.registry;

import java.util.List;

/**
 * The signatures of an image, none of them verified.
 *
 * @param places where they were looked for, for messages
 */
public record FoundSignatures(List<ImageSignature> signatures, String places) {
    public FoundSignatures {
        signatures = List.copyOf(signatures);
    }
}
