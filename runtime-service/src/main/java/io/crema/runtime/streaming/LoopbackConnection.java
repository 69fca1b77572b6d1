package io.crema.runtime.streaming;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.linux.LinuxSockets.Loopback;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.StreamReader;
import io.crema.oci.process.StreamWriter;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A TCP connection to localhost in a pod. Its socket is made on a thread that enters the pod's
 * network namespace for just that and is thrown away; a socket stays in the namespace it was made
 * in, so all the rest happens outside. Once connected, the poll loop carries the bytes and no
 * thread waits.
 */
public final class LoopbackConnection implements PortConnection {
    private static final Logger LOG = LoggerFactory.getLogger(LoopbackConnection.class);
    // On the loopback device the answer takes microseconds, unless the target's backlog is full.
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(30);

    private final Linux linux;
    private final PollLoop loop;
    private final String pod;
    private final int port;
    private final ByteSink fromPod;
    private final StreamWriter writer;
    private final CompletableFuture<Void> end = new CompletableFuture<>();
    // Guarded by this.
    private @Nullable StreamReader reader;
    private @Nullable PodException failure;
    private boolean isCarrying;

    private LoopbackConnection(Linux linux, PollLoop loop, String pod, int port, ByteSink fromPod) {
        this.linux = linux;
        this.loop = loop;
        this.pod = pod;
        this.port = port;
        this.fromPod = fromPod;
        this.writer = loop.writer();
    }

    /**
     * Begins to connect.
     *
     * @param namespace the pin of the pod's network namespace; absent for the host's
     * @param pod how messages call it
     */
    public static LoopbackConnection begin(
            Linux linux,
            PollLoop loop,
            Optional<Path> namespace,
            String pod,
            int port,
            ByteSink fromPod) {
        LoopbackConnection connection = new LoopbackConnection(linux, loop, pod, port, fromPod);
        Thread.ofVirtual()
                .name("connect to port " + port + " in " + pod)
                .start(() -> connection.connect(namespace));
        return connection;
    }

    @Override
    public ByteSink toPod() {
        return new WriterSink(writer);
    }

    @Override
    public CompletableFuture<Void> end() {
        return end.copy();
    }

    @Override
    public void cancel() {
        fail(failed(ErrorKind.CANCELLED, "was cut off by the client", null));
    }

    /** Closes it because the pod is being stopped. */
    public void podStopped() {
        fail(failed(ErrorKind.FAILED_PRECONDITION, "ended because the pod is being stopped", null));
    }

    private void connect(Optional<Path> namespace) {
        Map<Loopback, Descriptor> sockets = new EnumMap<>(Loopback.class);
        try {
            Map<Loopback, Errno> refusals = new EnumMap<>(Loopback.class);
            open(namespace, sockets, refusals);
            Deadline deadline = Deadline.after(CONNECT_LIMIT);
            for (Map.Entry<Loopback, Descriptor> socket : sockets.entrySet()) {
                Optional<Errno> refusal = tryOne(socket.getValue(), socket.getKey(), deadline);
                if (refusal.isEmpty()) {
                    carry(socket.getValue());
                    return;
                }
                refusals.put(socket.getKey(), refusal.get());
            }
            fail(refused(refusals));
        } catch (LinuxException e) {
            fail(failed(e.kind(), "cannot be made: " + e.getMessage(), e));
        } catch (RuntimeException e) {
            fail(failed(ErrorKind.INTERNAL, "cannot be made: " + e, e));
        } finally {
            sockets.values().forEach(Descriptor::close);
        }
    }

    private void open(
            Optional<Path> namespace,
            Map<Loopback, Descriptor> sockets,
            Map<Loopback, Errno> refusals) {
        if (namespace.isPresent()) {
            boolean _ =
                    linux.inNamespaces(
                            Map.of(NamespaceKind.NETWORK, namespace.get()),
                            () -> openHere(sockets, refusals));
        } else {
            boolean _ = openHere(sockets, refusals);
        }
    }

