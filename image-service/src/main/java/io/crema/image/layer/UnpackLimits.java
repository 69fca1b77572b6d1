package io.crema.image.layer;

/**
 * How large a layer may be. Real layers stay far below; what goes beyond is refused as an attack on
 * this node's disk, memory or time.
 *
 * @param maxEntries entries of one layer
 * @param maxUnpackedBytes plain bytes of one layer, the archive's own headers included
 * @param maxRatio plain bytes for each compressed byte, once a layer is larger than {@code
 *     ratioFreeBytes}
 * @param ratioFreeBytes plain bytes for which the ratio does not matter
 * @param maxFileBytes apparent size of one (sparse) file
 * @param maxPathBytes length of a name in the archive and of a link's target, at most PATH_MAX
 * @param maxDepth directories above an entry
 * @param maxHeaderBytes size of one extended header (PAX record set or GNU long name)
 * @param maxSparseFragments pieces of one sparse file
 */
public record UnpackLimits(
        int maxEntries,
        long maxUnpackedBytes,
        int maxRatio,
        long ratioFreeBytes,
        long maxFileBytes,
        int maxPathBytes,
        int maxDepth,
        int maxHeaderBytes,
        int maxSparseFragments) {
    /** A regular deflate stream compresses 1032 times at best, real layers 2 to 10 times. */
    private static final int MAX_RATIO = 250;

    /** PATH_MAX without its final zero. */
    private static final int MAX_PATH = 4095;

    public static UnpackLimits defaults() {
        return new UnpackLimits(
                4_000_000,
                512L << 30,
                MAX_RATIO,
                1L << 30,
                16L << 40,
                MAX_PATH,
                1024,
                1 << 20,
                100_000);
    }

    public UnpackLimits {
        if (maxPathBytes > MAX_PATH) {
            throw new IllegalArgumentException("no path can be longer than " + MAX_PATH);
        }
    }

    /** Other bounds of one layer's entries and plain bytes. */
    public UnpackLimits withLayer(long entries, long bytes) {
        return new UnpackLimits(
                (int) Math.min(entries, Integer.MAX_VALUE),
                bytes,
                maxRatio,
                ratioFreeBytes,
                maxFileBytes,
                maxPathBytes,
                maxDepth,
                maxHeaderBytes,
                maxSparseFragments);
    }

    /** The most plain bytes that a layer of so many compressed bytes may become. */
    long maxUnpackedBytes(long compressedBytes) {
        if (compressedBytes > Long.MAX_VALUE / maxRatio) {
            return maxUnpackedBytes;
        }
        return Math.min(maxUnpackedBytes, Math.max(ratioFreeBytes, compressedBytes * maxRatio));
    }
}
