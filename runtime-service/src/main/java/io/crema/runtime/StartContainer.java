package io.crema.runtime;

import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.StartContainerResponse;
import io.crema.oci.runtime.OciRuntime;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import java.time.Duration;

/**
 * Starts a created container. When the OCI runtime cannot, the container ends with code 128 and the
 * reason StartError, and the caller gets the cause.
 */
final class StartContainer {
    /** Of the OCI runtime's start or restore, and once more of its undo. */
    static final Duration BUDGET = Duration.ofMinutes(2);

    static final int START_ERROR_CODE = 128;

    private final NodeServices node;
    private final Inventory inventory;
    private final ContainerExits exits;
    private final RestoreContainer restore;
    private final PodPlugins plugins;
    private final JoinableWork<Boolean> work = new JoinableWork<>("StartContainer", done -> {});

    StartContainer(
            NodeServices node,
            Inventory inventory,
            ContainerExits exits,
            RestoreContainer restore,
            PodPlugins plugins) {
        this.node = node;
        this.inventory = inventory;
        this.exits = exits;
        this.restore = restore;
        this.plugins = plugins;
    }

    StartContainerResponse run(StartContainerRequest request, Deadline deadline) {
        Container container = inventory.container(request.getContainerId());
        work.run(
                container.id().value(),
                container.id(),
                deadline,
                steps -> {
                    start(container, Deadline.after(BUDGET), steps);
                    return true;
                });
        return StartContainerResponse.getDefaultInstance();
    }

    private void start(Container container, Deadline deadline, JoinableWork.Steps steps) {
        requireCreated(container);
        try {
            steps.enter("the NRI plugins' StartContainer");
            plugins.startContainer(container, deadline);
            steps.enter("the OCI runtime's start");
            start(container, deadline);
            steps.enter("the NRI plugins' PostStartContainer");
            plugins.postStartContainer(container, deadline);
        } finally {
            plugins.startEnded(container);
        }
    }

    private static void requireCreated(Container container) {
        if (!(container.state() instanceof ContainerState.Created)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    container
                            + " cannot be started: it is "
                            + (container.state() instanceof ContainerState.Running
                                    ? "running already"
                                    : "no longer there to start, it has exited; create a new one"));
        }
    }

    private void start(Container container, Deadline deadline) {
        OciRuntime runtime = node.handlers().named(container.record().runtimeHandler());
        boolean isRestored;
        container.lock(deadline);
        try {
            requireCreated(container);
            container.update(before -> before.startRequested(node.nowNanos()));
            isRestored = container.record().awaitsRestore();
            try {
                if (isRestored) {
                    restore.start(container, deadline);
                } else {
                    runtime.start(container.id(), deadline);
                }
            } catch (CremaException e) {
                failed(container, runtime, e);
                throw e;
            }
            container.observe(
                    new ContainerState.Started(container.record().startRequestedAtNanos()));
            if (isRestored) {
                exits.follow(container);
            }
        } finally {
            container.lock().unlock();
        }
        if (isRestored) {
            restore.deleteImages(container);
        }
    }

    private void failed(Container container, OciRuntime runtime, CremaException e) {
        container.observe(
                new ContainerState.Ended(
                        node.nowNanos(),
                        START_ERROR_CODE,
                        "StartError",
                        String.valueOf(e.getMessage())));
        try {
            runtime.delete(container.id(), true, Deadline.after(BUDGET));
        } catch (RuntimeException undo) {
            e.addSuppressed(undo);
        }
    }
}
