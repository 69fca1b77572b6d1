package io.crema.e2e.benchmark;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.TreeMap;
import java.util.concurrent.Callable;

/** Measured values of one subject by the name of what was measured; durations in milliseconds. */
final class Samples {
    private final Map<String, List<Double>> values = new TreeMap<>();

    synchronized void add(String what, double value) {
        values.computeIfAbsent(what, _ -> new ArrayList<>()).add(value);
    }

    void add(String what, Duration duration) {
        add(what, duration.toNanos() / 1e6);
    }

    /** Runs an action and adds how long it took. */
    <T> T time(String what, Callable<T> action) {
        long begin = System.nanoTime();
        T result;
        try {
            result = action.call();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        add(what, Duration.ofNanos(System.nanoTime() - begin));
        return result;
    }

    void time(String what, Runnable action) {
        time(
                what,
                () -> {
                    action.run();
                    return true;
                });
    }

    /** Forgets everything, as after a warm-up. */
    synchronized void clear() {
        values.clear();
    }

    synchronized OptionalDouble median(String what) {
        List<Double> sorted = values.getOrDefault(what, List.of()).stream().sorted().toList();
        int size = sorted.size();
        return size == 0
                ? OptionalDouble.empty()
                : OptionalDouble.of((sorted.get((size - 1) / 2) + sorted.get(size / 2)) / 2);
    }
}
