package io.crema.runtime;

import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerResources;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.cri.v1.UpdateContainerResourcesResponse;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.OciRuntimeException;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.spec.ContainerSpecBuilder;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.ResourceRequest;
import io.crema.runtime.spec.ResourceUpdate;
import io.crema.runtime.spec.StoredSpec;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.OptionalLong;

/** Changes the limits of a created or running container, at once and in its status. */
final class UpdateContainerResources {
    private static final Duration RUNTIME_TIME = Duration.ofSeconds(30);

    private final NodeServices node;
    private final Inventory inventory;
    private final PodPlugins plugins;

    UpdateContainerResources(NodeServices node, Inventory inventory, PodPlugins plugins) {
        this.node = node;
        this.inventory = inventory;
        this.plugins = plugins;
    }

    UpdateContainerResourcesResponse run(
            UpdateContainerResourcesRequest request, Deadline deadline) {
        Container container = inventory.container(request.getContainerId());
        if (request.hasWindows()) {
            throw PodException.invalid("windows is set, but this node runs Linux");
        }
        if (request.getAnnotationsCount() > 0) {
            throw PodException.invalid(
                    "annotations: none changes limits here, but there is "
                            + request.getAnnotationsMap().keySet().iterator().next()
                            + "; use the fields of linux");
        }
        requireAlive(container);
        LinuxContainerResources wanted = request.getLinux();
        plugins.updateContainer(
                container, wanted, limits -> update(container, limits, deadline), deadline);
        plugins.postUpdateContainer(container, deadline);
        return UpdateContainerResourcesResponse.getDefaultInstance();
    }

    private static void requireAlive(Container container) {
        if (container.state() instanceof ContainerState.Exited) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "the limits of " + container + " cannot be changed: it has exited");
        }
    }

    /**
     * Without asking plugins.
     *
     * @throws PodException FAILED_PRECONDITION when it has exited, or the node cannot do it
     */
    void update(Container container, ResourceRequest wanted, Deadline deadline) {
        Deadline limit = deadline.atMost(RUNTIME_TIME);
        container.lock(limit);
        try {
            CurrentStep.enter("the OCI runtime's update of " + container);
            requireAlive(container);
            apply(container, wanted, limit);
        } finally {
            container.lock().unlock();
        }
    }

    private void apply(Container container, ResourceRequest wanted, Deadline deadline) {
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
                        ContainerSpecBuilder.oomScoreFloor(
                                node.settings().configuration().runtime().oomScoreAdjustment(),
                                node.facts()),
                        usage);
        update(runtime, container, update, deadline);
        node.cgroups()
                .applyToContainer(
                        container.record().cgroupParent(), container.id(), update.hugePages());
        update.oomScoreAdjustment().ifPresent(value -> setOomScore(container, value));
        StoredSpec.update(node.layout().bundle(container.id()), update);
        container.updateEffective(before ->
                before.toBuilder()
                        .setResources(ContainerResources.newBuilder().setLinux(update.effective()))
                        .build());
    }

    /** Only the kernel knows which processors and memory nodes this cgroup can have. */
    private static void update(
            OciRuntime runtime, Container container, ResourceUpdate update, Deadline deadline) {
        try {
            runtime.update(container.id(), SpecJson.write(update.resources()), deadline);
        } catch (OciRuntimeException e) {
            String message = String.valueOf(e.getMessage());
            LinuxContainerResources limits = update.effective();
            if (message.contains("cpuset.cpus")) {
                throw refused("cpuset_cpus", limits.getCpusetCpus(), message, e);
            }
            if (message.contains("cpuset.mems")) {
                throw refused("cpuset_mems", limits.getCpusetMems(), message, e);
            }
            throw e;
        }
    }

    private static PodException refused(
            String field, String value, String message, OciRuntimeException e) {
        return new PodException(
                ErrorKind.INVALID_ARGUMENT,
                "linux." + field + ": the kernel refuses '" + value + "': " + message,
                e);
    }

    /** Those that start while we go through them have it from their parents. */
    private void setOomScore(Container container, int value) {
        for (int pid :
                node.cgroups().processes(container.record().cgroupParent(), container.id())) {
            Path file = Path.of("/proc/" + pid + "/oom_score_adj");
            try {
                Files.writeString(file, Integer.toString(value));
            } catch (IOException e) {
                if (Files.exists(file)) {
                    throw new PodException(
                            ErrorKind.FAILED_PRECONDITION,
                            "linux.oom_score_adj: "
                                    + value
                                    + " cannot be set for process "
                                    + pid
                                    + " of "
                                    + container
                                    + ": "
                                    + e
                                    + "; a value below the present one needs CAP_SYS_RESOURCE",
                            e);
                }
            }
        }
    }
}
