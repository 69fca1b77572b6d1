package io.crema.server.grpc;

import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.AttachResponse;
import io.crema.cri.v1.CheckpointContainerRequest;
import io.crema.cri.v1.CheckpointContainerResponse;
import io.crema.cri.v1.ContainerEventResponse;
import io.crema.cri.v1.ContainerStatsRequest;
import io.crema.cri.v1.ContainerStatsResponse;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.ContainerStatusResponse;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.CreateContainerResponse;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.ExecResponse;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ExecSyncResponse;
import io.crema.cri.v1.GetEventsRequest;
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
import io.crema.cri.v1.PortForwardRequest;
import io.crema.cri.v1.PortForwardResponse;
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
import io.crema.cri.v1.RuntimeServiceGrpc;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.StartContainerResponse;
import io.crema.cri.v1.StatusRequest;
import io.crema.cri.v1.StatusResponse;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.cri.v1.StopContainerResponse;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.cri.v1.StopPodSandboxResponse;
import io.crema.cri.v1.StreamContainerStatsRequest;
import io.crema.cri.v1.StreamContainerStatsResponse;
import io.crema.cri.v1.StreamContainersRequest;
import io.crema.cri.v1.StreamContainersResponse;
import io.crema.cri.v1.StreamPodSandboxMetricsRequest;
import io.crema.cri.v1.StreamPodSandboxMetricsResponse;
import io.crema.cri.v1.StreamPodSandboxStatsRequest;
import io.crema.cri.v1.StreamPodSandboxStatsResponse;
import io.crema.cri.v1.StreamPodSandboxesRequest;
import io.crema.cri.v1.StreamPodSandboxesResponse;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.cri.v1.UpdateContainerResourcesResponse;
import io.crema.cri.v1.UpdatePodSandboxResourcesRequest;
import io.crema.cri.v1.UpdatePodSandboxResourcesResponse;
import io.crema.cri.v1.UpdateRuntimeConfigRequest;
import io.crema.cri.v1.UpdateRuntimeConfigResponse;
import io.crema.cri.v1.VersionRequest;
import io.crema.cri.v1.VersionResponse;
import io.crema.runtime.PodRuntime;
import io.crema.server.base.CremaVersion;
import io.crema.server.streaming.Attach;
import io.crema.server.streaming.Exec;
import io.crema.server.streaming.PortForward;
import io.crema.server.streaming.StreamingServer;
import io.grpc.stub.StreamObserver;

/**
 * RuntimeService on the wire: each call goes to the method of {@link PodRuntime} with its name.
 * What that throws reaches the caller through {@link CallGuard}.
 */
public final class RuntimeServiceCalls extends RuntimeServiceGrpc.RuntimeServiceImplBase {
    private final PodRuntime runtime;
    private final Exec exec;
    private final Attach attach;
    private final PortForward portForward;

    public RuntimeServiceCalls(PodRuntime runtime, StreamingServer streams) {
        this.runtime = runtime;
        exec = new Exec(streams);
        attach = new Attach(streams);
        portForward = new PortForward(streams);
    }

    @Override
    public void version(VersionRequest request, StreamObserver<VersionResponse> observer) {
        answer(
                observer,
                VersionResponse.newBuilder()
                        .setVersion(CremaVersion.KUBE_API_VERSION)
                        .setRuntimeName(CremaVersion.RUNTIME_NAME)
                        .setRuntimeVersion(CremaVersion.VERSION)
                        .setRuntimeApiVersion(CremaVersion.CRI_VERSION)
                        .build());
    }

    @Override
    public void runPodSandbox(
            RunPodSandboxRequest request, StreamObserver<RunPodSandboxResponse> observer) {
        answer(observer, runtime.runPodSandbox(request, CallGuard.deadline()));
    }

    @Override
    public void stopPodSandbox(
            StopPodSandboxRequest request, StreamObserver<StopPodSandboxResponse> observer) {
        answer(observer, runtime.stopPodSandbox(request, CallGuard.deadline()));
    }

    @Override
    public void removePodSandbox(
            RemovePodSandboxRequest request, StreamObserver<RemovePodSandboxResponse> observer) {
        answer(observer, runtime.removePodSandbox(request, CallGuard.deadline()));
    }

