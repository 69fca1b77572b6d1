package io.crema.runtime;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.runtime.state.PodSandbox;
import java.util.HashMap;
import java.util.Map;

/**
 * The labels that kubelet puts on everything, filled in from the metadata where another client left
 * them out, as CRI-O does: crictl finds a container's pod by them alone.
 */
final class KubernetesLabels {
    private static final String POD_NAME = "io.kubernetes.pod.name";
    private static final String POD_NAMESPACE = "io.kubernetes.pod.namespace";
    private static final String POD_UID = "io.kubernetes.pod.uid";
    private static final String CONTAINER_NAME = "io.kubernetes.container.name";

    private KubernetesLabels() {}

    static PodSandboxConfig complete(PodSandboxConfig config) {
        Map<String, String> missing = missing(ofPod(config), config.getLabelsMap());
        return missing.isEmpty() ? config : config.toBuilder().putAllLabels(missing).build();
    }

    static ContainerConfig complete(ContainerConfig config, PodSandbox sandbox) {
        Map<String, String> wanted = ofPod(sandbox.config());
        wanted.put(CONTAINER_NAME, config.getMetadata().getName());
        Map<String, String> missing = missing(wanted, config.getLabelsMap());
        return missing.isEmpty() ? config : config.toBuilder().putAllLabels(missing).build();
    }

    private static Map<String, String> ofPod(PodSandboxConfig config) {
        PodSandboxMetadata metadata = config.getMetadata();
        Map<String, String> labels = new HashMap<>();
        labels.put(POD_NAME, metadata.getName());
        labels.put(POD_NAMESPACE, metadata.getNamespace());
        labels.put(POD_UID, metadata.getUid());
        return labels;
    }

    private static Map<String, String> missing(
            Map<String, String> wanted, Map<String, String> present) {
        wanted.keySet().removeAll(present.keySet());
        return wanted;
    }
}
