package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import io.crema.base.ErrorKind;
import io.crema.oci.monitor.ContainerMonitor.ExitListener;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells of exit files as conmon renames them into the exits directory (inotify by {@link
 * WatchService}). The directory is read once after the watch has begun, and again whenever the
 * kernel dropped events, so no exit is missed.
 */
final class ExitWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ExitWatch.class);

    private final Path directory;
    private final ExitListener listener;
    private final WatchService service;

    private ExitWatch(Path directory, ExitListener listener, WatchService service) {
        this.directory = directory;
        this.listener = listener;
        this.service = service;
    }

    static ExitWatch start(Path directory, ExitListener listener) {
        try {
            Files.createDirectories(directory);
            WatchService service = directory.getFileSystem().newWatchService();
            ExitWatch watch = new ExitWatch(directory, listener, service);
            try {
                directory.register(service, StandardWatchEventKinds.ENTRY_CREATE);
            } catch (IOException e) {
                service.close();
                throw e;
            }
            Thread.ofVirtual().name("exit-watch").start(watch::run);
            return watch;
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL, "cannot watch the exits directory " + directory, e);
        }
    }

    private void run() {
        scan();
        try {
            while (true) {
                WatchKey key = service.take();
                for (WatchEvent<?> event : key.pollEvents()) {
                    if (event.kind().equals(StandardWatchEventKinds.OVERFLOW)) {
                        scan();
                    } else if (event.context() instanceof Path name) {
                        report(name);
                    }
                }
                if (!key.reset()) {
                    LOG.error(
                            "exits directory={} vanished; exits are not seen any more", directory);
                    return;
                }
            }
        } catch (ClosedWatchServiceException e) {
            return; // closed by us
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void scan() {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                report(file.getFileName());
            }
        } catch (IOException e) {
            LOG.error("cannot read exits directory={}", directory, e);
        }
    }

    /** conmon's temporary names, which it renames, are no container ids. */
    private void report(Path name) {
        ContainerId container;
        try {
            container = new ContainerId(name.toString());
        } catch (IllegalArgumentException e) {
            return;
        }
        try {
            listener.exited(container);
        } catch (RuntimeException e) {
            LOG.error("the exit of container={} was not handled", container, e);
        }
    }

    @Override
    public void close() {
        try {
            service.close();
        } catch (IOException e) {
            LOG.warn("cannot stop watching exits directory={}", directory, e);
        }
    }
}
