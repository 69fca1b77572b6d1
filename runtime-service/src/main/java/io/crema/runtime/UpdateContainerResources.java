package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerResources;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.cri.v1.UpdateContainerResourcesResponse;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.ResourceUpdate;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import java.time.Duration;
import java.util.OptionalLong;

/** Changes the limits of a created or running container, at once and in its status. */
final class UpdateContainerResources {
    private static final Duration RUNTIME_TIME = Duration.ofSeconds(30);

    private final NodeServices node;
    private final Inventory inventory;

    UpdateContainerResources(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    UpdateContainerResourcesResponse run(
            UpdateContainerResourcesRequest request, Deadline deadline) {
        Container container = inventory.container(request.getContainerId());
        if (request.hasWindows()) {
            throw PodException.invalid("windows is set, but this node runs Linux");
        }
        container.lock().lock();
        try {
            if (container.state() instanceof ContainerState.Exited) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        "the limits of " + container + " cannot be changed: it has exited");
            }
            apply(container, request.getLinux(), deadline.atMost(RUNTIME_TIME));
        } finally {
            container.lock().unlock();
        }
        return UpdateContainerResourcesResponse.getDefaultInstance();
    }

    private void apply(Container container, LinuxContainerResources wanted, Deadline deadline) {
        OciRuntime runtime = node.handlers().named(container.record().runtimeHandler());
        OptionalLong usage =
                node.cgroups().memoryUsage(container.record().cgroupParent(), container.id());
        ResourceUpdate update =
                ResourceUpdate.of(
                        container.effective().getResources().getLinux(),
                        wanted,
                        node.facts(),
                        new Handler(
                                node.settings().handler(container.record().runtimeHandler()),
                                runtime.features()),
                        usage);
        runtime.update(container.id(), SpecJson.write(update.resources()), deadline);
        container.updateEffective(before ->
                before.toBuilder()
                        .setResources(ContainerResources.newBuilder().setLinux(update.effective()))
                        .build());
    }
}
