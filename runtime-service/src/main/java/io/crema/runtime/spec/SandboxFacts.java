package io.crema.runtime.spec;

import io.crema.base.PodSandboxId;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What of a pod sandbox exists on this node, for its containers to join and mount.
 *
 * @param hostname as in the pod's UTS namespace
 * @param cgroupParent as {@link io.crema.runtime.cgroup.CgroupPlacement#parent} made it
 * @param networkNamespace absent when the pod uses the node's
 * @param ipcNamespace absent when the pod uses the node's
 * @param utsNamespace absent when the pod uses the node's
 * @param initPid the pod's PID 1, when it shares a PID namespace
 * @param sharedMemory bound to /dev/shm; the node's own when the pod uses the node's IPC namespace
 * @param userNamespace present when the pod has users of its own
 * @param hosts bound to /etc/hosts unless the container brings its own; absent for none
 */
public record SandboxFacts(
        PodSandboxId id,
        PodSandboxConfig config,
        String hostname,
        String cgroupParent,
        Optional<Path> networkNamespace,
        Optional<Path> ipcNamespace,
        Optional<Path> utsNamespace,
        OptionalInt initPid,
        Path sharedMemory,
        Path resolvConf,
        Path hostnameFile,
        Optional<Path> hosts,
        Optional<Path> userNamespace) {
    /** What the sandbox's own request said; the defaults of the protocol when it said nothing. */
    NamespaceOption namespaceOptions() {
        return config.getLinux().getSecurityContext().getNamespaceOptions();
    }

    /** The pod's own users, present exactly when it has a user namespace. */
    Optional<UserMapping> users() {
        return UserMapping.of(namespaceOptions());
    }

    boolean isHostNetwork() {
        return namespaceOptions().getNetwork() == NamespaceMode.NODE;
    }

    boolean isHostIpc() {
        return namespaceOptions().getIpc() == NamespaceMode.NODE;
    }
}
