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
import io.crema.runtime.streaming.Streaming;

/**
 * The front of this module: one method per RuntimeService call that is built so far. Requests are
 * as they came from the wire; failures are {@link io.crema.base.CremaException}s. Methods may be
 * called from any number of threads.
 */
public interface PodRuntime extends AutoCloseable {
    RunPodSandboxResponse runPodSandbox(RunPodSandboxRequest request, Deadline deadline);

    StopPodSandboxResponse stopPodSandbox(StopPodSandboxRequest request, Deadline deadline);

    RemovePodSandboxResponse removePodSandbox(RemovePodSandboxRequest request, Deadline deadline);

    PodSandboxStatusResponse podSandboxStatus(PodSandboxStatusRequest request, Deadline deadline);

    ListPodSandboxResponse listPodSandbox(ListPodSandboxRequest request, Deadline deadline);

    CreateContainerResponse createContainer(CreateContainerRequest request, Deadline deadline);

    StartContainerResponse startContainer(StartContainerRequest request, Deadline deadline);

    CheckpointContainerResponse checkpointContainer(
            CheckpointContainerRequest request, Deadline deadline);

    StopContainerResponse stopContainer(StopContainerRequest request, Deadline deadline);

    RemoveContainerResponse removeContainer(RemoveContainerRequest request, Deadline deadline);

    ListContainersResponse listContainers(ListContainersRequest request, Deadline deadline);

    ContainerStatusResponse containerStatus(ContainerStatusRequest request, Deadline deadline);

    UpdateContainerResourcesResponse updateContainerResources(
            UpdateContainerResourcesRequest request, Deadline deadline);

    UpdatePodSandboxResourcesResponse updatePodSandboxResources(
            UpdatePodSandboxResourcesRequest request, Deadline deadline);

    ReopenContainerLogResponse reopenContainerLog(
            ReopenContainerLogRequest request, Deadline deadline);

    ExecSyncResponse execSync(ExecSyncRequest request, Deadline deadline);

    UpdateRuntimeConfigResponse updateRuntimeConfig(
            UpdateRuntimeConfigRequest request, Deadline deadline);

    StatusResponse status(StatusRequest request, Deadline deadline);

    RuntimeConfigResponse runtimeConfig(RuntimeConfigRequest request, Deadline deadline);

    /** Exec, attach and port-forward, for the streaming server. */
    Streaming streaming();

    ContainerStatsResponse containerStats(ContainerStatsRequest request, Deadline deadline);

    ListContainerStatsResponse listContainerStats(
            ListContainerStatsRequest request, Deadline deadline);

    PodSandboxStatsResponse podSandboxStats(PodSandboxStatsRequest request, Deadline deadline);

    ListPodSandboxStatsResponse listPodSandboxStats(
            ListPodSandboxStatsRequest request, Deadline deadline);

    ListMetricDescriptorsResponse listMetricDescriptors(
            ListMetricDescriptorsRequest request, Deadline deadline);

    ListPodSandboxMetricsResponse listPodSandboxMetrics(
            ListPodSandboxMetricsRequest request, Deadline deadline);

    /** GetContainerEvents: what becomes of pods and containers from now on. */
    PodEvents events();

    /**
     * What cAdvisor asks of a container or pod sandbox.
     *
     * @param id or a unique beginning of it
     */
    ContainerInspection inspect(String id);

    /** Stops watching; containers live on. */
    @Override
    void close();
}
