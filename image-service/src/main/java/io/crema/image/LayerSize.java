package io.crema.image;

/** How large a layer is, in the steps by which bytes of layers are counted; those of CRI-O. */
public enum LayerSize {
    SMALLEST(">0 B", 0),
    OVER_1_KB(">1 KiB", 1_000),
    OVER_1_MB(">1 MiB", 1_000_000),
    OVER_10_MB(">10 MiB", 10_000_000),
    OVER_50_MB(">50 MiB", 50_000_000),
    OVER_100_MB(">100 MiB", 100_000_000),
    OVER_200_MB(">200 MiB", 200_000_000),
    OVER_300_MB(">300 MiB", 300_000_000),
    OVER_400_MB(">400 MiB", 400_000_000),
    OVER_500_MB(">500 MiB", 500_000_000),
    OVER_1_GB(">1 GiB", 1_000_000_000),
    OVER_10_GB(">10 GiB", 10_000_000_000L);

    private final String label;
    private final long aboveBytes;

    LayerSize(String label, long aboveBytes) {
        this.label = label;
        this.aboveBytes = aboveBytes;
    }

    /** In CRI-O's words, which say KiB and mean thousands. */
    public String label() {
        return label;
    }

    /** Layers of this step are larger than that, and not larger than the next step's. */
    public long aboveBytes() {
        return aboveBytes;
    }

    public static LayerSize of(long bytes) {
        LayerSize found = SMALLEST;
        for (LayerSize size : values()) {
            if (bytes > size.aboveBytes) {
                found = size;
            }
        }
        return found;
    }
}
