package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.CremaException;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.runtime.streaming.PortConnection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Connections to ports of localhost in pods. */
@Tag("root")
class PortForwardTest extends StreamCases {
    private String pod = "";

    @BeforeAll
    void runServers() {
        pod = runPod(NamespaceMode.POD);
        // 7000 answers what it got, 7002 says hello and closes, 7003 does not read.
        String servers =
                run(
                        pod,
                        "nc -ll -p 7000 -e cat & nc -ll -p 7002 -e echo hello &"
                                + " nc -ll -p 7003 -e sleep 1000 &"
                                + " nc -ll -p 7004 -e sh -c 'cat >/dev/null; echo all' & wait");
        until(
                "servers listen",
                () ->
                        execSync(servers, "cat /proc/net/tcp /proc/net/tcp6")
                                        .split(" 0A ", -1)
                                        .length
                                == 5);
    }

    @Test
    void bytesGoBothWaysAndEachDirectionEndsOnItsOwn() {
        Client client = new Client();
        PortConnection connection = streaming().connect(pod, 7000, client);
        write(connection.toPod(), "early");
        client.await("early");
        write(connection.toPod(), " late");
        connection.toPod().end();
        get(connection.end());
        assertThat(client.text()).isEqualTo("early late");
        assertThat(client.isEnded()).isTrue();

        Client other = new Client();
        PortConnection upload = streaming().connect(pod, 7004, other);
        write(upload.toPod(), "something");
        upload.toPod().end();
        get(upload.end());
        assertThat(other.text()).isEqualTo("all\n");
    }

    @Test
    void ipv6IsTriedWhenIpv4Refuses() throws Exception {
        byte[] loopback = new byte[16];
        loopback[15] = 1;
        try (ServerSocket server = listen(7001, InetAddress.getByAddress(loopback))) {
            Client client = new Client();
            PortConnection connection = streaming().connect(pod, 7001, client);
            try (Socket socket = server.accept()) {
                write(connection.toPod(), "six");
                connection.toPod().end();
                byte[] got = socket.getInputStream().readAllBytes();
                assertThat(new String(got, StandardCharsets.UTF_8)).isEqualTo("six");
            }
            get(connection.end());
        }
    }

    private ServerSocket listen(int port, InetAddress address) {
        Path namespace =
                node.layout
                        .namespaces()
                        .resolve("ns")
                        .resolve(pod)
                        .resolve(NamespaceKind.NETWORK.fileName());
        return node.linux.inNamespaces(
                Map.of(NamespaceKind.NETWORK, namespace),
                () -> new ServerSocket(port, 256, address));
    }

    @Test
    void aTargetThatClosesFirstEndsItsDirection() {
        Client client = new Client();
        PortConnection connection = streaming().connect(pod, 7002, client);
        until("the end", client::isEnded);
        assertThat(client.text()).isEqualTo("hello\n");
        connection.toPod().end();
        get(connection.end());
    }

    @Test
    void aRefusedConnectionIsTold() {
        Client client = new Client();
        PortConnection connection = streaming().connect(pod, 7999, client);
        write(connection.toPod(), "lost");
        assertThatThrownBy(() -> get(connection.end()))
                .hasCauseInstanceOf(CremaException.class)
                .hasMessageContaining("port 7999 of localhost in pod sandbox test/pod")
                .hasMessageContaining("127.0.0.1: connection refused")
                .hasMessageContaining("::1: connection refused");
        until("the end", client::isEnded);
        assertThat(connection.toPod().write(ByteBuffer.allocate(10))).isTrue();
    }

    @Test
    void aTargetThatDoesNotReadStopsTheClient() {
        Client client = new Client();
        PortConnection connection = streaming().connect(pod, 7003, client);
        int sent = 0;
        boolean[] isWritable = {true};
        while (sent < 64 << 20) {
            if (!connection.toPod().write(ByteBuffer.allocate(32 << 10))) {
                isWritable[0] = false;
                connection.toPod().whenWritable(() -> isWritable[0] = true);
                if (sent > 0) {
                    long end = System.nanoTime() + 200_000_000L;
                    while (!isWritable[0] && System.nanoTime() < end) {
                        Thread.onSpinWait();
                    }
                    if (!isWritable[0]) {
                        break;
                    }
                }
            }
            sent += 32 << 10;
        }
        assertThat(isWritable[0]).isFalse();
        connection.cancel();
        assertThatThrownBy(() -> get(connection.end())).hasMessageContaining("by the client");
        until("the end", client::isEnded);
    }

    @Test
    void manyConnectionsAtOnce() throws Exception {
        try (ServerSocket server = listen(7005, InetAddress.getLoopbackAddress())) {
            var _ = Thread.ofVirtual().start(() -> echo(server));
            List<PortConnection> connections = new ArrayList<>();
            List<Client> clients = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                Client client = new Client();
                clients.add(client);
                connections.add(streaming().connect(pod, 7005, client));
                write(connections.get(i).toPod(), "connection " + i);
            }
            for (int i = 0; i < 200; i++) {
                clients.get(i).await("connection " + i);
            }
            for (PortConnection connection : connections) {
                connection.toPod().end();
                get(connection.end());
            }
        }
    }

    private static void echo(ServerSocket server) {
        try {
            while (true) {
                Socket socket = server.accept();
                var _ =
                        Thread.ofVirtual()
                                .start(() -> {
                                    try (socket) {
                                        socket.getInputStream()
                                                .transferTo(socket.getOutputStream());
                                    } catch (IOException e) {
                                        throw new UncheckedIOException(e);
                                    }
                                });
            }
        } catch (IOException e) {
            // the test is over
        }
    }

    @Test
    void aPodOnTheHostsNetworkIsReachedThere() throws Exception {
        String host = runPod(NamespaceMode.NODE);
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Client client = new Client();
            PortConnection connection = streaming().connect(host, server.getLocalPort(), client);
            try (Socket socket = server.accept()) {
                write(connection.toPod(), "to the host");
                byte[] got = socket.getInputStream().readNBytes(11);
                assertThat(new String(got, StandardCharsets.UTF_8)).isEqualTo("to the host");
                socket.setSoLinger(true, 0); // closes with a reset
            }
            get(connection.end());
            assertThat(client.isEnded()).isTrue();
        }
    }

    @Test
    void aStoppedPodLetsGoOfItsConnections() {
        String stopped = runPod(NamespaceMode.POD);
        run(stopped, "nc -ll -p 7000 -e sleep 1000 & while :; do sleep 1000; done");
        Client client = new Client();
        PortConnection connection = streaming().connect(stopped, 7000, client);
        while (connection.end().isCompletedExceptionally()) { // until it listens
            connection = streaming().connect(stopped, 7000, client);
        }
        node.runtime.stopPodSandbox(
                StopPodSandboxRequest.newBuilder().setPodSandboxId(stopped).build(),
                TestRuntime.LONG);
        PortConnection ended = connection;
        until("the end", () -> ended.end().isDone());
        assertThatThrownBy(() -> streaming().connect(stopped, 7000, client))
                .hasMessageContaining("it is not ready");
        assertThatThrownBy(() ->
                        streaming()
                                .checkPortForward(
                                        PortForwardRequest.newBuilder()
                                                .setPodSandboxId(pod)
                                                .addPort(70000)
                                                .build()))
                .hasMessageContaining("70000");
    }
}