    @Override
    public void podSandboxStatus(
            PodSandboxStatusRequest request, StreamObserver<PodSandboxStatusResponse> observer) {
        answer(observer, runtime.podSandboxStatus(request, CallGuard.deadline()));
    }

    @Override
    public void listPodSandbox(
            ListPodSandboxRequest request, StreamObserver<ListPodSandboxResponse> observer) {
        answer(observer, runtime.listPodSandbox(request, CallGuard.deadline()));
    }

    @Override
    public void createContainer(
            CreateContainerRequest request, StreamObserver<CreateContainerResponse> observer) {
        answer(observer, runtime.createContainer(request, CallGuard.deadline()));
    }

    @Override
    public void startContainer(
            StartContainerRequest request, StreamObserver<StartContainerResponse> observer) {
        answer(observer, runtime.startContainer(request, CallGuard.deadline()));
    }

    @Override
    public void checkpointContainer(
            CheckpointContainerRequest request,
            StreamObserver<CheckpointContainerResponse> observer) {
        answer(observer, runtime.checkpointContainer(request, CallGuard.deadline()));
    }

    @Override
    public void stopContainer(
            StopContainerRequest request, StreamObserver<StopContainerResponse> observer) {
        answer(observer, runtime.stopContainer(request, CallGuard.deadline()));
    }

    @Override
    public void removeContainer(
            RemoveContainerRequest request, StreamObserver<RemoveContainerResponse> observer) {
        answer(observer, runtime.removeContainer(request, CallGuard.deadline()));
    }

    @Override
    public void listContainers(
            ListContainersRequest request, StreamObserver<ListContainersResponse> observer) {
        answer(observer, runtime.listContainers(request, CallGuard.deadline()));
    }

    @Override
    public void containerStatus(
            ContainerStatusRequest request, StreamObserver<ContainerStatusResponse> observer) {
        answer(observer, runtime.containerStatus(request, CallGuard.deadline()));
    }

    @Override
    public void updateContainerResources(
            UpdateContainerResourcesRequest request,
            StreamObserver<UpdateContainerResourcesResponse> observer) {
        answer(observer, runtime.updateContainerResources(request, CallGuard.deadline()));
    }

    @Override
    public void updatePodSandboxResources(
            UpdatePodSandboxResourcesRequest request,
            StreamObserver<UpdatePodSandboxResourcesResponse> observer) {
        answer(observer, runtime.updatePodSandboxResources(request, CallGuard.deadline()));
    }

    @Override
    public void reopenContainerLog(
            ReopenContainerLogRequest request,
            StreamObserver<ReopenContainerLogResponse> observer) {
        answer(observer, runtime.reopenContainerLog(request, CallGuard.deadline()));
    }

    @Override
    public void execSync(ExecSyncRequest request, StreamObserver<ExecSyncResponse> observer) {
        answer(observer, runtime.execSync(request, CallGuard.deadline()));
    }

    @Override
    public void exec(ExecRequest request, StreamObserver<ExecResponse> observer) {
        answer(observer, exec.run(request));
    }

    @Override
    public void attach(AttachRequest request, StreamObserver<AttachResponse> observer) {
        answer(observer, attach.run(request));
    }

    @Override
    public void portForward(
            PortForwardRequest request, StreamObserver<PortForwardResponse> observer) {
        answer(observer, portForward.run(request));
    }

    @Override
    public void updateRuntimeConfig(
            UpdateRuntimeConfigRequest request,
            StreamObserver<UpdateRuntimeConfigResponse> observer) {
        answer(observer, runtime.updateRuntimeConfig(request, CallGuard.deadline()));
    }

    @Override
    public void status(StatusRequest request, StreamObserver<StatusResponse> observer) {
        answer(observer, runtime.status(request, CallGuard.deadline()));
    }

    @Override
    public void runtimeConfig(
            RuntimeConfigRequest request, StreamObserver<RuntimeConfigResponse> observer) {
        answer(observer, runtime.runtimeConfig(request, CallGuard.deadline()));
    }

    @Override
    public void containerStats(
            ContainerStatsRequest request, StreamObserver<ContainerStatsResponse> observer) {
        answer(observer, runtime.containerStats(request, CallGuard.deadline()));
    }

    @Override
    public void listContainerStats(
            ListContainerStatsRequest request,
            StreamObserver<ListContainerStatsResponse> observer) {
        answer(observer, runtime.listContainerStats(request, CallGuard.deadline()));
    }

