package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.cri.v1.RemoveContainerRequest;
import io.crema.cri.v1.RemoveContainerResponse;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import java.time.Duration;

/**
 * Removes a container, killing it first when it runs: the OCI runtime's state and cgroup, the
 * mounted root file system, the writable layer, the record. The log file belongs to kubelet and
 * stays.
 */
final class RemoveContainer {
    private static final Duration BUDGET = Duration.ofMinutes(4);

    private final Inventory inventory;
    private final StopContainer stop;
    private final ContainerTeardown teardown;
    private final PodPlugins plugins;
    private final JoinableWork<Boolean> work = new JoinableWork<>("RemoveContainer", done -> {});

    RemoveContainer(
            Inventory inventory,
            StopContainer stop,
            ContainerTeardown teardown,
            PodPlugins plugins) {
        this.inventory = inventory;
        this.stop = stop;
        this.teardown = teardown;
        this.plugins = plugins;
    }

    RemoveContainerResponse run(RemoveContainerRequest request, Deadline deadline) {
        inventory
                .findContainer(request.getContainerId())
                .ifPresent(container -> remove(container, deadline));
        return RemoveContainerResponse.getDefaultInstance();
    }

    void remove(Container container, Deadline deadline) {
        work.run(
                container.id().value(),
                container.id(),
                deadline,
                steps -> {
                    removeNow(container, Deadline.after(BUDGET), steps);
                    return true;
                });
    }

    private void removeNow(Container container, Deadline deadline, JoinableWork.Steps steps) {
        steps.enter("its process to end");
        stop.stop(container, Duration.ZERO, deadline);
        Runnable tell = plugins.removal(container, deadline);
        steps.enter("the OCI runtime's delete");
        container.lock(deadline);
        try {
            teardown.release(container, deadline);
            teardown.deleteFiles(container);
            inventory.remove(container);
        } finally {
            container.lock().unlock();
        }
        steps.enter("the NRI plugins' RemoveContainer");
        tell.run();
    }
}
