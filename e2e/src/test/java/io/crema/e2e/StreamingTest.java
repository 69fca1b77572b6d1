package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.streaming.CommandClient;
import io.crema.e2e.streaming.CommandClient.Result;
import io.crema.e2e.streaming.CommandClient.Stream;
import io.crema.e2e.streaming.CommandClient.Transport;
import io.crema.e2e.streaming.ForwardedPort;
import io.crema.e2e.streaming.SpdyConnection;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Exec and port-forward with a client of our own, which does what crictl cannot: many at once, each
 * code, a terminal that grows. {@code -Dcrema.streamMebibytes=1024 -Dcrema.streamExecs=500} are the
 * full sizes.
 */
@Tag("e2e")
class StreamingTest {
    private static final long MEBIBYTES = Long.getLong("crema.streamMebibytes", 64);
    private static final int EXECS = Integer.getInteger("crema.streamExecs", 100);
    private static final Set<Stream> PIPES = EnumSet.of(Stream.STDIN, Stream.STDOUT, Stream.STDERR);
    private static final Set<Stream> TERMINAL =
            EnumSet.of(Stream.STDIN, Stream.STDOUT, Stream.RESIZE);

    /**
     * Heap, buffers, code and all else the JVM has: 65 to 83 MiB were seen. What passes through
     * would be more than this if any stream of it were kept.
     */
    private static final long MOST_MEBIBYTES = 120;

    private static final int ECHO_PORT = 7007;
    private static final int HTTP_PORT = 8080;
    private static final int IPV6_PORT = 8086;

    private static TestNode node;
    private static PeakMemory memory;
    private static TestPod pod;
    private static String container;

    @BeforeAll
    static void startNode() throws IOException {
        node = TestNode.start();
        memory = new PeakMemory(node.daemonPid());
        pod = TestPod.run(node);
        container =
                pod.launch(
                        pod.shell(
                                "main",
                                "ip addr add ::1/128 dev lo 2>/dev/null; mkdir -p /www; echo page"
                                        + " > /www/index.html; nc -ll -p "
                                        + ECHO_PORT
                                        + " -e cat & httpd -h /www -p 127.0.0.1:"
                                        + HTTP_PORT
                                        + "; httpd -h /www -p [::1]:"
                                        + IPV6_PORT
                                        + "; echo ready; exec sleep 100000"));
        pod.awaitLog("main.log", "ready");
    }

    @AfterAll
    static void stopNode() {
        memory.close();
        node.close();
    }

    private static String execUrl(String id, Set<Stream> streams, String... command) {
        return node.client()
                .runtime()
                .exec(
                        ExecRequest.newBuilder()
                                .setContainerId(id)
                                .addAllCmd(List.of(command))
                                .setStdin(streams.contains(Stream.STDIN))
                                .setStdout(streams.contains(Stream.STDOUT))
                                .setStderr(streams.contains(Stream.STDERR))
                                .setTty(streams.contains(Stream.RESIZE))
                                .build())
                .getUrl();
    }

    private static CommandClient exec(Transport transport, Set<Stream> streams, String... command)
            throws IOException {
        return transport.open(node.network(), execUrl(container, streams, command), streams);
    }

    private static ForwardedPort portForward(TestPod to) throws IOException {
        return ForwardedPort.open(
                node.network(),
                node.client()
                        .runtime()
                        .portForward(
                                PortForwardRequest.newBuilder().setPodSandboxId(to.id()).build())
                        .getUrl());
    }

    private static void checkMemory() {
        if (node.runtime().isOurs()) {
            assertThat(memory.mebibytes())
                    .as("MiB of the daemon's own memory, at most")
                    .isBetween(20L, MOST_MEBIBYTES);
        }
    }

    /** containerd serves no v5 over WebSocket. */
    private static void skipOnPeers(Transport transport) {
        if (transport == Transport.WEB_SOCKET) {
            Peers.differ(node, "containerd 1.6 answers 403 to v5.channel.k8s.io");
        }
    }

    @Test
    void everyExitCodeArrives() throws InterruptedException, ExecutionException {
        List<Future<Integer>> codes = new ArrayList<>();
        try (ExecutorService executor = Executors.newFixedThreadPool(8)) {
            for (int code = 0; code < 256; code++) {
                String script = "exit " + code;
                Transport transport =
                        code % 2 == 0 || !node.runtime().isOurs()
                                ? Transport.SPDY
                                : Transport.WEB_SOCKET;
                codes.add(
                        executor.submit(() -> {
                            try (CommandClient client =
                                    exec(
                                            transport,
                                            EnumSet.of(Stream.STDOUT),
                                            "sh",
                                            "-c",
                                            script)) {
                                return client.finish().exitCode();
                            }
                        }));
            }
        }
        for (int code = 0; code < 256; code++) {
            assertThat(codes.get(code).get()).isEqualTo(code);
        }
    }

