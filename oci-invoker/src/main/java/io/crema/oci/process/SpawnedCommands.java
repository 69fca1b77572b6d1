package io.crema.oci.process;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs commands as children of ours, in a process group of their own. Safe on virtual threads: the
 * caller parks on futures and only the poll loop waits in the kernel.
 */
public final class SpawnedCommands implements Commands {
    private static final int SIGKILL = 9;
    // A killed process that does not end by then hangs in the kernel; the loop reaps it later.
    private static final Duration KILL_WAIT = Duration.ofMillis(50);
    // Output that the child itself wrote is in the pipe already when it ends; a grandchild that
    // keeps the pipe open (a daemon started by a plugin) must not keep us longer than this.
    private static final Duration DRAIN_WAIT = Duration.ofMillis(100);
    private static final Duration DRAIN_WAIT_LEAST = Duration.ofMillis(20);

    private final Linux linux;
    private final PollLoop loop;
    private final Children children;

    /** Both are shared by all of the daemon and are not closed here. */
    public SpawnedCommands(Linux linux, PollLoop loop) {
        this.linux = linux;
        this.loop = loop;
        this.children = new Children(linux, loop);
    }

    @Override
    public Outcome run(Command command, Deadline deadline) {
        deadline.check("the start of '" + command + "'");
        try (Run run = new Run(command)) {
            run.start();
            return run.await(deadline);
        }
    }

    /** One command with its descriptors and watches, all of which end with {@link #close}. */
    private final class Run implements AutoCloseable {
        private final Command command;
        private final List<Descriptor> ours = new ArrayList<>();
        private final List<Descriptor> theirs = new ArrayList<>();
        private final List<CompletableFuture<?>> watches = new ArrayList<>();

        private record Started(Child child, Collected stdout, Collected stderr) {}

        private Optional<Started> started = Optional.empty();

        Run(Command command) {
            this.command = command;
        }

        void start() {
            Map<Integer, Descriptor> descriptors = HashMap.newHashMap(3);
            Optional<Descriptor> input = Optional.empty();
            if (command.input().length > 0) {
                Pipe pipe = pipe(false);
                descriptors.put(0, pipe.read());
                input = Optional.of(pipe.write());
            }
            Pipe stdout = pipe(true);
            Pipe stderr = pipe(true);
            descriptors.put(1, stdout.write());
            descriptors.put(2, stderr.write());
            List<String> arguments = new ArrayList<>(command.arguments().size() + 1);
            arguments.add(command.name());
            arguments.addAll(command.arguments());
            Child child =
                    children.start(
                            new SpawnRequest(
                                    command.executable(),
                                    arguments,
                                    command.environment(),
                                    descriptors,
                                    false));
            theirs.forEach(Descriptor::close);
            try {
                Collected out = loop.readAll(stdout.read(), command.maxOutputBytes());
                watches.add(out.end());
                Collected err = loop.readAll(stderr.read(), command.maxOutputBytes());
                watches.add(err.end());
                input.ifPresent(this::feed);
                started = Optional.of(new Started(child, out, err));
            } catch (RuntimeException e) {
                child.killGroup(SIGKILL);
                throw e;
            }
        }

        private Pipe pipe(boolean isOutput) {
            Pipe pipe = linux.pipe();
            ours.add(isOutput ? pipe.read() : pipe.write());
            theirs.add(isOutput ? pipe.write() : pipe.read());
            return pipe;
        }

        // A command that does not want its input is free to end without reading it (EPIPE).
        private void feed(Descriptor input) {
            CompletableFuture<Integer> written = loop.writeAll(input, command.input());
            watches.add(written);
            // The end of the input is what many commands wait for.
            var _ = written.whenComplete((count, failure) -> input.close());
        }

        Outcome await(Deadline deadline) {
            Started run = started.orElseThrow();
            CompletableFuture<ExitStatus> exit = run.child.exit();
            try {
                ExitStatus status = exit.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
                drain(CompletableFuture.allOf(run.stdout.end(), run.stderr.end()), deadline);
                return new Outcome(status, run.stdout.bytes(), run.stderr.bytes());
            } catch (TimeoutException e) {
                kill(run);
                throw new DeadlineExceededException("'" + command + "', which was killed");
            } catch (InterruptedException e) {
                kill(run); // and wait, so that it writes nothing behind its caller's back
                Thread.currentThread().interrupt();
                throw new CommandCancelledException(command);
            } catch (ExecutionException e) {
                throw new IllegalStateException("cannot follow '" + command + "'", e.getCause());
            }
        }

        private void drain(CompletableFuture<Void> ends, Deadline deadline)
                throws InterruptedException, ExecutionException {
            try {
                long wait = deadline.atMost(DRAIN_WAIT).remainingNanos();
                ends.get(Math.max(wait, DRAIN_WAIT_LEAST.toNanos()), TimeUnit.NANOSECONDS);
            } catch (TimeoutException e) {
                // What is there by now is the output.
            }
        }

        private void kill(Started run) {
            run.child.killGroup(SIGKILL);
            try {
                run.child.exit().get(KILL_WAIT.toNanos(), TimeUnit.NANOSECONDS);
            } catch (TimeoutException | ExecutionException e) {
                // The loop reaps it whenever it ends.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void close() {
            watches.forEach(watch -> watch.cancel(false));
            theirs.forEach(Descriptor::close);
            ours.forEach(Descriptor::close);
        }
    }
}
