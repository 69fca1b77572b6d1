package io.crema.oci.monitor;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.monitor.ContainerMonitor.ExecResult;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.Collected;
import io.crema.oci.process.PollLoop;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.OciRuntimeException;
import io.crema.oci.runtime.RuntimeJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Runs a process in a container to its end. The OCI runtime detaches it, and as the nearest
 * subreaper we become its parent, because only a parent learns the exact exit code, and the runtime
 * itself, kept as parent, would wait for every background child that holds the output open (runc
 * does). The process writes straight into our pipes. A daemon that dies leaves the process to init.
 */
final class ContainerExec {
    // What the process itself wrote is in the pipes when it ends; this is for its children.
    private static final Duration DRAIN_WAIT = Duration.ofMillis(100);
    // Killing takes milliseconds; what hangs in the kernel is not waited for.
    private static final Duration KILL_WAIT = Duration.ofSeconds(2);

    private final Linux linux;
    private final PollLoop loop;
    private final Children children;
    private final AtomicLong number = new AtomicLong();

    ContainerExec(Linux linux, PollLoop loop, Children children) {
        this.linux = linux;
        this.loop = loop;
        this.children = children;
    }

    ExecResult run(
            OciRuntime runtime,
            ContainerId container,
            Path bundle,
            byte[] processJson,
            boolean terminal,
            Optional<Duration> timeout,
            int maxOutputBytes,
            Deadline deadline) {
        // A restarted daemon counts anew; its pid keeps the names apart.
        String name = "exec-" + ProcessHandle.current().pid() + "-" + number.getAndIncrement();
        try (ExecLaunch launch = new ExecLaunch(runtime, container, bundle, name);
                Pipe stdout = linux.pipe();
                Pipe stderr = linux.pipe()) {
            launch.writeProcess(terminal ? withoutTerminal(processJson) : processJson);
            return new Run(
                            container,
                            launch,
                            timeout.map(deadline::atMost).orElse(deadline),
                            deadline)
                    .run(stdout, terminal ? Optional.empty() : Optional.of(stderr), maxOutputBytes);
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL,
                    "cannot write the process for an exec in container " + container + ": " + e,
                    e);
        }
    }

    private static byte[] withoutTerminal(byte[] processJson) throws IOException {
        JsonNode process = RuntimeJson.READER.readTree(processJson);
        if (process instanceof ObjectNode object) {
            object.put("terminal", false);
            object.remove("consoleSize");
        }
        return RuntimeJson.READER.writeValueAsBytes(process);
    }

    /** One exec and its waits. */
    private final class Run {
        private final ContainerId container;
        private final ExecLaunch launch;
        private final Deadline deadline;
        private final Deadline callers;

        Run(ContainerId container, ExecLaunch launch, Deadline deadline, Deadline callers) {
            this.container = container;
            this.launch = launch;
            this.deadline = deadline;
            this.callers = callers;
        }

        /**
         * @param stderr absent when it is to go where stdout goes
         */
        ExecResult run(Pipe stdout, Optional<Pipe> stderr, int maxOutputBytes) {
            Child launcher =
                    launch.start(
                            children,
                            Map.of(1, stdout.write(), 2, stderr.orElse(stdout).write()),
                            false);
            stdout.write().close();
            stderr.ifPresent(pipe -> pipe.write().close());
            Collected out = loop.readAll(stdout.read(), maxOutputBytes);
            Optional<Collected> err = stderr.map(pipe -> loop.readAll(pipe.read(), maxOutputBytes));
            // Adopted on the loop's thread: most commands have ended by then.
            CompletableFuture<Optional<Child>> started =
                    launcher.exit()
                            .thenApply(exit ->
                                    exit.isSuccess() ? adopted(launch.pid()) : Optional.empty());
            try {
                Optional<Child> process =
                        Await.result(started, deadline, step("to start the command"));
                if (process.isEmpty()) {
                    throw launch.failure(
                            launcher.exit().join(),
                            new String(err.orElse(out).bytes(), StandardCharsets.UTF_8));
                }
                ExitStatus ended =
                        Await.result(process.get().exit(), deadline, step("the command"));
                drain(
                        err.map(stream -> CompletableFuture.allOf(out.end(), stream.end()))
                                .orElseGet(() -> CompletableFuture.allOf(out.end())));
                return new ExecResult(
                        out.bytes(),
                        err.map(Collected::bytes).orElseGet(() -> new byte[0]),
                        ended.shellCode());
            } catch (RuntimeException | Error e) {
                kill(launcher, started);
                throw e;
            } finally {
                out.end().cancel(false);
                err.ifPresent(stream -> stream.end().cancel(false));
            }
        }

        private void drain(CompletableFuture<Void> ends) {
            try {
                Await.result(ends, Deadline.after(DRAIN_WAIT), "output");
            } catch (DeadlineExceededException e) {
                // A background child keeps the output open; what is there by now is the output.
            }
        }

        /**
         * Also when the caller was interrupted: nobody would ever ask for the result. A thread of
         * its own, because the caller's time is up.
         */
        private void kill(Child launcher, CompletableFuture<Optional<Child>> started) {
            boolean wasInterrupted = Thread.interrupted();
            Optional<Child> known =
                    started.isDone() && !started.isCompletedExceptionally()
                            ? started.join()
                            : Optional.empty();
            Thread killer =
                    Thread.ofVirtual()
                            .name("kill exec in " + container)
                            .start(() -> ProcessTree.kill(linux, children, launcher, known));
            try {
                killer.join(callers.atMost(KILL_WAIT).remaining());
            } catch (InterruptedException e) {
                wasInterrupted = true;
            } finally {
                if (wasInterrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        private Optional<Child> adopted(OptionalInt pid) {
            return pid.isPresent() ? children.adoptIfThere(pid.getAsInt()) : Optional.empty();
        }

        private String step(String what) {
            return what
                    + " of an exec in container "
                    + container
                    + ", which was killed with all it started";
        }
    }
}
