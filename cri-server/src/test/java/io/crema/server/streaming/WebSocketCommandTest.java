package io.crema.server.streaming;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.server.streaming.WebSocketPeer.Frame;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Exec over WebSocket in all its sub-protocols, and clients that misbehave. */
final class WebSocketCommandTest {
    private static final String V5 = "v5.channel.k8s.io";

    private final TestServer server = new TestServer();

    @AfterEach
    void stop() {
        server.close();
    }

    /** What came on a channel until the goodbye, and its code. */
    private record Received(String stdout, String stderr, String error, int closeCode) {
        static Received all(WebSocketPeer peer, boolean isBase64) throws IOException {
            ByteArrayOutputStream[] channels = new ByteArrayOutputStream[5];
            for (int i = 0; i < channels.length; i++) {
                channels[i] = new ByteArrayOutputStream();
            }
            for (Frame frame = peer.next(); ; frame = peer.next()) {
                if (frame.opcode() == WebSocketPeer.CLOSE) {
                    return new Received(
                            channels[1].toString(StandardCharsets.UTF_8),
                            channels[2].toString(StandardCharsets.UTF_8),
                            channels[3].toString(StandardCharsets.UTF_8),
                            frame.closeCode());
                }
                assertThat(frame.opcode())
                        .isEqualTo(isBase64 ? WebSocketPeer.TEXT : WebSocketPeer.BINARY);
                byte[] rest = new byte[frame.payload().length - 1];
                System.arraycopy(frame.payload(), 1, rest, 0, rest.length);
                channels[frame.payload()[0] - (isBase64 ? '0' : 0)].writeBytes(
                        isBase64 ? Base64.getDecoder().decode(rest) : rest);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "v5.channel.k8s.io, false, true",
        "v4.channel.k8s.io, false, true",
        "v4.base64.channel.k8s.io, true, true",
        "channel.k8s.io, false, false",
        "base64.channel.k8s.io, true, false",
        "'', false, false"
    })
    void outputsStatusAndGoodbye(String protocol, boolean isBase64, boolean hasStatus)
            throws IOException {
        try (WebSocketPeer bad = WebSocketPeer.connect(server.exec("exit", "7"), protocol);
                WebSocketPeer good = WebSocketPeer.connect(server.exec("say", "x"), protocol)) {
            Received failed = Received.all(bad, isBase64);
            Received said = Received.all(good, isBase64);

            assertThat(said.stdout).isEqualTo("out:x");
            assertThat(said.stderr).isEqualTo("err:x");
            assertThat(said.error)
                    .isEqualTo(hasStatus ? "{\"metadata\":{},\"status\":\"Success\"}" : "");
            assertThat(said.closeCode).isEqualTo(1000);
            assertThat(failed.error)
                    .contains("exit status 7")
                    .matches(text -> text.startsWith("{") == hasStatus);
        }
    }

    @Test
    void theFirstMessageIsEmptyAndOnTheLowestOutput() throws IOException {
        try (WebSocketPeer peer = WebSocketPeer.connect(server.exec("sleep"), V5)) {
            assertThat(peer.next().payload()).containsExactly(1);
        }
    }

    @Test
    void stdinIsHalfClosedByItsMessage() throws IOException {
        try (WebSocketPeer peer = WebSocketPeer.connect(server.exec("cat"), V5)) {
            peer.channel(0, "one ");
            peer.channel(0, "");
            peer.channel(0, "two");
            peer.frame(WebSocketPeer.BINARY, true, new byte[] {(byte) 255, 0});
            peer.channel(0, "too late");
            Received all = Received.all(peer, false);

            assertThat(all.stdout).isEqualTo("one two");
            assertThat(all.error).contains("Success");
        }
    }