    @Override
    public void podSandboxStats(
            PodSandboxStatsRequest request, StreamObserver<PodSandboxStatsResponse> observer) {
        answer(observer, runtime.podSandboxStats(request, CallGuard.deadline()));
    }

    @Override
    public void listPodSandboxStats(
            ListPodSandboxStatsRequest request,
            StreamObserver<ListPodSandboxStatsResponse> observer) {
        answer(observer, runtime.listPodSandboxStats(request, CallGuard.deadline()));
    }

    @Override
    public void listMetricDescriptors(
            ListMetricDescriptorsRequest request,
            StreamObserver<ListMetricDescriptorsResponse> observer) {
        answer(observer, runtime.listMetricDescriptors(request, CallGuard.deadline()));
    }

    @Override
    public void listPodSandboxMetrics(
            ListPodSandboxMetricsRequest request,
            StreamObserver<ListPodSandboxMetricsResponse> observer) {
        answer(observer, runtime.listPodSandboxMetrics(request, CallGuard.deadline()));
    }

    @Override
    public void streamPodSandboxes(
            StreamPodSandboxesRequest request,
            StreamObserver<StreamPodSandboxesResponse> observer) {
        PacedStream.send(
                observer,
                new Pieces<>(
                        runtime.listPodSandbox(
                                        ListPodSandboxRequest.newBuilder()
                                                .setFilter(request.getFilter())
                                                .build(),
                                        CallGuard.deadline())
                                .getItemsList(),
                        piece ->
                                StreamPodSandboxesResponse.newBuilder()
                                        .addAllPodSandboxes(piece)
                                        .build()));
    }

    @Override
    public void streamContainers(
            StreamContainersRequest request, StreamObserver<StreamContainersResponse> observer) {
        PacedStream.send(
                observer,
                new Pieces<>(
                        runtime.listContainers(
                                        ListContainersRequest.newBuilder()
                                                .setFilter(request.getFilter())
                                                .build(),
                                        CallGuard.deadline())
                                .getContainersList(),
                        piece ->
                                StreamContainersResponse.newBuilder()
                                        .addAllContainers(piece)
                                        .build()));
    }

    @Override
    public void streamContainerStats(
            StreamContainerStatsRequest request,
            StreamObserver<StreamContainerStatsResponse> observer) {
        PacedStream.send(
                observer,
                new Pieces<>(
                        runtime.listContainerStats(
                                        ListContainerStatsRequest.newBuilder()
                                                .setFilter(request.getFilter())
                                                .build(),
                                        CallGuard.deadline())
                                .getStatsList(),
                        piece ->
                                StreamContainerStatsResponse.newBuilder()
                                        .addAllContainerStats(piece)
                                        .build()));
    }

    @Override
    public void streamPodSandboxStats(
            StreamPodSandboxStatsRequest request,
            StreamObserver<StreamPodSandboxStatsResponse> observer) {
        PacedStream.send(
                observer,
                new Pieces<>(
                        runtime.listPodSandboxStats(
                                        ListPodSandboxStatsRequest.newBuilder()
                                                .setFilter(request.getFilter())
                                                .build(),
                                        CallGuard.deadline())
                                .getStatsList(),
                        piece ->
                                StreamPodSandboxStatsResponse.newBuilder()
                                        .addAllPodSandboxStats(piece)
                                        .build()));
    }

    @Override
    public void streamPodSandboxMetrics(
            StreamPodSandboxMetricsRequest request,
            StreamObserver<StreamPodSandboxMetricsResponse> observer) {
        PacedStream.send(
                observer,
                new Pieces<>(
                        runtime.listPodSandboxMetrics(
                                        ListPodSandboxMetricsRequest.getDefaultInstance(),
                                        CallGuard.deadline())
                                .getPodMetricsList(),
                        piece ->
                                StreamPodSandboxMetricsResponse.newBuilder()
                                        .addAllPodSandboxMetrics(piece)
                                        .build()));
    }

    @Override
    public void getContainerEvents(
            GetEventsRequest request, StreamObserver<ContainerEventResponse> observer) {
        EventStream.open(runtime.events(), observer);
    }

    private static <A> void answer(StreamObserver<A> observer, A answer) {
        observer.onNext(answer);
        observer.onCompleted();
    }
}
