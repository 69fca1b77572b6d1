package io.crema.image.store;

import io.crema.image.layer.TreeRemoval;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Deletes trees without keeping anybody waiting: renames them into the ingest directory, where
 * nobody sees them, and deletes them there, one at a time on a thread of its own: several would
 * take the processors from whoever removes or pulls images. What a crash leaves is deleted at the
 * next start.
 */
final class Trash {
    private static final Logger LOG = LoggerFactory.getLogger(Trash.class);
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);

    private final LinuxFiles files;
    private final Path ingest;
    private final Executor workers;
    private final Queue<String> waiting = new ArrayDeque<>();
    private boolean deleting;

    /**
     * @param workers platform threads: deleting waits for the disk inside native calls
     */
    Trash(LinuxFiles files, Path ingest, Executor workers) {
        this.files = files;
        this.ingest = ingest;
        this.workers = workers;
    }

    /** What lies in the ingest directory now is nobody's; later arrivals are not touched. */
    void deleteLeftovers() {
        List<String> names;
        try (Descriptor directory = files.open(ingest, DIRECTORY, 0)) {
            names = files.list(directory);
        }
        names.forEach(this::deleteSoon);
    }

    /** Makes a directory vanish at once and frees its space soon; it may be gone already. */
    void discard(Path directory) throws IOException {
        String name = "trash-" + UUID.randomUUID();
        try {
            Files.move(directory, ingest.resolve(name), StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            return;
        }
        deleteSoon(name);
    }

    private synchronized void deleteSoon(String name) {
        waiting.add(name);
        if (!deleting) {
            deleting = true;
            try {
                workers.execute(this::deleteAll);
            } catch (RuntimeException | Error e) {
                deleting = false; // so that the next one tries again
                throw e;
            }
        }
    }

    private void deleteAll() {
        for (String name = next(); name != null; name = next()) {
            try {
                delete(name);
            } catch (Throwable e) {
                // One tree's trouble must not keep all later ones on the disk.
                LOG.error("cannot delete {}", ingest.resolve(name), e);
            }
        }
    }

    private synchronized @Nullable String next() {
        String name = waiting.poll();
        deleting = name != null;
        return name;
    }

    /** Deletes a staging directory of the ingest directory on the caller's thread. */
    void delete(Path staging) {
        delete(staging.getFileName().toString());
    }

    private void delete(String name) {
        try (Descriptor directory = files.open(ingest, DIRECTORY, 0)) {
            new TreeRemoval(files).remove(directory, name);
        } catch (RuntimeException e) {
            LOG.warn(
                    "cannot delete {}, trying again at the next start: {}",
                    ingest.resolve(name),
                    e.toString());
        }
    }
}
