package io.crema.oci.runtime;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * One configured OCI runtime (runtime-spec, runtime.md: operations). Creating a container and
 * running a process in it go through the monitor, which calls the same binary; see {@link
 * io.crema.oci.monitor.ContainerMonitor}. Every failure is an {@link OciRuntimeException} that
 * names the runtime, the operation, the container and the runtime's own last error line.
 */
public interface OciRuntime {
    /** What the state operation answers (runtime-spec, runtime.md: state). */
    record State(String ociVersion, String status, int pid, Path bundle) {}

    /** The handler's name in the configuration. */
    String name();

    Path executable();

    /**
     * What to execute for operations that start processes in a container: {@link #executable} or a
     * sealed copy of it.
     */
    default Path command() {
        return executable();
    }

    /** The runtime's own state directory (--root). */
    Path root();

    void start(ContainerId container, Deadline deadline);

    /** Empty when the runtime knows no such container. */
    Optional<State> state(ContainerId container, Deadline deadline);

    /**
     * Signals the container's first process, or every process in its cgroup.
     *
     * @return false when there is no such container or it has ended
     */
    boolean kill(ContainerId container, int signal, boolean all, Deadline deadline);

    /**
     * Deletes the runtime's state and the cgroup; no error when the runtime knows no such
     * container.
     */
    void delete(ContainerId container, boolean force, Deadline deadline);

    /**
     * Changes limits of a running container.
     *
     * @param resourcesJson {@code linux.resources} of the runtime spec as JSON
     */
    void update(ContainerId container, byte[] resourcesJson, Deadline deadline);

    /**
     * Where CRIU is to write.
     *
     * @param images what it knows of the processes, memory included
     * @param work its log (dump.log) and its statistics
     */
    record CheckpointPlaces(Path images, Path work) {}

    /** Freezes a running container. */
    void pause(ContainerId container, Deadline deadline);

    /** Lets a frozen container go on. */
    void resume(ContainerId container, Deadline deadline);

    /**
     * Writes a running or frozen container's processes down without ending them.
     *
     * @throws OciRuntimeException with the runtime's words and those of CRIU's log
     */
    void checkpoint(ContainerId container, CheckpointPlaces places, Deadline deadline);

    /** What a monitor has to tell this runtime's restore of such a checkpoint. */
    default List<String> restoreOptions() {
        return RuntimeOperation.Checkpoint.KEPT;
    }

    /** What this binary says it can do; asked once and kept. */
    RuntimeFeatures features();

    /**
     * The options that go before the sub-command when somebody else (the monitor) calls this
     * binary, so that the same containers are meant and errors can be read back.
     *
     * @param logFile where the runtime is to write its log as JSON lines
     */
    default List<String> globalArguments(Path logFile) {
        return List.of("--root=" + root(), "--log=" + logFile, "--log-format=json");
    }
}
