package io.crema.runtime.state;

import com.fasterxml.jackson.annotation.JsonIgnore;
import io.crema.base.ContainerId;
import io.crema.base.ImageId;
import io.crema.base.PodSandboxId;
import org.jspecify.annotations.Nullable;

/**
 * What is written down about a container. It is written before the first step that touches the
 * world ({@code complete} false: a restarted daemon undoes such a container) and again at each
 * observed fact. All times are nanoseconds since 1970, 0 for "not yet".
 *
 * @param config the CRI ContainerConfig in protobuf's wire format
 * @param effective the parts of ContainerStatus fixed at creation (mounts, user, resources,
 *     signal), as a protobuf ContainerStatus
 * @param cgroupParent the pod's, so that clean-up needs no other record
 * @param startRequestedAtNanos written before the OCI runtime is asked to start, so that a
 *     container that started while the daemon died still has a start time
 */
public record ContainerRecord(
        int version,
        ContainerId id,
        PodSandboxId sandbox,
        String name,
        int attempt,
        byte[] config,
        byte[] effective,
        ImageId image,
        String runtimeHandler,
        String cgroupParent,
        String logPath,
        boolean complete,
        @Nullable ProcessIdentity process,
        @Nullable ProcessIdentity monitor,
        long createdAtNanos,
        long startRequestedAtNanos,
        long startedAtNanos,
        long finishedAtNanos,
        int exitCode,
        String reason,
        String message) {
    public static final int VERSION = 1;

    @JsonIgnore
    public ContainerState state() {
        if (finishedAtNanos != 0) {
            return new ContainerState.Exited(
                    startedAtNanos, finishedAtNanos, exitCode, reason, message);
        }
        return startedAtNanos == 0
                ? new ContainerState.Created()
                : new ContainerState.Running(startedAtNanos);
    }

    /** Whether it was made from a checkpoint whose processes are not restored yet. */
    @JsonIgnore
    public boolean awaitsRestore() {
        return complete && process == null && finishedAtNanos == 0;
    }

    /** With the processes that came out of a checkpoint. */
    public ContainerRecord restored(
            ProcessIdentity restoredProcess, ProcessIdentity restoredMonitor) {
        return new ContainerRecord(
                version,
                id,
                sandbox,
                name,
                attempt,
                config,
                effective,
                image,
                runtimeHandler,
                cgroupParent,
                logPath,
                complete,
                restoredProcess,
                restoredMonitor,
                createdAtNanos,
                startRequestedAtNanos,
                startedAtNanos,
                finishedAtNanos,
                exitCode,
                reason,
                message);
    }

    /**
     * @param process absent, as the monitor, for a container that is to be restored when it starts
     */
    public ContainerRecord created(
            byte[] effectiveStatus,
            @Nullable ProcessIdentity process,
            @Nullable ProcessIdentity monitor) {
        return new ContainerRecord(
                version,
                id,
                sandbox,
                name,
                attempt,
                config,
                effectiveStatus,
                image,
                runtimeHandler,
                cgroupParent,
                logPath,
                true,
                process,
                monitor,
                createdAtNanos,
                0,
                0,
                0,
                0,
                "",
                "");
    }

    public ContainerRecord startRequested(long atNanos) {
        return with(effective, atNanos, startedAtNanos, finishedAtNanos, exitCode, reason, message);
    }

    public ContainerRecord withEffective(byte[] effectiveStatus) {
        return with(
                effectiveStatus,
                startRequestedAtNanos,
                startedAtNanos,
                finishedAtNanos,
                exitCode,
                reason,
                message);
    }

    /** This record after an observation. */
    public ContainerRecord after(ContainerState.Event event) {
        return switch (state().after(event)) {
            case ContainerState.Created created -> this;
            case ContainerState.Running running ->
                    with(effective, startRequestedAtNanos, running.startedAtNanos(), 0, 0, "", "");
            case ContainerState.Exited exited ->
                    with(
                            effective,
                            startRequestedAtNanos,
                            exited.startedAtNanos(),
                            exited.finishedAtNanos(),
                            exited.exitCode(),
                            exited.reason(),
                            exited.message());
        };
    }

    private ContainerRecord with(
            byte[] newEffective,
            long newStartRequestedAt,
            long newStartedAt,
            long newFinishedAt,
            int newExitCode,
            String newReason,
            String newMessage) {
        return new ContainerRecord(
                version,
                id,
                sandbox,
                name,
                attempt,
                config,
                newEffective,
                image,
                runtimeHandler,
                cgroupParent,
                logPath,
                complete,
                process,
                monitor,
                createdAtNanos,
                newStartRequestedAt,
                newStartedAt,
                newFinishedAt,
                newExitCode,
                newReason,
                newMessage);
    }
}
