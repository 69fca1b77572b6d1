package io.crema.image;

/**
 * What all pulls since the start have done together; counters for metrics.
 *
 * @param receivedBytes compressed layer bytes that came over the network
 * @param skippedBytes compressed layer bytes that were not needed, because the layer was here
 * @param resumedBytes compressed layer bytes that an interrupted pull had left
 * @param reusedLayers layers that were here
 */
public record PullTotals(
        long succeeded,
        long failed,
        long receivedBytes,
        long skippedBytes,
        long resumedBytes,
        long reusedLayers) {}
