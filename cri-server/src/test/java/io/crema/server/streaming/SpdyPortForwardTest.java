package io.crema.server.streaming;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Port-forward over SPDY, bare and tunnelled in WebSocket. */
final class SpdyPortForwardTest {
    private final TestServer server = new TestServer();

    @AfterEach
    void stop() {
        server.close();
    }

    private SpdyPeer connect(String transport) throws IOException {
        return transport.equals("spdy")
                ? SpdyPeer.connect(server.portForward(), "portforward.k8s.io")
                : new SpdyPeer(
                        WebSocketPeer.connect(server.portForward(), "SPDY/3.1+portforward.k8s.io"));
    }

    /** The two streams of one connection. */
    private record Pair(int error, int data) {
        static Pair open(SpdyPeer peer, int port, String request) throws IOException {
            int error = peer.open("streamtype", "error", "port", "" + port, "requestid", request);
            peer.end(error);
            return new Pair(
                    error,
                    peer.open("streamtype", "data", "port", "" + port, "requestid", request));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void bytesGoBothWaysAndEndsArePassedOn(String transport) throws IOException {
        try (SpdyPeer peer = connect(transport)) {
            Pair pair = Pair.open(peer, FakeStreaming.ECHO_PORT, "0");
            peer.data(pair.data, "ping ");
            assertThat(peer.readUntil(() -> peer.text(pair.data).equals("ping "))).isTrue();
            peer.data(pair.data, "pong");
            peer.end(pair.data);

            assertThat(peer.readUntil(() -> peer.ended.contains(pair.error))).isTrue();
            assertThat(peer.text(pair.data)).isEqualTo("ping pong");
            assertThat(peer.ended).contains(pair.data);
            assertThat(peer.text(pair.error)).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void aRefusedPortIsToldAndTheSessionLivesOn(String transport) throws IOException {
        try (SpdyPeer peer = connect(transport)) {
            Pair refused = Pair.open(peer, FakeStreaming.REFUSED_PORT, "0");
            assertThat(
                            peer.readUntil(() ->
                                    peer.ended.contains(refused.error)
                                            && peer.ended.contains(refused.data)))
                    .isTrue();
            assertThat(peer.text(refused.error))
                    .isEqualTo("error forwarding port 1 to pod p: connection refused");

            Pair greeting = Pair.open(peer, FakeStreaming.GREETING_PORT, "1");
            assertThat(peer.readUntil(() -> peer.ended.contains(greeting.error))).isTrue();
            assertThat(peer.text(greeting.data)).isEqualTo("hello");
        }
    }

    @Test
    void aTargetThatEndsFirstMayStillBeSentTo() throws IOException, InterruptedException {
        try (SpdyPeer peer = connect("spdy")) {
            Pair pair = Pair.open(peer, FakeStreaming.GREETING_PORT, "0");
            assertThat(peer.readUntil(() -> peer.ended.contains(pair.error))).isTrue();
            peer.data(pair.data, "late");
            peer.end(pair.data);

            assertThat(TestServer.eventually(() -> server.node.stuckBytes.get() == 4)).isTrue();
        }
    }

    @Test
    void aResetOfTheTargetIsTold() throws IOException {
        try (SpdyPeer peer = connect("spdy")) {
            Pair pair = Pair.open(peer, FakeStreaming.RESET_PORT, "0");

            assertThat(peer.readUntil(() -> peer.ended.contains(pair.error))).isTrue();
            assertThat(peer.text(pair.data)).isEqualTo("half");
            assertThat(peer.text(pair.error)).contains("connection reset");
        }
    }

    @Test
    void aResetOfTheClientEndsItsConnectionOnly() throws IOException, InterruptedException {
        try (SpdyPeer peer = connect("spdy")) {
            Pair one = Pair.open(peer, FakeStreaming.ECHO_PORT, "0");
            Pair other = Pair.open(peer, FakeStreaming.ECHO_PORT, "1");
            peer.data(one.data, "x");
            assertThat(peer.readUntil(() -> peer.text(one.data).equals("x"))).isTrue();
            peer.cancel(one.data);
            assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 1)).isTrue();

            peer.data(other.data, "y");
            assertThat(peer.readUntil(() -> peer.text(other.data).equals("y"))).isTrue();
            assertThat(peer.readUntil(() -> peer.ended.contains(one.error))).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void aVanishedClientEndsAllItsConnections(String transport)
            throws IOException, InterruptedException {
        try (SpdyPeer peer = connect(transport)) {
            for (int i = 0; i < 3; i++) {
                var _ = Pair.open(peer, FakeStreaming.ECHO_PORT, "" + i);
            }
            assertThat(TestServer.eventually(() -> server.node.started.get() == 3)).isTrue();
        }

        assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 3)).isTrue();
    }

    @Test
    void oldClientsWithoutRequestIdsArePaired() throws IOException {
        try (SpdyPeer peer = connect("spdy")) {
            int error = peer.open("streamtype", "error", "port", "13");
            int data = peer.open("streamtype", "data", "port", "13");

            assertThat(peer.readUntil(() -> peer.ended.contains(error))).isTrue();
            assertThat(peer.text(data)).isEqualTo("hello");
        }
    }

    @Test
    void wrongStreamsAreRefused() throws IOException {
        try (SpdyPeer peer = connect("spdy")) {
            int noPort = peer.open("streamtype", "data", "requestid", "0");
            int badPort = peer.open("streamtype", "data", "requestid", "0", "port", "70000");
            int noType = peer.open("requestid", "0", "port", "80");
            int first = peer.open("streamtype", "data", "requestid", "0", "port", "80");
            int second = peer.open("streamtype", "data", "requestid", "0", "port", "80");

            assertThat(peer.readUntil(() -> peer.reset.contains(second))).isTrue();
            assertThat(peer.reset).containsExactlyInAnyOrder(noPort, badPort, noType, second);
            assertThat(peer.accepted).containsExactly(first);
        }
    }

    @Test
    void aStreamWithoutItsPairIsGivenUp() throws IOException {
        try (TestServer impatient =
                        new TestServer(
                                Duration.ofMinutes(1), Duration.ofMillis(200), Optional.empty());
                SpdyPeer peer = SpdyPeer.connect(impatient.portForward(), "portforward.k8s.io")) {
            int error = peer.open("streamtype", "error", "requestid", "0", "port", "80");
            int data = peer.open("streamtype", "data", "requestid", "1", "port", "80");

            assertThat(
                            peer.readUntil(
                                    () -> peer.ended.contains(error) && peer.reset.contains(data)))
                    .isTrue();
            assertThat(peer.text(error)).contains("timed out");
        }
    }

    @Test
    void manyConnectionsInTurnAndAtOnce() throws IOException {
        try (SpdyPeer peer = connect("spdy")) {
            // More in turn than a session may have at once.
            for (int i = 0; i < 1200; i++) {
                Pair pair = Pair.open(peer, FakeStreaming.GREETING_PORT, "t" + i);
                peer.end(pair.data);
                assertThat(peer.readUntil(() -> peer.ended.contains(pair.data))).isTrue();
            }
            List<Pair> all = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                all.add(Pair.open(peer, FakeStreaming.ECHO_PORT, "" + i));
            }
            for (Pair pair : all) {
                peer.data(pair.data, "n" + pair.data);
                peer.end(pair.data);
            }
            for (Pair pair : all) {
                assertThat(peer.readUntil(() -> peer.ended.contains(pair.error))).isTrue();
                assertThat(peer.text(pair.data)).isEqualTo("n" + pair.data);
            }
        }
    }
}
