package io.crema.image;

import io.crema.base.Digest;
import io.crema.base.ImageId;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * A whole image as the store holds it, or an OCI artifact: something else that registries keep,
 * whose files can be mounted but not run.
 *
 * @param id of an image, the digest of its configuration; of an artifact, that of its manifest
 * @param repoTags full names with tags
 * @param repoDigests full names with manifest digests
 * @param layerDirectories unpacked layers, lowest first; of an artifact, one directory of its files
 * @param sizeBytes compressed layers and configuration as the registry serves them
 * @param artifactType the type of an artifact; empty for an image
 */
public record Image(
        ImageId id,
        List<String> repoTags,
        List<String> repoDigests,
        Digest manifestDigest,
        long sizeBytes,
        boolean pinned,
        Instant createdAt,
        ImageConfiguration configuration,
        List<Path> layerDirectories,
        Optional<String> artifactType) {
    public Image {
        repoTags = List.copyOf(repoTags);
        repoDigests = List.copyOf(repoDigests);
        layerDirectories = List.copyOf(layerDirectories);
    }

    /** An image that can be run. */
    public Image(
            ImageId id,
            List<String> repoTags,
            List<String> repoDigests,
            Digest manifestDigest,
            long sizeBytes,
            boolean pinned,
            Instant createdAt,
            ImageConfiguration configuration,
            List<Path> layerDirectories) {
        this(
                id,
                repoTags,
                repoDigests,
                manifestDigest,
                sizeBytes,
                pinned,
                createdAt,
                configuration,
                layerDirectories,
                Optional.empty());
    }

    /** Whether this can be mounted only, not run. */
    public boolean isArtifact() {
        return artifactType.isPresent();
    }
}
