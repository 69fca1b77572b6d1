package io.crema.server.streaming;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.server.base.ServerException;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Requests, URLs and the upgrade. */
final class UpgradeTest {
    private static final String V4 = "v4.channel.k8s.io";

    private final TestServer server = new TestServer();

    @AfterEach
    void stop() {
        server.close();
    }

    @Test
    void aUrlIsOnLoopbackAndHasATokenOfEightCharacters() {
        assertThat(server.exec("cat")).matches("http://127\\.0\\.0\\.1:\\d+/exec/[\\w-]{8}");
        assertThat(server.attach()).matches("http://127\\.0\\.0\\.1:\\d+/attach/[\\w-]{8}");
        assertThat(server.portForward())
                .matches("http://127\\.0\\.0\\.1:\\d+/portforward/[\\w-]{8}");
    }

    @Test
    void requestsAreCheckedBeforeAUrlIsGiven() {
        refused(ExecRequest.newBuilder().setStdout(true).build(), "container_id is empty");
        refused(ExecRequest.newBuilder().setContainerId("c").build(), "one of stdin, stdout");
        refused(
                ExecRequest.newBuilder().setContainerId("c").setStderr(true).setTty(true).build(),
                "tty and stderr");
        assertThatExceptionOfType(ServerException.class)
                .isThrownBy(() -> new Attach(server.server).run(AttachRequest.getDefaultInstance()))
                .withMessageContaining("container_id is empty");
        assertThatExceptionOfType(ServerException.class)
                .isThrownBy(() ->
                        new PortForward(server.server).run(PortForwardRequest.getDefaultInstance()))
                .withMessageContaining("pod_sandbox_id is empty");
        assertThatExceptionOfType(ServerException.class)
                .isThrownBy(() ->
                        new PortForward(server.server)
                                .run(
                                        PortForwardRequest.newBuilder()
                                                .setPodSandboxId("p")
                                                .addPort(0)
                                                .build()))
                .withMessageContaining("port 0");
        assertThatExceptionOfType(ServerException.class)
                .isThrownBy(() ->
                        new Exec(server.server)
                                .run(
                                        ExecRequest.newBuilder()
                                                .setContainerId("absent")
                                                .setStdout(true)
                                                .build()))
                .extracting(CremaException::kind)
                .isEqualTo(ErrorKind.NOT_FOUND);
    }

    private void refused(ExecRequest request, String message) {
        assertThatExceptionOfType(ServerException.class)
                .isThrownBy(() -> new Exec(server.server).run(request))
                .withMessageContaining(message)
                .extracting(CremaException::kind)
                .isEqualTo(ErrorKind.INVALID_ARGUMENT);
    }

    @Test
    void aTokenIsGoodOnceAndForItsPathOnly() throws IOException {
        String url = server.exec("cat");
        try (StreamingPeer first = StreamingPeer.spdy(url, V4);
                StreamingPeer second = StreamingPeer.spdy(url, V4);
                StreamingPeer other =
                        StreamingPeer.spdy(server.exec("cat").replace("/exec/", "/attach/"), V4);
                StreamingPeer wrong = StreamingPeer.spdy(url.substring(0, url.length() - 9), V4)) {
            assertThat(first.status).isEqualTo(101);
            assertThat(first.header("upgrade")).isEqualTo("SPDY/3.1");
            assertThat(first.header("connection")).isEqualToIgnoringCase("upgrade");
            assertThat(first.header("x-stream-protocol-version")).isEqualTo(V4);
            assertThat(second.status).isEqualTo(404);
            assertThat(other.status).isEqualTo(404);
            assertThat(wrong.status).isEqualTo(404);
        }
    }

