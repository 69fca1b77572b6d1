package io.crema.server.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.CheckpointPodRequest;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.ContainerStatusResponse;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ExecSyncResponse;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.ListPodSandboxResponse;
import io.crema.cri.v1.PodSandbox;
import io.crema.cri.v1.RuntimeServiceGrpc;
import io.crema.cri.v1.RuntimeServiceGrpc.RuntimeServiceBlockingStub;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.cri.v1.StopContainerResponse;
import io.crema.cri.v1.VersionRequest;
import io.crema.cri.v1.VersionResponse;
import io.crema.server.base.ServerException;
import io.crema.server.http.HttpAnswer;
import io.crema.server.http.HttpRoutes;
import io.crema.server.streaming.FakeStreaming;
import io.crema.server.streaming.StreamingServer;
import io.crema.server.streaming.StreamingSettings;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The server over a real unix socket, with scripted work behind it. */
@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class CriServerTest {
    private static final int LIMIT = 16 * 1024 * 1024;

    @TempDir private Path directory;
    private final StubRuntime stub = new StubRuntime();
    private final StreamingServer streams =
            new StreamingServer(
                    new StreamingSettings(
                            "127.0.0.1",
                            0,
                            Optional.empty(),
                            Duration.ofMinutes(1),
                            Duration.ofMinutes(1)),
                    new FakeStreaming());
    private final List<String> answered = Collections.synchronizedList(new ArrayList<>());
    private EventLoopGroup clientLoop;
    private Path socket;
    private CriServer server;
    private ManagedChannel channel;
    private RuntimeServiceBlockingStub client;

    CriServerTest() {
        clientLoop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    }

    @BeforeEach
    void serve() {
        socket = directory.resolve("run/crema/crema.sock");
        server = newServer(socket);
        server.start();
        channel =
                NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                        .channelType(EpollDomainSocketChannel.class)
                        .eventLoopGroup(clientLoop)
                        .maxInboundMessageSize(2 * LIMIT)
                        .usePlaintext()
                        .build();
        client = RuntimeServiceGrpc.newBlockingStub(channel);
    }

    @AfterEach
    void stop() {
        channel.shutdownNow();
        server.close();
        streams.close();
        clientLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2000);
    }

    @Test
    void answersVersionAsKubeletChecksIt() {
        VersionResponse version = client.version(VersionRequest.getDefaultInstance());

        assertThat(version.getVersion()).isEqualTo("0.1.0");
        assertThat(version.getRuntimeName()).isEqualTo("crema");
        assertThat(version.getRuntimeVersion()).matches("\\d+\\.\\d+\\.\\d+");
        assertThat(version.getRuntimeApiVersion()).isEqualTo("v1");
    }

    @Test
    void theSocketIsForRootAndItsGroupOnly() throws IOException {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                .isEqualTo("rw-rw----");
    }

    @Test
    void aStaleSocketIsReplaced() throws IOException {
        Path stale = directory.resolve("stale.sock");
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(stale));
        }
        assertThat(stale).exists();

        CriServer other = newServer(stale);
        other.start();
        try (SocketChannel connection = SocketChannel.open(UnixDomainSocketAddress.of(stale))) {
            assertThat(connection.isConnected()).isTrue();
        }
        other.close();
    }

    @Test
    void aLiveServersSocketIsLeftAlone() {
        CriServer second = newServer(socket);

        assertThatThrownBy(second::start)
                .isInstanceOf(ServerException.class)
                .hasMessageContaining("another server answers at " + socket);
        second.close();
        assertThat(client.version(VersionRequest.getDefaultInstance()).getRuntimeName())
                .isEqualTo("crema");
    }

    @Test
    void aFileInTheWayIsLeftAlone() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "precious");
        CriServer second = newServer(file);

        assertThatThrownBy(second::start).hasMessageContaining("is not a socket");
        second.close();
        assertThat(file).hasContent("precious");
    }

    @Test
    void anErrorKindBecomesItsCodeWithTheMessage() {
        stub.on(
                "containerStatus",
                (request, deadline) -> {
                    throw new ServerException(ErrorKind.NOT_FOUND, "no container abc");
                });

        Status status =
                failure(() -> client.containerStatus(ContainerStatusRequest.getDefaultInstance()));
        assertThat(status.getCode()).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(status.getDescription()).isEqualTo("no container abc");
    }

    @Test
    void aReasonWordIsUnknownAndComesFirst() {
        stub.on(
                "containerStatus",
                (request, deadline) -> {
                    throw new ServerException(
                            ErrorKind.CRI_REASON, "RegistryUnavailable: connection refused");
                });

        Status status =
                failure(() -> client.containerStatus(ContainerStatusRequest.getDefaultInstance()));
        assertThat(status.getCode()).isEqualTo(Status.Code.UNKNOWN);
        assertThat(status.getDescription()).startsWith("RegistryUnavailable: ");
    }

    @Test
    void aFaultOfOursIsInternalWithAReference() {
        stub.on(
                "containerStatus",
                (request, deadline) -> {
                    throw new IllegalStateException("cannot happen");
                });

        Status status =
                failure(() -> client.containerStatus(ContainerStatusRequest.getDefaultInstance()));
        assertThat(status.getCode()).isEqualTo(Status.Code.INTERNAL);
        assertThat(status.getDescription())
                .matches("internal error, .* reference [0-9a-f]{8}: .*cannot happen");
    }

    @Test
    void hangingWorkAnswersAtItsCallersDeadlineAndGoesOn() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        CompletableFuture<Deadline> seen = new CompletableFuture<>();
        CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
        stub.on(
                "stopContainer",
                (request, deadline) -> {
                    seen.complete(deadline);
                    release.await();
                    interrupted.complete(Thread.currentThread().isInterrupted());
                    return StopContainerResponse.getDefaultInstance();
                });

        long start = System.nanoTime();
        Status status =
                failure(() ->
                        client.withDeadlineAfter(500, TimeUnit.MILLISECONDS)
                                .stopContainer(StopContainerRequest.getDefaultInstance()));
        long millis = (System.nanoTime() - start) / 1_000_000;

        assertThat(status.getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        assertThat(millis).isBetween(400L, 600L);
        // Ours, not the client's own: it arrives before the client's clock ends the call.
        assertThat(status.getDescription()).contains("StopContainer was at work; it goes on");
        assertThat(seen.get().remaining()).isLessThan(Duration.ofMillis(100));
        release.countDown();
        assertThat(interrupted.get()).as("the work was left alone").isFalse();
    }

    @Test
    void callsThatNoRequestJoinsDoNotPromiseIt() {
        CountDownLatch release = new CountDownLatch(1);
        stub.on(
                "execSync",
                (request, deadline) -> {
                    release.await();
                    return ExecSyncResponse.getDefaultInstance();
                });
        Status status =
                failure(() ->
                        client.withDeadlineAfter(300, TimeUnit.MILLISECONDS)
                                .execSync(ExecSyncRequest.getDefaultInstance()));
        release.countDown();
        assertThat(status.getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        assertThat(status.getDescription())
                .contains("ExecSync was at work; what it began may go on")
                .doesNotContain("joins");
    }

    @Test
    void workThatKeepsItsDeadlineTellsWhatItWaitedFor() {
        stub.on(
                "stopContainer",
                (request, deadline) -> {
                    // Well before the end: a busy machine may be late by more than the guard's
                    // margin.
                    TimeUnit.NANOSECONDS.sleep(deadline.remainingNanos() / 10);
                    throw new DeadlineExceededException("the plugin bridge");
                });

        Status status =
                failure(() ->
                        client.withDeadlineAfter(5, TimeUnit.SECONDS)
                                .stopContainer(StopContainerRequest.getDefaultInstance()));

        assertThat(status.getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        assertThat(status.getDescription()).contains("the plugin bridge");
    }

    @Test
    void aCallWithoutDeadlineGetsNone() {
        CompletableFuture<Deadline> seen = new CompletableFuture<>();
        stub.on(
                "containerStatus",
                (request, deadline) -> {
                    seen.complete(deadline);
                    return ContainerStatusResponse.getDefaultInstance();
                });

        assertThat(client.containerStatus(ContainerStatusRequest.getDefaultInstance()))
                .isEqualTo(ContainerStatusResponse.getDefaultInstance());
        assertThat(seen.join().remaining()).isGreaterThan(Duration.ofDays(1));
        assertThat(answered).containsExactly("ContainerStatus OK");
    }

    @Test
    void bigAnswersPassUpToTheLimitAndAreRefusedWithTheOptionsNameBeyond() {
        stub.on("listPodSandbox", (request, deadline) -> sandboxes(LIMIT - 1024));
        assertThat(
                        client.listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                                .getSerializedSize())
                .isBetween(LIMIT - 2048, LIMIT);

        stub.on("listPodSandbox", (request, deadline) -> sandboxes(LIMIT + 1));
        Status status =
                failure(() -> client.listPodSandbox(ListPodSandboxRequest.getDefaultInstance()));
        assertThat(status.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertThat(status.getDescription()).contains("grpc_max_send_msg_size");
    }

    @Test
    void bigRequestsPassUpToTheLimitAndAreRefusedBeyond() {
        stub.on(
                "containerStatus",
                (request, deadline) -> ContainerStatusResponse.getDefaultInstance());
        assertThat(client.containerStatus(request(LIMIT - 1024)))
                .isEqualTo(ContainerStatusResponse.getDefaultInstance());

        Status status = failure(() -> client.containerStatus(request(LIMIT + 1)));
        assertThat(status.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    }

    @Test
    void anUnbuiltMethodSaysSo() {
        Status status =
                failure(() -> client.checkpointPod(CheckpointPodRequest.getDefaultInstance()));

        assertThat(status.getCode()).isEqualTo(Status.Code.UNIMPLEMENTED);
        assertThat(status.getDescription())
                .isEqualTo(
                        "CheckpointPod is not built yet; see the status table in crema's README");
    }

    @Test
    void streamingRequestsAreCheckedAndAnsweredWithAUrl() {
        Status empty = failure(() -> client.exec(ExecRequest.getDefaultInstance()));
        assertThat(empty.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        Status absent =
                failure(() ->
                        client.exec(
                                ExecRequest.newBuilder()
                                        .setContainerId("absent")
                                        .setStdout(true)
                                        .build()));
        assertThat(absent.getCode()).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(
                        client.exec(
                                        ExecRequest.newBuilder()
                                                .setContainerId("c")
                                                .addCmd("cat")
                                                .setStdout(true)
                                                .build())
                                .getUrl())
                .startsWith("http://127.0.0.1:");
    }

    @Test
    void http11IsServedOnTheSameSocket() throws IOException {
        assertThat(http("GET /hello?name=a%20b HTTP/1.1"))
                .startsWith("HTTP/1.1 200 OK\r\n")
                .endsWith("\r\n\r\nhello a b\n");
        assertThat(http("GET /missing HTTP/1.1")).startsWith("HTTP/1.1 404 ");
        assertThat(http("POST /hello HTTP/1.1")).startsWith("HTTP/1.1 405 ");
        assertThat(http("GET /broken HTTP/1.1"))
                .startsWith("HTTP/1.1 400 ")
                .endsWith("no such thing\n");
        assertThat(http("PUT_nonsense")).startsWith("HTTP/1.");
    }

    @Test
    void thePrefaceMayComeByteByByte() throws IOException {
        // A client whose first packet holds only a part of the preface must still be understood.
        try (SocketChannel connection = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
            for (byte one : preface) {
                connection.write(ByteBuffer.wrap(new byte[] {one}));
            }
            // An empty SETTINGS frame.
            connection.write(ByteBuffer.wrap(new byte[] {0, 0, 0, 4, 0, 0, 0, 0, 0}));
            ByteBuffer frame = ByteBuffer.allocate(9);
            while (frame.hasRemaining() && connection.read(frame) >= 0) {
                // Until the frame's head is there.
            }
            assertThat(frame.get(3)).as("the server's SETTINGS frame").isEqualTo((byte) 4);
        }
    }

    @Test
    void aGracefulStopLetsCallsFinishAndRemovesTheSocket() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        stub.on(
                "stopContainer",
                (request, deadline) -> {
                    started.countDown();
                    release.await();
                    return StopContainerResponse.getDefaultInstance();
                });
        CompletableFuture<StopContainerResponse> answer =
                CompletableFuture.supplyAsync(
                        () -> client.stopContainer(StopContainerRequest.getDefaultInstance()),
                        Thread::startVirtualThread);
        started.await();

        CompletableFuture<Void> stopped =
                CompletableFuture.runAsync(
                        () -> server.stop(Duration.ofSeconds(20)), Thread::startVirtualThread);
        Deadline deadline = Deadline.after(Duration.ofSeconds(5));
        while (Files.exists(socket)) {
            deadline.check("the socket to disappear");
            Thread.sleep(5);
        }
        assertThat(stopped).isNotDone();
        release.countDown();

        assertThat(answer.get()).isEqualTo(StopContainerResponse.getDefaultInstance());
        stopped.get();
    }

    @Test
    void aGracefulStopCutsOffWhatDoesNotFinish() throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch never = new CountDownLatch(1);
        stub.on(
                "stopContainer",
                (request, deadline) -> {
                    started.countDown();
                    never.await();
                    return StopContainerResponse.getDefaultInstance();
                });
        CompletableFuture<Status> answer =
                CompletableFuture.supplyAsync(
                        () ->
                                failure(() ->
                                        client.stopContainer(
                                                StopContainerRequest.getDefaultInstance())),
                        Thread::startVirtualThread);
        started.await();

        server.stop(Duration.ofMillis(50));

        assertThat(answer.get().getCode())
                .isIn(Status.Code.UNAVAILABLE, Status.Code.CANCELLED, Status.Code.UNKNOWN);
        never.countDown();
    }

    private CriServer newServer(Path path) {
        HttpRoutes routes =
                new HttpRoutes()
                        .add(
                                "GET",
                                "/hello",
                                question ->
                                        HttpAnswer.text(
                                                200,
                                                "hello " + question.parameter("name").orElse("")))
                        .add(
                                "GET",
                                "/broken",
                                question -> {
                                    throw new ServerException(
                                            ErrorKind.INVALID_ARGUMENT, "no such thing");
                                });
        return new CriServer(
                path,
                LIMIT,
                LIMIT,
                List.of(new RuntimeServiceCalls(stub.runtime(), streams)),
                routes,
                (method, code, duration) -> answered.add(method + " " + code));
    }

    private String http(String requestLine) throws IOException {
        try (SocketChannel connection = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            connection.write(
                    ByteBuffer.wrap(
                            (requestLine + "\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                                    .getBytes(StandardCharsets.US_ASCII)));
            return new String(
                    Channels.newInputStream(connection).readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static ListPodSandboxResponse sandboxes(int bytes) {
        return ListPodSandboxResponse.newBuilder()
                .addItems(PodSandbox.newBuilder().setId("x".repeat(bytes)))
                .build();
    }

    private static ContainerStatusRequest request(int bytes) {
        return ContainerStatusRequest.newBuilder().setContainerId("x".repeat(bytes)).build();
    }

    private static Status failure(Runnable call) {
        StatusRuntimeException thrown =
                catchThrowableOfType(StatusRuntimeException.class, call::run);
        assertThat(thrown).as("the call should fail").isNotNull();
        return thrown.getStatus();
    }
}
