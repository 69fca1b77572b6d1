package io.crema.server.streaming;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.PortConnection;
import io.crema.runtime.streaming.ProcessStreams;
import io.crema.runtime.streaming.Streaming;
import io.crema.runtime.streaming.TerminalSize;
import io.crema.server.base.ServerException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A node without containers: the first word of a command says what its process does, and the port
 * says what listens there.
 */
public final class FakeStreaming implements Streaming {
    static final int ECHO_PORT = 7;
    static final int GREETING_PORT = 13;
    static final int RESET_PORT = 15;
    static final int REFUSED_PORT = 1;

    final AtomicInteger cancelled = new AtomicInteger();
    final AtomicInteger started = new AtomicInteger();
    final AtomicLong stuckBytes = new AtomicLong();
    final AtomicReference<TerminalSize> lastSize = new AtomicReference<>();
    final CompletableFuture<Void> unstuck = new CompletableFuture<>();

    @Override
    public void checkExec(ExecRequest request) {
        check(request.getContainerId());
    }

    @Override
    public void checkAttach(AttachRequest request) {
        check(request.getContainerId());
    }

    @Override
    public void checkPortForward(PortForwardRequest request) {
        check(request.getPodSandboxId());
    }

    private static void check(String id) {
        if (id.equals("absent")) {
            throw new ServerException(ErrorKind.NOT_FOUND, "there is no " + id);
        }
    }

    @Override
    public ProcessStreams attach(AttachRequest request, ByteSink stdout, ByteSink stderr) {
        return new FakeProcess("cat", "", stdout, stderr);
    }

    @Override
    public ProcessStreams exec(
            ExecRequest request, Optional<TerminalSize> size, ByteSink stdout, ByteSink stderr) {
        String argument = request.getCmdCount() > 1 ? request.getCmd(1) : "";
        return new FakeProcess(request.getCmd(0), argument, stdout, stderr);
    }

    private final class FakeProcess implements ProcessStreams {
        private final String word;
        private final ByteSink stdout;
        private final ByteSink stderr;
        private final CompletableFuture<Integer> end = new CompletableFuture<>();

        FakeProcess(String word, String argument, ByteSink stdout, ByteSink stderr) {
            this.word = word;
            this.stdout = stdout;
            this.stderr = stderr;
            started.incrementAndGet();
            switch (word) {
                case "say" -> {
                    put(stdout, "out:" + argument);
                    put(stderr, "err:" + argument);
                    exit(0);
                }
                case "exit" -> exit(Integer.parseInt(argument));
                case "flood" -> Thread.ofVirtual().start(() -> flood(Long.parseLong(argument)));
                case "fail" ->
                        end.completeExceptionally(
                                new ServerException(ErrorKind.INTERNAL, "no such command"));
                case "throw" ->
                        throw new ServerException(ErrorKind.FAILED_PRECONDITION, "not running");
                default -> {} // ends with its input or its client
            }
        }

        private void flood(long total) {
            byte[] chunk = new byte[64 * 1024];
            Semaphore room = new Semaphore(0);
            for (long sent = 0; sent < total && !end.isDone(); ) {
                for (int i = 0; i < chunk.length; i++) {
                    chunk[i] = (byte) (((sent + i) * 31) >> 3);
                }
                int size = (int) Math.min(chunk.length, total - sent);
                boolean hasRoom = stdout.write(ByteBuffer.wrap(chunk, 0, size));
                sent += size;
                stuckBytes.set(sent);
                if (!hasRoom) {
                    stdout.whenWritable(room::release);
                    room.acquireUninterruptibly();
                }
            }
            exit(0);
        }

        private void exit(int code) {
            stdout.end();
            stderr.end();
            end.complete(code);
        }

        @Override
        public ByteSink stdin() {
            return new ByteSink() {
                @Override
                public boolean write(ByteBuffer bytes) {
                    if (word.equals("stuck")) {
                        stuckBytes.addAndGet(bytes.remaining());
                        return unstuck.isDone();
                    }
                    return !word.equals("cat") || stdout.write(bytes);
                }

                @Override
                public void whenWritable(Runnable resume) {
                    if (word.equals("stuck")) {
                        var _ = unstuck.thenRun(resume);
                    } else {
                        stdout.whenWritable(resume);
                    }
                }

                @Override
                public void end() {
                    if (!word.equals("sleep")) {
                        exit(0);
                    }
                }
            };
        }

        @Override
        public void resize(TerminalSize size) {
            lastSize.set(size);
            if (word.equals("size")) {
                put(stdout, size.columns() + "x" + size.rows() + "\n");
            }
        }

        @Override
        public void cancel() {
            if (end.completeExceptionally(new ServerException(ErrorKind.CANCELLED, "gone"))) {
                cancelled.incrementAndGet();
            }
        }

        @Override
        public CompletableFuture<Integer> end() {
            return end;
        }
    }

    @Override
    public PortConnection connect(String podSandboxId, int port, ByteSink fromPod) {
        CompletableFuture<Void> end = new CompletableFuture<>();
        started.incrementAndGet();
        switch (port) {
            case REFUSED_PORT -> {
                end.completeExceptionally(
                        new ServerException(ErrorKind.UNAVAILABLE, "connection refused"));
                fromPod.end();
            }
            case GREETING_PORT -> {
                put(fromPod, "hello");
                fromPod.end();
            }
            case RESET_PORT -> {
                put(fromPod, "half");
                end.completeExceptionally(
                        new ServerException(ErrorKind.UNAVAILABLE, "connection reset"));
                fromPod.end();
            }
            default -> {} // echoes
        }
        return new PortConnection() {
            @Override
            public ByteSink toPod() {
                return new ByteSink() {
                    @Override
                    public boolean write(ByteBuffer bytes) {
                        if (port == ECHO_PORT) {
                            return fromPod.write(bytes);
                        }
                        stuckBytes.addAndGet(bytes.remaining());
                        return true;
                    }

                    @Override
                    public void whenWritable(Runnable resume) {
                        fromPod.whenWritable(resume);
                    }

                    @Override
                    public void end() {
                        fromPod.end();
                        end.complete(null);
                    }
                };
            }

            @Override
            public void cancel() {
                if (end.completeExceptionally(new ServerException(ErrorKind.CANCELLED, "gone"))) {
                    cancelled.incrementAndGet();
                    fromPod.end();
                }
            }

            @Override
            public CompletableFuture<Void> end() {
                return end;
            }
        };
    }

    private static void put(ByteSink sink, String text) {
        var _ = sink.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }
}
