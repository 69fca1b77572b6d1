package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.cri.v1.CheckpointContainerRequest;
import io.crema.cri.v1.CheckpointContainerResponse;
import io.crema.cri.v1.ContainerStatsRequest;
import io.crema.cri.v1.ContainerStatsResponse;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.ContainerStatusResponse;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.CreateContainerResponse;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ExecSyncResponse;
import io.crema.cri.v1.ListContainerStatsRequest;
import io.crema.cri.v1.ListContainerStatsResponse;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListContainersResponse;
import io.crema.cri.v1.ListMetricDescriptorsRequest;
import io.crema.cri.v1.ListMetricDescriptorsResponse;
import io.crema.cri.v1.ListPodSandboxMetricsRequest;
import io.crema.cri.v1.ListPodSandboxMetricsResponse;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.ListPodSandboxResponse;
import io.crema.cri.v1.ListPodSandboxStatsRequest;
import io.crema.cri.v1.ListPodSandboxStatsResponse;
import io.crema.cri.v1.PodSandboxStatsRequest;
import io.crema.cri.v1.PodSandboxStatsResponse;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.PodSandboxStatusResponse;
import io.crema.cri.v1.RemoveContainerRequest;
import io.crema.cri.v1.RemoveContainerResponse;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.RemovePodSandboxResponse;
import io.crema.cri.v1.ReopenContainerLogRequest;
import io.crema.cri.v1.ReopenContainerLogResponse;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.RunPodSandboxResponse;
import io.crema.cri.v1.RuntimeConfigRequest;
import io.crema.cri.v1.RuntimeConfigResponse;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.StartContainerResponse;
import io.crema.cri.v1.StatusRequest;
import io.crema.cri.v1.StatusResponse;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.cri.v1.StopContainerResponse;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.cri.v1.StopPodSandboxResponse;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.cri.v1.UpdateContainerResourcesResponse;
import io.crema.cri.v1.UpdatePodSandboxResourcesRequest;
import io.crema.cri.v1.UpdatePodSandboxResourcesResponse;
import io.crema.cri.v1.UpdateRuntimeConfigRequest;
import io.crema.cri.v1.UpdateRuntimeConfigResponse;
import io.crema.oci.linux.LinuxFiles;
import io.crema.runtime.spec.ContainerSpecBuilder;
import io.crema.runtime.spec.SandboxInitSpec;
import io.crema.runtime.state.ChangesWithEnds;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.stats.StatsCalls;
import io.crema.runtime.streaming.Streaming;
import java.nio.file.Path;

/** The calls of RuntimeService on this node, each by the class of its name. */
public final class NodePodRuntime implements PodRuntime {
    private final ContainerExits exits;
    private final RunPodSandbox runPodSandbox;
    private final StopPodSandbox stopPodSandbox;
    private final RemovePodSandbox removePodSandbox;
    private final SandboxAnswers sandboxes;
    private final CreateContainer createContainer;
    private final StartContainer startContainer;
    private final CheckpointContainer checkpointContainer;
    private final StopContainer stopContainer;
    private final RemoveContainer removeContainer;
    private final ContainerAnswers containers;
    private final UpdateContainerResources updateContainerResources;
    private final UpdatePodSandboxResources updatePodSandboxResources;
    private final ReopenContainerLog reopenContainerLog;
    private final ExecSync execSync;
    private final NodeStatus status;
    private final StatsCalls stats;
    private final PodEvents events;
    private final RuntimeCounters counters = new RuntimeCounters();
    private final InspectContainer inspect;

    private final NodeStreaming streaming;
    private final PodPlugins plugins;

