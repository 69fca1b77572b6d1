package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.oci.process.Receiver;
import io.crema.oci.runtime.OciRuntime;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Starts and speaks to conmon, one per container. The monitor runs in a cgroup of its own, owns the
 * container's stdio and log file, and writes the exit code to {@code <persist>/exit} and {@code
 * <exits>/<id>} when the container ends, whether or not this daemon lives.
 */
public interface ContainerMonitor {
    /**
     * Everything conmon needs for one container.
     *
     * @param name shown in conmon's own messages
     * @param bundle has config.json; conmon puts its pid files, ctl fifo, attach socket and oom
     *     file here, see {@link MonitorFiles}
     * @param persistDirectory where exit and oom files survive a restart
     * @param logFile absent when the container wants no log
     * @param logSizeMaxBytes 0 for no limit
     * @param systemdCgroup whether the OCI runtime is to use the systemd cgroup driver
     * @param monitorCgroup where conmon is to live: with cgroupfs a path below each hierarchy, made
     *     if missing; with systemd {@code <slice>/<scope>} or only the scope's name
     * @param monitor the conmon of the container's handler; absent for the usual one
     * @param monitorEnvironment as {@code NAME=value}; what conmon and the runtime need is added
     * @param restoreFrom the checkpoint from which the container is to go on; it then runs as soon
     *     as it is created; absent for a new one
     */
    record MonitorRequest(
            ContainerId container,
            String name,
            OciRuntime runtime,
            Path bundle,
            Path persistDirectory,
            Optional<Path> logFile,
            long logSizeMaxBytes,
            boolean terminal,
            boolean stdin,
            boolean stdinOnce,
            boolean systemdCgroup,
            String monitorCgroup,
            Optional<Path> monitor,
            List<String> monitorEnvironment,
            Optional<Path> restoreFrom) {
        public MonitorRequest {
            monitorEnvironment = List.copyOf(monitorEnvironment);
        }

        /** The same container from a checkpoint. */
        public MonitorRequest restoring(Path checkpoint) {
            return new MonitorRequest(
                    container,
                    name,
                    runtime,
                    bundle,
                    persistDirectory,
                    logFile,
                    logSizeMaxBytes,
                    terminal,
                    stdin,
                    stdinOnce,
                    systemdCgroup,
                    monitorCgroup,
                    monitor,
                    monitorEnvironment,
                    Optional.of(checkpoint));
        }
    }

    /** A created container and its monitor; start times (clock ticks) tell a recycled pid. */
    record Monitored(int pid, long pidStartTicks, int monitorPid, long monitorStartTicks) {}

    /**
     * How a container ended, as the monitor recorded it.
     *
     * @param code 128 + signal when killed; 255 when the record cannot be read
     * @param finishedAt the exit file's modification time
     * @param oomKilled whether the kernel killed a process of the container for want of memory
     */
    record Exit(int code, Instant finishedAt, boolean oomKilled) {}

    /** Output and exit code of a process run inside a container. */
    record ExecResult(byte[] stdout, byte[] stderr, int exitCode) {}

    /**
     * A process to run in a container for a client.
     *
     * @param processJson {@code process} of the runtime spec as JSON
     * @param terminal whether it has a terminal, whose output comes on stdout
     * @param stdin whether it has an input; /dev/null otherwise
     * @param stdout absent for /dev/null
     * @param stderr absent for /dev/null, and with a terminal
     */
    record ExecRequest(
            OciRuntime runtime,
            ContainerId container,
            Path bundle,
            byte[] processJson,
            boolean terminal,
            boolean stdin,
            Optional<Receiver> stdout,
            Optional<Receiver> stderr) {}

    /**
     * A client that wants the streams of a container.
     *
     * @param stdin whether it has input, the end of which is the container's, too, where that is to
     *     be closed once
     * @param keepsStdinOpen whether the client's leaving must not end the container's input
     */
    record AttachRequest(
            ContainerId container,
            Path bundle,
            boolean stdin,
            boolean keepsStdinOpen,
            Receiver stdout,
            Receiver stderr) {}

