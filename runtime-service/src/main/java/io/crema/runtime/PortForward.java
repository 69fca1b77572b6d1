package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.cri.v1.NamespaceMode;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.LoopbackConnection;
import io.crema.runtime.streaming.PortConnection;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Connections to the ports of pods. They are known by pod, because each holds the pod's network
 * namespace and must let go of it when the pod is stopped.
 */
final class PortForward {
    private static final int HIGHEST_PORT = 65535;
    // Each has two descriptors; far more than any client opens, far less than we may have open.
    private static final int MAX_CONNECTIONS_OF_A_POD = 4096;

    private final NodeServices node;
    private final Inventory inventory;
    private final Map<PodSandboxId, Set<LoopbackConnection>> open = new ConcurrentHashMap<>();

    PortForward(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    PodSandbox check(String podSandboxId) {
        PodSandbox sandbox = inventory.sandbox(podSandboxId);
        if (!sandbox.isReady()) {
            throw notReady(sandbox);
        }
        return sandbox;
    }

    void checkPort(int port) {
        if (port < 1 || port > HIGHEST_PORT) {
            throw PodException.invalid(
                    "port " + port + " is none; ports are numbered from 1 to " + HIGHEST_PORT);
        }
    }

    PortConnection connect(String podSandboxId, int port, ByteSink fromPod) {
        checkPort(port);
        PodSandbox sandbox = check(podSandboxId);
        if (open.getOrDefault(sandbox.id(), Set.of()).size() >= MAX_CONNECTIONS_OF_A_POD) {
            throw new PodException(
                    ErrorKind.RESOURCE_EXHAUSTED,
                    MAX_CONNECTIONS_OF_A_POD
                            + " connections are forwarded into "
                            + sandbox
                            + " already; close some");
        }
        LoopbackConnection connection =
                LoopbackConnection.begin(
                        node.linux(),
                        node.pollLoop(),
                        namespace(sandbox),
                        sandbox.toString(),
                        port,
                        fromPod);
        open.compute(
                sandbox.id(),
                (id, known) -> {
                    Set<LoopbackConnection> connections =
                            known == null ? ConcurrentHashMap.newKeySet() : known;
                    connections.add(connection);
                    return connections;
                });
        var _ = connection.end().whenComplete((done, thrown) -> forget(sandbox.id(), connection));
        if (!sandbox.isReady()) { // since the check, so that nobody else would end it
            connection.podStopped();
        }
        return connection;
    }

    /** Ends all connections into a pod that is being stopped. */
    void podStopped(PodSandbox sandbox) {
        Set<LoopbackConnection> connections = open.remove(sandbox.id());
        if (connections != null) {
            connections.forEach(LoopbackConnection::podStopped);
        }
    }

    private void forget(PodSandboxId id, LoopbackConnection connection) {
        open.computeIfPresent(
                id,
                (key, connections) -> {
                    connections.remove(connection);
                    return connections.isEmpty() ? null : connections;
                });
    }

    private Optional<Path> namespace(PodSandbox sandbox) {
        return SandboxRequests.namespaces(sandbox.config()).getNetwork() == NamespaceMode.NODE
                ? Optional.empty()
                : Optional.of(node.layout().namespace(sandbox.id(), NamespaceKind.NETWORK));
    }

    private static PodException notReady(PodSandbox sandbox) {
        return new PodException(
                ErrorKind.FAILED_PRECONDITION,
                "cannot forward ports into " + sandbox + ": it is not ready");
    }
}
