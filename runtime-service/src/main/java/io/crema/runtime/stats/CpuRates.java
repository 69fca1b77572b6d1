package io.crema.runtime.stats;

import java.time.Duration;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import java.util.function.Predicate;

/**
 * Processor use per second, from two readings of a counter. Whoever asks first after a second ends
 * the interval; others who ask within it get the rate of the one before, so that several callers do
 * not shorten each other's intervals to noise. An interval longer than two minutes tells nothing of
 * the present and is dropped.
 */
final class CpuRates {
    private static final long SHORTEST_NANOS = Duration.ofSeconds(1).toNanos();
    private static final long LONGEST_NANOS = Duration.ofMinutes(2).toNanos();
    private static final double NANOS_PER_SECOND = 1e9;

    /** When an interval began, the counter then, and the rate of the interval before. */
    private record Sample(long nanoTime, long cpuNanos, OptionalLong rate) {}

    private final LongSupplier nanoTime;
    private final Map<String, Sample> samples = new ConcurrentHashMap<>();

    /**
     * @param nanoTime a monotonic clock
     */
    CpuRates(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /**
     * Nanoseconds of processor time per second; empty when there is no reading to compare with.
     *
     * @param id of the pod or container that the counter belongs to
     */
    OptionalLong observe(String id, long cpuNanos) {
        long now = nanoTime.getAsLong();
        return samples.compute(
                        id,
                        (key, before) -> {
                            if (before == null
                                    || cpuNanos < before.cpuNanos
                                    || now - before.nanoTime > LONGEST_NANOS) {
                                return new Sample(now, cpuNanos, OptionalLong.empty());
                            }
                            long interval = now - before.nanoTime;
                            if (interval < SHORTEST_NANOS) {
                                return before;
                            }
                            double rate =
                                    (cpuNanos - before.cpuNanos) * NANOS_PER_SECOND / interval;
                            return new Sample(now, cpuNanos, OptionalLong.of(Math.round(rate)));
                        })
                .rate;
    }

    /** Forgets what the predicate does not know. */
    void keepOnly(Predicate<String> exists) {
        samples.keySet().removeIf(id -> !exists.test(id));
    }

    int size() {
        return samples.size();
    }
}
