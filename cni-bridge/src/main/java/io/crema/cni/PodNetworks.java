package io.crema.cni;

import io.crema.base.Deadline;
import io.crema.base.PodSandboxId;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Connects pods to the network through the CNI plugins of the default network. Every operation has
 * its own time limit below the caller's deadline.
 */
public interface PodNetworks extends AutoCloseable {
    /** A port of the host that leads to the pod (CRI PortMapping with host_port set). */
    record HostPort(int hostPort, int containerPort, String protocol, String hostAddress) {}

    /** DNS settings handed to plugins with the {@code dns} capability. */
    record Dns(List<String> servers, List<String> searches, List<String> options) {
        public Dns {
            servers = List.copyOf(servers);
            searches = List.copyOf(searches);
            options = List.copyOf(options);
        }
    }

    /**
     * One pod's attachment.
     *
     * @param namespace the pinned network namespace; absent in DEL when it is gone
     * @param annotations the pod's, for bandwidth limits and the pod-annotations capability
     */
    record Attachment(
            PodSandboxId sandbox,
            String podName,
            String podNamespace,
            String podUid,
            Optional<Path> namespace,
            List<HostPort> hostPorts,
            Dns dns,
            String cgroupParent,
            Map<String, String> annotations) {
        public Attachment {
            hostPorts = List.copyOf(hostPorts);
            annotations = Map.copyOf(annotations);
        }
    }

    /**
     * What ADD gave.
     *
     * @param addresses of the pod, the first one is its primary address
     * @param resultJson the last plugin's result, for verbose status
     */
    record Result(List<InetAddress> addresses, String resultJson) {
        public Result {
            addresses = List.copyOf(addresses);
        }
    }

    /** Whether pods can be connected, and if not, why, in words for NetworkReady's message. */
    record Readiness(boolean ready, String reason, String message) {}

    /** Never blocks: answers from what the watcher and the last STATUS found. */
    Readiness readiness();

    /** The default network's name and file and its configuration as JSON, for verbose status. */
    Map<String, String> describe();

    /**
     * ADD through all plugins in order. When a plugin fails, DEL runs in reverse under its own
     * deadline before the error is thrown.
     */
    Result attach(Attachment attachment, Deadline deadline);

    /**
     * DEL in reverse order; succeeds when there is nothing to delete. Uses the cached
     * configuration.
     */
    void detach(Attachment attachment, Deadline deadline);

    /** CHECK against the cached result. */
    void check(Attachment attachment, Deadline deadline);

    @Override
    void close();
}
