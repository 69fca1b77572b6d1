package io.crema.runtime.ttrpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.crema.base.Deadline;
import io.crema.nri.ttrpc.KeyValue;
import io.crema.nri.ttrpc.Request;
import io.crema.nri.ttrpc.Response;
import io.crema.nri.ttrpc.Status;
import io.crema.nri.v1alpha1.ConfigureRequest;
import io.crema.nri.v1alpha1.ConfigureResponse;
import io.crema.nri.v1alpha1.Empty;
import io.crema.nri.v1alpha1.RegisterPluginRequest;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.PollLoop;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Calls in both directions, byte by byte. */
@Timeout(30)
final class RpcConnectionTest {
    /** What a plugin that is built with the official stub (NRI 0.12.1) sends first. */
    private static final byte[] REGISTRATION =
            HexFormat.of()
                    .parseHex(
                            "00000002000000550000004b0000000101000a1c6e72692e706b672e6170692e7631"
                                    + "616c706861312e52756e74696d65120e5265676973746572506c7567696e1a"
                                    + "150a066c6f67676572120231301a0776302e31322e3120d9cb8cd012");

    /** What it answers Configure with. */
    private static final byte[] CONFIGURED =
            HexFormat.of().parseHex("000000010000000f00000005000000010200120310ff3f");

    private static final Linux LINUX = JnaLinux.load();
    private static final Duration LONG = Duration.ofSeconds(20);

    @TempDir private Path directory;
    private PollLoop loop;
    private RawPeer peer;

    @BeforeEach
    void connect() throws IOException {
        loop = PollLoop.start(LINUX);
        peer = RawPeer.connect(LINUX, directory);
    }

    @AfterEach
    void disconnect() throws IOException {
        peer.close();
        loop.close();
    }

    private RpcConnection open(RpcConnection.Service service) {
        return RpcConnection.open(LINUX, loop, peer.ours(), service);
    }

    private RpcConnection open() {
        return open((service, method, request) -> Empty.getDefaultInstance());
    }

    private static <T> Future<T> later(java.util.concurrent.Callable<T> work) {
        return Executors.newVirtualThreadPerTaskExecutor().submit(work);
    }

    private static ConfigureResponse configure(RpcConnection connection, Duration time) {
        return connection.call(
                "nri.pkg.api.v1alpha1.Plugin",
                "Configure",
                ConfigureRequest.newBuilder().setRuntimeName("crema").build(),
                ConfigureResponse.parser(),
                Deadline.after(time));
    }

    @Test
    void theRegistrationOfTheOfficialStubIsServed() throws Exception {
        CompletableFuture<String> called = new CompletableFuture<>();
        try (RpcConnection connection =
                open((service, method, request) -> {
                    RegisterPluginRequest registration = RegisterPluginRequest.parseFrom(request);
                    called.complete(
                            service
                                    + "/"
                                    + method
                                    + " "
                                    + registration.getPluginIdx()
                                    + "-"
                                    + registration.getPluginName());
                    return Empty.getDefaultInstance();
                })) {
            // One byte at a time: pieces and frames may be cut anywhere.
            for (byte one : REGISTRATION) {
                peer.write(new byte[] {one});
            }
            assertThat(called.get(5, TimeUnit.SECONDS))
                    .isEqualTo("nri.pkg.api.v1alpha1.Runtime/RegisterPlugin 10-logger");
            RawPeer.Received answer = peer.readFrame();
            assertThat(answer.connection()).isEqualTo(Trunk.RUNTIME_SERVICE);
            assertThat(answer.frame().stream()).isEqualTo(1);
            assertThat(answer.frame().type()).isEqualTo(Frame.RESPONSE);
            assertThat(Response.parseFrom(answer.frame().payload()).getStatus().getCode()).isZero();
            assertThat(connection.closed()).isNotDone();
        }
    }