    private NodePodRuntime(
            NodeServices node,
            Inventory inventory,
            ContainerSpecBuilder specs,
            SandboxInitSpec initSpec) {
        PodInit init = new PodInit(node, initSpec);
        PodTeardown podTeardown = new PodTeardown(node, init);
        ContainerTeardown containerTeardown = new ContainerTeardown(node);
        exits = new ContainerExits(node, inventory, counters);
        plugins = new PodPlugins(node, inventory);
        stopContainer = new StopContainer(node, inventory, exits, plugins);
        removeContainer = new RemoveContainer(inventory, stopContainer, containerTeardown, plugins);
        PortForward portForward = new PortForward(node, inventory);
        stopPodSandbox =
                new StopPodSandbox(inventory, stopContainer, podTeardown, portForward, plugins);
        removePodSandbox =
                new RemovePodSandbox(
                        inventory, stopPodSandbox, removeContainer, podTeardown, plugins);
        IdMappedLayers layers = new IdMappedLayers(node);
        runPodSandbox =
                new RunPodSandbox(
                        node, inventory, podTeardown, init, layers, plugins, removePodSandbox);
        RestoreContainer restore = new RestoreContainer(node, inventory);
        createContainer =
                new CreateContainer(
                        node,
                        inventory,
                        specs,
                        containerTeardown,
                        exits,
                        restore,
                        plugins,
                        removeContainer);
        startContainer = new StartContainer(node, inventory, exits, restore, plugins);
        checkpointContainer = new CheckpointContainer(node, inventory);
        updateContainerResources = new UpdateContainerResources(node, inventory, plugins);
        updatePodSandboxResources = new UpdatePodSandboxResources(node, inventory, plugins);
        reopenContainerLog = new ReopenContainerLog(node, inventory);
        execSync = new ExecSync(node, inventory, stopContainer);
        streaming =
                new NodeStreaming(
                        new Exec(node, inventory, stopContainer),
                        new Attach(node, inventory),
                        portForward);
        sandboxes = new SandboxAnswers(node, inventory, podTeardown);
        containers = new ContainerAnswers(node, inventory);
        status = new NodeStatus(node, layers);
        inspect = new InspectContainer(node, inventory);
        boolean eventsEnabled = node.settings().configuration().runtime().podEventsEnabled();
        events =
                new PodEvents(
                        inventory,
                        eventsEnabled,
                        counters,
                        node::nowNanos,
                        sandboxes::status,
                        ContainerAnswers::status);
        inventory.watch(new ChangesWithEnds(events.changes(), plugins::stopped));
        new Recovery(
                        node,
                        inventory,
                        exits,
                        podTeardown,
                        containerTeardown,
                        new InterruptedCheckpoint(node, inventory))
                .run();
        inventory.sandboxes().forEach(init::follow);
        stats = stats(node, inventory);
    }

    private static StatsCalls stats(NodeServices node, Inventory inventory) {
        return new StatsCalls(
                inventory,
                node.layout(),
                node.linux(),
                node.facts().cgroups(),
                node.placement(),
                node.settings().configuration().stats(),
                containerFileSystem(node),
                node.clock());
    }

    /** As ImageFsInfo names it: kubelet joins the two answers by it. */
    private static Path containerFileSystem(NodeServices node) {
        Path images = node.images().imageUsage().mountPoint();
        Path containers = node.layout().containers();
        boolean isSame =
                node.linux()
                        .status(images, true)
                        .map(LinuxFiles.FileStatus::device)
                        .equals(
                                node.linux()
                                        .status(containers, true)
                                        .map(LinuxFiles.FileStatus::device));
        return isSame ? images : containers;
    }

    /**
     * Takes over what an earlier daemon left on this node and is ready to serve when it returns.
     */
    public static NodePodRuntime recover(
            NodeServices node, ContainerSpecBuilder specs, SandboxInitSpec initSpec) {
        return new NodePodRuntime(node, new Inventory(), specs, initSpec);
    }

    /**
     * Starts the installed NRI plugins and lets others connect.
     *
     * @param name what they are told that we are
     * @throws io.crema.runtime.state.PodException when their socket cannot be made
     */
    public void startPlugins(String name, String version) {
        plugins.start(updateContainerResources, stopContainer, name, version);
    }

    /** What has happened to containers since the start. */
    public RuntimeCounters counters() {
        return counters;
    }

    /** Asks every OCI runtime what it can do; the answers are kept. */
    public void probeHandlers() {
        status.probeHandlers();
    }

    @Override
    public RunPodSandboxResponse runPodSandbox(RunPodSandboxRequest request, Deadline deadline) {
        return runPodSandbox.run(request, deadline);
    }

    @Override
    public StopPodSandboxResponse stopPodSandbox(StopPodSandboxRequest request, Deadline deadline) {
        return stopPodSandbox.run(request, deadline);
    }

    @Override
    public RemovePodSandboxResponse removePodSandbox(
            RemovePodSandboxRequest request, Deadline deadline) {
        return removePodSandbox.run(request, deadline);
    }

