package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ContainerState;
import io.crema.e2e.node.Crictl;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The real crictl attached to the first process of containers. */
@Tag("e2e")
class AttachTest {
    private static TestNode node;
    private static TestPod pod;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
        pod = TestPod.run(node);
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

    private static String create(String name, String script, boolean once, boolean tty) {
        return pod.create(
                pod.shell(name, script).setStdin(true).setStdinOnce(once).setTty(tty).build());
    }

    private static Crictl attach(String transport, String id) {
        return Crictl.start(node, "attach", "-r", transport, "-i", id);
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void aCreatedContainerIsWaitedForAndItsEndIsTheClients(String transport) {
        isKnownBy(transport);
        Peers.differ(node, "containerd attaches to running containers only");
        String id =
                create("early-" + transport, "echo up; echo err >&2; cat; echo over", true, false);
        int before = attached();
        try (Crictl client = attach(transport, id)) {
            client.type("typed early\n");
            while (attached() == before) {
                pause();
            }
            pod.start(id);
            client.await("typed early\n");
            client.endInput();
            assertThat(client.exitCode()).isZero();
            assertThat(client.output()).isEqualTo("up\ntyped early\nover\n");
            assertThat(client.errors()).contains("err\n");
        }
        assertThat(pod.awaitExit(id).getExitCode()).isZero();
        // The log has it all, too.
        assertThat(TestPod.stdout(pod.log("early-" + transport + ".log")))
                .isEqualTo("up\ntyped early\nover\n");
    }

    /** How many connections to attach sockets of monitors there are. */
    private static int attached() {
        int count = 0;
        for (String line : node.inNamespace("cat", "/proc/net/unix").lines().toList()) {
            count += line.endsWith("/attach") && line.contains(" 0005 03 ") ? 1 : 0;
        }
        return count;
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void severalClientsShareAContainerAndOneThatVanishesOnlyDetaches(String transport) {
        isKnownBy(transport);
        String id =
                create("shared-" + transport, "while read x; do echo got $x; done", false, false);
        pod.start(id);
        try (Crictl first = attach(transport, id);
                Crictl second = attach(transport, id)) {
            // Both are attached when both have seen a line.
            for (int i = 0; i < 500 && !seen(first, second); i++) {
                first.type("line\n");
            }
            first.await("got line");
            second.await("got line");
            first.kill();
            first.exitCode();
            second.type("after\n");
            second.await("got after");
        }
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        try (Crictl third = attach(transport, id)) {
            third.type("third\n");
            third.await("got third");
        }
        try (Crictl last = attach(transport, id)) {
            last.type("last\n");
            last.await("got last");
            pod.stop(id, 0);
            assertThat(last.exitCode()).as("an end is no failure").isZero();
        }
    }

    /** On containerd, too, which attaches to running containers only. */
    @Test
    void theInputOfAStdinOnceContainerEndsWithItsFirstClient() {
        String id = create("once", "cat; echo over", true, false);
        pod.start(id);
        try (Crictl client = attach("spdy", id)) {
            client.type("text\n");
            client.await("text\n");
            client.endInput();
            assertThat(client.exitCode()).isZero();
            assertThat(client.output()).contains("over");
        }
        assertThat(pod.awaitExit(id).getExitCode()).isZero();
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static boolean seen(Crictl first, Crictl second) {
        pause();
        return first.output().contains("got line") && second.output().contains("got line");
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void aTerminalIsSharedWithItsSize(String transport) {
        isKnownBy(transport);
        String id = create("tty-" + transport, "while read x; do stty size; done", false, true);
        pod.start(id);
        try (Crictl client =
                Crictl.atTerminal(node, 91, 29, "attach", "-r", transport, "-i", "-t", id)) {
            for (int i = 0; i < 500 && !client.output().contains("29 91\r\n"); i++) {
                client.type("\n");
                seen(client, client);
            }
            client.await("29 91\r\n");
        }
        pod.stop(id, 0);
    }

    @Test
    void aClientThatDoesNotReadHoldsUpNeitherLogNorOthers() {
        String id =
                create(
                        "flood",
                        "read x; dd if=/dev/zero bs=64k count=400 2>/dev/null | tr '\\0' 'x' | fold -w"
                                + " 1000; echo; echo the end; sleep 1000",
                        false,
                        false);
        pod.start(id);
        // A client whose output nobody reads: its pipe fills, then its socket.
        try (Crictl stopped = Crictl.start(node, "attach", id);
                Crictl reading = attach("spdy", id)) {
            stopped.suspend();
            reading.type("go\n");
            reading.await("the end\n");
            pod.awaitLog("flood.log", "the end");
            stopped.resume();
        }
        pod.stop(id, 0);
    }

    @Test
    void anEndedContainerCannotBeAttachedTo() {
        String id = create("ended", "true", false, false);
        pod.start(id);
        pod.awaitExit(id);
        try (Crictl client = attach("spdy", id)) {
            assertThat(client.exitCode()).isEqualTo(1);
            assertThat(client.errors()).isNotEmpty();
        }
    }
}
