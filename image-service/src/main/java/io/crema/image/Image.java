package io.crema.image;

import io.crema.base.Digest;
import io.crema.base.ImageId;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/**
 * A whole image as the store holds it.
 *
 * @param repoTags full names with tags
 * @param repoDigests full names with manifest digests
 * @param layerDirectories unpacked layers, lowest first
 * @param sizeBytes compressed layers and configuration as the registry serves them
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
        List<Path> layerDirectories) {
    public Image {
        repoTags = List.copyOf(repoTags);
        repoDigests = List.copyOf(repoDigests);
        layerDirectories = List.copyOf(layerDirectories);
    }
}
