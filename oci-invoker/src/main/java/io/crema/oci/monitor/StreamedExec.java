package io.crema.oci.monitor;

import io.crema.base.CleanupStack;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.monitor.ContainerMonitor.ExecRequest;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.Receiver;
import io.crema.oci.process.StreamReader;
import io.crema.oci.process.StreamWriter;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A process in a container with the streams of a client. The OCI runtime detaches it, and as the
 * nearest subreaper we become its parent and learn its exact exit code. It has our pipes, or a
 * terminal that the runtime makes in the container and sends us. A virtual thread follows it; the
 * bytes go through the poll loop.
 */
final class StreamedExec implements ExecStreams {
    private static final Logger LOG = LoggerFactory.getLogger(StreamedExec.class);
    private static final Duration START_LIMIT = Duration.ofMinutes(2);
    // What the process wrote is there when it ends; this is for its children, and for the kernel
    // to hang up a terminal.
    private static final Duration DRAIN_WAIT = Duration.ofMillis(100);
    private static final Duration LAUNCHER_LIMIT = Duration.ofSeconds(10);
    private static final Duration CONSOLE_LIMIT = Duration.ofSeconds(5);

    private static final Receiver NOBODY =
            new Receiver() {
                @Override
                public boolean write(ByteBuffer bytes) {
                    bytes.position(bytes.limit());
                    return true;
                }

                @Override
                public void whenWritable(Runnable resume) {
                    resume.run();
                }
            };

    private record Size(int columns, int rows) {}

    private final ExecRequest request;
    private final Linux linux;
    private final PollLoop loop;
    private final Children children;
    private final Semaphore starts;
    private final StreamWriter stdin;
    private final CompletableFuture<Integer> end = new CompletableFuture<>();
    private final CompletableFuture<Void> cancelled = new CompletableFuture<>();
    // Guarded by this.
    private @Nullable Size size;
    private @Nullable Descriptor terminal;

    private StreamedExec(
            ExecRequest request, Linux linux, PollLoop loop, Children children, Semaphore starts) {
        this.request = request;
        this.linux = linux;
        this.loop = loop;
        this.children = children;
        this.starts = starts;
        this.stdin = loop.writer();
    }

    /** Begins such processes, only few at once: a runtime at work takes memory and processors. */
    static final class Starter {
        private final Linux linux;
        private final PollLoop loop;
        private final Children children;
        private final AtomicLong number = new AtomicLong();
        private final Semaphore starts =
                new Semaphore(Math.max(4, 2 * Runtime.getRuntime().availableProcessors()), true);

        Starter(Linux linux, PollLoop loop, Children children) {
            this.linux = linux;
            this.loop = loop;
            this.children = children;
        }

        ExecStreams begin(ExecRequest request) {
            StreamedExec exec = new StreamedExec(request, linux, loop, children, starts);
            // A restarted daemon counts anew; its pid keeps the names apart.
            String name =
                    "stream-" + ProcessHandle.current().pid() + "-" + number.getAndIncrement();
            Thread.ofVirtual()
                    .name(name + " in " + request.container())
                    .start(() -> exec.follow(name));
            return exec;
        }
    }

    @Override
    public StreamWriter stdin() {
        return stdin;
    }

    @Override
    public void resize(int columns, int rows) {
        synchronized (this) {
            size = new Size(columns, rows);
            applySize();
        }
    }

    private synchronized void applySize() {
        if (terminal != null && size != null) {
            try {
                linux.resizeTerminal(terminal, size.columns, size.rows);
            } catch (LinuxException e) {
                LOG.debug("cannot resize a terminal: {}", e.toString()); // it was hung up
            }
        }
    }

    @Override
    public void cancel() {
        cancelled.complete(null);
    }

    @Override
    public CompletableFuture<Integer> end() {
        return end.copy();
    }

    private void follow(String name) {
        try {
            end.complete(run(name)); // when everything is cleaned up
        } catch (CremaException e) {
            end.completeExceptionally(e);
        } catch (IOException | RuntimeException | Error e) {
            end.completeExceptionally(
                    new OciRuntimeException(
                            ErrorKind.INTERNAL,
                            "cannot run a command in container " + request.container() + ": " + e,
                            e));
        }
    }

    private int run(String name) throws IOException {
        try (ExecLaunch launch =
                        new ExecLaunch(
                                request.runtime(), request.container(), request.bundle(), name);
                CleanupStack undo = new CleanupStack()) {
            launch.writeProcess(request.processJson());
            return run(launch, undo);
        }
    }

    private int run(ExecLaunch launch, CleanupStack undo) {
        undo.push("close the input of an exec", stdin::cancel);
        Map<Integer, Descriptor> streams = new HashMap<>();
        List<StreamReader> readers = new ArrayList<>();
        if (!request.terminal()) {
            openPipes(streams, readers, undo);
        }
        Child process = start(launch, streams, readers, undo);
        try {
            ExitStatus ended = await(process.exit(), Deadline.none(), "the command");
            readers.forEach(reader -> reader.endWithin(DRAIN_WAIT));
            for (StreamReader reader : readers) {
                await(
                        reader.over().exceptionally(failure -> null),
                        Deadline.none(),
                        "the client to take the output");
            }
            return ended.shellCode();
        } catch (RuntimeException | Error e) {
            ProcessTree.kill(linux, children, process, Optional.empty());
            throw e;
        }
    }

