package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.RuntimeFeatures;
import io.crema.runtime.spec.KernelVersion;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.UserMapping;
import io.crema.runtime.state.PodException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Whether pods can have users of their own: the kernel must shift the layers of overlays, and the
 * OCI runtime must join user namespaces. Volumes are shifted by us, so that the runtime need not.
 */
final class UserNamespaceSupport {
    /** The first whose overlayfs takes idmapped layers. */
    private static final KernelVersion IDMAPPED_LAYERS_SINCE = new KernelVersion(5, 19);

    private static final String PING_GROUPS = "net.ipv4.ping_group_range";

    private UserNamespaceSupport() {}

    /** What is missing, in words; empty when nothing is. */
    static Optional<String> missing(NodeFacts facts, String handler, RuntimeFeatures features) {
        if (!facts.userNamespaces()) {
            return Optional.of(
                    "the kernel allows none (user.max_user_namespaces is 0 or CONFIG_USER_NS is"
                            + " not set)");
        }
        if (facts.kernel().compareTo(IDMAPPED_LAYERS_SINCE) < 0) {
            return Optional.of(
                    "Linux "
                            + facts.kernel()
                            + " cannot show the layers of images to other users; "
                            + IDMAPPED_LAYERS_SINCE
                            + " can");
        }
        if (!features.userNamespaces()) {
            return Optional.of(
                    features.known()
                            ? "the OCI runtime of handler '"
                                    + handler
                                    + "' says in its features that it has none"
                            : "the OCI runtime of handler '"
                                    + handler
                                    + "' cannot say what it supports (it has no command features)");
        }
        return Optional.empty();
    }

    static void require(
            NodeServices node,
            IdMappedLayers layers,
            RunPodSandboxRequest request,
            OciRuntime runtime) {
        if (UserMapping.of(SandboxRequests.namespaces(request.getConfig())).isEmpty()) {
            return;
        }
        missing(node.facts(), request.getRuntimeHandler(), runtime.features())
                .or(layers::missing)
                .ifPresent(reason -> {
                    throw new PodException(
                            ErrorKind.FAILED_PRECONDITION,
                            "namespace_options.userns_options: this node has no user namespaces for"
                                    + " pods: "
                                    + reason
                                    + "; run the pod with hostUsers: true");
                });
    }

    /** The groups that may ping cannot be more than there are. */
    static Map<String, String> clamped(Map<String, String> sysctls, UserMapping users) {
        Map<String, String> clamped = new LinkedHashMap<>(sysctls);
        clamped.computeIfPresent(
                PING_GROUPS,
                (name, value) -> {
                    String[] range = value.strip().split("\\s+", 2);
                    try {
                        long last =
                                Math.min(
                                        Long.parseLong(range[range.length - 1]),
                                        users.gids().size() - 1);
                        return range[0] + " " + last;
                    } catch (NumberFormatException e) {
                        return value; // the kernel says what is wrong with it
                    }
                });
        return clamped;
    }
}