    private boolean openHere(Map<Loopback, Descriptor> sockets, Map<Loopback, Errno> refusals) {
        for (Loopback family : Loopback.values()) {
            try {
                sockets.put(family, linux.tcpSocket(family));
            } catch (LinuxException e) {
                if (!e.errno().is(Errno.EAFNOSUPPORT)) {
                    throw e;
                }
                refusals.put(family, e.errno()); // a kernel without IPv6
            }
        }
        return true;
    }

    private Optional<Errno> tryOne(Descriptor socket, Loopback family, Deadline deadline) {
        try {
            if (linux.startConnect(socket, family, port)) {
                return Optional.empty();
            }
        } catch (LinuxException e) {
            return Optional.of(e.errno());
        }
        CompletableFuture<Descriptor> known = loop.writable(socket);
        try {
            known.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
            return linux.pendingError(socket);
        } catch (TimeoutException e) {
            return Optional.of(Errno.ETIMEDOUT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.of(Errno.EINTR);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } finally {
            known.cancel(false);
        }
    }

    /** Each direction has a descriptor of its own, closed when that direction is over. */
    private void carry(Descriptor socket) {
        Descriptor in = linux.duplicate(socket);
        Descriptor out;
        try {
            out = linux.duplicate(socket);
        } catch (RuntimeException e) {
            in.close();
            throw e;
        }
        synchronized (this) {
            if (failure != null) {
                in.close();
                out.close();
                return;
            }
            isCarrying = true;
        }
        StreamReader started = loop.forward(in, new SinkReceiver(fromPod));
        boolean isTooLate;
        synchronized (this) {
            reader = started;
            isTooLate = failure != null;
        }
        CompletableFuture<Boolean> read =
                started.over()
                        .handle((done, thrown) -> {
                            in.close();
                            if (thrown != null) {
                                // A reset is an end, not an error: kubectl gives up all of its
                                // connections at the first error of one.
                                LOG.debug(
                                        "the connection to port {} in {} broke", port, pod, thrown);
                                writer.cancel();
                            }
                            failEnd();
                            fromPod.end();
                            return true;
                        });
        CompletableFuture<Boolean> written =
                writer.over()
                        .handle((done, thrown) -> {
                            // When the pod reads no more, the rest was dropped.
                            shutdown(out);
                            out.close();
                            return true;
                        });
        var _ = read.thenCombine(written, (a, b) -> finish());
        if (isTooLate) {
            started.cancel();
        } else {
            writer.open(out);
        }
    }

    private void shutdown(Descriptor out) {
        try {
            linux.shutdownWrite(out);
        } catch (LinuxException e) {
            // The connection is gone, which the reader tells.
        }
    }

    private boolean finish() {
        failEnd();
        return end.complete(null);
    }

    /** A failure is told before the sink is ended. */
    private void failEnd() {
        PodException cause;
        synchronized (this) {
            cause = failure;
        }
        if (cause != null) {
            end.completeExceptionally(cause);
        }
    }

    private void fail(PodException cause) {
        StreamReader current;
        boolean isOnlyBeginning;
        synchronized (this) {
            if (failure != null || end.isDone()) {
                return;
            }
            failure = cause;
            current = reader;
            isOnlyBeginning = !isCarrying;
        }
        writer.cancel();
        if (isOnlyBeginning) {
            end.completeExceptionally(cause);
            fromPod.end();
        } else if (current != null) {
            current.cancel(); // the end follows when both directions are over
        }
    }

    private PodException refused(Map<Loopback, Errno> refusals) {
        StringJoiner each = new StringJoiner(", ");
        refusals.forEach((family, errno) -> each.add(family.address() + ": " + errno.message()));
        return failed(
                ErrorKind.FAILED_PRECONDITION,
                "was refused ("
                        + each
                        + "); something in the pod must listen on that port of localhost or of all"
                        + " addresses",
                null);
    }

    private PodException failed(ErrorKind kind, String what, @Nullable Throwable cause) {
        return new PodException(
                kind,
                "the connection to port " + port + " of localhost in " + pod + " " + what,
                cause);
    }
}
