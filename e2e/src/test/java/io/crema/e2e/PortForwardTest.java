package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.e2e.node.Crictl;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The real crictl forwarding ports into pods. */
@Tag("e2e")
class PortForwardTest {
    private static TestNode node;
    private static TestPod pod;
    private static int nextPort = 20_000;

    @TempDir private Path directory;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
        pod = TestPod.run(node);
        String servers =
                pod.launch(
                        pod.shell(
                                "servers",
                                "nc -ll -p 8080 -e cat & nc -ll -p 8081 -e echo hello & wait"));
        awaitListener(pod, servers, 8080);
        awaitListener(pod, servers, 8081);
    }

    private static void awaitListener(TestPod in, String container, int port) {
        String address = "0000:%04X ".formatted(port);
        for (int i = 0; i < 2000; i++) {
            if (in.exec(container, "cat", "/proc/net/tcp", "/proc/net/tcp6")
                    .getStdout()
                    .toStringUtf8()
                    .contains(address)) {
                return;
            }
        }
        throw new AssertionError("nothing listens on port " + port);
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    private static void isKnownBy(String transport) {
        if (transport.equals("websocket")) {
            Peers.differ(node, "containerd 1.6 refuses WebSocket");
        }
    }

    private static Crictl forward(String transport, String id, int from, int to) {
        Crictl client = Crictl.start(node, "port-forward", "-r", transport, id, from + ":" + to);
        client.await("Forwarding from 127.0.0.1:" + from);
        return client;
    }

    /** Sends a file to a port of the node and gives what comes back. */
    private static String send(Path file, int port, String andThen) {
        return Shell.run(
                node.network()
                        .enter(
                                List.of(
                                        "sh",
                                        "-c",
                                        "busybox nc 127.0.0.1 "
                                                + port
                                                + " <"
                                                + file
                                                + " | "
                                                + andThen)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void everyByteReturnsAlsoOverManyConnections(String transport) throws IOException {
        isKnownBy(transport);
        byte[] bytes = new byte[8 << 20];
        new Random(4).nextBytes(bytes);
        Path file = Files.write(directory.resolve("bytes"), bytes);
        int port = nextPort++;
        try (Crictl client = forward(transport, pod.id(), port, 8080)) {
            assertThat(send(file, port, "cmp - " + file + " && echo same")).isEqualTo("same\n");
            // Not all in the same moment: nc has room for one connection that waits.
            String many =
                    "for i in $(seq 20); do (test \"$( (echo hi $i; sleep 1) | busybox nc 127.0.0.1 "
                            + port
                            + ")\" = \"hi $i\" && echo -n .) & sleep 0.04; done; wait";
            assertThat(Shell.run(node.network().enter(List.of("bash", "-c", many))))
                    .as(client.errors())
                    .isEqualTo(".".repeat(20));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void aTargetThatClosesFirstAndOneThatRefuses(String transport) throws IOException {
        isKnownBy(transport);
        Path empty = Files.write(directory.resolve("empty"), new byte[0]);
        int port = nextPort++;
        try (Crictl _ = forward(transport, pod.id(), port, 8081)) {
            assertThat(send(empty, port, "cat")).isEqualTo("hello\n");
            assertThat(send(empty, port, "cat")).isEqualTo("hello\n");
        }
        int refusing = nextPort++;
        try (Crictl client = forward(transport, pod.id(), refusing, 8999)) {
            assertThat(send(empty, refusing, "cat")).isEmpty();
            client.exitCode(); // crictl gives up at the first error
            assertThat(client.errors()).contains("8999").contains("connection refused");
        }
    }

    @Test
    void aPortThatCannotBeIsRefused() {
        Peers.differ(node, "containerd does not look at them");
        for (int port : new int[] {-1, 0, 65536}) {
            assertThatThrownBy(() ->
                            node.client()
                                    .runtime()
                                    .portForward(
                                            PortForwardRequest.newBuilder()
                                                    .setPodSandboxId(pod.id())
                                                    .addPort(8080)
                                                    .addPort(port)
                                                    .build()))
                    .hasMessageContaining("INVALID_ARGUMENT")
                    .hasMessageContaining("port " + port);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void aPodOnTheHostsNetworkIsReachedOnTheHost(String transport) throws IOException {
        isKnownBy(transport);
        TestPod host =
                TestPod.run(
                        node,
                        config -> {
                            config.setHostname("");
                            config.getLinuxBuilder()
                                    .getSecurityContextBuilder()
                                    .getNamespaceOptionsBuilder()
                                    .setNetwork(NamespaceMode.NODE);
                        });
        int target = nextPort++;
        String server = host.launch(host.shell("server", "exec nc -ll -p " + target + " -e cat"));
        Path file = Files.writeString(directory.resolve("text"), "to the host");
        int port = nextPort++;
        awaitListener(host, server, target);
        try (Crictl _ = forward(transport, host.id(), port, target)) {
            assertThat(send(file, port, "cat")).isEqualTo("to the host");
        }
        host.stop();
        host.remove();
    }
}
