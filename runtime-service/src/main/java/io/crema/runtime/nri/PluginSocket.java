package io.crema.runtime.nri;

import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxSockets.UnixSocket;
import io.crema.oci.process.PollLoop;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The socket that plugins connect to. The poll loop waits at it; a thread is there only while
 * somebody is let in.
 */
final class PluginSocket implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PluginSocket.class);
    private static final int BACKLOG = 16;
    private static final Duration PAUSE = Duration.ofSeconds(1);

    private final Linux linux;
    private final PollLoop loop;
    private final Path path;
    private final Descriptor listener;
    private final Consumer<Descriptor> connected;
    private @Nullable CompletableFuture<Descriptor> watch;
    private boolean isClosed;

    private PluginSocket(
            Linux linux,
            PollLoop loop,
            Path path,
            Descriptor listener,
            Consumer<Descriptor> connected) {
        this.linux = linux;
        this.loop = loop;
        this.path = path;
        this.listener = listener;
        this.connected = connected;
    }

    /**
     * Begins to listen.
     *
     * @param connected takes each connection over
     * @return empty when another runtime of this node listens there, which is then told in the log:
     *     its plugins are not ours
     * @throws PodException when the socket cannot be made
     */
    static Optional<PluginSocket> open(
            Linux linux, PollLoop loop, Path path, Consumer<Descriptor> connected) {
        try {
            Path directory = path.getParent();
            if (directory != null && !Files.isDirectory(directory)) {
                Files.createDirectories(
                        directory,
                        PosixFilePermissions.asFileAttribute(
                                PosixFilePermissions.fromString("rwx------")));
            }
            if (Files.exists(path)) {
                if (isAnswered(linux, path)) {
                    LOG.error(
                            "no NRI plugin can connect: another runtime listens on {}; set"
                                    + " nri_listen to a path of our own, or nri_disable_connections",
                            path);
                    return Optional.empty();
                }
                Files.delete(path);
            }
            PluginSocket socket =
                    new PluginSocket(
                            linux,
                            loop,
                            path,
                            linux.listen(path, UnixSocket.STREAM, BACKLOG),
                            connected);
            socket.watch();
            return Optional.of(socket);
        } catch (IOException | LinuxException e) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "cannot listen for NRI plugins on "
                            + path
                            + ": "
                            + e
                            + "; correct nri_listen, or set nri_disable_connections",
                    e);
        }
    }

    /** Whether it is more than what a runtime that was killed has left. */
    private static boolean isAnswered(Linux linux, Path path) {
        try {
            linux.connect(path, UnixSocket.STREAM).close();
            return true;
        } catch (LinuxException e) {
            return e.errno().is(Errno.EAGAIN);
        }
    }

    private synchronized void watch() {
        if (isClosed) {
            return;
        }
        CompletableFuture<Descriptor> started = loop.readable(listener);
        watch = started;
        var _ =
                started.whenComplete((ready, failure) -> {
                    if (failure == null) {
                        Thread.ofVirtual().name("nri-accept").start(this::accept);
                    }
                });
    }

    private void accept() {
        try {
            while (true) {
                Descriptor socket;
                synchronized (this) {
                    if (isClosed) {
                        return;
                    }
                    socket = linux.accept(listener);
                }
                connected.accept(socket);
            }
        } catch (LinuxException e) {
            if (!e.errno().is(Errno.EAGAIN)) {
                LOG.warn("an NRI plugin could not connect: {}", e.getMessage());
                pause();
            }
        } catch (RuntimeException e) {
            LOG.error("an NRI plugin could not connect", e);
            pause();
        } finally {
            watch();
        }
    }

    /** Who could not be let in is still there, and would be tried again at once. */
    private static void pause() {
        try {
            Thread.sleep(PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public synchronized void close() {
        if (isClosed) {
            return;
        }
        isClosed = true;
        if (watch != null) {
            watch.cancel(false);
        }
        listener.close();
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.warn("{} is left over: {}", path, e.toString());
        }
    }
}
