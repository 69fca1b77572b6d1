package io.crema.cni;

import io.crema.base.Deadline;
import io.crema.base.PodSandboxId;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

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

    /**
     * An attachment that this daemon has made, or begun to make, and not deleted yet, as the cache
     * tells it.
     *
     * @param namespace as it was at ADD
     * @param result empty when ADD was cut off
     */
    record KnownAttachment(
            PodSandboxId sandbox,
            String network,
            String podName,
            String podNamespace,
            String podUid,
            Optional<Path> namespace,
            Optional<Result> result) {
        /** What {@link #detach} needs; host ports and the like come from the cache. */
        public Attachment toAttachment() {
            return new Attachment(
                    sandbox,
                    podName,
                    podNamespace,
                    podUid,
                    namespace,
                    List.of(),
                    new Dns(List.of(), List.of(), List.of()),
                    "",
                    Map.of());
        }
    }

    /**
     * What {@link #collectGarbage} did.
     *
     * @param detached attachments nobody knew
     * @param failures in words; what they concern stays in the cache for the next time
     */
    record Collected(List<PodSandboxId> detached, List<String> failures) {
        public Collected {
            detached = List.copyOf(detached);
            failures = List.copyOf(failures);
        }
    }

    /** Whether pods can be connected, and if not, why, in words for NetworkReady's message. */
    record Readiness(boolean ready, String reason, String message) {}

    /** Never blocks: answers from what the watcher and the last STATUS found. */
    Readiness readiness();

    /**
     * For verbose status: {@code cniconfig}, JSON with directories and the default network's name,
     * file and configuration, and {@code lastCNILoadStatus}, OK or what is wrong with which file.
     */
    Map<String, String> describe();

    /**
     * ADD through all plugins in order. When a plugin fails, DEL runs in reverse under a deadline
     * of its own before the error is thrown, so that this may return after the caller's deadline.
     * What even that could not take back stays in the cache for {@link #detach} and {@link
     * #collectGarbage}.
     */
    Result attach(Attachment attachment, Deadline deadline);

    /**
     * DEL in reverse order; succeeds when there is nothing to delete. Uses the cached
     * configuration, and the current one when nothing is cached. A namespace that does not exist or
     * is not one any more is told to the plugins as gone.
     */
    void detach(Attachment attachment, Deadline deadline);

    /**
     * CHECK against the cached result; does nothing when the configuration forbids CHECK or is
     * older than CHECK.
     */
    void check(Attachment attachment, Deadline deadline);

    /** What is attached according to the cache, for recovery. */
    List<KnownAttachment> attachments();

    /**
     * DEL of all attachments but those of the given sandboxes and those made since this object
     * exists, then GC, where the network knows it, for what plugins hold beyond the cache. Never
     * throws for a plugin's failure.
     *
     * @param known every sandbox whose network must stay, those being created included
     */
    Collected collectGarbage(Set<PodSandboxId> known, Deadline deadline);

    @Override
    void close();
}
