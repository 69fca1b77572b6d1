package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.image.registry.ResolvedManifest;
import java.util.List;
import java.util.Optional;

/**
 * An image on its way into the store, from a registry or an archive.
 *
 * @param what how messages call it
 * @param tags names that become this image's, taken from any other image
 * @param digests names with the digest it was found by
 * @param manifest empty when the archive has none; one is made then
 * @param indexes that led to the manifest, to be kept beside it
 * @param configuration its bytes, not yet read
 * @param configurationDigest as computed from the bytes
 * @param layers lowest first
 * @param provenance where it comes from
 */
record IncomingImage(
        String what,
        List<String> tags,
        List<String> digests,
        Optional<ResolvedManifest> manifest,
        List<ResolvedManifest> indexes,
        byte[] configuration,
        Digest configurationDigest,
        List<Layer> layers,
        Provenance provenance) {
    /**
     * One of its layers.
     *
     * @param digest of the bytes as they come, where somebody said it
     */
    record Layer(Optional<Digest> digest, long sizeBytes, LayerBytes.Source source) {}
}
