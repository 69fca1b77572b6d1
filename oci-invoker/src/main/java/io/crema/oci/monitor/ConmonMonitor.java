package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.process.Children;
import io.crema.oci.process.Commands;
import io.crema.oci.process.PollLoop;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** conmon 2.1 or later as the monitor: the front of this package. */
public final class ConmonMonitor implements ContainerMonitor {
    private static final Path BUSCTL = Path.of("/usr/bin/busctl");
    private static final Path PROC = Path.of("/proc");
    private static final int UNKNOWN_EXIT = 255;
    private static final Duration GRACE = Duration.ofSeconds(2);
    private static final Duration KILL_LIMIT = Duration.ofSeconds(5);

    private final ConmonSettings settings;
    private final Linux linux;
    private final PollLoop loop;
    private final Children children;
    private final CgroupDirectories cgroups;
    private final MonitorPlacement scopes;
    private final CgroupHeadStart headStart;
    private final LogReopening logs;
    private final ContainerExec execs;
    private final StreamedExec.Starter streamedExecs;
    private final TerminalResizing resizing;

    /** The last three are shared by all of the daemon and are not closed here. */
    public ConmonMonitor(ConmonSettings settings, Commands commands, Linux linux, PollLoop loop) {
        this(settings, linux, loop, new Children(linux, loop), commands);
    }

    private ConmonMonitor(
            ConmonSettings settings,
            Linux linux,
            PollLoop loop,
            Children children,
            Commands commands) {
        this(
                settings,
                linux,
                loop,
                children,
                new CgroupDirectories(linux, children),
                new SystemdScopes(children, commands, BUSCTL, PROC));
    }

    /** With a stand-in for systemd. */
    ConmonMonitor(
            ConmonSettings settings,
            Linux linux,
            PollLoop loop,
            Children children,
            CgroupDirectories cgroups,
            MonitorPlacement scopes) {
        this.settings = settings;
        this.linux = linux;
        this.loop = loop;
        this.children = children;
        this.cgroups = cgroups;
        this.scopes = scopes;
        this.headStart = new CgroupHeadStart(linux::mounts);
        this.logs = new LogReopening(linux);
        this.execs = new ContainerExec(linux, loop, children);
        this.streamedExecs = new StreamedExec.Starter(linux, loop, children);
        this.resizing = new TerminalResizing(linux);
    }

    @Override
    public Launch begin(MonitorRequest request, Deadline deadline) {
        ConmonLaunch launch =
                new ConmonLaunch(
                        settings,
                        linux,
                        loop,
                        children,
                        placement(request.systemdCgroup()),
                        cgroups,
                        headStart,
                        request,
                        deadline);
        headStart.begin(); // for a monitor that must be moved
        launch.begin();
        return launch;
    }

    private MonitorPlacement placement(boolean systemdCgroup) {
        return systemdCgroup ? scopes : cgroups;
    }

    @Override
    public Optional<Exit> exit(Path persistDirectory, Path bundle) {
        Path file = persistDirectory.resolve("exit");
        try {
            String text = Files.readString(file);
            Instant finishedAt = Files.getLastModifiedTime(file).toInstant();
            boolean oomKilled =
                    Files.exists(persistDirectory.resolve("oom"))
                            || Files.exists(bundle.resolve("oom"));
            return Optional.of(new Exit(code(text.strip()), finishedAt, oomKilled));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL, "cannot read the exit code in " + file + ": " + e, e);
        }
    }

    /** conmon writes −1 when it could not learn the code, and nothing when the disk was full. */
    private static int code(String text) {
        try {
            int code = Integer.parseInt(text);
            return code < 0 ? UNKNOWN_EXIT : code;
        } catch (NumberFormatException e) {
            return UNKNOWN_EXIT;
        }
    }

    @Override
    public void reopenLog(ContainerId container, Path bundle, Path logFile, Deadline deadline) {
        logs.reopen(container, bundle, logFile, deadline);
    }

    @Override
    public ExecResult execSync(
            OciRuntime runtime,
            ContainerId container,
            Path bundle,
            byte[] processJson,
            boolean terminal,
            Optional<Duration> timeout,
            int maxOutputBytes,
            Deadline deadline) {
        return execs.run(
                runtime,
                container,
                bundle,
                processJson,
                terminal,
                timeout,
                maxOutputBytes,
                deadline);
    }

    @Override
    public void expectStart() {
        headStart.begin();
    }

    @Override
    public ExecStreams exec(ExecRequest request) {
        headStart.begin();
        return streamedExecs.begin(request);
    }

    @Override
    public AttachedStreams attach(AttachRequest request) {
        return MonitorAttach.connect(request, linux, loop);
    }

    @Override
    public void resizeTerminal(Path bundle, int columns, int rows) {
        resizing.resize(bundle, columns, rows);
    }

    @Override
    public AutoCloseable watchExits(ExitListener listener) {
        return ExitWatch.start(settings.exitsDirectory(), listener);
    }

    @Override
    public void release(
            ContainerId container,
            Optional<Monitored> monitored,
            String monitorCgroup,
            boolean systemdCgroup,
            Deadline deadline) {
        if (monitored.isPresent()) {
            end(container, monitored.get(), deadline);
        }
        placement(systemdCgroup).remove(monitorCgroup, deadline);
        Path exit = settings.exitsDirectory().resolve(container.value());
        try {
            Files.deleteIfExists(exit);
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL, "cannot remove the exit file " + exit + ": " + e, e);
        }
    }

    private void end(ContainerId container, Monitored monitored, Deadline deadline) {
        int pid = monitored.monitorPid();
        boolean isOurs =
                linux.startTimeTicks(pid).equals(Optional.of(monitored.monitorStartTicks()));
        if (isOurs
                && !MonitorProcess.awaitEnd(linux, loop, pid, container, deadline.atMost(GRACE))) {
            MonitorProcess.end(linux, loop, pid, container, KILL_LIMIT);
        }
    }

    static OciRuntimeException cannotRun(ConmonSettings settings, LinuxException e) {
        return new OciRuntimeException(
                ErrorKind.FAILED_PRECONDITION,
                "cannot run the monitor "
                        + settings.conmon()
                        + ": "
                        + e.errno().message()
                        + "; install conmon 2.1 or later or correct monitor_path of this handler",
                e);
    }
}
