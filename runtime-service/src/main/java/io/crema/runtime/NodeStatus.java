package io.crema.runtime;

import io.crema.cni.PodNetworks.Readiness;
import io.crema.cri.v1.CgroupDriver;
import io.crema.cri.v1.LinuxRuntimeConfiguration;
import io.crema.cri.v1.RuntimeCondition;
import io.crema.cri.v1.RuntimeConfigResponse;
import io.crema.cri.v1.RuntimeFeatures;
import io.crema.cri.v1.RuntimeHandler;
import io.crema.cri.v1.RuntimeHandlerFeatures;
import io.crema.cri.v1.RuntimeStatus;
import io.crema.cri.v1.StatusRequest;
import io.crema.cri.v1.StatusResponse;
import io.crema.oci.runtime.OciRuntime;
import java.util.Map;
import java.util.TreeMap;

/** Status and RuntimeConfig: what kubelet asks every five seconds; never waits for anything. */
final class NodeStatus {
    private final NodeServices node;
    private final IdMappedLayers layers;

    NodeStatus(NodeServices node, IdMappedLayers layers) {
        this.node = node;
        this.layers = layers;
    }

    StatusResponse status(StatusRequest request) {
        Readiness network = node.networks().readiness();
        StatusResponse.Builder answer =
                StatusResponse.newBuilder()
                        .setStatus(
                                RuntimeStatus.newBuilder()
                                        .addConditions(
                                                RuntimeCondition.newBuilder()
                                                        .setType("RuntimeReady")
                                                        .setStatus(true))
                                        .addConditions(
                                                RuntimeCondition.newBuilder()
                                                        .setType("NetworkReady")
                                                        .setStatus(network.ready())
                                                        .setReason(network.reason())
                                                        .setMessage(network.message())))
                        .setFeatures(
                                RuntimeFeatures.newBuilder()
                                        .setSupplementalGroupsPolicy(true)
                                        .setMountOptions(true)
                                        .setUserNamespacesHostNetwork(
                                                hasHostNetworkUsers(
                                                        node.handlers().defaultRuntime())))
                        .addRuntimeHandlers(handler("", node.handlers().defaultRuntime()));
        node.handlers()
                .all()
                .forEach((name, runtime) -> answer.addRuntimeHandlers(handler(name, runtime)));
        if (request.getVerbose()) {
            answer.putInfo("config", config());
            answer.putInfo("network", VerboseInfo.json(node.networks().describe()));
        }
        return answer.build();
    }

    void probeHandlers() {
        node.handlers().all().values().forEach(OciRuntime::features);
        var _ = hasUsers(node.handlers().defaultRuntime());
    }

    RuntimeConfigResponse runtimeConfig() {
        return RuntimeConfigResponse.newBuilder()
                .setLinux(
                        LinuxRuntimeConfiguration.newBuilder()
                                .setCgroupDriver(
                                        node.settings().isSystemd()
                                                ? CgroupDriver.SYSTEMD
                                                : CgroupDriver.CGROUPFS))
                .build();
    }

    /** Reports what the runtime itself says it can do, and only what we pass on to it. */
    private RuntimeHandler handler(String name, OciRuntime runtime) {
        return RuntimeHandler.newBuilder()
                .setName(name)
                .setFeatures(
                        RuntimeHandlerFeatures.newBuilder()
                                .setRecursiveReadOnlyMounts(
                                        node.facts().recursiveReadOnlyMounts()
                                                && runtime.features().recursiveReadOnlyMounts())
                                .setUserNamespaces(hasUsers(runtime)))
                .build();
    }

    private boolean hasUsers(OciRuntime runtime) {
        return UserNamespaceSupport.missing(node.facts(), "", runtime.features())
                .or(layers::missing)
                .isEmpty();
    }

    /** Such pods get the node's /sys, which must be read-only with all that is mounted in it. */
    private boolean hasHostNetworkUsers(OciRuntime runtime) {
        return hasUsers(runtime) && runtime.features().recursiveReadOnlyMounts();
    }

    /** kubeadm reads sandboxImage from this text. */
    private String config() {
        var configuration = node.settings().configuration();
        Map<String, Object> content = new TreeMap<>();
        content.put("sandboxImage", configuration.image().pauseImage());
        content.put("defaultRuntime", configuration.runtime().defaultRuntime());
        content.put("cgroupManager", configuration.runtime().cgroupManager().toString());
        content.put("root", node.layout().root().toString());
        content.put("runRoot", node.layout().volatileRoot().toString());
        content.put(
                "runtimes",
                node.handlers().all().entrySet().stream()
                        .map(entry -> entry.getKey() + "=" + entry.getValue().executable())
                        .toList());
        return VerboseInfo.json(content);
    }
}
