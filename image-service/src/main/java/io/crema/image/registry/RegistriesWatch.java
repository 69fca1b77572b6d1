package io.crema.image.registry;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells when registries.conf or one of its drop-ins has changed. It looks at the files' times
 * instead of waiting for events: those get lost when files are replaced by renames of their
 * directories, as configuration management does, and nobody notices two seconds. A change counts
 * when the files have been the same for one interval, so that a burst is one change.
 */
public final class RegistriesWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RegistriesWatch.class);

    private final Path file;
    private final Path directory;
    private final Duration interval;
    private final Runnable changed;
    private final Thread thread;

    /**
     * @param changed runs on the watch's thread; what it throws is logged
     */
    public RegistriesWatch(Path file, Path directory, Duration interval, Runnable changed) {
        this.file = file;
        this.directory = directory;
        this.interval = interval;
        this.changed = changed;
        Map<String, String> now = look();
        this.thread = Thread.ofVirtual().name("registries watch").start(() -> watch(now));
    }

    private void watch(Map<String, String> first) {
        Map<String, String> told = first;
        Map<String, String> before = first;
        while (true) {
            try {
                Thread.sleep(interval);
            } catch (InterruptedException e) {
                return;
            }
            Map<String, String> now = look();
            if (now.equals(before) && !now.equals(told)) {
                told = now;
                try {
                    changed.run();
                } catch (RuntimeException e) {
                    LOG.error(
                            "Unable to reload configuration: {}; the old registries stay in effect",
                            e.getMessage());
                }
            }
            before = now;
        }
    }

    private Map<String, String> look() {
        Map<String, String> seen = new TreeMap<>();
        add(seen, file);
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*.conf")) {
            files.forEach(dropIn -> add(seen, dropIn));
        } catch (IOException e) {
            // There need not be any.
        }
        return seen;
    }

    private static void add(Map<String, String> seen, Path path) {
        try {
            BasicFileAttributes of = Files.readAttributes(path, BasicFileAttributes.class);
            seen.put(
                    path.toString(),
                    of.lastModifiedTime().toInstant() + " " + of.size() + " " + of.fileKey());
        } catch (IOException e) {
            seen.remove(path.toString());
        }
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
