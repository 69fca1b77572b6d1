package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.UpdatePodSandboxResourcesRequest;
import io.crema.cri.v1.UpdatePodSandboxResourcesResponse;
import io.crema.runtime.spec.PodResources;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;

/**
 * Takes note of a pod's new size. The cgroup that holds a pod's containers is kubelet's, which sets
 * its limits itself before it calls; ours below it hold one container each and have limits of their
 * own. So nothing is written into cgroups here: the values are checked, recorded, and shown by the
 * verbose status of the pod. Plugins are told before and after.
 */
final class UpdatePodSandboxResources {
    private final NodeServices node;
    private final Inventory inventory;
    private final PodPlugins plugins;

    UpdatePodSandboxResources(NodeServices node, Inventory inventory, PodPlugins plugins) {
        this.node = node;
        this.inventory = inventory;
        this.plugins = plugins;
    }

    UpdatePodSandboxResourcesResponse run(
            UpdatePodSandboxResourcesRequest request, Deadline deadline) {
        PodSandbox sandbox = inventory.sandbox(request.getPodSandboxId());
        if (!request.hasOverhead() && !request.hasResources()) {
            throw PodException.invalid(
                    "neither overhead nor resources is set; there is nothing to update");
        }
        check(request.hasOverhead(), request.getOverhead(), "overhead");
        check(request.hasResources(), request.getResources(), "resources");
        requireReady(sandbox);
        plugins.updatePodSandbox(sandbox, request.getOverhead(), request.getResources(), deadline);
        sandbox.lock().lock();
        try {
            requireReady(sandbox);
            sandbox.update(before ->
                    before.withResources(
                            request.getOverhead().toByteArray(),
                            request.getResources().toByteArray()));
        } finally {
            sandbox.lock().unlock();
        }
        plugins.postUpdatePodSandbox(sandbox, deadline);
        return UpdatePodSandboxResourcesResponse.getDefaultInstance();
    }

    private static void requireReady(PodSandbox sandbox) {
        if (!sandbox.isReady()) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "the resources of " + sandbox + " cannot be changed: it is not ready");
        }
    }

    private void check(boolean isSet, LinuxContainerResources resources, String field) {
        if (isSet) {
            PodResources.check(resources, node.facts(), field);
        }
    }
}
