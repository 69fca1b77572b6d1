package io.crema.image.registry;

import io.crema.base.Digest;

/**
 * A manifest or index as it was served, its bytes verified against its digest.
 *
 * @param content the exact bytes; owned by this record, not to be changed
 * @param mediaType as the content says, or as the registry says where the content is silent
 */
public record ResolvedManifest(String mediaType, Digest digest, byte[] content) {
    public boolean isIndex() {
        return MediaTypes.isIndex(mediaType);
    }

    @Override
    public String toString() {
        return mediaType + " " + digest + " (" + content.length + " bytes)";
    }
}
