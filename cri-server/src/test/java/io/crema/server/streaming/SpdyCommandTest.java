package io.crema.server.streaming;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.runtime.streaming.TerminalSize;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exec and attach over SPDY against a client on Netty's codec. */
final class SpdyCommandTest {
    private static final String V4 = "v4.channel.k8s.io";
    private static final int STUCK_BYTES = 4 << 20;

    private final TestServer server = new TestServer();

    @AfterEach
    void stop() {
        server.close();
    }

    /** The ids of streams opened in the order of kubectl. */
    private record Streams(SpdyPeer peer, int error, int stdin, int stdout, int stderr)
            implements AutoCloseable {
        static Streams open(String url, String protocols) throws IOException {
            SpdyPeer peer = SpdyPeer.connect(url, protocols);
            return new Streams(
                    peer,
                    peer.open("streamtype", "error"),
                    peer.open("streamtype", "stdin"),
                    peer.open("streamtype", "stdout"),
                    peer.open("streamtype", "stderr"));
        }

        @Override
        public void close() throws IOException {
            peer.close();
        }
    }

    @Test
    void outputsAndSuccessThenGoodbye() throws IOException {
        try (Streams streams = Streams.open(server.exec("say", "x"), V4)) {
            SpdyPeer peer = streams.peer;

            assertThat(peer.readToEnd()).isTrue();

            assertThat(peer.accepted).containsExactlyInAnyOrder(1, 3, 5, 7);
            assertThat(peer.text(streams.stdout)).isEqualTo("out:x");
            assertThat(peer.text(streams.stderr)).isEqualTo("err:x");
            assertThat(peer.text(streams.error))
                    .isEqualTo("{\"metadata\":{},\"status\":\"Success\"}");
            assertThat(peer.ended).contains(streams.stdout, streams.stderr, streams.error);
            assertThat(peer.goAway).isEqualTo(0);
        }
    }

