package io.crema.runtime.ttrpc;

import io.crema.base.Deadline;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.Receiver;
import io.crema.oci.process.StreamReader;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A connected unix socket that carries several logical connections: each piece of them has eight
 * bytes in front, the connection's number and the piece's length. No thread waits here: the poll
 * loop reads and hands on whole frames, on its own thread.
 */
final class Trunk {
    /** The connection that we call the plugin on. */
    static final int PLUGIN_SERVICE = 1;

    /** The connection that the plugin calls us on. */
    static final int RUNTIME_SERVICE = 2;

    static final int HEADER_BYTES = 8;

    /**
     * What the other implementation reads into at once. It cuts a longer frame at exactly this
     * place, and so must we: there, each piece must fit into what is asked of the connection, which
     * is this much first and then all the rest.
     */
    private static final int FIRST_PIECE_BYTES = 4096;

    private static final int MOST_PIECE_BYTES = Frame.HEADER_BYTES + Frame.MOST_PAYLOAD_BYTES;

    /**
     * A message that is begun is given this long, however little is left to who sends it: after
     * half of one nothing could follow, and who has just no time left is not who does not read.
     */
    private static final Duration LEAST_WRITE_TIME = Duration.ofSeconds(1);

    /** Of a message from somebody who has not yet said who he is. */
    private static final int MOST_BYTES_AT_FIRST = 64 << 10;

    private final PollLoop loop;
    private final Descriptor readEnd;
    private final Descriptor writeEnd;
    private final ReentrantLock writing = new ReentrantLock(true);
    private final CompletableFuture<String> closed = new CompletableFuture<>();
    private volatile @Nullable CompletableFuture<Integer> write;
    private volatile @Nullable StreamReader reader;
    private volatile int mostBytes = MOST_BYTES_AT_FIRST;

    /** Takes over the socket. */
    Trunk(Linux linux, PollLoop loop, Descriptor socket) {
        this.loop = loop;
        this.readEnd = socket;
        // A descriptor can be watched for one direction only.
        this.writeEnd = linux.duplicate(socket);
    }

    /** Begins to read; called once. */
    void start(Consumer<Frame> fromPluginService, Consumer<Frame> fromRuntimeService) {
        StreamReader started =
                loop.forward(
                        readEnd,
                        new Demultiplexer(
                                new FrameReader(fromPluginService, () -> mostBytes),
                                new FrameReader(fromRuntimeService, () -> mostBytes)));
        reader = started;
        var _ =
                started.over()
                        .whenComplete((done, failure) -> {
                            close(failure == null ? "it hung up" : failure.toString());
                            readEnd.close();
                        });
        if (closed.isDone()) {
            started.cancel();
        }
    }

    /** From now on messages may be as long as any. */
    void allowLongMessages() {
        mostBytes = Frame.MOST_PAYLOAD_BYTES;
    }

    /** Whether nothing can be sent or received any more. */
    boolean isClosed() {
        return closed.isDone();
    }

    /**
     * Completed, with the reason, when nothing can be sent or received any more. Each is kept until
     * then: for those who want to be told, not for those who look.
     */
    CompletableFuture<String> closed() {
        return closed.copy();
    }

    /** About how many want to be told of the end. */
    int listeners() {
        return closed.getNumberOfDependents();
    }