    @Test
    void theAnswerOfTheOfficialStubIsUnderstood() throws Exception {
        try (RpcConnection connection = open()) {
            Future<ConfigureResponse> answer = later(() -> configure(connection, LONG));
            RawPeer.Received request = peer.readFrame();
            assertThat(request.connection()).isEqualTo(Trunk.PLUGIN_SERVICE);
            assertThat(request.frame().stream()).isEqualTo(1);
            assertThat(request.frame().type()).isEqualTo(Frame.REQUEST);
            Request sent = Request.parseFrom(request.frame().payload());
            assertThat(sent.getService()).isEqualTo("nri.pkg.api.v1alpha1.Plugin");
            assertThat(sent.getMethod()).isEqualTo("Configure");
            assertThat(sent.getTimeoutNano()).isBetween(1L, LONG.toNanos());
            assertThat(ConfigureRequest.parseFrom(sent.getPayload()).getRuntimeName())
                    .isEqualTo("crema");
            peer.write(CONFIGURED);
            assertThat(answer.get().getEvents()).isEqualTo(0x1fff);
        }
    }

    /** The other side reads 4096 bytes first and then all the rest in one piece, or fails. */
    @Test
    void aLongMessageIsCutWhereTheOtherSideReads() throws Exception {
        try (RpcConnection connection = open()) {
            String configuration = "x".repeat(1_000_000);
            Future<ConfigureResponse> answer =
                    later(() ->
                            connection.call(
                                    "s",
                                    "m",
                                    ConfigureRequest.newBuilder().setConfig(configuration).build(),
                                    ConfigureResponse.parser(),
                                    Deadline.after(LONG)));
            RawPeer.Piece first = peer.read();
            RawPeer.Piece second = peer.read();
            assertThat(first.bytes()).hasSize(4096);
            int length = ByteBuffer.wrap(first.bytes()).getInt();
            assertThat(second.bytes()).hasSize(Frame.HEADER_BYTES + length - 4096);
            peer.send(1, Frame.response(1, new byte[0]).bytes());
            assertThat(answer.get().getEvents()).isZero();
        }
    }

    @Test
    void whatIsTooLongIsNotSent() throws Exception {
        try (RpcConnection connection = open()) {
            MessageLite large =
                    ConfigureRequest.newBuilder().setConfig("x".repeat(5 << 20)).build();
            RpcException failure =
                    catchThrowableOfType(
                            RpcException.class,
                            () ->
                                    connection.call(
                                            "s",
                                            "m",
                                            large,
                                            ConfigureResponse.parser(),
                                            Deadline.after(LONG)));
            assertThat(failure.failure()).isEqualTo(RpcException.Failure.OVERSIZED);
            assertThat(connection.closed()).isNotDone();
        }
    }

    @Test
    void answersMayComeInAnyOrder() throws Exception {
        try (RpcConnection connection = open()) {
            Future<ConfigureResponse> one = later(() -> configure(connection, LONG));
            int first = peer.readFrame().frame().stream();
            Future<ConfigureResponse> two = later(() -> configure(connection, LONG));
            int second = peer.readFrame().frame().stream();
            assertThat(second).isEqualTo(first + 2);
            answer(second, 2);
            assertThat(two.get().getEvents()).isEqualTo(2);
            answer(first, 1);
            assertThat(one.get().getEvents()).isEqualTo(1);
        }
    }

    private void answer(int stream, int events) throws IOException {
        Response response =
                Response.newBuilder()
                        .setPayload(
                                ConfigureResponse.newBuilder()
                                        .setEvents(events)
                                        .build()
                                        .toByteString())
                        .build();
        peer.send(1, Frame.response(stream, response.toByteArray()).bytes());
    }

    @Test
    void aRefusalHasItsCodeAndWords() throws Exception {
        try (RpcConnection connection = open()) {
            Future<ConfigureResponse> answer = later(() -> configure(connection, LONG));
            int stream = peer.readFrame().frame().stream();
            Response refusal =
                    Response.newBuilder()
                            .setStatus(Status.newBuilder().setCode(12).setMessage("no such thing"))
                            .build();
            peer.send(1, Frame.response(stream, refusal.toByteArray()).bytes());
            assertThatThrownBy(answer::get)
                    .cause()
                    .isInstanceOfSatisfying(
                            RpcException.class,
                            e -> {
                                assertThat(e.failure()).isEqualTo(RpcException.Failure.REFUSED);
                                assertThat(e.code()).isEqualTo(RpcException.UNIMPLEMENTED);
                                assertThat(e).hasMessage("no such thing");
                            });
        }
    }