    @Override
    public PodSandboxStatusResponse podSandboxStatus(
            PodSandboxStatusRequest request, Deadline deadline) {
        return sandboxes.status(request);
    }

    @Override
    public ListPodSandboxResponse listPodSandbox(ListPodSandboxRequest request, Deadline deadline) {
        return sandboxes.list(request);
    }

    @Override
    public CreateContainerResponse createContainer(
            CreateContainerRequest request, Deadline deadline) {
        return createContainer.run(request, deadline);
    }

    @Override
    public StartContainerResponse startContainer(StartContainerRequest request, Deadline deadline) {
        return startContainer.run(request, deadline);
    }

    @Override
    public CheckpointContainerResponse checkpointContainer(
            CheckpointContainerRequest request, Deadline deadline) {
        return checkpointContainer.run(request, deadline);
    }

    @Override
    public StopContainerResponse stopContainer(StopContainerRequest request, Deadline deadline) {
        return stopContainer.run(request, deadline);
    }

    @Override
    public RemoveContainerResponse removeContainer(
            RemoveContainerRequest request, Deadline deadline) {
        return removeContainer.run(request, deadline);
    }

    @Override
    public ListContainersResponse listContainers(ListContainersRequest request, Deadline deadline) {
        return containers.list(request);
    }

    @Override
    public ContainerStatusResponse containerStatus(
            ContainerStatusRequest request, Deadline deadline) {
        return containers.status(request);
    }

    @Override
    public UpdateContainerResourcesResponse updateContainerResources(
            UpdateContainerResourcesRequest request, Deadline deadline) {
        return updateContainerResources.run(request, deadline);
    }

    @Override
    public UpdatePodSandboxResourcesResponse updatePodSandboxResources(
            UpdatePodSandboxResourcesRequest request, Deadline deadline) {
        return updatePodSandboxResources.run(request, deadline);
    }

    @Override
    public ReopenContainerLogResponse reopenContainerLog(
            ReopenContainerLogRequest request, Deadline deadline) {
        return reopenContainerLog.run(request, deadline);
    }

    @Override
    public ExecSyncResponse execSync(ExecSyncRequest request, Deadline deadline) {
        return execSync.run(request, deadline);
    }

    /** The pod CIDR that kubelet sends is for plugins that we do not write configurations for. */
    @Override
    public UpdateRuntimeConfigResponse updateRuntimeConfig(
            UpdateRuntimeConfigRequest request, Deadline deadline) {
        return UpdateRuntimeConfigResponse.getDefaultInstance();
    }

    @Override
    public StatusResponse status(StatusRequest request, Deadline deadline) {
        return status.status(request);
    }

    @Override
    public RuntimeConfigResponse runtimeConfig(RuntimeConfigRequest request, Deadline deadline) {
        return status.runtimeConfig();
    }

    @Override
    public Streaming streaming() {
        return streaming;
    }

    @Override
    public ContainerStatsResponse containerStats(ContainerStatsRequest request, Deadline deadline) {
        return stats.containerStats(request);
    }

    @Override
    public ListContainerStatsResponse listContainerStats(
            ListContainerStatsRequest request, Deadline deadline) {
        return stats.listContainerStats(request);
    }

    @Override
    public PodSandboxStatsResponse podSandboxStats(
            PodSandboxStatsRequest request, Deadline deadline) {
        return stats.podSandboxStats(request);
    }

    @Override
    public ListPodSandboxStatsResponse listPodSandboxStats(
            ListPodSandboxStatsRequest request, Deadline deadline) {
        return stats.listPodSandboxStats(request);
    }

    @Override
    public ListMetricDescriptorsResponse listMetricDescriptors(
            ListMetricDescriptorsRequest request, Deadline deadline) {
        return stats.listMetricDescriptors(request);
    }

    @Override
    public ListPodSandboxMetricsResponse listPodSandboxMetrics(
            ListPodSandboxMetricsRequest request, Deadline deadline) {
        return stats.listPodSandboxMetrics(request);
    }

    @Override
    public PodEvents events() {
        return events;
    }

    @Override
    public ContainerInspection inspect(String id) {
        return inspect.run(id);
    }

    @Override
    public void close() {
        plugins.close();
        events.close();
        stats.close();
        exits.close();
    }
}
