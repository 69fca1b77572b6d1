package io.crema.runtime.stats;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * Keeps each reading for the configured period ({@code collection_period}), so that callers who ask
 * more often get it again. With a period of zero nothing is kept and every answer is a reading.
 * There is no collecting when nobody asks.
 */
final class Recent<T> {
    private record Kept<T>(long nanoTime, T value) {}

    private final long periodNanos;
    private final LongSupplier nanoTime;
    private final Map<String, Kept<T>> kept = new ConcurrentHashMap<>();

    Recent(Duration period, LongSupplier nanoTime) {
        this.periodNanos = period.toNanos();
        this.nanoTime = nanoTime;
    }

    /** What was kept, or a new reading; empty when there is nothing to read. */
    Optional<T> get(String id, Supplier<Optional<T>> reading) {
        if (periodNanos == 0) {
            return reading.get();
        }
        Optional<T> young = young(id);
        if (young.isPresent()) {
            return young;
        }
        long now = nanoTime.getAsLong();
        Optional<T> value = reading.get();
        value.ifPresent(read -> kept.put(id, new Kept<>(now, read)));
        return value;
    }

    /** What is kept and still in its period. */
    Optional<T> young(String id) {
        Kept<T> found = kept.get(id);
        return found != null && nanoTime.getAsLong() - found.nanoTime < periodNanos
                ? Optional.of(found.value)
                : Optional.empty();
    }

    /** Forgets what the predicate does not know. */
    void keepOnly(Predicate<String> exists) {
        kept.keySet().removeIf(id -> !exists.test(id));
    }

    int size() {
        return kept.size();
    }
}