    @Test
    void aSignalEndsWith128AndItsNumber() throws IOException {
        try (CommandClient client = exec(Transport.SPDY, PIPES, "sh", "-c", "kill -9 $$")) {
            assertThat(client.finish().exitCode()).isEqualTo(137);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aTerminalHasASizeThatFollowsAndControlCharacters(Transport transport) throws IOException {
        skipOnPeers(transport);
        try (CommandClient client = exec(transport, TERMINAL, "sh")) {
            client.resize(91, 31);
            client.send("stty size; echo done-$((1+1))\n");
            client.await("done-2");
            client.resize(120, 40);
            client.send("stty size\n");
            client.await("40 120");
            // What goes to stderr comes on the one output there is, with line ends of a terminal.
            client.send("ls /absent\n");
            client.await("No such file or directory\r\n");
            // The terminal shows what is typed; only what is said has no quotes.
            client.send("sh -c 'echo be\"\"gun; exec sleep 1000'\n");
            client.await("begun");
            client.send("\003");
            client.send("exit 7\n");

            assertThat(client.finish().exitCode()).isEqualTo(7);
        }
    }

    @Test
    void requestsAreRefusedWithKubeletsCodes() {
        Peers.differ(node, "containerd 1.6 answers Unknown to each of them");
        assertThat(code(() -> execUrl("", PIPES, "true"))).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(code(() -> execUrl(container, EnumSet.noneOf(Stream.class), "true")))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(code(() -> execUrl(container, EnumSet.of(Stream.STDERR, Stream.RESIZE), "true")))
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(code(() -> execUrl("0123456789", PIPES, "true")))
                .isEqualTo(Status.Code.NOT_FOUND);
    }

    private static Status.Code code(Runnable call) {
        try {
            call.run();
            return Status.Code.OK;
        } catch (StatusRuntimeException e) {
            return e.getStatus().getCode();
        }
    }

    @Test
    void aUrlIsGoodOnce() throws IOException {
        String url = execUrl(container, PIPES, "true");
        try (CommandClient client = Transport.SPDY.open(node.network(), url, PIPES)) {
            assertThat(client.finish().exitCode()).isZero();
        }
        assertThatThrownBy(() -> Transport.SPDY.open(node.network(), url, PIPES))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("404");
    }

    @Test
    void portsAreForwardedAndEndsPassedOn() throws IOException {
        try (ForwardedPort session = portForward(pod)) {
            ForwardedPort.Connection page = session.connect(HTTP_PORT);
            session.send(page, "GET /index.html HTTP/1.0\r\n\r\n");
            assertThat(session.finish(page)).startsWith("HTTP/1.").endsWith("\npage\n");
            assertThat(session.error(page)).isEmpty();

            ForwardedPort.Connection refused = session.connect(4444);
            session.finish(refused);
            assertThat(session.error(refused)).contains("4444").contains("refused");

            // The client ends first, and still gets the answer.
            ForwardedPort.Connection echo = session.connect(ECHO_PORT);
            session.send(echo, "half");
            session.send(echo, " closed");
            session.end(echo);
            assertThat(session.finish(echo)).isEqualTo("half closed");
        }
    }

    @Test
    void aPortOfIpv6AloneIsFound() throws IOException {
        Peers.differ(node, "containerd 1.6 looks localhost up in the node's /etc/hosts");
        try (ForwardedPort session = portForward(pod)) {
            ForwardedPort.Connection ipv6 = session.connect(IPV6_PORT);
            session.send(ipv6, "GET /index.html HTTP/1.0\r\n\r\n");
            assertThat(session.finish(ipv6)).endsWith("\npage\n");
        }
    }

    /** A server on the node itself, where pods with the host's network find it. */
    private static final class Echo implements AutoCloseable {
        private final ServerSocket socket;
        private final TestPod hostPod;

        Echo() {
            socket =
                    node.network()
                            .call(() -> new ServerSocket(0, 500, InetAddress.getLoopbackAddress()));
            Thread.ofVirtual().start(this::accept);
            hostPod =
                    TestPod.run(
                            node,
                            config ->
                                    config.clearHostname()
                                            .getLinuxBuilder()
                                            .getSecurityContextBuilder()
                                            .getNamespaceOptionsBuilder()
                                            .setNetwork(NamespaceMode.NODE));
        }

        private void accept() {
            try {
                while (true) {
                    Socket client = socket.accept();
                    Thread.ofVirtual().start(() -> echo(client));
                }
            } catch (IOException e) {
                // Closed.
            }
        }

        private static void echo(Socket client) {
            try (client) {
                client.getInputStream().transferTo(client.getOutputStream());
            } catch (IOException e) {
                // The test sees what is missing.
            }
        }

        int port() {
            return socket.getLocalPort();
        }

        @Override
        public void close() throws IOException {
            socket.close();
            hostPod.stop();
            hostPod.remove();
        }
    }

    @Test
    void manyConnectionsOfOneSessionToAPodOnTheHostsNetwork() throws IOException {
        try (Echo echo = new Echo();
                ForwardedPort session = portForward(echo.hostPod)) {
            List<ForwardedPort.Connection> all = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                ForwardedPort.Connection one = session.connect(echo.port());
                all.add(one);
                session.send(one, "number " + i);
                session.end(one);
            }
            for (int i = 0; i < all.size(); i++) {
                assertThat(session.finish(all.get(i)))
                        .as("error: %s", session.error(all.get(i)))
                        .isEqualTo("number " + i);
            }
        }
    }

    @Test
    void largeAmountsPassThroughAForwardedPort()
            throws IOException, InterruptedException, NoSuchAlgorithmException {
        long total = MEBIBYTES << 20;
        MessageDigest sent = MessageDigest.getInstance("SHA-256");
        MessageDigest received = MessageDigest.getInstance("SHA-256");
        try (Echo echo = new Echo();
                ForwardedPort session = portForward(echo.hostPod)) {
            ForwardedPort.Connection connection = session.connect(echo.port());
            Thread sender =
                    sender(
                            total,
                            sent,
                            (block, size) -> session.send(connection, block, 0, size),
                            () -> session.end(connection));
            long size = 0;
            boolean isOver = false;
            while (!isOver) {
                SpdyConnection.Frame frame = session.next().orElseThrow();
                if (frame.kind() == SpdyConnection.Kind.DATA
                        && frame.stream() == connection.data()) {
                    received.update(frame.bytes(), 0, frame.size());
                    size += frame.size();
                    isOver = frame.isLast();
                }
            }
            sender.join();
            assertThat(size).isEqualTo(total);
        }
        assertThat(received.digest()).isEqualTo(sent.digest());
        checkMemory();
    }

    /** Takes a block of bytes. */
    @FunctionalInterface
    private interface Target {
        void send(byte[] block, int size) throws IOException;
    }

    /** Ends a direction. */
    @FunctionalInterface
    private interface End {
        void end() throws IOException;
    }

    private static Thread sender(long total, MessageDigest sent, Target target, End end) {
        return Thread.ofPlatform()
                .start(() -> {
                    byte[] block = new byte[32 * 1024];
                    Random random = new Random(1);
                    try {
                        for (long at = 0; at < total; at += block.length) {
                            if (at % (1 << 20) == 0) {
                                random.nextBytes(block);
                            }
                            sent.update(block);
                            target.send(block, block.length);
                        }
                        end.end();
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                });
    }

    @Test
    void manyExecsAtOnce() throws IOException, InterruptedException, ExecutionException {
        List<CommandClient> clients = new ArrayList<>();
        try {
            try (ExecutorService executor = Executors.newFixedThreadPool(10)) {
                List<Future<CommandClient>> opened = new ArrayList<>();
                for (int i = 0; i < EXECS; i++) {
                    opened.add(
                            executor.submit(() -> {
                                CommandClient client = exec(Transport.SPDY, PIPES, "cat");
                                client.send("here\n");
                                client.await("here\n");
                                return client;
                            }));
                }
                for (Future<CommandClient> one : opened) {
                    clients.add(one.get());
                }
            }
            // All run now.
            for (int i = 0; i < clients.size(); i++) {
                clients.get(i).send("number " + i);
                clients.get(i).endInput();
            }
            for (int i = 0; i < clients.size(); i++) {
                Result result = clients.get(i).finish();
                assertThat(result.stdout()).isEqualTo("number " + i);
                assertThat(result.exitCode()).isZero();
            }
        } finally {
            for (CommandClient client : clients) {
                client.close();
            }
        }
        checkMemory();
    }

    @ParameterizedTest
    @EnumSource
    void largeAmountsPassThroughBothWaysUnchanged(Transport transport)
            throws IOException, InterruptedException, NoSuchAlgorithmException {
        skipOnPeers(transport);
        long total = MEBIBYTES << 20;
        MessageDigest sent = MessageDigest.getInstance("SHA-256");
        MessageDigest received = MessageDigest.getInstance("SHA-256");
        long[] size = {0};
        try (CommandClient client = exec(transport, PIPES, "cat")) {
            Thread sender =
                    sender(
                            total,
                            sent,
                            (block, count) -> client.send(Stream.STDIN, block, 0, count),
                            client::endInput);
            while (client.receive(
                    (stream, bytes, offset, count) -> {
                        if (stream == Stream.STDOUT) {
                            received.update(bytes, offset, count);
                            size[0] += count;
                        }
                    })) {
                // Until the end.
            }
            sender.join();
        }
        assertThat(size[0]).isEqualTo(total);
        assertThat(received.digest()).isEqualTo(sent.digest());
        checkMemory();
    }
}
