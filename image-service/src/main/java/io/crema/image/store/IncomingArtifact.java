package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.image.registry.ContentDescriptor;
import io.crema.image.registry.ImageManifest;
import io.crema.image.registry.ResolvedManifest;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;

/**
 * An artifact on its way into the store.
 *
 * @param what how messages call it
 * @param tags names that become this artifact's
 * @param digests names with the digest it was found by
 * @param served its manifest
 * @param content what the manifest says
 * @param otherBlobs the indexes that led to the manifest, and the configuration, all verified
 * @param source where its files come from
 * @param provenance where all of it comes from
 */
record IncomingArtifact(
        String what,
        List<String> tags,
        List<String> digests,
        ResolvedManifest served,
        ImageManifest content,
        Map<Digest, byte[]> otherBlobs,
        Source source,
        Provenance provenance) {
    /** Gives the bytes of a file; they need not be what was promised. */
    @FunctionalInterface
    interface Source {
        InputStream open(ContentDescriptor file) throws IOException;
    }
}
