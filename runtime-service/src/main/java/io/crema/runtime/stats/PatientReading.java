package io.crema.runtime.stats;

import io.crema.base.CremaException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A reading of what may never answer, such as a file system whose server is gone. A thread of its
 * own makes it, one at a time; callers wait for a while and then take the last one that came. For
 * the first, which nothing can stand in for, they wait longer. A reading that has hung once is
 * waited for no more until it comes back. Thread safe.
 */
final class PatientReading<T> {
    private static final Logger LOG = LoggerFactory.getLogger(PatientReading.class);

    private final String what;
    private final Supplier<T> reading;
    private final Duration firstPatience;
    private final Duration patience;
    private @Nullable CompletableFuture<T> underWay;
    private boolean hangs;
    private Optional<T> last = Optional.empty();

    /**
     * @param what it reads, for the log
     * @param firstPatience how long to wait while there is no reading yet
     */
    PatientReading(String what, Supplier<T> reading, Duration firstPatience, Duration patience) {
        this.what = what;
        this.reading = reading;
        this.firstPatience = firstPatience;
        this.patience = patience;
    }

    /** A new reading or, when that takes too long, the last one; empty when there was none. */
    Optional<T> take() {
        CompletableFuture<T> mine;
        Duration limit;
        synchronized (this) {
            if (underWay == null) {
                underWay = begin();
                hangs = false;
            } else if (hangs) {
                return last;
            }
            mine = underWay;
            limit = last.isEmpty() ? firstPatience : patience;
        }
        try {
            return Optional.of(mine.get(limit.toNanos(), TimeUnit.NANOSECONDS));
        } catch (TimeoutException e) {
            synchronized (this) {
                if (!hangs && !mine.isDone()) {
                    hangs = true;
                    LOG.warn(
                            "{} did not answer within {} ms; its last figures are told until it"
                                    + " does",
                            what,
                            limit.toMillis());
                }
                return last;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return kept();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof CremaException cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        }
    }

    private synchronized Optional<T> kept() {
        return last;
    }

    private CompletableFuture<T> begin() {
        CompletableFuture<T> future = new CompletableFuture<>();
        // Not a virtual one: a call into the kernel would hold its carrier.
        Thread.ofPlatform().daemon().name("reading").start(() -> read(future));
        return future;
    }

    private void read(CompletableFuture<T> future) {
        try {
            T value = reading.get();
            synchronized (this) {
                last = Optional.of(value);
                underWay = null;
            }
            future.complete(value);
        } catch (RuntimeException e) {
            synchronized (this) {
                underWay = null;
            }
            future.completeExceptionally(e);
        }
    }
}
