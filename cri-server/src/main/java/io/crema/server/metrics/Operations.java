package io.crema.server.metrics;

import io.crema.server.grpc.CallObserver;
import io.crema.server.metrics.Exposition.Kind;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** Counts the calls of the CRI and how long they took. */
final class Operations implements CallObserver {
    /** Quantiles are those of the last calls, at most this many of each kind. */
    private static final int WINDOW_CALLS = 128;

    private static final long WINDOW_NANOS = TimeUnit.MINUTES.toNanos(10);
    private static final double[] QUANTILES = {0.5, 0.9, 0.99};

    /** Steps are few words; this is for those that turn out not to be. */
    private static final int MAX_STAGES = 64;

    private final LongSupplier nanoTime;

    /** By method; there are as many as the CRI has calls. */
    private final ConcurrentMap<String, Calls> calls = new ConcurrentHashMap<>();

    private final Map<String, Long> stages = new TreeMap<>();

    Operations(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** All calls of one method. */
    private static final class Calls {
        private final long[] latencies = new long[WINDOW_CALLS];
        private final long[] endedAt = new long[WINDOW_CALLS];
        private long count;
        private long errors;
        private long sumNanos;
        private long lastNanos;

        synchronized void add(boolean ok, long nanos, long now) {
            int place = (int) (count++ % WINDOW_CALLS);
            latencies[place] = nanos;
            endedAt[place] = now;
            errors += ok ? 0 : 1;
            sumNanos += nanos;
            lastNanos = nanos;
        }

        synchronized Seen seen(long now) {
            int filled = (int) Math.min(count, WINDOW_CALLS);
            long[] window = new long[filled];
            int fresh = 0;
            for (int i = 0; i < filled; i++) {
                if (now - endedAt[i] <= WINDOW_NANOS) {
                    window[fresh++] = latencies[i];
                }
            }
            Arrays.sort(window, 0, fresh);
            double[] quantiles = new double[QUANTILES.length];
            for (int i = 0; i < quantiles.length; i++) {
                int rank = (int) Math.ceil(QUANTILES[i] * fresh) - 1;
                quantiles[i] = fresh == 0 ? Double.NaN : seconds(window[Math.max(rank, 0)]);
            }
            return new Seen(count, errors, seconds(sumNanos), seconds(lastNanos), quantiles);
        }

        private static double seconds(long nanos) {
            return nanos / 1e9;
        }
    }

    /** One method's numbers at one moment. */
    @SuppressWarnings("ArrayRecordComponent")
    private record Seen(
            long count, long errors, double sumSeconds, double lastSeconds, double[] quantiles) {}

    @Override
    public void answered(String method, String code, Duration duration) {
        calls.computeIfAbsent(method, absent -> new Calls())
                .add(code.equals("OK"), duration.toNanos(), nanoTime.getAsLong());
    }

    /** What is stalled are pods and containers in the making; other calls repeat their work. */
    @Override
    public void late(String method, String step) {
        if (!method.equals("RunPodSandbox") && !method.equals("CreateContainer")) {
            return;
        }
        int end = step.indexOf(" in ");
        String stage = end < 0 ? step : step.substring(0, end);
        synchronized (stages) {
            if (stages.size() < MAX_STAGES || stages.containsKey(stage)) {
                stages.merge(stage.isEmpty() ? "unknown" : stage, 1L, Long::sum);
            }
        }
    }

    void writeTo(Exposition page) {
        Map<String, Seen> all = new TreeMap<>();
        long now = nanoTime.getAsLong();
        calls.forEach((method, counted) -> all.put(method, counted.seen(now)));
        page.crio("operations_total", Kind.COUNTER, "Calls of the CRI that were answered.");
        all.forEach((method, seen) -> page.value(seen.count(), "operation", method));
        page.crio(
                "operations_errors_total",
                Kind.COUNTER,
                "Calls of the CRI that were answered with an error, NotFound included.");
        all.forEach((method, seen) -> {
            if (seen.errors() > 0) {
                page.value(seen.errors(), "operation", method);
            }
        });
        page.crio(
                "operations_latency_seconds",
                Kind.GAUGE,
                "How long the last call of each kind took, from arrival to answer.");
        all.forEach((method, seen) -> page.value(seen.lastSeconds(), "operation", method));
        page.crio(
                "operations_latency_seconds_total",
                Kind.SUMMARY,
                "How long calls took, from arrival to answer; quantiles of the last 128 calls of"
                        + " each kind within ten minutes.");
        all.forEach((method, seen) -> {
            for (int i = 0; i < QUANTILES.length; i++) {
                page.value(
                        seen.quantiles()[i],
                        "operation",
                        method,
                        "quantile",
                        Double.toString(QUANTILES[i]));
            }
            page.part("_sum", seen.sumSeconds(), "operation", method);
            page.part("_count", seen.count(), "operation", method);
        });
        page.crio(
                "resources_stalled_at_stage",
                Kind.COUNTER,
                "RunPodSandbox and CreateContainer calls whose time ran out, by what they waited"
                        + " for.");
        synchronized (stages) {
            stages.forEach((stage, count) -> page.value(count, "stage", stage));
        }
    }
}
