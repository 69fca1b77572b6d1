package io.crema.server;

import com.google.protobuf.Message;
import io.crema.base.CremaException;
import io.crema.conf.CommandLine;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ImageFsInfoRequest;
import io.crema.cri.v1.ImageServiceGrpc;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.ImageStatusRequest;
import io.crema.cri.v1.ListContainerStatsRequest;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListImagesRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.ListPodSandboxStatsRequest;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.PullImageRequest;
import io.crema.cri.v1.RemoveContainerRequest;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.RuntimeConfigRequest;
import io.crema.cri.v1.RuntimeServiceGrpc;
import io.crema.cri.v1.StatusRequest;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.cri.v1.VersionRequest;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Runs what a daemon runs while it starts and answers its first requests, so that the build can
 * record an AOT cache of the classes: the daemon itself, in a temporary directory, with /bin/true
 * in place of the OCI runtime and the monitor. Needs no root and starts no pod.
 */
final class Training {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private Training() {}

    static int run() {
        try {
            // Short: a socket's path has little room.
            Path directory = Files.createTempDirectory("crema-train");
            try {
                serve(directory);
            } finally {
                delete(directory);
            }
            return 0;
        } catch (IOException | CremaException e) {
            System.err.println("crema: training failed: " + e.getMessage());
            return 1;
        }
    }

    private static void serve(Path directory) throws IOException {
        Path file = directory.resolve("crema.conf");
        Files.writeString(file, configuration(directory));
        Files.createDirectory(directory.resolve("cni"));
        Files.writeString(
                directory.resolve("cni/10-train.conflist"),
                """
                {"cniVersion": "1.0.0", "name": "train", "plugins": [
                  {"type": "bridge", "ipam": {"type": "host-local"}},
                  {"type": "portmap", "capabilities": {"portMappings": true}}]}
                """);
        Path socket = directory.resolve("s");
        new Serve(
                        CommandLine.parse(
                                List.of(
                                        "--config",
                                        file.toString(),
                                        "--config-dir=",
                                        "--log-level",
                                        "error")))
                .serve(() -> call(socket));
    }

    private static String configuration(Path directory) {
        return """
        [crio]
        root = "%1$s/root"
        runroot = "%1$s/run"
        log_dir = "%1$s/logs"
        version_file = "%1$s/version"
        [crio.api]
        listen = "%1$s/s"
        [crio.runtime]
        default_runtime = "runc"
        cgroup_manager = "cgroupfs"
        namespaces_dir = "%1$s/ns"
        container_exits_dir = "%1$s/exits"
        container_attach_socket_dir = "%1$s/attach"
        [crio.runtime.runtimes.runc]
        runtime_path = "/bin/true"
        runtime_root = "%1$s/runc"
        monitor_path = "/bin/true"
        monitor_cgroup = "pod"
        [crio.network]
        network_dir = "%1$s/cni"
        plugin_dirs = ["%1$s/plugins"]
        [crio.nri]
        nri_listen = "%1$s/nri.sock"
        nri_plugin_dir = "%1$s/nri"
        """
                .formatted(directory);
    }

    private static void call(Path socket) {
        SocketClient http = new SocketClient(socket);
        for (String path : List.of("/info", "/status", "/config", "/crema/pulls")) {
            var _ = http.ask("GET", path, LIMIT);
        }
        EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        ManagedChannel channel =
                NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                        .eventLoopGroup(loop)
                        .channelType(EpollDomainSocketChannel.class)
                        .overrideAuthority("localhost")
                        .usePlaintext()
                        .build();
        try {
            call(
                    RuntimeServiceGrpc.newBlockingStub(channel)
                            .withDeadlineAfter(1, TimeUnit.MINUTES));
            call(ImageServiceGrpc.newBlockingStub(channel).withDeadlineAfter(1, TimeUnit.MINUTES));
        } finally {
            channel.shutdownNow();
            loop.shutdownGracefully(0, 1, TimeUnit.SECONDS)
                    .awaitUninterruptibly(2, TimeUnit.SECONDS);
        }
    }

    private static void call(RuntimeServiceGrpc.RuntimeServiceBlockingStub runtime) {
        quietly(() -> runtime.version(VersionRequest.getDefaultInstance()));
        quietly(() -> runtime.status(StatusRequest.newBuilder().setVerbose(true).build()));
        quietly(() -> runtime.runtimeConfig(RuntimeConfigRequest.getDefaultInstance()));
        quietly(() -> runtime.listPodSandbox(ListPodSandboxRequest.getDefaultInstance()));
        quietly(() -> runtime.listContainers(ListContainersRequest.getDefaultInstance()));
        quietly(() -> runtime.listContainerStats(ListContainerStatsRequest.getDefaultInstance()));
        quietly(() -> runtime.listPodSandboxStats(ListPodSandboxStatsRequest.getDefaultInstance()));
        quietly(() ->
                runtime.podSandboxStatus(
                        PodSandboxStatusRequest.newBuilder().setPodSandboxId("x").build()));
        quietly(() ->
                runtime.containerStatus(
                        ContainerStatusRequest.newBuilder().setContainerId("x").build()));
        // Without metadata it is refused before anything is made.
        quietly(() ->
                runtime.runPodSandbox(
                        RunPodSandboxRequest.newBuilder()
                                .setConfig(PodSandboxConfig.newBuilder().putLabels("a", "b"))
                                .build()));
        quietly(() ->
                runtime.createContainer(
                        CreateContainerRequest.newBuilder()
                                .setPodSandboxId("x")
                                .setConfig(
                                        ContainerConfig.newBuilder()
                                                .setImage(ImageSpec.newBuilder().setImage("x")))
                                .build()));
        quietly(() ->
                runtime.stopContainer(
                        StopContainerRequest.newBuilder().setContainerId("x").build()));
        quietly(() ->
                runtime.removeContainer(
                        RemoveContainerRequest.newBuilder().setContainerId("x").build()));
        quietly(() ->
                runtime.stopPodSandbox(
                        StopPodSandboxRequest.newBuilder().setPodSandboxId("x").build()));
    }

    private static void call(ImageServiceGrpc.ImageServiceBlockingStub images) {
        ImageSpec absent = ImageSpec.newBuilder().setImage("localhost/absent:1").build();
        quietly(() -> images.listImages(ListImagesRequest.getDefaultInstance()));
        quietly(() -> images.imageFsInfo(ImageFsInfoRequest.getDefaultInstance()));
        quietly(() ->
                images.imageStatus(
                        ImageStatusRequest.newBuilder().setImage(absent).setVerbose(true).build()));
        // Refused for want of a name: nothing is sent anywhere.
        quietly(() -> images.pullImage(PullImageRequest.getDefaultInstance()));
    }

    /** Errors are part of what is trained. */
    private static void quietly(Supplier<Message> call) {
        try {
            var _ = call.get();
        } catch (StatusRuntimeException e) {
            // As wanted.
        }
    }

    private static void delete(Path directory) throws IOException {
        List<Path> deepestFirst;
        try (Stream<Path> paths = Files.walk(directory)) {
            deepestFirst = paths.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : deepestFirst) {
            Files.deleteIfExists(path);
        }
    }
}
