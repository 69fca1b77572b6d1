package io.crema.oci.monitor;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxSockets.UnixSocket;
import io.crema.oci.process.PollLoop;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The socket by which an OCI runtime sends our end of a terminal that it made inside a container
 * ({@code --console-socket}), just before it starts the process.
 */
final class ConsoleSocket implements AutoCloseable {
    private final Linux linux;
    private final PollLoop loop;
    private final Descriptor listener;
    private final CompletableFuture<Descriptor> connecting;
    private final CompletableFuture<Descriptor> terminal;
    // Guarded by this.
    private @Nullable CompletableFuture<Descriptor> sending;
    private boolean isTaken;
    private boolean isClosed;

    ConsoleSocket(Linux linux, PollLoop loop, Path path) {
        this.linux = linux;
        this.loop = loop;
        this.listener = linux.listen(path, UnixSocket.STREAM, 1);
        try {
            this.connecting = loop.readable(listener);
        } catch (RuntimeException e) {
            listener.close();
            throw e;
        }
        this.terminal = connecting.thenApply(linux::accept).thenCompose(this::receive);
    }

    /** Completed when it was sent; {@link #take} gives it. */
    CompletableFuture<Descriptor> arrival() {
        return terminal.copy();
    }

    /** What has arrived, which is the caller's to close from then on. */
    synchronized Descriptor take() {
        isTaken = true;
        return terminal.join();
    }

    private CompletableFuture<Descriptor> receive(Descriptor connection) {
        CompletableFuture<Descriptor> readable;
        synchronized (this) {
            if (isClosed) {
                connection.close();
                return CompletableFuture.failedFuture(new IllegalStateException("closed"));
            }
            readable = loop.readable(connection);
            sending = readable;
        }
        return readable.thenApply(ready ->
                        linux.receiveDescriptor(ready)
                                .orElseThrow(() ->
                                        new LinuxException(
                                                "recvmsg",
                                                "a console socket without a terminal",
                                                Errno.ENODATA)))
                .whenComplete((received, failure) -> connection.close());
    }

    @Override
    public void close() {
        CompletableFuture<Descriptor> current;
        boolean isOurs;
        synchronized (this) {
            isClosed = true;
            current = sending;
            isOurs = !isTaken;
        }
        connecting.cancel(false);
        if (current != null) {
            current.cancel(false);
        }
        listener.close();
        if (isOurs) {
            var _ = terminal.thenAccept(Descriptor::close);
        }
    }
}
