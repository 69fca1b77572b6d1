package io.crema.image;

import java.util.Map;

/**
 * What all pulls since the start have done together; counters for metrics.
 *
 * @param failures how many pulls failed, by reason
 * @param received compressed layer bytes that came over the network
 * @param skipped compressed layer bytes that were not needed, because the layer was here
 * @param resumedBytes compressed layer bytes that an interrupted pull had left
 * @param reusedLayers layers that were here
 * @param pulledLayers how many layers were pulled whole
 * @param pulledLayerBytes the compressed bytes of those
 */
public record PullTotals(
        long succeeded,
        Map<String, Long> failures,
        Map<Traffic, Long> received,
        Map<LayerSize, Long> skipped,
        long resumedBytes,
        long reusedLayers,
        Map<LayerSize, Long> pulledLayers,
        long pulledLayerBytes) {
    /** A kind of layers. */
    public record Traffic(String mediaType, LayerSize size) {}

    public PullTotals {
        failures = Map.copyOf(failures);
        received = Map.copyOf(received);
        skipped = Map.copyOf(skipped);
        pulledLayers = Map.copyOf(pulledLayers);
    }

    /** Of a store that has pulled nothing. */
    public static PullTotals none() {
        return new PullTotals(0, Map.of(), Map.of(), Map.of(), 0, 0, Map.of(), 0);
    }

    public long failed() {
        return sum(failures);
    }

    public long receivedBytes() {
        return sum(received);
    }

    public long skippedBytes() {
        return sum(skipped);
    }

    private static long sum(Map<?, Long> counts) {
        long sum = 0;
        for (long count : counts.values()) {
            sum += count;
        }
        return sum;
    }
}
