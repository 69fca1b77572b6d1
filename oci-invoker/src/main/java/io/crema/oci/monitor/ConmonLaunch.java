package io.crema.oci.monitor;

import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.CleanupStack;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.monitor.ContainerMonitor.MonitorRequest;
import io.crema.oci.monitor.ContainerMonitor.Monitored;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.Collected;
import io.crema.oci.process.PollLoop;
import io.crema.oci.runtime.CriuLog;
import io.crema.oci.runtime.OciRuntimeException;
import io.crema.oci.runtime.RuntimeErrorText;
import io.crema.oci.runtime.RuntimeFailure;
import io.crema.oci.runtime.RuntimeJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One start of conmon that creates one container: {@link #begin}, then {@link #create}. conmon
 * waits at its start pipe until it is in a cgroup of its own, then forks, and its first process,
 * our child, ends at once; the second runs the OCI runtime and reports through the sync pipe.
 *
 * <p>Should the daemon die between the two, the start pipe closes and conmon goes on: the container
 * is then created with its files in the bundle, and recovery deletes it by its record.
 */
final class ConmonLaunch implements ContainerMonitor.Launch {
    private static final int MAX_LINE_BYTES = 64 * 1024;
    private static final int MAX_ERROR_BYTES = 8 * 1024;
    private static final int SIGKILL = 9;
    private static final Duration UNDO_LIMIT = Duration.ofSeconds(10);
    private static final Duration PARENT_LIMIT = Duration.ofSeconds(2);

    private final ConmonSettings settings;
    private final Linux linux;
    private final PollLoop loop;
    private final Children children;
    private final MonitorPlacement placement;
    private final CgroupDirectories cgroups;
    private final CgroupHeadStart headStart;
    private final MonitorRequest request;
    private final MonitorFiles files;
    private final CleanupStack undo = new CleanupStack();
    private final Pipes pipes;
    private final Collected said;
    private Deadline deadline;
    private @Nullable Child parent;
    private boolean hadLogFile;
    private boolean isReleased;

    ConmonLaunch(
            ConmonSettings settings,
            Linux linux,
            PollLoop loop,
            Children children,
            MonitorPlacement placement,
            CgroupDirectories cgroups,
            CgroupHeadStart headStart,
            MonitorRequest request,
            Deadline deadline) {
        this.settings =
                request.monitor()
                        .map(conmon ->
                                new ConmonSettings(
                                        conmon, settings.exitsDirectory(), settings.syncLog()))
                        .orElse(settings);
        this.linux = linux;
        this.loop = loop;
        this.children = children;
        this.placement = placement;
        this.cgroups = cgroups;
        this.headStart = headStart;
        this.request = request;
        this.files =
                new MonitorFiles(
                        request.container(),
                        request.bundle(),
                        request.persistDirectory(),
                        settings.exitsDirectory());
        this.deadline = deadline;
        this.pipes = Pipes.open(linux);
        this.said = collect();
    }

    private Collected collect() {
        try {
            return loop.readAll(pipes.errors.read(), MAX_ERROR_BYTES);
        } catch (RuntimeException e) {
            pipes.close();
            throw e;
        }
    }

    /** Between us and conmon. */
    private record Pipes(Pipe sync, Pipe start, Pipe errors) {
        static Pipes open(Linux linux) {
            return CleanupStack.run(undo -> {
                Pipe sync = linux.pipe();
                undo.push("close a pipe", sync::close);
                Pipe start = linux.pipe();
                undo.push("close a pipe", start::close);
                return new Pipes(sync, start, linux.pipe());
            });
        }

        void close() {
            sync.close();
            start.close();
            errors.close();
        }
    }

    /** Starts conmon, or leaves nothing. */
    void begin() {
        try {
            deadline.check(step());
            prepareFiles();
            String id = request.container().value();
            undo.push("remove the files of the monitor of container " + id, this::removeFiles);
            undo.push(
                    "remove the cgroup of the monitor of container " + id,
                    () -> placement.remove(request.monitorCgroup(), Deadline.after(UNDO_LIMIT)));
            undo.push("undo the creation of container " + id, this::undoCreate);
            Child started = spawn();
            parent = started;
            undo.push("end the monitor of container " + id, () -> end(started));
            pipes.sync.write().close();
            pipes.start.read().close();
            pipes.errors.write().close();
        } catch (RuntimeException | Error e) {
            undo.undo(e);
            closePipes();
            throw e;
        }
    }

    @Override
    public Monitored create(Deadline limit) {
        deadline = limit;
        try {
            Child started = Objects.requireNonNull(parent);
            release(started);
            SyncLine line = awaitLine(started);
            // The pid file is whole once the parent has ended.
            ExitStatus exit = Await.result(started.exit(), deadline, step());
            if (!exit.isSuccess() || line.number() <= 0) {
                throw failure(line.message(), Optional.of(exit));
            }
            Monitored monitored = monitored(line.number());
            undo.commit();
            return monitored;
        } catch (RuntimeException | Error e) {
            undo.undo(e);
            throw e;
        }
    }

    @Override
    public void close() {
        try {
            undo.close();
        } finally {
            closePipes();
        }
    }

    /** After the undo: the end of the start pipe would let conmon go on. */
    private void closePipes() {
        said.end().cancel(false);
        pipes.close();
    }

    private void undoCreate() throws IOException {
        try {
            request.runtime().delete(request.container(), true, Deadline.after(UNDO_LIMIT));
        } finally {
            removeContainerCgroup();
        }
    }

    private void prepareFiles() {
        try {
            Files.createDirectories(settings.exitsDirectory());
            Files.createDirectories(files.persistDirectory());
            // What an earlier attempt with this id left must not be taken for ours.
            Files.deleteIfExists(files.monitorPid());
            Files.deleteIfExists(files.containerPid());
            Files.deleteIfExists(files.runtimeLog());
            removeReports();
            hadLogFile = request.logFile().isPresent() && Files.exists(request.logFile().get());
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL,
                    "cannot prepare the monitor's files of container "
                            + request.container()
                            + ": "
                            + e,
                    e);
        }
    }

    private void removeReports() throws IOException {
        Files.deleteIfExists(files.exit());
        Files.deleteIfExists(files.oom());
        Files.deleteIfExists(files.bundleOom());
        Files.deleteIfExists(files.watchedExit());
    }

    private Child spawn() {
        try {
            return placement.start(request.monitorCgroup(), spawnRequest(), deadline);
        } catch (LinuxException e) {
            throw ConmonMonitor.cannotRun(settings, e);
        } catch (OciRuntimeException e) {
            // A conmon that ended early (a missing library, an unknown option) cannot be moved.
            if (said.bytes().length > 0) {
                OciRuntimeException early = failure("", Optional.empty());
                early.addSuppressed(e);
                throw early;
            }
            throw e;
        }
    }

    private SpawnRequest spawnRequest() {
        Map<Integer, Descriptor> descriptors =
                Map.of(
                        2,
                        pipes.errors.write(),
                        ConmonArguments.SYNC_PIPE,
                        pipes.sync.write(),
                        ConmonArguments.START_PIPE,
                        pipes.start.read());
        // conmon writes the oom file to its working directory.
        return new SpawnRequest(
                settings.conmon(),
                ConmonArguments.create(settings, request, files),
                ConmonArguments.environment(
                        request.monitorEnvironment(), files.bundle(), request.terminal(), true),
                descriptors,
                false,
                Optional.of(files.bundle()));
    }

    private void release(Child started) {
        isReleased = true;
        headStart.begin(); // for the container that is created now
        try {
            linux.write(pipes.start.write(), new byte[] {'\n'}, 0, 1);
        } catch (LinuxException e) { // EPIPE: conmon has ended
            throw failure("", Optional.of(Await.result(started.exit(), deadline, step())));
        }
        pipes.start.write().close();
    }

    private SyncLine awaitLine(Child started) {
        CompletableFuture<Optional<String>> next =
                loop.lines(pipes.sync.read(), MAX_LINE_BYTES).next();
        Optional<String> line;
        try {
            line = Await.result(next, deadline, step());
        } finally {
            next.cancel(false);
        }
        if (line.isEmpty()) {
            throw failure("", exitSoon(started));
        }
        return SyncLine.parse(line.get())
                .orElseThrow(() ->
                        new OciRuntimeException(
                                ErrorKind.INTERNAL,
                                settings.conmon()
                                        + " reported something unknown for container "
                                        + request.container()
                                        + ": "
                                        + line.get()));
    }

    private Monitored monitored(int pid) {
        int monitorPid = readPid(files.monitorPid()).orElse(0);
        Optional<Long> started = linux.startTimeTicks(pid);
        Optional<Long> monitorStarted =
                monitorPid == 0 ? Optional.empty() : linux.startTimeTicks(monitorPid);
        if (started.isEmpty() || monitorStarted.isEmpty()) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL,
                    (started.isEmpty()
                                    ? "the first process (pid " + pid + ")"
                                    : "the monitor (pid " + monitorPid + ")")
                            + " of container "
                            + request.container()
                            + " ended right after it was created; the system log may tell why");
        }
        deleteQuietly(files.runtimeLog());
        // Its first process has ended, so it is our child, and we are who must reap it.
        var _ = children.adoptIfThere(monitorPid);
        return new Monitored(pid, started.get(), monitorPid, monitorStarted.get());
    }

    /** The runtime's log says it best, then what conmon passed on, then conmon's own words. */
    private OciRuntimeException failure(String message, Optional<ExitStatus> parentExit) {
        Optional<String> error = RuntimeErrorText.last(read(files.runtimeLog()));
        if (error.isEmpty()) {
            error = RuntimeErrorText.last(message);
        }
        if (error.isPresent()) {
            RuntimeFailure failure = RuntimeFailure.of(error.get(), request.container());
            return new OciRuntimeException(
                    failure.kind(),
                    "OCI runtime '"
                            + request.runtime().name()
                            + "' ("
                            + request.runtime().executable()
                            + "): "
                            + verb()
                            + " of container "
                            + request.container()
                            + " failed: "
                            + failure.text()
                            + criuErrors());
        }
        String own = new String(said.bytes(), StandardCharsets.UTF_8).strip();
        return new OciRuntimeException(
                ErrorKind.INTERNAL,
                "monitor "
                        + settings.conmon()
                        + " of container "
                        + request.container()
                        + " ended without reporting a container"
                        + parentExit
                                .filter(exit -> !exit.isSuccess())
                                .map(exit -> " (exit code " + exit.shellCode() + ")")
                                .orElse("")
                        + (own.isEmpty() ? "; the system log may tell why" : ": " + own));
    }

    private String verb() {
        return request.restoreFrom().isPresent() ? "restore" : "create";
    }

    /** conmon gives the runtime's restore the bundle as the place for CRIU's log. */
    private String criuErrors() {
        return request.restoreFrom().isPresent()
                ? CriuLog.lastErrors(files.bundle().resolve("restore.log"))
                : "";
    }

    private Optional<ExitStatus> exitSoon(Child parent) {
        Deadline soon = deadline.atMost(PARENT_LIMIT);
        try {
            return Optional.of(Await.result(parent.exit(), soon, step()));
        } catch (RuntimeException e) {
            return Optional.empty(); // hangs after it closed the sync pipe
        }
    }

    /**
     * Ends whatever there is of conmon; the kernel ends a running OCI runtime with it. Once
     * released, the parent ends by itself within moments and has then told the pid of its child.
     */
    private void end(Child parent) {
        if (isReleased) {
            var _ = exitSoon(Deadline.after(PARENT_LIMIT), parent);
        }
        parent.killGroup(SIGKILL);
        Optional<Integer> pid = readPid(files.monitorPid());
        if (pid.isPresent()) {
            MonitorProcess.end(linux, loop, pid.get(), request.container(), UNDO_LIMIT);
        }
        Await.result(parent.exit(), Deadline.after(UNDO_LIMIT), "the end of killed conmon");
    }

    private static boolean exitSoon(Deadline limit, Child parent) {
        try {
            Await.result(parent.exit(), limit, "the end of conmon's first process");
            return true;
        } catch (RuntimeException e) {
            return false;
        }
    }

    /** A runtime that was killed half way deletes nothing; its cgroup holds its last processes. */
    private void removeContainerCgroup() throws IOException {
        if (request.systemdCgroup()) {
            return; // its scope is systemd's to collect
        }
        JsonNode path =
                RuntimeJson.READER
                        .readTree(Files.readAllBytes(files.configuration()))
                        .path("linux")
                        .path("cgroupsPath");
        if (path.isTextual() && path.asText().startsWith("/")) {
            cgroups.destroy(path.asText(), Deadline.after(UNDO_LIMIT));
        }
    }

    private void removeFiles() throws IOException {
        removeReports();
        for (Path file :
                List.of(
                        files.monitorPid(),
                        files.containerPid(),
                        files.runtimeLog(),
                        files.windowSize(),
                        MonitorFiles.control(files.bundle()),
                        MonitorFiles.attachSocket(files.bundle()))) {
            Files.deleteIfExists(file);
        }
        if (request.logFile().isPresent() && !hadLogFile) {
            Path log = request.logFile().get();
            if (Files.exists(log) && Files.size(log) == 0) {
                Files.delete(log);
            }
        }
    }

    private String step() {
        return settings.conmon().getFileName()
                + " to "
                + verb()
                + " container "
                + request.container()
                + " with OCI runtime '"
                + request.runtime().name()
                + "'";
    }

    private static Optional<Integer> readPid(Path file) {
        try {
            return Optional.of(Integer.parseInt(read(file).strip()));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    private static String read(Path file) {
        try {
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }

    private static void deleteQuietly(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // It goes with the bundle.
        }
    }
}