    @Test
    void noAnswerEndsAtTheDeadlineAndALateOneIsPassedOver() throws Exception {
        try (RpcConnection connection = open()) {
            RpcException failure =
                    catchThrowableOfType(
                            RpcException.class, () -> configure(connection, Duration.ofMillis(50)));
            assertThat(failure.failure()).isEqualTo(RpcException.Failure.TIMED_OUT);
            answer(peer.readFrame().frame().stream(), 1);
            Future<ConfigureResponse> next = later(() -> configure(connection, LONG));
            answer(peer.readFrame().frame().stream(), 7);
            assertThat(next.get().getEvents()).isEqualTo(7);
        }
    }

    @Test
    void whoDoesNotReadIsCutOff() {
        try (RpcConnection connection = open()) {
            MessageLite large =
                    ConfigureRequest.newBuilder().setConfig("x".repeat(4_000_000)).build();
            RpcException failure =
                    catchThrowableOfType(
                            RpcException.class,
                            () ->
                                    connection.call(
                                            "s",
                                            "m",
                                            large,
                                            ConfigureResponse.parser(),
                                            Deadline.after(Duration.ofMillis(200))));
            assertThat(failure.failure()).isEqualTo(RpcException.Failure.TIMED_OUT);
            assertThat(connection.closed()).isDone();
        }
    }

    @Test
    void whoIsCalledWithoutAnyTimeIsNotCutOff() {
        try (RpcConnection connection = open()) {
            for (int i = 0; i < 20; i++) {
                RpcException failure =
                        catchThrowableOfType(
                                RpcException.class, () -> configure(connection, Duration.ZERO));
                assertThat(failure.failure()).isEqualTo(RpcException.Failure.TIMED_OUT);
            }
            assertThat(connection.isClosed()).isFalse();
        }
    }

    @Test
    void lookingWhetherItIsClosedKeepsNothing() throws Exception {
        try (RpcConnection connection = open()) {
            int before = connection.listeners();
            Future<ConfigureResponse> answer = later(() -> configure(connection, LONG));
            answer(peer.readFrame().frame().stream(), 7);
            assertThat(answer.get().getEvents()).isEqualTo(7);
            assertThat(connection.isClosed()).isFalse();
            assertThat(connection.listeners()).isEqualTo(before);
        }
    }

    @Test
    void aCallFailsWhenTheOtherSideHangsUp() throws Exception {
        try (RpcConnection connection = open()) {
            Future<ConfigureResponse> answer = later(() -> configure(connection, LONG));
            peer.readFrame();
            peer.close();
            assertThatThrownBy(answer::get)
                    .cause()
                    .isInstanceOfSatisfying(
                            RpcException.class,
                            e -> assertThat(e.failure()).isEqualTo(RpcException.Failure.CLOSED));
            assertThat(connection.closed().get(5, TimeUnit.SECONDS)).isEqualTo("it hung up");
            assertThatThrownBy(() -> configure(connection, LONG)).hasMessage("it hung up");
        }
    }

    @Test
    void closingIsFeltByTheOtherSideAndByCallsThatWait() throws Exception {
        RpcConnection connection = open();
        Future<ConfigureResponse> answer = later(() -> configure(connection, LONG));
        peer.readFrame();
        connection.close("enough");
        assertThatThrownBy(answer::get).cause().hasMessage("enough");
        assertThat(peer.isAtEnd()).isTrue();
    }

    @Test
    void onlyWhoIsKnownMaySendLongMessages() throws Exception {
        CompletableFuture<Integer> served = new CompletableFuture<>();
        try (RpcConnection connection =
                open((service, method, request) -> {
                    served.complete(request.size());
                    return Empty.getDefaultInstance();
                })) {
            byte[] large =
                    Request.newBuilder()
                            .setService("s")
                            .setMethod("m")
                            .setPayload(ByteString.copyFrom(new byte[1_000_000]))
                            .build()
                            .toByteArray();
            connection.allowLongMessages();
            peer.send(2, Frame.request(1, large).bytes());
            assertThat(served.get(5, TimeUnit.SECONDS)).isEqualTo(1_000_000);
        }
    }