    /**
     * Sends a frame whole, or closes the connection: after half a frame nothing could follow.
     *
     * @param frame made when it is its turn, so that numbers grow in the order of the wire
     * @throws RpcException when the connection is closed, or the other side does not read
     */
    void send(int connection, Supplier<Frame> frame, Deadline deadline) {
        try {
            if (!writing.tryLock(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
                throw RpcException.timedOut("an earlier message is not read");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw RpcException.timedOut("interrupted");
        }
        try {
            requireOpen();
            byte[] bytes = pieces(connection, frame.get());
            CompletableFuture<Integer> started = loop.writeAll(writeEnd, bytes);
            write = started;
            if (closed.isDone()) {
                started.cancel(false);
            }
            await(started, deadline);
        } finally {
            write = null;
            writing.unlock();
            closeWriteEnd();
        }
    }

    private void await(CompletableFuture<Integer> started, Deadline deadline) {
        try {
            started.get(
                    Math.max(deadline.remainingNanos(), LEAST_WRITE_TIME.toNanos()),
                    TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            started.cancel(false);
            close("it does not read what is sent to it");
            throw RpcException.timedOut("it does not read what is sent to it");
        } catch (CancellationException e) {
            requireOpen();
            throw new IllegalStateException("cancelled by nobody", e);
        } catch (ExecutionException e) {
            close(String.valueOf(e.getCause()));
            requireOpen();
        } catch (InterruptedException e) {
            started.cancel(false);
            close("a sender was interrupted");
            Thread.currentThread().interrupt();
            throw RpcException.timedOut("interrupted");
        }
    }

    void requireOpen() {
        if (closed.isDone()) {
            throw RpcException.closed(closed.join());
        }
    }

    static byte[] pieces(int connection, Frame frame) {
        byte[] bytes = frame.bytes();
        int first = Math.min(bytes.length, FIRST_PIECE_BYTES);
        int rest = bytes.length - first;
        ByteBuffer pieces =
                ByteBuffer.allocate(bytes.length + HEADER_BYTES * (rest == 0 ? 1 : 2))
                        .putInt(connection)
                        .putInt(first)
                        .put(bytes, 0, first);
        if (rest > 0) {
            pieces.putInt(connection).putInt(rest).put(bytes, first, rest);
        }
        return pieces.array();
    }

    /** Ends everything; does nothing when that has happened. */
    void close(String reason) {
        if (!closed.complete(reason)) {
            return;
        }
        StreamReader reading = reader;
        if (reading != null) {
            reading.cancel();
        }
        CompletableFuture<Integer> pending = write;
        if (pending != null) {
            pending.cancel(false);
        }
        closeWriteEnd();
    }

    /** By whoever is last at it. */
    private void closeWriteEnd() {
        if (closed.isDone() && writing.tryLock()) {
            try {
                writeEnd.close();
            } finally {
                writing.unlock();
            }
        }
    }

    /** Called on the loop's thread alone. */
    private final class Demultiplexer implements Receiver {
        private final ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
        private final FrameReader pluginService;
        private final FrameReader runtimeService;
        private int remaining;

        Demultiplexer(FrameReader pluginService, FrameReader runtimeService) {
            this.pluginService = pluginService;
            this.runtimeService = runtimeService;
        }

        @Override
        public boolean write(ByteBuffer bytes) {
            try {
                while (bytes.hasRemaining()) {
                    take(bytes);
                }
            } catch (RpcException e) {
                bytes.position(bytes.limit());
                close(e.reason());
            }
            return true;
        }

        private void take(ByteBuffer bytes) {
            if (remaining == 0) {
                FrameReader.move(bytes, header);
                if (header.hasRemaining()) {
                    return;
                }
                remaining = header.getInt(4);
                if (remaining < 0 || remaining > MOST_PIECE_BYTES) {
                    throw RpcException.closed(
                            "it sent a piece of " + Integer.toUnsignedString(remaining) + " bytes");
                }
                if (remaining == 0) {
                    header.clear();
                    return;
                }
            }
            ByteBuffer piece =
                    bytes.slice(bytes.position(), Math.min(remaining, bytes.remaining()));
            bytes.position(bytes.position() + piece.remaining());
            remaining -= piece.remaining();
            switch (header.getInt(0)) {
                case PLUGIN_SERVICE -> pluginService.take(piece);
                case RUNTIME_SERVICE -> runtimeService.take(piece);
                default -> {} // as the other implementation: nobody has opened it
            }
            if (remaining == 0) {
                header.clear();
            }
        }

        @Override
        public void whenWritable(Runnable resume) {
            resume.run();
        }
    }
}
