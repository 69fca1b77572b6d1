package io.crema.cni;

import io.crema.cni.NetworkDirectory.Found;
import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the default network up to date: reloads when its directory changes and examines the
 * plugins' health from time to time. Two virtual threads, so that a hanging STATUS does not hold up
 * a reload; readers see immutable snapshots and never wait.
 */
final class NetworkWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NetworkWatch.class);

    /** A burst of changes counts as over when nothing happened for this long… */
    private static final Duration QUIET = Duration.ofMillis(50);

    /** …or, if it never ends, after this long. */
    private static final Duration LONGEST_BURST = Duration.ofSeconds(1);

    /** While the directory is missing, and thus cannot be watched, it is looked for this often. */
    private static final Duration MISSING_DIRECTORY_INTERVAL = Duration.ofSeconds(1);

    /**
     * A watched directory is read again this often anyway: events get lost when the directory is
     * mounted over or replaced.
     */
    private static final Duration SAFETY_INTERVAL = Duration.ofSeconds(30);

    private static final Duration LONGEST_CLOSE = Duration.ofSeconds(5);

    private final NetworkDirectory directory;
    private final NetworkHealth health;
    private final Duration pollInterval;
    private final BlockingQueue<Boolean> healthWanted = new ArrayBlockingQueue<>(1);
    private volatile Found found;
    private volatile boolean isClosed;
    private final Thread watcher;
    private final Thread examiner;

    NetworkWatch(CniSettings settings, NetworkHealth health) {
        this.directory =
                new NetworkDirectory(settings.networkDirectory(), settings.defaultNetwork());
        this.health = health;
        this.pollInterval = settings.pollInterval();
        this.found = directory.read();
        logFound(found);
        found.network().ifPresent(health::examineFiles);
        this.watcher = Thread.ofVirtual().name("cni-watch").unstarted(this::watch);
        this.examiner = Thread.ofVirtual().name("cni-health").unstarted(this::examine);
    }

    void start() {
        watcher.start();
        examiner.start();
    }

    Found found() {
        return found;
    }

    /**
     * The default network; when there seems to be none, the directory is read at once, because the
     * administrator may have just written it.
     */
    Optional<NetworkConfiguration> network() {
        Optional<NetworkConfiguration> network = found.network();
        if (network.isEmpty()) {
            reload();
            network = found.network();
        }
        return network;
    }

    private synchronized void reload() {
        Found now = directory.read();
        if (now.isSameAs(found)) {
            return;
        }
        logFound(now);
        now.network().ifPresent(health::examineFiles);
        found = now;
        healthWanted.offer(Boolean.TRUE);
    }

    private static void logFound(Found found) {
        found.network()
                .ifPresentOrElse(
                        network ->
                                LOG.info(
                                        "default CNI network {} (CNI {}) from {}",
                                        network.name(),
                                        network.version(),
                                        network.source()),
                        () -> LOG.warn("{}", found.problem()));
        if (!found.invalid().isEmpty()) {
            LOG.warn("CNI configuration files passed over: {}", found.invalidFiles());
        }
    }

    private void watch() {
        while (!isClosed) {
            try {
                if (!Files.isDirectory(directory.directory())) {
                    Thread.sleep(MISSING_DIRECTORY_INTERVAL);
                    continue;
                }
                watchDirectory(directory.directory());
            } catch (InterruptedException | ClosedWatchServiceException e) {
                // Closing; the loop's condition says so.
            } catch (IOException | RuntimeException e) {
                LOG.warn(
                        "cannot watch {} for changes, reading it every {} s: {}",
                        directory.directory(),
                        SAFETY_INTERVAL.toSeconds(),
                        e.toString());
                sleepAndReload();
            }
        }
    }

    /** Returns when the directory is gone. */
    private void watchDirectory(Path path) throws IOException, InterruptedException {
        try (WatchService events = FileSystems.getDefault().newWatchService()) {
            path.register(
                    events,
                    StandardWatchEventKinds.ENTRY_CREATE,
                    StandardWatchEventKinds.ENTRY_MODIFY,
                    StandardWatchEventKinds.ENTRY_DELETE);
            boolean isWatched = true;
            while (isWatched && !isClosed) {
                // Also the first time: what changed before the watch began raised no event.
                reload();
                WatchKey key = events.poll(SAFETY_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
                isWatched = key == null ? Files.isDirectory(path) : settle(events, key);
            }
        }
        reload();
    }

    /** Waits for the end of a burst; false when the directory is gone. */
    private static boolean settle(WatchService events, WatchKey first) throws InterruptedException {
        long end = System.nanoTime() + LONGEST_BURST.toNanos();
        boolean isValid = true;
        WatchKey key = first;
        while (key != null && isValid && System.nanoTime() - end < 0) {
            key.pollEvents();
            isValid = key.reset();
            key = isValid ? events.poll(QUIET.toMillis(), TimeUnit.MILLISECONDS) : null;
        }
        if (key != null && isValid) {
            key.pollEvents();
            isValid = key.reset();
        }
        return isValid;
    }

    private void sleepAndReload() {
        try {
            Thread.sleep(SAFETY_INTERVAL);
            reload();
        } catch (InterruptedException e) {
            // Closing; the loop's condition says so.
        }
    }

    private void examine() {
        // Processes are expensive while a daemon starts, so only what readiness hangs on is at
        // once.
        if (found.network().filter(network -> network.version().hasStatusAndGc()).isPresent()) {
            healthWanted.offer(Boolean.TRUE);
        }
        while (!isClosed) {
            try {
                healthWanted.poll(pollInterval.toMillis(), TimeUnit.MILLISECONDS);
                found.network().ifPresent(health::examine);
            } catch (InterruptedException e) {
                // Closing; the loop's condition says so.
            } catch (RuntimeException e) {
                LOG.error("examining the CNI network failed", e);
                healthWanted.clear();
                sleepAfterFailure();
            }
        }
    }

    private void sleepAfterFailure() {
        try {
            Thread.sleep(pollInterval);
        } catch (InterruptedException e) {
            // Closing; the loop's condition says so.
        }
    }

    /** Stops both threads, and with them a plugin that is being asked for STATUS. */
    @Override
    public void close() {
        isClosed = true;
        watcher.interrupt();
        examiner.interrupt();
        try {
            watcher.join(LONGEST_CLOSE.toMillis());
            examiner.join(LONGEST_CLOSE.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // they end by themselves
        }
    }
}