    @Test
    void anExitCodeStandsInTheStatusObject() throws IOException {
        try (Streams streams = Streams.open(server.exec("exit", "3"), "v5.channel.k8s.io, " + V4)) {
            assertThat(streams.peer.readToEnd()).isTrue();

            assertThat(streams.peer.text(streams.error))
                    .isEqualTo(
                            "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command"
                                    + " terminated with non-zero exit code: exit status 3\","
                                    + "\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":"
                                    + "[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"channel.k8s.io", "v2.channel.k8s.io", "v3.channel.k8s.io"})
    void olderProtocolsTellErrorsAsTextAndSuccessByNothing(String protocol) throws IOException {
        try (Streams bad = Streams.open(server.exec("exit", "3"), protocol);
                Streams good = Streams.open(server.exec("exit", "0"), protocol)) {
            assertThat(bad.peer.readToEnd()).isTrue();
            assertThat(good.peer.readToEnd()).isTrue();

            assertThat(bad.peer.text(bad.error))
                    .isEqualTo("command terminated with non-zero exit code: exit status 3");
            assertThat(good.peer.text(good.error)).isEmpty();
            assertThat(good.peer.ended).contains(good.error);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"fail", "throw"})
    void whatFailsIsAnInternalErrorWithItsReason(String how) throws IOException {
        try (Streams streams = Streams.open(server.exec(how), V4)) {
            assertThat(streams.peer.readToEnd()).isTrue();

            assertThat(streams.peer.text(streams.error))
                    .contains("\"reason\":\"InternalError\"")
                    .contains("\"code\":500")
                    .contains("error executing command in container: ")
                    .contains(how.equals("fail") ? "no such command" : "not running");
        }
    }

    @Test
    void stdinIsHalfClosedAndOutputGoesOn() throws IOException {
        try (Streams streams = Streams.open(server.attach(), V4)) {
            SpdyPeer peer = streams.peer;
            // Attach was asked for without stderr.
            assertThat(peer.readUntil(() -> peer.reset.contains(streams.stderr))).isTrue();
            peer.data(streams.stdin, "one ");
            peer.data(streams.stdin, "two");
            peer.end(streams.stdin);
            peer.data(streams.stdin, "too late");

            assertThat(peer.readToEnd()).isTrue();
            assertThat(peer.text(streams.stdout)).isEqualTo("one two");
            assertThat(peer.text(streams.error)).contains("Success");
        }
    }

    @Test
    void inputBeforeTheStreamsAreCompleteIsKept() throws IOException {
        try (SpdyPeer peer = SpdyPeer.connect(server.exec("cat"), V4)) {
            int stdin = peer.open("streamtype", "stdin");
            peer.data(stdin, "early".getBytes(StandardCharsets.UTF_8), true);
            int stdout = peer.open("streamtype", "stdout");
            var _ = peer.open("streamtype", "error");
            var _ = peer.open("streamtype", "stderr");

            assertThat(peer.readToEnd()).isTrue();
            assertThat(peer.text(stdout)).isEqualTo("early");
        }
    }

    @Test
    void windowSizesAreHandedOnHoweverTheyAreCut() throws IOException, InterruptedException {
        try (SpdyPeer peer = SpdyPeer.connect(server.exec(true, "size"), V4)) {
            var _ = peer.open("streamtype", "error");
            int stdin = peer.open("streamtype", "stdin");
            int stdout = peer.open("streamtype", "stdout");
            int resize = peer.open("streamtype", "resize");
            peer.data(resize, "{\"Width\":80,\"Height\":24}{\"Wid");
            assertThat(peer.readUntil(() -> peer.text(stdout).equals("80x24\n"))).isTrue();
            peer.data(resize, "th\":65535,\"Height\":0}\n");
            assertThat(peer.readUntil(() -> peer.text(stdout).equals("80x24\n65535x0\n"))).isTrue();
            peer.data(resize, "{\"Width\":-1,\"Height\":2}{\"Width\":1,\"Height\":2}");
            peer.end(stdin);

            assertThat(peer.readToEnd()).isTrue();
            assertThat(server.node.lastSize.get()).isEqualTo(new TerminalSize(65535, 0));
        }
    }

    @Test
    void aVanishedClientCancels() throws IOException, InterruptedException {
        Streams streams = Streams.open(server.exec("sleep"), V4);
        assertThat(TestServer.eventually(() -> server.node.started.get() == 1)).isTrue();
        streams.close();

        assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 1)).isTrue();
    }

    @Test
    void aClientThatVanishesWhileItsInputIsStuckCancels() throws IOException, InterruptedException {
        Streams streams = Streams.open(server.exec("stuck"), V4);
        Thread sender =
                Thread.ofVirtual()
                        .start(() -> {
                            try {
                                while (true) {
                                    streams.peer.data(streams.stdin, new byte[32 * 1024], false);
                                }
                            } catch (IOException e) {
                                // The test closed the socket.
                            }
                        });
        assertThat(TestServer.eventually(() -> server.node.stuckBytes.get() > 0)).isTrue();
        Thread.sleep(200);
        long received = server.node.stuckBytes.get();
        streams.close();
        sender.join();

        assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 1)).isTrue();
        // One read of the socket came at most after the sink had said no.
        assertThat(received).isLessThanOrEqualTo(256 * 1024);
    }

    @Test
    void inputResumesWhenThereIsRoom() throws IOException, InterruptedException {
        try (Streams streams = Streams.open(server.exec("stuck"), V4)) {
            Thread sender =
                    Thread.ofVirtual()
                            .start(() -> {
                                try {
                                    for (int i = 0; i < STUCK_BYTES / 32768; i++) {
                                        streams.peer.data(streams.stdin, new byte[32768], false);
                                    }
                                    streams.peer.end(streams.stdin);
                                } catch (IOException e) {
                                    throw new IllegalStateException(e);
                                }
                            });
            assertThat(TestServer.eventually(() -> server.node.stuckBytes.get() > 0)).isTrue();
            server.node.unstuck.complete(null);
            sender.join();

            assertThat(streams.peer.readToEnd()).isTrue();
            assertThat(server.node.stuckBytes.get()).isEqualTo(STUCK_BYTES);
            assertThat(streams.peer.text(streams.error)).contains("Success");
        }
    }

    @Test
    void aSlowReaderGetsEverythingAndHoldsLittle() throws IOException, InterruptedException {
        int total = 32 << 20;
        try (Streams streams = Streams.open(server.exec("flood", "" + total), V4)) {
            assertThat(TestServer.eventually(() -> server.node.stuckBytes.get() > 0)).isTrue();
            Thread.sleep(300);
            long sent = server.node.stuckBytes.get();
            // What the sockets of both sides hold, and two chunks.
            assertThat(sent).isLessThan(total / 2);

            assertThat(streams.peer.readToEnd()).isTrue();
            byte[] all = streams.peer.bytes(streams.stdout);
            assertThat(all).hasSize(total);
            for (int i = 0; i < total; i += 4093) {
                assertThat(all[i]).isEqualTo((byte) ((i * 31L) >> 3));
            }
            assertThat(streams.peer.text(streams.error)).contains("Success");
        }
    }

    @Test
    void theExitCodeArrivesThoughInputIsStillComing() throws IOException {
        try (Streams streams = Streams.open(server.exec("exit", "9"), V4)) {
            for (int i = 0; i < 100; i++) {
                streams.peer.data(streams.stdin, new byte[32768], false);
            }
            assertThat(streams.peer.readUntil(() -> streams.peer.ended.contains(streams.error)))
                    .isTrue();
            assertThat(streams.peer.text(streams.error)).contains("\"message\":\"9\"");
        }
    }

    @Test
    void pingsAreAnswered() throws IOException {
        try (Streams streams = Streams.open(server.exec("sleep"), V4)) {
            streams.peer.ping(5);

            assertThat(streams.peer.readUntil(() -> streams.peer.pings.contains(5))).isTrue();
        }
    }

    @Test
    void unexpectedStreamsAreRefusedAndOthersGoOn() throws IOException {
        try (Streams streams = Streams.open(server.exec("cat"), V4)) {
            int second = streams.peer.open("streamtype", "stdout");
            int strange = streams.peer.open("streamtype", "sideways");
            int nothing = streams.peer.open("kind", "stdout");
            streams.peer.data(strange, "ignored");
            streams.peer.end(streams.stdin);

            assertThat(streams.peer.readToEnd()).isTrue();
            assertThat(streams.peer.reset).contains(second, strange, nothing);
            assertThat(streams.peer.text(streams.error)).contains("Success");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "80020001", // version 2
                "800300060000000500000000", // a ping that is too long
                "800300010000000a00000002000000000000" // an even stream id
            })
    void garbageEndsTheConnectionAndTheCommand(String garbage)
            throws IOException, InterruptedException {
        try (Streams streams = Streams.open(server.exec("sleep"), V4)) {
            assertThat(TestServer.eventually(() -> server.node.started.get() == 1)).isTrue();
            streams.peer.raw(HexFormat.of().parseHex(garbage + "00000000000000000000000000"));

            assertThat(TestServer.eventually(() -> server.node.cancelled.get() == 1)).isTrue();
            assertThat(streams.peer.readToEnd()).isTrue();
            assertThat(streams.peer.goAway).isEqualTo(1);
        }
    }

    @Test
    void aFrameOfSixteenMebibytesIsPassedOnInPieces() throws IOException, InterruptedException {
        try (Streams streams = Streams.open(server.exec("stuck"), V4)) {
            server.node.unstuck.complete(null);
            int size = 0xffffff;
            byte[] frame = new byte[8 + size];
            frame[3] = (byte) streams.stdin;
            frame[5] = frame[6] = frame[7] = (byte) 0xff;
            streams.peer.raw(frame);
            streams.peer.end(streams.stdin);

            assertThat(streams.peer.readToEnd()).isTrue();
            assertThat(server.node.stuckBytes.get()).isEqualTo(size);
        }
    }

    @Test
    void headersBeyondTheirBoundEndTheConnection() throws IOException {
        try (SpdyPeer peer = SpdyPeer.connect(server.exec("sleep"), V4)) {
            var _ = peer.open("streamtype", "e".repeat(30_000));

            assertThat(peer.readToEnd()).isTrue();
            assertThat(peer.goAway).isEqualTo(1);
        }
    }

    @Test
    void streamsThatDoNotComeEndTheConnection() throws IOException {
        try (TestServer impatient =
                        new TestServer(
                                Duration.ofMinutes(1), Duration.ofMillis(200), Optional.empty());
                SpdyPeer peer = SpdyPeer.connect(impatient.exec("sleep"), V4)) {
            var _ = peer.open("streamtype", "error");

            assertThat(peer.readToEnd()).isTrue();
            assertThat(impatient.node.started.get()).isZero();
        }
    }

    @Test
    void silenceEndsTheConnectionAndPingsAreNoSilence() throws IOException, InterruptedException {
        try (TestServer impatient =
                        new TestServer(
                                Duration.ofMillis(600), Duration.ofSeconds(5), Optional.empty());
                Streams streams = Streams.open(impatient.exec("sleep"), V4)) {
            long begun = System.nanoTime();
            for (int i = 1; i <= 5; i++) {
                Thread.sleep(200);
                int id = 2 * i + 1;
                streams.peer.ping(id);
                assertThat(streams.peer.readUntil(() -> streams.peer.pings.contains(id))).isTrue();
            }
            assertThat(impatient.node.cancelled.get()).isZero();

            assertThat(streams.peer.readToEnd()).isTrue();
            assertThat(Duration.ofNanos(System.nanoTime() - begun).toMillis()).isGreaterThan(1500);
            assertThat(TestServer.eventually(() -> impatient.node.cancelled.get() == 1)).isTrue();
        }
    }

    @Test
    void fiveHundredAtOnce() throws IOException {
        List<Streams> all = new ArrayList<>();
        try {
            for (int i = 0; i < 500; i++) {
                all.add(Streams.open(server.exec("cat"), V4));
            }
            for (Streams streams : all) {
                streams.peer.data(streams.stdin, "hello " + streams.error);
                streams.peer.end(streams.stdin);
            }
            for (Streams streams : all) {
                assertThat(streams.peer.readToEnd()).isTrue();
                assertThat(streams.peer.text(streams.stdout)).isEqualTo("hello " + streams.error);
            }
        } finally {
            for (Streams streams : all) {
                streams.close();
            }
        }
    }
}
