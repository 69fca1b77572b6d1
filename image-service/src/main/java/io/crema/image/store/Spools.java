package io.crema.image.store;

import io.crema.base.Digest;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kept bytes of layers whose pull ended early, one file each, below {@code partial/}. They are
 * few and do not stay long: six hours, and eight gigabytes besides the newest.
 */
final class Spools {
    private static final Logger LOG = LoggerFactory.getLogger(Spools.class);

    /**
     * Smaller layers are kept only when they come slowly: copying every layer here would cost each
     * pull a seventh of its time, for the sake of the few that are interrupted.
     */
    static final long MIN_LARGE_BYTES = 64L << 20;

    /** Smaller layers are fetched again. */
    static final long MIN_BYTES = 1L << 20;

    /** Far longer than kubelet's longest pause, which is five minutes. */
    private static final Duration LIFETIME = Duration.ofHours(6);

    private static final Duration SWEEP_PAUSE = Duration.ofMinutes(30);
    private static final long MAX_BYTES = 8L << 30;
    private static final int MAX_FILES = 64;

    private final Path directory;
    private final Clock clock;
    private final String bootId;
    private final Set<Path> inUse = new HashSet<>();
    private boolean sweeping;

    Spools(Path directory, Clock clock, String bootId) {
        this.directory = directory;
        this.clock = clock;
        this.bootId = bootId;
    }

    private record Kept(Path file, Instant changedAt, long sizeBytes) {}

    /** The spool of a layer; empty while somebody else uses it, or when it cannot be made. */
    Optional<Spool> open(Digest digest, long sizeBytes) {
        Path file = file(digest);
        synchronized (this) {
            if (!inUse.add(file)) {
                return Optional.empty();
            }
        }
        try {
            return Optional.of(Spool.open(file, sizeBytes, bootId));
        } catch (IOException e) {
            LOG.warn("layer {} is pulled without a way to resume: {}", digest, e.toString());
            release(file);
            return Optional.empty();
        }
    }

    /** Whether an earlier attempt may have left something of a layer. */
    boolean has(Digest digest) {
        return Files.exists(file(digest));
    }

    private Path file(Digest digest) {
        return directory.resolve(digest.algorithm() + "-" + digest.hex());
    }

    /** Closes a spool, which was deleted or is now kept for a while. */
    void close(Digest digest, Spool spool) {
        spool.close();
        release(file(digest));
        sweep();
    }

    private synchronized void release(Path file) {
        inUse.remove(file);
    }

    /** Deletes what is too old, too much, of another boot or incomplete. */
    synchronized void sweep() {
        List<Kept> kept = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                if (file.getFileName().toString().endsWith(".journal")) {
                    Path content = contentOf(file);
                    if (!Files.exists(content) && !inUse.contains(content)) {
                        Files.deleteIfExists(file);
                    }
                } else if (!inUse.contains(file)) {
                    kept.add(
                            new Kept(
                                    file,
                                    Files.getLastModifiedTime(file).toInstant(),
                                    Files.size(file)));
                }
            }
            kept.sort(Comparator.comparing(Kept::changedAt).reversed());
            long bytes = 0;
            int number = 0;
            Instant oldest = clock.instant().minus(LIFETIME);
            boolean any = false;
            for (Kept one : kept) {
                bytes += one.sizeBytes();
                boolean tooMuch = (number > 0 && bytes > MAX_BYTES) || number >= MAX_FILES;
                if (tooMuch
                        || one.changedAt().isBefore(oldest)
                        || !Spool.isOf(Spool.journalOf(one.file()), bootId)) {
                    Files.deleteIfExists(Spool.journalOf(one.file()));
                    Files.deleteIfExists(one.file());
                } else {
                    number++;
                    any = true;
                }
            }
            if (any && !sweeping) {
                sweeping = true;
                Thread.ofVirtual().name("partial layers").start(this::sweepLater);
            }
        } catch (IOException e) {
            LOG.warn("partial layers below {} cannot be tidied: {}", directory, e.toString());
        }
    }

    private static Path contentOf(Path journal) {
        String name = journal.getFileName().toString();
        return journal.resolveSibling(name.substring(0, name.length() - ".journal".length()));
    }

    private void sweepLater() {
        try {
            Thread.sleep(SWEEP_PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        synchronized (this) {
            sweeping = false;
        }
        sweep();
    }
}
