package io.crema.image.store;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.PullProgress;
import io.crema.image.PullProgress.Phase;
import io.crema.image.registry.ContentDescriptor;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The pulls under way: what they have got so far, and an end to those that get nowhere. A pull
 * stalls when neither a byte comes nor one is unpacked for a set time; waiting for a place among
 * the parallel layers does not count, because whoever holds the places is watched, too.
 */
final class RunningPulls {
    private static final Duration LONGEST_TICK = Duration.ofMillis(500);

    /** Ticks whose bytes make the rate: three seconds, mostly. */
    private static final int RATE_TICKS = 6;

    private final Clock clock;
    private final Duration progressTimeout;
    private final Duration tick;
    private final Set<Pull> running = ConcurrentHashMap.newKeySet();
    private final PullCounters counters = new PullCounters();

    /**
     * @param progressTimeout zero for never
     */
    RunningPulls(Clock clock, Duration progressTimeout) {
        this.clock = clock;
        this.progressTimeout = progressTimeout;
        Duration quarter = progressTimeout.dividedBy(4);
        this.tick =
                quarter.isPositive() && quarter.compareTo(LONGEST_TICK) < 0
                        ? quarter
                        : LONGEST_TICK;
    }

    /** The image that a pull makes. */
    interface Work<V> {
        V run(Pull pull) throws InterruptedException;
    }

    /** Does a pull's work on this thread, watched. */
    <V> V watched(String reference, Work<V> work) throws InterruptedException {
        Pull pull = new Pull(reference, clock.instant());
        running.add(pull);
        Thread watch = Thread.ofVirtual().name("watch " + reference).start(pull::watch);
        try {
            V result = work.run(pull);
            counters.succeeded();
            return result;
        } catch (InterruptedException | RuntimeException e) {
            ImageException stalled = pull.end();
            counters.failed(stalled == null ? e : stalled);
            if (stalled != null) {
                stalled.addSuppressed(e);
                throw stalled;
            }
            throw e;
        } finally {
            pull.end();
            watch.interrupt();
            running.remove(pull);
        }
    }

    List<PullProgress> now() {
        List<PullProgress> all = new ArrayList<>();
        for (Pull pull : running) {
            all.add(pull.now());
        }
        all.sort((one, other) -> one.startedAt().compareTo(other.startedAt()));
        return all;
    }

    PullCounters counters() {
        return counters;
    }

    /** Counts bytes that come over the network for a layer. */
    LongConsumer receiver(ContentDescriptor layer, LayerProgress progress) {
        AtomicLong received = counters.received(layer.mediaType(), layer.sizeBytes());
        return bytes -> {
            progress.received(bytes);
            received.addAndGet(bytes);
        };
    }

    /** One pull under way. */
    final class Pull {
        private final String reference;
        private final Instant startedAt;
        private final Thread thread = Thread.currentThread();
        private final long[] lately = new long[RATE_TICKS];
        private int ticks;
        private boolean ended;
        private @Nullable ImageException stalled;
        private volatile Phase phase = Phase.RESOLVING;
        private volatile List<LayerProgress> layers = List.of();

        private Pull(String reference, Instant startedAt) {
            this.reference = reference;
            this.startedAt = startedAt;
        }

        void phase(Phase changed) {
            phase = changed;
        }

        /** All layers are there. */
        void storing() {
            phase = Phase.STORING;
            for (LayerProgress layer : layers) {
                if (layer.isPresent()) {
                    counters.reused(layer.sizeBytes());
                } else if (layer.receivedBytes() > 0 && layer.isFirstTold()) {
                    counters.pulled(layer.sizeBytes());
                }
            }
        }

        /** Replaces what is known of the layers. */
        void layers(List<LayerProgress> known) {
            layers = List.copyOf(known);
        }

        private long steps() {
            long sum = 0;
            for (LayerProgress layer : layers) {
                sum += layer.steps();
            }
            return sum;
        }

        private long receivedBytes() {
            long sum = 0;
            for (LayerProgress layer : layers) {
                sum += layer.receivedBytes();
            }
            return sum;
        }

        /** Whether it is this pull's turn to get on. */
        private boolean isExpectedToMove() {
            if (phase != Phase.LAYERS) {
                // Asking registries and flushing have time limits of their own.
                return false;
            }
            boolean anyWaits = false;
            for (LayerProgress layer : layers) {
                if (layer.isFetching()) {
                    return true;
                }
                anyWaits |= layer.isWaiting();
            }
            return !anyWaits;
        }

        private void watch() {
            long steps = steps();
            long movedAt = System.nanoTime();
            while (true) {
                try {
                    Thread.sleep(tick);
                } catch (InterruptedException e) {
                    return;
                }
                rate();
                long now = System.nanoTime();
                long stepsNow = steps();
                if (stepsNow != steps || !isExpectedToMove()) {
                    steps = stepsNow;
                    movedAt = now;
                } else if (progressTimeout.isPositive()
                        && now - movedAt >= progressTimeout.toNanos()) {
                    stall();
                    return;
                }
            }
        }

        private synchronized void rate() {
            lately[ticks++ % RATE_TICKS] = receivedBytes();
        }

        private synchronized void stall() {
            if (ended) {
                return;
            }
            PullProgress now = now();
            stalled =
                    new ImageException(
                            ErrorKind.CRI_REASON,
                            String.format(
                                    Locale.ROOT,
                                    "RegistryUnavailable: pulling %s: nothing came and nothing was"
                                            + " unpacked for %d s (pull_progress_timeout), after %d of"
                                            + " %d bytes; check the network between this node and the"
                                            + " registry, and this node's disk",
                                    reference,
                                    progressTimeout.toSeconds(),
                                    now.doneBytes(),
                                    now.sizeBytes()));
            thread.interrupt();
        }

        /** No interrupt comes after this; what it says was the reason of one before. */
        private synchronized @Nullable ImageException end() {
            ended = true;
            if (stalled != null) {
                // The interrupt may still be pending; it was for the work that has ended.
                var _ = Thread.interrupted();
            }
            return stalled;
        }

        private synchronized PullProgress now() {
            List<PullProgress.Layer> known = new ArrayList<>();
            for (LayerProgress layer : layers) {
                known.add(layer.now());
            }
            long bytes = receivedBytes();
            int filled = Math.min(ticks, RATE_TICKS);
            long before = filled < RATE_TICKS ? 0 : lately[ticks % RATE_TICKS];
            long span = Math.max(1, Math.max(1, filled) * tick.toMillis());
            return new PullProgress(
                    reference,
                    startedAt,
                    phase,
                    known,
                    bytes,
                    Math.max(0, bytes - before) * 1000 / span);
        }
    }
}