    @Test
    void theFirstCommonProtocolIsChosen() throws IOException {
        try (StreamingPeer older =
                        StreamingPeer.spdy(
                                server.exec("cat"), "v5.channel.k8s.io, v2.channel.k8s.io");
                StreamingPeer separate =
                        StreamingPeer.spdy(
                                server.exec("cat"),
                                "channel.k8s.io\r\nX-Stream-Protocol-Version:"
                                        + " v3.channel.k8s.io");
                StreamingPeer none = StreamingPeer.spdy(server.exec("cat"), "v5.channel.k8s.io");
                StreamingPeer missing =
                        StreamingPeer.request(
                                server.exec("cat"),
                                "Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\n");
                StreamingPeer webSocket =
                        StreamingPeer.webSocket(server.exec("cat"), "v9, v5.channel.k8s.io");
                StreamingPeer strange = StreamingPeer.webSocket(server.exec("cat"), "v9")) {
            assertThat(older.header("x-stream-protocol-version")).isEqualTo("v2.channel.k8s.io");
            assertThat(separate.header("x-stream-protocol-version")).isEqualTo("v3.channel.k8s.io");
            assertThat(none.status).isEqualTo(403);
            assertThat(none.header("x-accepted-stream-protocol-versions"))
                    .isEqualTo(
                            "v4.channel.k8s.io,v3.channel.k8s.io,v2.channel.k8s.io,channel.k8s.io");
            assertThat(missing.status).isEqualTo(400);
            assertThat(webSocket.header("sec-websocket-protocol")).isEqualTo("v5.channel.k8s.io");
            // The example of RFC 6455.
            assertThat(webSocket.header("sec-websocket-accept"))
                    .isEqualTo("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            assertThat(strange.status).isEqualTo(403);
        }
    }

    @Test
    void whatIsNoUpgradeIsRefused() throws IOException {
        try (StreamingPeer plain = StreamingPeer.request(server.exec("cat"), "");
                StreamingPeer http2 =
                        StreamingPeer.request(
                                server.exec("cat"), "Upgrade: h2c\r\nConnection: Upgrade\r\n");
                StreamingPeer old =
                        StreamingPeer.request(
                                server.exec("cat"),
                                "Upgrade: websocket\r\nConnection: Upgrade\r\n");
                StreamingPeer forward = StreamingPeer.spdy(server.portForward(), V4)) {
            assertThat(plain.status).isEqualTo(400);
            assertThat(http2.status).isEqualTo(400);
            assertThat(old.status).isEqualTo(426);
            assertThat(forward.status).isEqualTo(403);
        }
    }

    @Test
    void aClientThatSaysNothingIsLetGo() throws IOException {
        try (TestServer impatient =
                new TestServer(Duration.ofMinutes(1), Duration.ofMillis(200), Optional.empty())) {
            URI uri = URI.create(impatient.exec("cat"));
            try (Socket silent = new Socket(uri.getHost(), uri.getPort())) {
                silent.setSoTimeout(10_000);
                silent.getOutputStream().write("GET /exec/".getBytes(StandardCharsets.US_ASCII));

                assertThat(silent.getInputStream().read()).isEqualTo(-1);
            }
        }
    }

    @Test
    void closingTheServerCancelsItsClients() throws IOException, InterruptedException {
        try (WebSocketPeer peer =
                WebSocketPeer.connect(server.exec("sleep"), "v5.channel.k8s.io")) {
            assertThat(TestServer.eventually(() -> server.node.started.get() == 1)).isTrue();
            server.close();

            assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 1)).isTrue();
            assertThat(peer.receive()).isNotNull();
        }
    }

    @Test
    void tokensExpireAndAreBounded() {
        AtomicLong now = new AtomicLong();
        Tickets tickets = new Tickets(now::get);
        Ticket ticket = new Ticket.ForExec(ExecRequest.getDefaultInstance());
        String first = tickets.issue(ticket);
        for (int i = 1; i < Tickets.MAX_WAITING; i++) {
            var _ = tickets.issue(ticket);
        }
        assertThatExceptionOfType(ServerException.class)
                .isThrownBy(() -> tickets.issue(ticket))
                .extracting(CremaException::kind)
                .isEqualTo(ErrorKind.RESOURCE_EXHAUSTED);
        assertThat(tickets.use(first)).contains(ticket);
        assertThat(tickets.use(first)).isEmpty();
        String last = tickets.issue(ticket);

        now.addAndGet(Tickets.LIFETIME.toNanos() + 1);

        assertThat(tickets.use(last)).isEmpty();
        assertThat(tickets.issue(ticket)).hasSize(8);
    }
}