    /**
     * Creates a container: starts conmon, which runs the OCI runtime's create, and waits for its
     * pid. On failure conmon and whatever the runtime left are gone when this returns.
     *
     * @throws io.crema.oci.runtime.OciRuntimeException with the runtime's own words
     * @throws io.crema.base.DeadlineExceededException when the runtime took too long
     */
    default Monitored create(MonitorRequest request, Deadline deadline) {
        try (Launch launch = begin(request, deadline)) {
            return launch.create(deadline);
        }
    }

    /**
     * Starts conmon, which takes as long as making a root file system and a specification: it waits
     * for {@link Launch#create} while its caller makes them. The bundle must be there as a
     * directory.
     */
    Launch begin(MonitorRequest request, Deadline deadline);

    /** A monitor that waits for its bundle; closed without a container it is gone again. */
    interface Launch extends AutoCloseable {
        /** As {@link ContainerMonitor#create}; once. */
        Monitored create(Deadline deadline);

        @Override
        void close();
    }

    /**
     * The recorded exit; empty while the container lives or when the monitor could not write it.
     */
    Optional<Exit> exit(Path persistDirectory, Path bundle);

    /**
     * Asks the monitor for a new log file at the same path and waits until it is there. Does
     * nothing when the monitor writes to that path already, so a repeated call loses no lines.
     *
     * @throws io.crema.oci.runtime.OciRuntimeException FAILED_PRECONDITION when the monitor has
     *     ended
     */
    void reopenLog(ContainerId container, Path bundle, Path logFile, Deadline deadline);

    /**
     * Runs a process in a running container to its end. A background child that keeps its output
     * open is not waited for. There is never a terminal: for a container with one, stdout and
     * stderr come merged as stdout, in the order they were written, without the carriage returns of
     * a terminal.
     *
     * @param processJson {@code process} of the runtime spec as JSON
     * @param terminal whether the container has a terminal
     * @param timeout the process tree is killed after this; absent for no limit
     * @param maxOutputBytes how much of stdout and of stderr is kept; the rest is dropped
     * @param deadline the caller's, at which the process tree is killed, too; that it is gone is
     *     waited for no longer
     * @throws io.crema.base.DeadlineExceededException when the timeout or the deadline ended it
     * @throws io.crema.oci.runtime.OciRuntimeException when it could not be started: NOT_FOUND and
     *     FAILED_PRECONDITION speak of the container, INVALID_ARGUMENT of the command
     */
    ExecResult execSync(
            OciRuntime runtime,
            ContainerId container,
            Path bundle,
            byte[] processJson,
            boolean terminal,
            Optional<Duration> timeout,
            int maxOutputBytes,
            Deadline deadline);

    /**
     * Says that a process will be started in some container within moments, so that what the kernel
     * needs for it can pass meanwhile. Does not wait.
     */
    void expectStart();

    /** Begins to run a process in a running container; what goes wrong is told by its end. */
    ExecStreams exec(ExecRequest request);

    /**
     * Connects to the streams of a container that is created or running. A client that does not
     * take its output holds up neither the container nor its log nor other clients.
     *
     * @throws io.crema.oci.runtime.OciRuntimeException FAILED_PRECONDITION when the monitor has
     *     ended
     */
    AttachedStreams attach(AttachRequest request);

    /** Sets the size of a container's terminal; does not wait. */
    void resizeTerminal(Path bundle, int columns, int rows);

    /**
     * Calls the listener with a container's id whenever a monitor reports an exit, from one thread,
     * until closed. Exits that happened before are reported too; an exit may be reported more than
     * once.
     */
    AutoCloseable watchExits(ExitListener listener);

    /**
     * Removes what a monitor leaves after its container was deleted in the runtime: waits for it to
     * end (and kills it if it does not), removes its cgroup and its exit file. What is gone already
     * is passed over.
     *
     * @param monitored absent when it is not known whether there ever was a monitor
     */
    void release(
            ContainerId container,
            Optional<Monitored> monitored,
            String monitorCgroup,
            boolean systemdCgroup,
            Deadline deadline);

    /** Told of each exit; must not block. */
    @FunctionalInterface
    interface ExitListener {
        void exited(ContainerId container);
    }
}
