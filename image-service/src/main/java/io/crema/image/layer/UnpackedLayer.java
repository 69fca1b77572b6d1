package io.crema.image.layer;

import io.crema.base.Digest;

/**
 * A layer whose files are there and whose digests were verified.
 *
 * @param digest of the compressed bytes
 * @param compressedBytes as they came
 * @param plainBytes of the tar archive
 * @param allocatedBytes what the files occupy on disk, from their block counts
 * @param dependsOnPosition whether the files would differ above other parents
 * @param rootGiven whether the layer had an entry for the root itself
 * @param hidesAllBelow whether the layer says that nothing of its parents remains
 * @param droppedAttributes extended attributes that this file system cannot hold
 */
public record UnpackedLayer(
        Digest digest,
        Digest diffId,
        Compression compression,
        long compressedBytes,
        long plainBytes,
        int entries,
        long allocatedBytes,
        long inodes,
        boolean dependsOnPosition,
        boolean rootGiven,
        boolean hidesAllBelow,
        int droppedAttributes) {}
