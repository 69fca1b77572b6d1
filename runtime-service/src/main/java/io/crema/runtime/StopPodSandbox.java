package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.cri.v1.StopPodSandboxResponse;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.SandboxRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Stops a pod: its containers, then its network, exactly once, then its namespaces and mounts.
 * Kubelet has stopped the containers already; those that still run are killed at once, as the CRI
 * demands ("must be forcibly terminated"). The work goes on when the caller's deadline passes
 * (kubeadm gives two seconds) and the next call joins it.
 */
final class StopPodSandbox {
    private static final Duration BUDGET = Duration.ofMinutes(4);

    private final Inventory inventory;
    private final StopContainer stopContainer;
    private final PodTeardown teardown;
    private final PortForward portForward;
    private final PodPlugins plugins;
    private final JoinableWork<Boolean> work = new JoinableWork<>("StopPodSandbox", done -> {});

    StopPodSandbox(
            Inventory inventory,
            StopContainer stopContainer,
            PodTeardown teardown,
            PortForward portForward,
            PodPlugins plugins) {
        this.inventory = inventory;
        this.stopContainer = stopContainer;
        this.teardown = teardown;
        this.portForward = portForward;
        this.plugins = plugins;
    }

    StopPodSandboxResponse run(StopPodSandboxRequest request, Deadline deadline) {
        inventory
                .findSandbox(request.getPodSandboxId())
                .ifPresent(sandbox -> stop(sandbox, deadline));
        return StopPodSandboxResponse.getDefaultInstance();
    }

    void stop(PodSandbox sandbox, Deadline deadline) {
        work.run(
                sandbox.id().value(),
                sandbox.id(),
                deadline,
                steps -> {
                    stopNow(sandbox, Deadline.after(BUDGET), steps);
                    return true;
                });
    }

    private void stopNow(PodSandbox sandbox, Deadline deadline, JoinableWork.Steps steps) {
        sandbox.lock().lock();
        try {
            sandbox.update(SandboxRecord::stopping);
        } finally {
            sandbox.lock().unlock();
        }
        steps.enter("its containers to end");
        List<CompletableFuture<Void>> stops = new ArrayList<>();
        for (Container container : inventory.containersOf(sandbox.id())) {
            if (container.state().isAlive()) {
                stops.add(
                        CompletableFuture.runAsync(
                                () -> stopContainer.stop(container, Duration.ZERO, deadline),
                                task -> Thread.ofVirtual().start(task)));
            }
        }
        try {
            Optional<CompletableFuture<Void>> all =
                    stops.stream().reduce((a, b) -> CompletableFuture.allOf(a, b));
            all.ifPresent(CompletableFuture::join);
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
        steps.enter("the NRI plugins to learn of the ends of its containers");
        for (Container container : inventory.containersOf(sandbox.id())) {
            // Also of those that have just ended by themselves.
            plugins.awaitStopTold(container, deadline);
        }
        if (sandbox.isFirstToAnnounceStop()) {
            steps.enter("the NRI plugins' StopPodSandbox");
            plugins.stopPodSandbox(sandbox, deadline);
        }
        portForward.podStopped(sandbox);
        steps.enter("the network (CNI DEL)");
        teardown.releaseNetwork(sandbox, deadline);
        steps.enter("its namespaces, mounts and cgroup to go");
        teardown.releaseProcessesAndMounts(sandbox, deadline);
        sandbox.tellStopped();
    }
}
