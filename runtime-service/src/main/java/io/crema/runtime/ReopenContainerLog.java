package io.crema.runtime;

import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.ReopenContainerLogRequest;
import io.crema.cri.v1.ReopenContainerLogResponse;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.time.Duration;

/** Makes a container write to a new file at its log path, after kubelet renamed the old one. */
final class ReopenContainerLog {
    private static final Duration MONITOR_TIME = Duration.ofSeconds(10);

    private final NodeServices node;
    private final Inventory inventory;

    ReopenContainerLog(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    ReopenContainerLogResponse run(ReopenContainerLogRequest request, Deadline deadline) {
        Container container = inventory.container(request.getContainerId());
        if (!(container.state() instanceof ContainerState.Running)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "the log of " + container + " cannot be reopened: it is not running");
        }
        if (container.record().logPath().isEmpty()) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    container + " has no log: it was created without log_path");
        }
        CurrentStep.enter("the monitor to reopen the log of " + container);
        node.monitor()
                .reopenLog(
                        container.id(),
                        node.layout().bundle(container.id()),
                        Path.of(container.record().logPath()),
                        deadline.atMost(MONITOR_TIME));
        return ReopenContainerLogResponse.getDefaultInstance();
    }
}
