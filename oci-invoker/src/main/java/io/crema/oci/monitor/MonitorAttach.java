package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxSockets.UnixSocket;
import io.crema.oci.monitor.ContainerMonitor.AttachRequest;
import io.crema.oci.process.Backlog;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.Receiver;
import io.crema.oci.process.StreamReader;
import io.crema.oci.process.StreamWriter;
import io.crema.oci.runtime.OciRuntimeException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One connection to conmon's attach socket. conmon sends packets, the first byte of which names the
 * stream, and takes packets for the standard input.
 *
 * <p>conmon blocks, and with it the container's log and all other clients, when a client does not
 * take its packets (cri-o#6699). So everything is read at once and kept for the client, and one
 * that falls too far behind is cut off.
 *
 * <p>conmon also takes the end of any connection for the end of the input, and closes that when it
 * is to be closed once. A client without input that leaves must not do that: its connection is kept
 * and its bytes are dropped until the container ends.
 */
final class MonitorAttach implements AttachedStreams {
    private static final byte STDOUT = 2;
    private static final byte STDERR = 3;
    // conmon reads at most 32 KiB of a packet and drops the rest of it.
    private static final int MAX_PACKET_BYTES = 8 * 1024;
    private static final int MAX_BACKLOG_BYTES = 4 << 20;
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
    private static final Duration BACKLOG_PAUSE = Duration.ofMillis(5);

    private final AttachRequest request;
    private final Linux linux;
    private final Backlog stdout;
    private final Backlog stderr;
    private final StreamWriter stdin;
    private final CompletableFuture<Void> over = new CompletableFuture<>();
    private @Nullable StreamReader reader; // guarded by this
    private boolean isDetached; // guarded by this

    private MonitorAttach(AttachRequest request, Linux linux, PollLoop loop) {
        this.request = request;
        this.linux = linux;
        this.stdout = loop.backlog(request.stdout(), MAX_BACKLOG_BYTES);
        this.stderr = loop.backlog(request.stderr(), MAX_BACKLOG_BYTES);
        this.stdin = loop.packetWriter(MAX_PACKET_BYTES);
    }

    static AttachedStreams connect(AttachRequest request, Linux linux, PollLoop loop) {
        MonitorAttach attach = new MonitorAttach(request, linux, loop);
        Descriptor socket = connect(request, linux);
        Descriptor out;
        try {
            out = linux.duplicate(socket);
        } catch (RuntimeException e) {
            socket.close();
            throw e;
        }
        attach.begin(loop, socket, out);
        return attach;
    }

    private static Descriptor connect(AttachRequest request, Linux linux) {
        ContainerId container = request.container();
        String step = "the monitor of container " + container + " to accept a client";
        Deadline deadline = Deadline.after(CONNECT_LIMIT);
        while (true) {
            try {
                return linux.connect(
                        MonitorFiles.attachSocket(request.bundle()), UnixSocket.PACKETS);
            } catch (LinuxException e) {
                if (!e.errno().is(Errno.EAGAIN) || deadline.hasPassed()) {
                    throw new OciRuntimeException(
                            ErrorKind.FAILED_PRECONDITION,
                            "cannot attach to container "
                                    + container
                                    + ": its monitor does not answer ("
                                    + e.errno().message()
                                    + "); see the container's log instead",
                            e);
                }
            }
            Await.pause(BACKLOG_PAUSE, step);
        }
    }

    private void begin(PollLoop loop, Descriptor in, Descriptor out) {
        StreamReader started = loop.forward(in, new Packets());
        synchronized (this) {
            reader = started;
        }
        var _ =
                started.over()
                        .whenComplete((done, thrown) -> {
                            in.close();
                            stdin.cancel();
                            if (thrown != null && !isReset(thrown)) {
                                fail("the connection to its monitor broke: " + thrown.getMessage());
                            }
                            stdout.end();
                            stderr.end();
                        });
        var _ =
                stdin.over()
                        .whenComplete((done, thrown) -> {
                            if (thrown == null && request.stdin()) {
                                linux.shutdownWrite(out);
                            }
                            out.close();
                        });
        var _ = stdout.written().thenCombine(stderr.written(), (a, b) -> over.complete(null));
        stdin.open(out);
    }

    /** conmon ends with unread input in its socket when the container does. */
    private static boolean isReset(Throwable thrown) {
        return thrown instanceof LinuxException e && e.errno().is(Errno.ECONNRESET);
    }

    /** What conmon sends, each read one packet. */
    private final class Packets implements Receiver {
        @Override
        public boolean write(ByteBuffer bytes) {
            byte stream = bytes.get();
            boolean isTaken =
                    switch (stream) {
                        case STDOUT -> stdout.add(bytes);
                        case STDERR -> stderr.add(bytes);
                        default -> true; // none that we know
                    };
            if (!isTaken) {
                fail(
                        "the client reads more slowly than the container writes, and "
                                + (MAX_BACKLOG_BYTES >> 20)
                                + " MiB wait for it already; attach again to go on from then, or"
                                + " read the container's log, which is whole");
            }
            return true;
        }

        @Override
        public void whenWritable(Runnable resume) {
            resume.run();
        }
    }

    private void fail(String why) {
        if (over.completeExceptionally(
                new OciRuntimeException(
                        ErrorKind.RESOURCE_EXHAUSTED,
                        "attach to container " + request.container() + " ended: " + why))) {
            detach();
        }
    }

    @Override
    public StreamWriter stdin() {
        return stdin;
    }

    @Override
    public void detach() {
        StreamReader current;
        synchronized (this) {
            if (isDetached) {
                return;
            }
            isDetached = true;
            current = reader;
        }
        over.complete(null);
        stdout.drop();
        stderr.drop();
        if (!request.keepsStdinOpen() && current != null) {
            stdin.cancel();
            current.cancel();
        }
    }

    @Override
    public CompletableFuture<Void> over() {
        return over.copy();
    }
}
