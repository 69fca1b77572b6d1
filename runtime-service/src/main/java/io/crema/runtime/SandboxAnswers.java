package io.crema.runtime;

import io.crema.cri.v1.LinuxPodSandboxStatus;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.ListPodSandboxResponse;
import io.crema.cri.v1.Namespace;
import io.crema.cri.v1.PodIP;
import io.crema.cri.v1.PodSandboxFilter;
import io.crema.cri.v1.PodSandboxNetworkStatus;
import io.crema.cri.v1.PodSandboxState;
import io.crema.cri.v1.PodSandboxStatus;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.PodSandboxStatusResponse;
import io.crema.runtime.spec.PodResources;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import io.crema.runtime.state.SandboxRecord;
import java.util.List;
import java.util.Map;

/** ListPodSandbox and PodSandboxStatus: answers from snapshots, without waiting for any lock. */
final class SandboxAnswers {
    private final NodeServices node;
    private final Inventory inventory;
    private final PodTeardown teardown;

    SandboxAnswers(NodeServices node, Inventory inventory, PodTeardown teardown) {
        this.node = node;
        this.inventory = inventory;
        this.teardown = teardown;
    }

    ListPodSandboxResponse list(ListPodSandboxRequest request) {
        PodSandboxFilter filter = request.getFilter();
        if (filter.getState().getState() == PodSandboxState.UNRECOGNIZED) {
            throw PodException.invalid(
                    "filter.state: unknown state number " + filter.getState().getStateValue());
        }
        ListPodSandboxResponse.Builder answer = ListPodSandboxResponse.newBuilder();
        for (PodSandbox sandbox : inventory.sandboxes()) {
            if (sandbox.id().value().startsWith(filter.getId())
                    && (!filter.hasState() || filter.getState().getState() == state(sandbox))
                    && Labels.match(
                            filter.getLabelSelectorMap(), sandbox.config().getLabelsMap())) {
                answer.addItems(item(sandbox));
            }
        }
        return answer.build();
    }

    private io.crema.cri.v1.PodSandbox item(PodSandbox sandbox) {
        return io.crema.cri.v1.PodSandbox.newBuilder()
                .setId(sandbox.id().value())
                .setMetadata(sandbox.config().getMetadata())
                .setState(state(sandbox))
                .setCreatedAt(sandbox.record().createdAtNanos())
                .putAllLabels(sandbox.config().getLabelsMap())
                .putAllAnnotations(sandbox.config().getAnnotationsMap())
                .setRuntimeHandler(sandbox.record().runtimeHandler())
                .build();
    }

    PodSandboxStatusResponse status(PodSandboxStatusRequest request) {
        PodSandbox sandbox = inventory.sandbox(request.getPodSandboxId());
        long asOf = node.nowNanos();
        PodSandboxStatusResponse.Builder answer =
                PodSandboxStatusResponse.newBuilder().setStatus(status(sandbox));
        if (node.settings().configuration().runtime().podEventsEnabled()) {
            // With these kubelet replaces what it knows by whatever is newer, this or an event.
            answer.setTimestamp(asOf);
            for (Container container : inventory.containersOf(sandbox.id())) {
                answer.addContainersStatuses(ContainerAnswers.status(container));
            }
        }
        if (request.getVerbose()) {
            answer.putInfo("info", verbose(sandbox));
        }
        return answer.build();
    }

    PodSandboxStatus status(PodSandbox sandbox) {
        SandboxRecord record = sandbox.record();
        PodSandboxNetworkStatus.Builder network = PodSandboxNetworkStatus.newBuilder();
        List<String> addresses = record.addresses();
        if (!addresses.isEmpty()) {
            network.setIp(addresses.getFirst());
            for (String address : addresses.subList(1, addresses.size())) {
                network.addAdditionalIps(PodIP.newBuilder().setIp(address));
            }
        }
        return PodSandboxStatus.newBuilder()
                .setId(record.id().value())
                .setMetadata(sandbox.config().getMetadata())
                .setState(state(sandbox))
                .setCreatedAt(record.createdAtNanos())
                .setNetwork(network)
                .setLinux(
                        LinuxPodSandboxStatus.newBuilder()
                                .setNamespaces(
                                        Namespace.newBuilder()
                                                .setOptions(
                                                        SandboxRequests.namespaces(
                                                                sandbox.config()))))
                .putAllLabels(sandbox.config().getLabelsMap())
                .putAllAnnotations(sandbox.config().getAnnotationsMap())
                .setRuntimeHandler(record.runtimeHandler())
                .build();
    }

    /** READY only while what holds the pod together exists. */
    private PodSandboxState state(PodSandbox sandbox) {
        if (sandbox.isReady() && !teardown.isIntact(sandbox)) {
            sandbox.lost();
        }
        return sandbox.isReady() ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY;
    }

    private String verbose(PodSandbox sandbox) {
        SandboxRecord record = sandbox.record();
        ProcessIdentity init = record.init();
        return VerboseInfo.json(
                Map.ofEntries(
                        Map.entry("pid", init == null ? 0 : init.pid()),
                        Map.entry("cgroupParent", record.cgroupParent()),
                        Map.entry("hostname", record.hostname()),
                        Map.entry(
                                "namespaces",
                                SandboxRequests.pinned(sandbox.config()).stream()
                                        .map(kind ->
                                                node.layout()
                                                        .namespace(record.id(), kind)
                                                        .toString())
                                        .toList()),
                        Map.entry("addresses", record.addresses()),
                        Map.entry("runtimeHandler", record.runtimeHandler()),
                        Map.entry(
                                "overhead",
                                PodResources.described(
                                        record.overhead(),
                                        sandbox.config().getLinux().getOverhead())),
                        Map.entry(
                                "resources",
                                PodResources.described(
                                        record.resources(),
                                        sandbox.config().getLinux().getResources())),
                        Map.entry("networkHeld", record.networkHeld())));
    }
}
