package io.crema.runtime.stats;

import io.crema.base.ContainerId;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.oci.linux.LinuxFiles;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.Layout;
import java.time.Clock;
import java.time.Duration;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What containers have written into their root file systems. Measuring means looking at every file,
 * so it is done by one thread behind the answers, which get the last figure. A figure is measured
 * again when it is asked for and older than ten seconds or, for large layers, than a hundred times
 * what measuring took: measuring never takes more than about a hundredth of a processor.
 *
 * <p>The thread is there only while there is something to measure; figures are kept for containers
 * that exist, one each.
 */
final class WritableLayerUsage implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(WritableLayerUsage.class);
    private static final Duration SHORTEST_INTERVAL = Duration.ofSeconds(10);
    private static final Duration LONGEST_INTERVAL = Duration.ofMinutes(5);
    private static final int INTERVAL_FACTOR = 100;
    private static final Duration IDLE_THREAD = Duration.ofSeconds(30);

    /**
     * A measured layer.
     *
     * @param atNanos since 1970
     */
    record Measured(long usedBytes, long inodes, long atNanos) {}

    private final LinuxFiles files;
    private final Layout layout;
    private final Clock clock;
    private final Map<ContainerId, Layer> layers = new ConcurrentHashMap<>();
    private final ThreadPoolExecutor background;

    WritableLayerUsage(LinuxFiles files, Layout layout, Clock clock) {
        this.files = files;
        this.layout = layout;
        this.clock = clock;
        // The queue holds each container at most once.
        background =
                new ThreadPoolExecutor(
                        1,
                        1,
                        IDLE_THREAD.toMillis(),
                        TimeUnit.MILLISECONDS,
                        new LinkedBlockingQueue<>(),
                        Thread.ofPlatform().daemon().name("writable-layers").factory());
        background.allowCoreThreadTimeOut(true);
    }

    private static final class Layer {
        private volatile @Nullable Measured measured;
        private long againAtNanoTime;
        private @Nullable CompletableFuture<Void> measuring;
    }

    /** Has the layer measured in the background unless its figure is young enough; never waits. */
    void refresh(ContainerId id) {
        Layer layer = layers.computeIfAbsent(id, unknown -> new Layer());
        synchronized (layer) {
            boolean isYoung =
                    layer.measured != null && System.nanoTime() - layer.againAtNanoTime < 0;
            if (layer.measuring != null || isYoung) {
                return;
            }
            CompletableFuture<Void> done = new CompletableFuture<>();
            try {
                background.execute(() -> measure(id, layer, done));
                layer.measuring = done;
            } catch (RejectedExecutionException e) {
                return; // the daemon is stopping
            }
        }
    }

    /**
     * The last figure. When there is none yet, one on its way is waited for until the deadline,
     * which should leave the time for a small layer: those of new containers are. After that the
     * answer is what the layer has at the least, its root directory without any block. The caller
     * does not look at the layer itself: its file system may be one that never answers.
     */
    Measured latest(ContainerId id, Deadline deadline) {
        Layer layer = layers.get(id);
        if (layer == null) {
            return least();
        }
        CompletableFuture<Void> measuring;
        synchronized (layer) {
            measuring = layer.measuring;
        }
        if (layer.measured == null && measuring != null) {
            try {
                measuring.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
            } catch (TimeoutException e) {
                return least();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return least();
            } catch (ExecutionException e) {
                throw new IllegalStateException("a measurement completes only normally", e);
            }
        }
        Measured measured = layer.measured;
        return measured == null ? least() : measured;
    }

    private Measured least() {
        return new Measured(0, 1, Nanos.of(clock.instant()));
    }

    private void measure(ContainerId id, Layer layer, CompletableFuture<Void> done) {
        long start = System.nanoTime();
        Measured measured = layer.measured;
        try {
            LayerWalk.Size size = LayerWalk.of(files, layout.upper(id));
            long atNanos = Nanos.of(clock.instant());
            measured = new Measured(size.bytes(), size.inodes(), atNanos);
        } catch (CremaException e) {
            // Not told to the caller, whose other figures are fine.
            LOG.warn("Cannot measure the writable layer of container {}: {}", id, e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the daemon is stopping
        } finally {
            long end = System.nanoTime();
            long pause =
                    Math.clamp(
                            (end - start) * INTERVAL_FACTOR,
                            SHORTEST_INTERVAL.toNanos(),
                            LONGEST_INTERVAL.toNanos());
            synchronized (layer) {
                layer.measured = measured;
                layer.againAtNanoTime = end + pause;
                layer.measuring = null;
            }
            done.complete(null);
        }
    }

    /** Forgets containers that are no longer there. */
    void keepOnly(Inventory inventory) {
        Iterator<ContainerId> ids = layers.keySet().iterator();
        while (ids.hasNext()) {
            if (inventory.container(ids.next()).isEmpty()) {
                ids.remove();
            }
        }
    }

    int size() {
        return layers.size();
    }

    @Override
    public void close() {
        background.shutdownNow();
    }
}