    @Test
    void fragmentsAndPingsBetweenThemAreUnderstood() throws IOException {
        try (WebSocketPeer peer = WebSocketPeer.connect(server.exec("cat"), V5)) {
            assertThat(peer.next().payload()).containsExactly(1);
            peer.frame(WebSocketPeer.BINARY, false, new byte[] {0, 'a'});
            peer.frame(WebSocketPeer.PING, true, new byte[] {42});
            peer.frame(WebSocketPeer.CONTINUATION, false, new byte[] {'b'});
            peer.frame(WebSocketPeer.CONTINUATION, true, new byte[] {'c'});
            StringBuilder text = new StringBuilder();
            boolean hasPong = false;
            while (text.length() < 3 || !hasPong) {
                Frame frame = peer.next();
                if (frame.opcode() == WebSocketPeer.PONG) {
                    hasPong = true;
                    assertThat(frame.payload()).containsExactly(42);
                } else {
                    text.append(frame.text(), 1, frame.payload().length);
                }
            }
            assertThat(text.toString()).isEqualTo("abc");
        }
    }

    @Test
    void pongsComeWhileTheInputIsNotTaken() throws IOException {
        try (WebSocketPeer peer = WebSocketPeer.connect(server.exec("stuck"), V5)) {
            assertThat(peer.next().payload()).containsExactly(1);
            peer.channel(0, "more than it takes");
            // Behind it, where nothing is read.
            peer.frame(WebSocketPeer.PING, true, new byte[] {42});
            for (int i = 0; i < 2; i++) {
                assertThat(peer.next().opcode()).isEqualTo(WebSocketPeer.PONG);
            }
        }
    }

    @Test
    void base64InputAndWindowSizes() throws IOException, InterruptedException {
        try (WebSocketPeer peer =
                WebSocketPeer.connect(server.exec(true, "size"), "v4.base64.channel.k8s.io")) {
            String size = "{\"Width\":10,\"Height\":20}";
            peer.frame(
                    WebSocketPeer.TEXT,
                    true,
                    ("4"
                                    + Base64.getEncoder()
                                            .encodeToString(size.getBytes(StandardCharsets.UTF_8)))
                            .getBytes(StandardCharsets.US_ASCII));

            assertThat(peer.next().text()).isEqualTo("1");
            assertThat(peer.next().text())
                    .isEqualTo(
                            "1"
                                    + Base64.getEncoder()
                                            .encodeToString(
                                                    "10x20\n".getBytes(StandardCharsets.UTF_8)));
        }
    }

    @Test
    void aClientThatSaysGoodbyeCancels() throws IOException, InterruptedException {
        try (WebSocketPeer peer = WebSocketPeer.connect(server.exec("sleep"), V5)) {
            assertThat(TestServer.eventually(() -> server.node.started.get() == 1)).isTrue();
            peer.frame(WebSocketPeer.CLOSE, true, new byte[] {3, (byte) 0xe8});

            assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 1)).isTrue();
            assertThat(Received.all(peer, false).closeCode).isEqualTo(1000);
        }
    }

    @Test
    void aVanishedClientCancels() throws IOException, InterruptedException {
        try (WebSocketPeer peer = WebSocketPeer.connect(server.exec("sleep"), V5)) {
            assertThat(TestServer.eventually(() -> server.node.started.get() == 1)).isTrue();
            assertThat(peer.next().payload()).containsExactly(1);
        }

        assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 1)).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"oversize, 1009", "unmasked, 1002", "reserved, 1002", "text, 1003"})
    void garbageEndsTheConnectionAndTheCommand(String kind, int code)
            throws IOException, InterruptedException {
        try (WebSocketPeer peer = WebSocketPeer.connect(server.exec("sleep"), V5)) {
            assertThat(TestServer.eventually(() -> server.node.started.get() == 1)).isTrue();
            switch (kind) {
                case "oversize" ->
                        peer.raw(new byte[] {(byte) 0x82, (byte) 0xff, 0, 0, 0, 1, 0, 0, 0, 0});
                case "unmasked" -> peer.raw(new byte[] {(byte) 0x82, 2, 0, 'x'});
                case "reserved" -> peer.raw(new byte[] {(byte) 0xf2, (byte) 0x80, 0, 0, 0, 0});
                default -> peer.frame(WebSocketPeer.TEXT, true, new byte[] {'0', 'x'});
            }

            assertThat(Received.all(peer, false).closeCode).isEqualTo(code);
            assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 1)).isTrue();
        }
    }
}
