package io.crema.server.metrics;

import io.crema.image.Images;
import io.crema.image.LayerSize;
import io.crema.image.PullProgress;
import io.crema.image.PullProgress.LayerState;
import io.crema.image.PullTotals;
import io.crema.server.metrics.Exposition.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** What pulls have done, under CRI-O's names, and how far those under way are, under ours. */
final class PullMetrics {
    private final Images images;

    PullMetrics(Images images) {
        this.images = images;
    }

    void writeTo(Exposition page) {
        PullTotals totals = images.pullTotals();
        page.crio("image_pulls_success_total", Kind.COUNTER, "Pulls that ended with an image.")
                .value(totals.succeeded());
        page.crio(
                "image_pulls_failure_total",
                Kind.COUNTER,
                "Pulls that failed, by the code of the distribution specification that fits best.");
        new TreeMap<>(totals.failures())
                .forEach((reason, count) -> page.value(count, "error", reason));
        page.crio(
                "image_pulls_bytes_total",
                Kind.COUNTER,
                "Compressed bytes of layers that came over the network, repetitions included, by"
                        + " media type and size of the layer.");
        List<Map.Entry<PullTotals.Traffic, Long>> received =
                new ArrayList<>(totals.received().entrySet());
        received.sort(
                Map.Entry.comparingByKey(
                        Comparator.comparing(PullTotals.Traffic::mediaType)
                                .thenComparing(PullTotals.Traffic::size)));
        for (Map.Entry<PullTotals.Traffic, Long> entry : received) {
            page.value(
                    entry.getValue(),
                    "mediatype",
                    entry.getKey().mediaType(),
                    "size",
                    entry.getKey().size().label());
        }
        page.crio(
                "image_pulls_skipped_bytes_total",
                Kind.COUNTER,
                "Compressed bytes of layers that need not be pulled because they were here, by size"
                        + " of the layer.");
        new TreeMap<>(totals.skipped())
                .forEach((size, bytes) -> page.value(bytes, "size", size.label()));
        page.crio(
                        "image_layer_reuse_total",
                        Kind.COUNTER,
                        "Layers that need not be pulled because they were here; without names,"
                                + " which would be without number.")
                .value(totals.reusedLayers());
        layerSizes(page, totals);
        page.metric(
                        "crema_image_pulls_resumed_bytes_total",
                        Kind.COUNTER,
                        "Compressed bytes that an interrupted pull had left and that were used.")
                .value(totals.resumedBytes());
        underWay(page, images.pulls());
    }

    private static void layerSizes(Exposition page, PullTotals totals) {
        page.crio(
                "image_pulls_layer_size",
                Kind.HISTOGRAM,
                "Compressed bytes of the layers that were pulled.");
        long atMost = 0;
        LayerSize[] sizes = LayerSize.values();
        for (int i = 0; i < sizes.length; i++) {
            atMost += totals.pulledLayers().getOrDefault(sizes[i], 0L);
            page.part(
                    "_bucket",
                    atMost,
                    "le",
                    i + 1 < sizes.length
                            ? Double.toString((double) sizes[i + 1].aboveBytes())
                            : "+Inf");
        }
        page.part("_sum", totals.pulledLayerBytes()).part("_count", atMost);
    }

    private static void underWay(Exposition page, List<PullProgress> pulls) {
        page.metric("crema_image_pulls_running", Kind.GAUGE, "Pulls under way.")
                .value(pulls.size());
        page.metric(
                "crema_image_pull_size_bytes",
                Kind.GAUGE,
                "Compressed bytes of all layers of an image being pulled.");
        pulls.forEach(pull -> page.value(pull.sizeBytes(), labels(pull)));
        page.metric(
                "crema_image_pull_done_bytes",
                Kind.GAUGE,
                "Compressed bytes of an image being pulled that are unpacked.");
        pulls.forEach(pull -> page.value(pull.doneBytes(), labels(pull)));
        page.metric(
                "crema_image_pull_received_bytes",
                Kind.GAUGE,
                "Bytes that came over the network for a pull under way.");
        pulls.forEach(pull -> page.value(pull.receivedBytes(), labels(pull)));
        page.metric(
                "crema_image_pull_bytes_per_second",
                Kind.GAUGE,
                "Bytes a second over the network for a pull under way, over the last three"
                        + " seconds.");
        pulls.forEach(pull -> page.value(pull.bytesPerSecond(), labels(pull)));
        page.metric(
                "crema_image_pull_layers",
                Kind.GAUGE,
                "Layers of an image being pulled, by state: waiting, fetching, done, present.");
        for (PullProgress pull : pulls) {
            for (LayerState state : LayerState.values()) {
                long count = 0;
                for (PullProgress.Layer layer : pull.layers()) {
                    count += layer.state() == state ? 1 : 0;
                }
                page.value(
                        count,
                        "reference",
                        pull.reference(),
                        "started",
                        pull.startedAt().toString(),
                        "state",
                        state.name().toLowerCase(Locale.ROOT));
            }
        }
    }

    /** With other credentials the same image may be pulled twice at once. */
    private static String[] labels(PullProgress pull) {
        return new String[] {"reference", pull.reference(), "started", pull.startedAt().toString()};
    }
}