    /** The started process, which is a child of ours by now. */
    private Child start(
            ExecLaunch launch,
            Map<Integer, Descriptor> streams,
            List<StreamReader> readers,
            CleanupStack undo) {
        starts.acquireUninterruptibly();
        try {
            if (cancelled.isDone()) {
                throw cancellation();
            }
            if (!request.terminal()) {
                Child launcher = launch.start(children, streams, false);
                streams.values().forEach(Descriptor::close);
                return launched(launch, launcher, () -> {});
            }
            try (ConsoleSocket console = new ConsoleSocket(linux, loop, launch.consoleSocket())) {
                Child launcher = launch.start(children, streams, true);
                return launched(
                        launch, launcher, () -> useTerminal(console, launcher, readers, undo));
            }
        } finally {
            starts.release();
        }
    }

    private Child launched(ExecLaunch launch, Child launcher, Runnable meanwhile) {
        // Adopted on the loop's thread: many a command has ended by then.
        CompletableFuture<Optional<Child>> started =
                launcher.exit()
                        .thenApply(exit -> exit.isSuccess() ? adopted(launch) : Optional.empty());
        try {
            meanwhile.run();
            return await(started, Deadline.after(START_LIMIT), "the OCI runtime to start a command")
                    .orElseThrow(() -> launch.failure(launcher.exit().join(), ""));
        } catch (RuntimeException | Error e) {
            kill(launcher, started);
            throw e;
        }
    }

    /**
     * A runtime that is killed while it starts a process may leave that running and nobody knows
     * its number. So it may first do its work, which takes some milliseconds, unless it hangs.
     */
    private void kill(Child launcher, CompletableFuture<Optional<Child>> started) {
        Optional<Child> process = Optional.empty();
        try {
            process = Await.result(started, Deadline.after(LAUNCHER_LIMIT), "the OCI runtime");
        } catch (RuntimeException e) {
            LOG.warn("an exec in container {} hangs and is killed", request.container());
        }
        ProcessTree.kill(linux, children, launcher, process);
    }

    private Optional<Child> adopted(ExecLaunch launch) {
        OptionalInt pid = launch.pid();
        return pid.isPresent() ? children.adoptIfThere(pid.getAsInt()) : Optional.empty();
    }

    /** Nothing is there when the runtime fails, which its exit tells. */
    private void useTerminal(
            ConsoleSocket console, Child launcher, List<StreamReader> readers, CleanupStack undo) {
        var _ =
                await(
                        CompletableFuture.anyOf(console.arrival(), launcher.exit()),
                        Deadline.after(START_LIMIT),
                        "the OCI runtime to send a terminal");
        if (!console.arrival().isDone()) {
            ExitStatus exit = launcher.exit().join();
            if (!exit.isSuccess()) {
                return;
            }
            await(console.arrival(), Deadline.after(CONSOLE_LIMIT), "the terminal");
        }
        Descriptor terminalEnd = console.take();
        undo.push("close a terminal", terminalEnd::close);
        if (request.stdin()) {
            Descriptor input = linux.duplicate(terminalEnd);
            var _ = stdin.over().whenComplete((done, failure) -> input.close());
            stdin.open(input);
        } else {
            stdin.cancel();
        }
        synchronized (this) {
            terminal = terminalEnd;
        }
        applySize();
        Receiver receiver = request.stdout().orElse(NOBODY);
        readers.add(read(terminalEnd, receiver, undo));
    }

    private void openPipes(
            Map<Integer, Descriptor> streams, List<StreamReader> readers, CleanupStack undo) {
        if (request.stdin()) {
            Pipe pipe = linux.pipe();
            inherit(0, pipe.read(), streams, undo);
            var _ = stdin.over().whenComplete((done, failure) -> pipe.write().close());
            stdin.open(pipe.write());
        } else {
            stdin.cancel();
        }
        request.stdout().ifPresent(receiver -> openPipe(1, receiver, streams, readers, undo));
        request.stderr().ifPresent(receiver -> openPipe(2, receiver, streams, readers, undo));
    }

    private void openPipe(
            int number,
            Receiver receiver,
            Map<Integer, Descriptor> streams,
            List<StreamReader> readers,
            CleanupStack undo) {
        Pipe pipe = linux.pipe();
        inherit(number, pipe.write(), streams, undo);
        readers.add(read(pipe.read(), receiver, undo));
    }

    private static void inherit(
            int number, Descriptor end, Map<Integer, Descriptor> streams, CleanupStack undo) {
        undo.push("close the process's end of its stream " + number, end::close);
        streams.put(number, end);
    }

    private StreamReader read(Descriptor descriptor, Receiver receiver, CleanupStack undo) {
        StreamReader reader = loop.forward(descriptor, receiver);
        var _ = reader.over().whenComplete((done, failure) -> closeOutput(descriptor));
        undo.push("stop reading", reader::cancel);
        return reader;
    }

    private synchronized void closeOutput(Descriptor descriptor) {
        if (terminal == descriptor) {
            terminal = null;
        }
        descriptor.close();
    }

    /** What the future gives, unless the client is gone before. */
    private <T> T await(CompletableFuture<T> future, Deadline deadline, String step) {
        Await.result(
                CompletableFuture.anyOf(future, cancelled),
                deadline,
                step + " in container " + request.container());
        if (!future.isDone()) {
            throw cancellation();
        }
        return future.join();
    }

    private OciRuntimeException cancellation() {
        return new OciRuntimeException(
                ErrorKind.CANCELLED,
                "the client of a command in container "
                        + request.container()
                        + " is gone, so it was killed with all it had started");
    }
}
