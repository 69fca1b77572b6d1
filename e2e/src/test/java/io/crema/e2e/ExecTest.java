package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.e2e.node.Crictl;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands in containers with the real crictl at the other end of their streams. */
@Tag("e2e")
class ExecTest {
    private static TestNode node;
    private static TestPod pod;
    private static String container;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
        pod = TestPod.run(node);
        container = pod.launch(pod.shell("sleeper", "exec sleep 100000"));
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

    private static Crictl exec(String transport, String id, String script) {
        return Crictl.start(node, "exec", "-r", transport, "-i", id, "sh", "-c", script);
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void outputsAreApartAndTheExitCodeArrives(String transport) {
        isKnownBy(transport);
        for (int code : new int[] {0, 1, 126, 137, 255}) {
            try (Crictl client =
                    Crictl.start(
                            node,
                            "exec",
                            "-r",
                            transport,
                            container,
                            "sh",
                            "-c",
                            "echo out; echo err >&2; exit " + code)) {
                assertThat(client.exitCode()).isEqualTo(code == 0 ? 0 : 1);
                assertThat(client.output()).isEqualTo("out\n");
                assertThat(client.errors()).startsWith("err\n");
                if (code != 0) {
                    assertThat(client.errors()).contains("exit code " + code);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void everyByteReturnsAndTheEndOfTheInputIsHalfAnEnd(String transport) {
        isKnownBy(transport);
        byte[] bytes = new byte[8 << 20];
        new Random(3).nextBytes(bytes);
        try (Crictl client = exec(transport, container, "cat; echo -n end")) {
            client.send(bytes);
            client.endInput();
            assertThat(client.exitCode()).isZero();
            byte[] received = client.bytes();
            assertThat(received).hasSize(bytes.length + 3).startsWith(bytes);
            assertThat(received).endsWith('e', 'n', 'd');
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void aTerminalHasTheSizeOfTheClients(String transport) {
        isKnownBy(transport);
        try (Crictl client =
                Crictl.atTerminal(
                        node,
                        77,
                        33,
                        "exec",
                        "-r",
                        transport,
                        "-i",
                        "-t",
                        container,
                        "sh",
                        "-c",
                        "echo up; read x; stty size; exit 4")) {
            client.await("up");
            client.type("\n");
            assertThat(client.exitCode()).isEqualTo(1);
            assertThat(client.output()).contains("33 77\r\n").contains("exit code 4");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void aClientThatIsKilledTakesItsCommandWithIt(String transport) throws InterruptedException {
        isKnownBy(transport);
        Peers.differ(node, "containerd 1.6 leaves running what the command has started");
        try (Crictl client =
                exec(transport, container, "sleep 77771 & sleep 77772 & echo up; wait")) {
            client.await("up");
            client.kill();
            client.exitCode();
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (pod.exec(container, "ps").getStdout().toStringUtf8().contains("sleep 7777")) {
            assertThat(System.nanoTime()).as("what it started is gone").isLessThan(end);
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    @Test
    void aStopGivesCommandsItsGraceAndKillsThemWithTheContainer() {
        String id = pod.launch(pod.shell("stubborn", "trap '' TERM; while :; do sleep 0.1; done"));
        try (Crictl client = exec("spdy", id, "trap '' TERM; while read x; do echo got $x; done")) {
            client.type("before\n");
            client.await("got before");
            Thread stop = Thread.ofVirtual().start(() -> pod.stop(id, 1));
            client.type("during\n");
            client.await("got during");
            assertThat(client.exitCode()).isEqualTo(1);
            assertThat(client.errors()).contains("exit code 137");
            assertThat(stop).satisfies(Thread::join);
        }
        try (Crictl late = exec("spdy", id, "true")) {
            assertThat(late.exitCode()).isEqualTo(1);
            assertThat(late.errors()).containsAnyOf("not running", "CONTAINER_EXITED");
        }
    }

    @Test
    void whatIsNotThereIsToldInWords() {
        try (Crictl client = Crictl.start(node, "exec", container, "/no/such/program")) {
            assertThat(client.exitCode()).isEqualTo(1);
            assertThat(client.errors()).contains("/no/such/program").contains("no such file");
        }
    }
}