    @Test
    void aLongMessageOfAStrangerEndsTheConnection() throws Exception {
        try (RpcConnection connection = open()) {
            byte[] header =
                    Arrays.copyOf(new Frame(1, (byte) 1, (byte) 0, new byte[0]).bytes(), 10);
            ByteBuffer.wrap(header).putInt(0, 1_000_000);
            peer.send(2, header);
            assertThat(connection.closed().get(5, TimeUnit.SECONDS)).contains("1000000 bytes");
        }
    }

    @Test
    void aMessageBeyondTheMostEndsTheConnection() throws Exception {
        try (RpcConnection connection = open()) {
            byte[] header =
                    Arrays.copyOf(new Frame(1, (byte) 1, (byte) 0, new byte[0]).bytes(), 10);
            ByteBuffer.wrap(header).putInt(0, (4 << 20) + 1);
            peer.send(2, header);
            assertThat(connection.closed().get(5, TimeUnit.SECONDS)).contains("4194305 bytes");
        }
    }

    @Test
    void aPieceBeyondTheMostEndsTheConnection() throws Exception {
        try (RpcConnection connection = open()) {
            peer.write(ByteBuffer.allocate(8).putInt(2).putInt(Integer.MIN_VALUE).array());
            assertThat(connection.closed().get(5, TimeUnit.SECONDS)).contains("a piece of");
        }
    }

    @Test
    void unknownConnectionsAreReadAndPassedOver() throws Exception {
        CountDownLatch called = new CountDownLatch(1);
        try (RpcConnection connection =
                open((service, method, request) -> {
                    called.countDown();
                    return Empty.getDefaultInstance();
                })) {
            peer.send(9, new byte[100_000]);
            peer.send(2, new byte[0]);
            peer.write(REGISTRATION);
            assertThat(called.await(5, TimeUnit.SECONDS)).isTrue();
            assertThat(connection.closed()).isNotDone();
        }
    }

    @Test
    void whatIsNotServedIsRefused() throws Exception {
        try (RpcConnection connection =
                open((service, method, request) -> {
                    throw RpcException.refused(RpcException.UNIMPLEMENTED, "not " + method);
                })) {
            peer.write(REGISTRATION);
            Response answer = Response.parseFrom(peer.readFrame().frame().payload());
            assertThat(answer.getStatus().getCode()).isEqualTo(RpcException.UNIMPLEMENTED);
            assertThat(answer.getStatus().getMessage()).isEqualTo("not RegisterPlugin");
            assertThat(connection.closed()).isNotDone();
        }
    }

    @Test
    void streamsThatDoNotGrowAreRefused() throws Exception {
        try (RpcConnection connection = open()) {
            peer.write(REGISTRATION);
            assertThat(status(peer.readFrame())).isZero();
            peer.write(REGISTRATION);
            assertThat(status(peer.readFrame())).isEqualTo(RpcException.INVALID_ARGUMENT);
            peer.send(2, Frame.request(4, request(1)).bytes());
            assertThat(status(peer.readFrame())).isEqualTo(RpcException.INVALID_ARGUMENT);
            assertThat(connection.closed()).isNotDone();
        }
    }

    private static int status(RawPeer.Received received) throws IOException {
        return Response.parseFrom(received.frame().payload()).getStatus().getCode();
    }

    private static byte[] request(int size) {
        return Request.newBuilder()
                .setService("s")
                .setMethod("m")
                .setPayload(ByteString.copyFrom(new byte[0]))
                .addMetadata(KeyValue.newBuilder().setKey("k").setValue("v".repeat(size)))
                .build()
                .toByteArray();
    }

    @Test
    void whoCallsTooOftenAtOnceIsCutOff() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        try (RpcConnection connection =
                open((service, method, request) -> {
                    try {
                        never.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                    return Empty.getDefaultInstance();
                })) {
            for (int i = 0; i < 17; i++) {
                peer.send(2, Frame.request(2 * i + 1, request(1)).bytes());
            }
            assertThat(connection.closed().get(5, TimeUnit.SECONDS)).contains("calls unanswered");
        } finally {
            never.countDown();
        }
    }
}
