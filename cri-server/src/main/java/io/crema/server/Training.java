package io.crema.server;

import com.google.protobuf.Message;
import io.crema.base.Deadline;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import io.crema.conf.LoadedConfiguration;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ImageServiceGrpc;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListImagesRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PullImageRequest;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.RuntimeServiceGrpc;
import io.crema.cri.v1.StatusRequest;
import io.crema.cri.v1.VersionRequest;
import io.crema.image.Images;
import io.crema.image.registry.HttpRegistryClient;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import io.crema.runtime.PodRuntime;
import io.crema.runtime.spec.AppArmorProfiles;
import io.crema.runtime.spec.ContainerSpecBuilder;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.NodeProbe;
import io.crema.runtime.spec.SpecSettings;
import io.crema.server.base.ServerJson;
import io.crema.server.grpc.CriServer;
import io.crema.server.grpc.ImageServiceCalls;
import io.crema.server.grpc.RuntimeServiceCalls;
import io.crema.server.http.HttpAnswer;
import io.crema.server.http.HttpRoutes;
import io.crema.server.image.ImageFsInfo;
import io.crema.server.image.ImageStatus;
import io.crema.server.image.ListImages;
import io.crema.server.image.PullImage;
import io.crema.server.image.RemoveImage;
import io.crema.server.log.Logging;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.event.Level;

/**
 * Runs what a daemon runs while it starts and serves its first pods, on stand-ins that touch
 * nothing, so that the build can record an AOT cache of the classes. Needs no root.
 */
final class Training {
    private Training() {}

    static int run() {
        Logging.start(Level.WARN);
        try {
            Path directory = Files.createTempDirectory("crema-train");
            try {
                train(directory);
            } finally {
                Files.deleteIfExists(directory);
            }
            return 0;
        } catch (IOException e) {
            System.err.println("crema: training failed: " + e);
            return 1;
        }
    }

    private static void train(Path directory) {
        LoadedConfiguration loaded =
                new ConfigurationLoader(HostFacts.detect())
                        .parse("[crio]\nroot = \"" + directory + "/root\"\n");
        loaded.toToml();
        Linux linux = JnaLinux.load();
        PollLoop loop = PollLoop.start(linux);
        SpawnedCommands commands = new SpawnedCommands(linux, loop);
        commands.run(
                new Command(Path.of("/bin/true"), List.of(), Map.of(), new byte[0], 1024),
                Deadline.after(Duration.ofSeconds(10)));
        NodeFacts facts = new NodeProbe(Path.of("/")).detect(linux.lowestOomScoreAdjustment());
        Object specs =
                new ContainerSpecBuilder(
                        linux,
                        facts,
                        SpecSettings.of(loaded.configuration(), List.of(directory)),
                        new AppArmorProfiles(Path.of("/")));
        Object registry =
                HttpRegistryClient.create(
                        loaded.configuration().image(),
                        Map.of(),
                        Optional.of(commands),
                        HttpRegistryClient.KnownManifests.none());
        serve(directory.resolve("s"));
        if (specs.equals(registry)) {
            throw new IllegalStateException("unreachable; keeps both alive");
        }
        loop.close();
    }

    private static void serve(Path socket) {
        PodRuntime runtime = standIn(PodRuntime.class);
        Images images = standIn(Images.class);
        try (CriServer server =
                new CriServer(
                        socket,
                        1 << 24,
                        1 << 24,
                        List.of(
                                new RuntimeServiceCalls(runtime),
                                new ImageServiceCalls(
                                        new ListImages(images),
                                        new ImageStatus(images, ServerJson.MAPPER),
                                        new PullImage(images),
                                        new RemoveImage(images),
                                        new ImageFsInfo(images, socket, Clock.systemUTC()))),
                        new HttpRoutes().add("GET", "/info", q -> HttpAnswer.text(200, "ok")),
                        (method, code, duration) -> {})) {
            server.start();
            new SocketClient(socket).ask("GET", "/info", Duration.ofSeconds(10));
            call(socket);
        }
    }

    private static void call(Path socket) {
        EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        ManagedChannel channel =
                NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                        .eventLoopGroup(loop)
                        .channelType(EpollDomainSocketChannel.class)
                        .overrideAuthority("localhost")
                        .usePlaintext()
                        .build();
        try {
            var runtime = RuntimeServiceGrpc.newBlockingStub(channel);
            var images = ImageServiceGrpc.newBlockingStub(channel);
            quietly(() -> runtime.version(VersionRequest.getDefaultInstance()));
            quietly(() -> runtime.status(StatusRequest.getDefaultInstance()));
            quietly(() -> runtime.listPodSandbox(ListPodSandboxRequest.getDefaultInstance()));
            quietly(() -> runtime.listContainers(ListContainersRequest.getDefaultInstance()));
            quietly(() ->
                    runtime.runPodSandbox(
                            RunPodSandboxRequest.newBuilder()
                                    .setConfig(PodSandboxConfig.newBuilder().putLabels("a", "b"))
                                    .build()));
            quietly(() ->
                    runtime.createContainer(
                            CreateContainerRequest.newBuilder()
                                    .setConfig(
                                            ContainerConfig.newBuilder()
                                                    .setImage(ImageSpec.newBuilder().setImage("x")))
                                    .build()));
            quietly(() -> images.listImages(ListImagesRequest.getDefaultInstance()));
            quietly(() -> images.pullImage(PullImageRequest.getDefaultInstance()));
        } finally {
            channel.shutdownNow();
            loop.shutdownGracefully(0, 1, TimeUnit.SECONDS)
                    .awaitUninterruptibly(2, TimeUnit.SECONDS);
        }
    }

    /** Errors are part of what is trained. */
    private static void quietly(java.util.function.Supplier<Message> call) {
        try {
            var _ = call.get();
        } catch (StatusRuntimeException e) {
            // As wanted: the stand-ins refuse some of them.
        }
    }

    /** Answers every call with its answer's default instance, or nothing. */
    private static <T> T standIn(Class<T> type) {
        return type.cast(
                Proxy.newProxyInstance(
                        type.getClassLoader(),
                        new Class<?>[] {type},
                        (proxy, method, arguments) -> {
                            Class<?> answer = method.getReturnType();
                            if (Message.class.isAssignableFrom(answer)) {
                                return answer.getMethod("getDefaultInstance").invoke(null);
                            }
                            return answer == List.class
                                    ? List.of()
                                    : answer == Optional.class ? Optional.empty() : null;
                        }));
    }
}
