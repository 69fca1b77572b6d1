package io.crema.image.store;

import io.crema.image.LayerSize;
import io.crema.image.PullTotals;
import io.crema.image.PullTotals.Traffic;
import io.crema.image.registry.MediaTypes;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/** Counts what pulls do, from the start of the store on. */
final class PullCounters {
    private final AtomicLong succeeded = new AtomicLong();
    private final AtomicLong resumedBytes = new AtomicLong();
    private final AtomicLong reusedLayers = new AtomicLong();
    private final AtomicLong pulledLayerBytes = new AtomicLong();
    private final ConcurrentMap<String, AtomicLong> failures = new ConcurrentHashMap<>();
    private final ConcurrentMap<Traffic, AtomicLong> received = new ConcurrentHashMap<>();
    private final ConcurrentMap<LayerSize, AtomicLong> skipped = new ConcurrentHashMap<>();
    private final ConcurrentMap<LayerSize, AtomicLong> pulled = new ConcurrentHashMap<>();

    void succeeded() {
        succeeded.incrementAndGet();
    }

    void failed(Throwable cause) {
        count(failures, PullFailureReason.of(cause)).incrementAndGet();
    }

    /** The counter of bytes that come over the network for a layer. */
    AtomicLong received(String mediaType, long layerBytes) {
        // Media types are words of strangers; only those we know may become a counter.
        String known = MediaTypes.isLayer(mediaType) ? mediaType : "other";
        return count(received, new Traffic(known, LayerSize.of(layerBytes)));
    }

    void resumed(long bytes) {
        resumedBytes.addAndGet(bytes);
    }

    void reused(long layerBytes) {
        reusedLayers.incrementAndGet();
        count(skipped, LayerSize.of(layerBytes)).addAndGet(layerBytes);
    }

    void pulled(long layerBytes) {
        pulledLayerBytes.addAndGet(layerBytes);
        count(pulled, LayerSize.of(layerBytes)).incrementAndGet();
    }

    private static <K> AtomicLong count(ConcurrentMap<K, AtomicLong> counts, K key) {
        return counts.computeIfAbsent(key, absent -> new AtomicLong());
    }

    PullTotals totals() {
        return new PullTotals(
                succeeded.get(),
                now(failures),
                now(received),
                now(skipped),
                resumedBytes.get(),
                reusedLayers.get(),
                now(pulled),
                pulledLayerBytes.get());
    }

    private static <K> Map<K, Long> now(Map<K, AtomicLong> counts) {
        Map<K, Long> values = new HashMap<>();
        counts.forEach((key, count) -> values.put(key, count.get()));
        return values;
    }
}
