package io.crema.oci.monitor;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.monitor.ContainerMonitor.ExecResult;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.Collected;
import io.crema.oci.process.PollLoop;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.OciRuntimeException;
import io.crema.oci.runtime.RuntimeErrorText;
import io.crema.oci.runtime.RuntimeFailure;
import io.crema.oci.runtime.RuntimeJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Runs a process in a container to its end. The OCI runtime detaches it and conmon becomes its
 * parent, because only a parent learns the exact exit code, and the runtime itself, kept as parent,
 * would wait for every background child that holds the output open (runc does). conmon does not
 * touch the streams: the process writes straight into our pipes. This costs half a millisecond over
 * a bare exec of the runtime.
 */
final class ContainerExec {
    private static final int MAX_LINE_BYTES = 64 * 1024;
    private static final int SIGKILL = 9;
    // What the process itself wrote is in the pipes when it ends; this is for its children.
    private static final Duration DRAIN_WAIT = Duration.ofMillis(100);
    private static final Duration KILL_WAIT = Duration.ofSeconds(2);

    private final ConmonSettings settings;
    private final Linux linux;
    private final PollLoop loop;
    private final Children children;
    private final AtomicLong number = new AtomicLong();

    ContainerExec(ConmonSettings settings, Linux linux, PollLoop loop, Children children) {
        this.settings = settings;
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
            int maxOutputBytes) {
        Deadline deadline = timeout.map(Deadline::after).orElseGet(Deadline::none);
        // A restarted daemon counts anew; its pid keeps the names apart.
        String name = "exec-" + ProcessHandle.current().pid() + "-" + number.getAndIncrement();
        try (ExecFiles files = new ExecFiles(bundle, name);
                Pipe stdout = linux.pipe();
                Pipe stderr = linux.pipe();
                Pipe sync = linux.pipe()) {
            files.write(terminal ? withoutTerminal(processJson) : processJson);
            Run run = new Run(runtime, container, files, deadline);
            return run.run(
                    stdout,
                    terminal ? Optional.empty() : Optional.of(stderr),
                    sync,
                    maxOutputBytes);
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

    /** The files of one exec, all of them in the bundle, which is not readable by others. */
    private record ExecFiles(Path process, Path pid, Path log) implements AutoCloseable {
        ExecFiles(Path bundle, String name) {
            this(
                    bundle.resolve(name + ".json"),
                    bundle.resolve(name + ".pid"),
                    bundle.resolve(name + ".log"));
        }

        /** Environment variables may be secret. */
        void write(byte[] processJson) throws IOException {
            Files.createFile(
                    process,
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rw-------")));
            Files.write(process, processJson, StandardOpenOption.WRITE);
        }

        @Override
        public void close() throws IOException {
            Files.deleteIfExists(process);
            Files.deleteIfExists(pid);
            Files.deleteIfExists(log);
        }
    }

    /** One exec and its waits. */
    private final class Run {
        private final OciRuntime runtime;
        private final ContainerId container;
        private final ExecFiles files;
        private final Deadline deadline;

        Run(OciRuntime runtime, ContainerId container, ExecFiles files, Deadline deadline) {
            this.runtime = runtime;
            this.container = container;
            this.files = files;
            this.deadline = deadline;
        }

        /**
         * @param stderr absent when it is to go where stdout goes
         */
        ExecResult run(Pipe stdout, Optional<Pipe> stderr, Pipe sync, int maxOutputBytes) {
            Child conmon = start(stdout, stderr.orElse(stdout), sync);
            stdout.write().close();
            stderr.ifPresent(pipe -> pipe.write().close());
            sync.write().close();
            Collected out = loop.readAll(stdout.read(), maxOutputBytes);
            Optional<Collected> err = stderr.map(pipe -> loop.readAll(pipe.read(), maxOutputBytes));
            CompletableFuture<Optional<String>> next =
                    loop.lines(sync.read(), MAX_LINE_BYTES).next();
            try {
                int code = exitCode(Await.result(next, deadline, step()), err.orElse(out));
                drain(
                        err.map(stream -> CompletableFuture.allOf(out.end(), stream.end()))
                                .orElseGet(() -> CompletableFuture.allOf(out.end())));
                return new ExecResult(
                        out.bytes(), err.map(Collected::bytes).orElseGet(() -> new byte[0]), code);
            } catch (RuntimeException | Error e) {
                kill(conmon);
                throw e;
            } finally {
                next.cancel(false);
                out.end().cancel(false);
                err.ifPresent(stream -> stream.end().cancel(false));
            }
        }

        private Child start(Pipe stdout, Pipe stderr, Pipe sync) {
            Map<Integer, Descriptor> descriptors = new HashMap<>();
            descriptors.put(1, stdout.write());
            descriptors.put(2, stderr.write());
            descriptors.put(ConmonArguments.SYNC_PIPE, sync.write());
            List<String> arguments =
                    ConmonArguments.exec(
                            settings, runtime, container, files.process, files.pid, files.log);
            Map<String, String> environment =
                    ConmonArguments.environment(List.of(), files.process, false, false);
            try {
                return children.start(
                        new SpawnRequest(
                                settings.conmon(), arguments, environment, descriptors, true));
            } catch (LinuxException e) {
                throw ConmonMonitor.cannotRun(settings, e);
            }
        }

        /** No line, or a negative number, means that the runtime could not start the process. */
        private int exitCode(Optional<String> line, Collected said) {
            Optional<SyncLine> sync = line.flatMap(SyncLine::parse);
            if (sync.isPresent() && sync.get().number() >= 0) {
                return sync.get().number();
            }
            String error =
                    RuntimeErrorText.last(log())
                            .or(() -> sync.flatMap(s -> RuntimeErrorText.last(s.message())))
                            .or(() ->
                                    RuntimeErrorText.last(
                                            new String(said.bytes(), StandardCharsets.UTF_8)))
                            .orElse("the monitor of the exec ended without a word");
            RuntimeFailure failure = RuntimeFailure.of(error, container);
            throw new OciRuntimeException(
                    failure.kind(),
                    "OCI runtime '"
                            + runtime.name()
                            + "' ("
                            + runtime.executable()
                            + "): exec in container "
                            + container
                            + " failed: "
                            + failure.text());
        }

        private void drain(CompletableFuture<Void> ends) {
            try {
                Await.result(ends, Deadline.after(DRAIN_WAIT), "output");
            } catch (DeadlineExceededException e) {
                // A background child keeps the output open; what is there by now is the output.
            }
        }

        /** Also when the caller was interrupted: nobody would ever ask for the result. */
        private void kill(Child conmon) {
            boolean wasInterrupted = Thread.interrupted();
            try {
                if (!conmon.exit().isDone()) {
                    ProcessTree.kill(linux, conmon.pid());
                }
                Await.result(conmon.exit(), Deadline.after(KILL_WAIT), "the end of killed conmon");
            } catch (DeadlineExceededException e) {
                conmon.killGroup(SIGKILL);
            } finally {
                if (wasInterrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        private String log() {
            try {
                return Files.readString(files.log);
            } catch (IOException e) {
                return "";
            }
        }

        private String step() {
            return "the command of an exec in container "
                    + container
                    + ", which was killed with all it started";
        }
    }
}
