package io.crema.runtime;

import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Answers cAdvisor about one container or pod sandbox. Names and labels are those of CRI-O: kubelet
 * takes the network figures of a pod from the container that is labelled POD.
 */
final class InspectContainer {
    private static final String CONTAINER_NAME = "io.kubernetes.container.name";
    private static final String SANDBOX_NAME = "POD";

    private final NodeServices node;
    private final Inventory inventory;

    InspectContainer(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    ContainerInspection run(String id) {
        Optional<PodSandbox> sandbox = inventory.findSandbox(id);
        return sandbox.isPresent() ? of(sandbox.get()) : of(inventory.container(id));
    }

    private ContainerInspection of(Container container) {
        PodSandbox sandbox = inventory.sandbox(container.sandbox().value());
        return new ContainerInspection(
                name(
                        container.record().name(),
                        sandbox,
                        container.config().getMetadata().getAttempt()),
                pid(container),
                container.effective().getImage().getImage(),
                container.effective().getImageRef(),
                container.record().createdAtNanos(),
                container.config().getLabelsMap(),
                container.config().getAnnotationsMap(),
                container.record().logPath(),
                node.layout().merged(container.id()),
                sandbox.id().value(),
                sandbox.record().addresses(),
                isHostNetwork(sandbox));
    }

    private ContainerInspection of(PodSandbox sandbox) {
        Map<String, String> labels = new HashMap<>(sandbox.config().getLabelsMap());
        labels.put(CONTAINER_NAME, SANDBOX_NAME);
        return new ContainerInspection(
                name(SANDBOX_NAME, sandbox, sandbox.config().getMetadata().getAttempt()),
                pid(sandbox),
                node.settings().configuration().image().pauseImage(),
                "",
                sandbox.record().createdAtNanos(),
                labels,
                sandbox.config().getAnnotationsMap(),
                "",
                node.layout().sandboxMerged(sandbox.id()),
                sandbox.id().value(),
                sandbox.record().addresses(),
                isHostNetwork(sandbox));
    }

    private static String name(String container, PodSandbox sandbox, int attempt) {
        PodSandboxMetadata pod = sandbox.config().getMetadata();
        return String.join(
                "_",
                "k8s",
                container,
                pod.getName(),
                pod.getNamespace(),
                pod.getUid(),
                Integer.toString(attempt));
    }

    private static int pid(Container container) {
        ProcessIdentity process = container.record().process();
        return process == null || !(container.state() instanceof ContainerState.Running)
                ? 0
                : process.pid();
    }

    /** A pod has seldom a process of its own; cAdvisor looks for the pod's network through it. */
    private int pid(PodSandbox sandbox) {
        ProcessIdentity init = sandbox.record().init();
        if (init != null) {
            return sandbox.isReady() ? init.pid() : 0;
        }
        for (Container container : inventory.containersOf(sandbox.id())) {
            int pid = pid(container);
            if (pid != 0) {
                return pid;
            }
        }
        return 0;
    }

    private static boolean isHostNetwork(PodSandbox sandbox) {
        return SandboxRequests.namespaces(sandbox.config()).getNetwork() == NamespaceMode.NODE;
    }
}
