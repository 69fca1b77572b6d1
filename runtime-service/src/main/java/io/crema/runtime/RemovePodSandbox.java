package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.RemovePodSandboxResponse;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodSandbox;
import java.time.Duration;

/** Removes a pod and all its containers, stopping what still runs; the name is free afterwards. */
final class RemovePodSandbox {
    private static final Duration BUDGET = Duration.ofMinutes(4);

    private final Inventory inventory;
    private final StopPodSandbox stop;
    private final RemoveContainer removeContainer;
    private final PodTeardown teardown;
    private final PodPlugins plugins;
    private final JoinableWork<Boolean> work = new JoinableWork<>("RemovePodSandbox", done -> {});

    RemovePodSandbox(
            Inventory inventory,
            StopPodSandbox stop,
            RemoveContainer removeContainer,
            PodTeardown teardown,
            PodPlugins plugins) {
        this.inventory = inventory;
        this.stop = stop;
        this.removeContainer = removeContainer;
        this.teardown = teardown;
        this.plugins = plugins;
    }

    RemovePodSandboxResponse run(RemovePodSandboxRequest request, Deadline deadline) {
        remove(request.getPodSandboxId(), deadline);
        return RemovePodSandboxResponse.getDefaultInstance();
    }

    void remove(String id, Deadline deadline) {
        inventory
                .findSandbox(id)
                .ifPresent(sandbox ->
                        work.run(
                                sandbox.id().value(),
                                sandbox.id(),
                                deadline,
                                steps -> {
                                    removeNow(sandbox, Deadline.after(BUDGET), steps);
                                    return true;
                                }));
    }

    private void removeNow(PodSandbox sandbox, Deadline deadline, JoinableWork.Steps steps) {
        steps.enter("the pod to stop");
        stop.stop(sandbox, deadline);
        steps.enter("its containers to be removed");
        for (Container container : inventory.containersOf(sandbox.id())) {
            removeContainer.remove(container, deadline);
        }
        teardown.deleteFiles(sandbox);
        inventory.remove(sandbox);
        steps.enter("the NRI plugins' RemovePodSandbox");
        plugins.removePodSandbox(sandbox, deadline);
    }
}
