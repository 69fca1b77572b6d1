package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.NamespaceMode;
import io.crema.runtime.streaming.ProcessStreams;
import io.crema.runtime.streaming.TerminalSize;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Clients attached to the first process of a container, through its monitor. */
@Tag("root")
class AttachStreamTest extends StreamCases {
    private String pod = "";

    @BeforeAll
    void makePod() {
        pod = runPod(NamespaceMode.POD);
    }

    private String container(String script, boolean stdinOnce, boolean tty) {
        return create(
                pod, script, config -> config.setStdin(true).setStdinOnce(stdinOnce).setTty(tty));
    }

    private ProcessStreams attach(String id, boolean stdin, Client stdout, Client stderr) {
        return streaming()
                .attach(
                        AttachRequest.newBuilder()
                                .setContainerId(id)
                                .setStdin(stdin)
                                .setStdout(true)
                                .setStderr(true)
                                .build(),
                        stdout,
                        stderr);
    }

    private boolean isRunning(String id) {
        return node.runtime
                        .containerStatus(
                                ContainerStatusRequest.newBuilder().setContainerId(id).build(),
                                TestRuntime.LONG)
                        .getStatus()
                        .getStateValue()
                == 1;
    }

    @Test
    void aCreatedContainerIsAttachedToBeforeItStarts() {
        String id = container("echo out; echo err >&2; read x; echo got $x", false, false);
        Client stdout = new Client();
        Client stderr = new Client();
        ProcessStreams streams = attach(id, true, stdout, stderr);
        assertThat(stdout.size()).isZero();
        start(id);
        stdout.await("out\n");
        stderr.await("err\n");
        write(streams.stdin(), "input\n");
        assertThat(get(streams.end())).isZero();
        assertThat(stdout.text()).isEqualTo("out\ngot input\n");
        assertThat(stdout.isEnded()).isTrue();
        until("its exit is recorded", () -> !isRunning(id));
        assertThatThrownBy(() -> attach(id, false, stdout, stderr))
                .hasMessageContaining("it has ended");
    }

    @Test
    void severalClientsSeeTheSameAndLeaveOneByOne() {
        String id = container("while read x; do echo got $x; done", false, false);
        start(id);
        Client first = new Client();
        Client second = new Client();
        ProcessStreams one = attach(id, true, first, new Client());
        ProcessStreams two = attach(id, true, second, new Client());
        write(one.stdin(), "a\n");
        first.await("got a\n");
        second.await("got a\n");
        one.stdin().end();
        one.cancel();
        assertThatThrownBy(() -> get(one.end())).hasMessageContaining("gone");
        write(two.stdin(), "b\n");
        second.await("got b\n");
        assertThat(first.text()).isEqualTo("got a\n");
        two.cancel();
        assertThat(isRunning(id)).isTrue();
        // The input stays open for those who come later.
        Client third = new Client();
        ProcessStreams three = attach(id, true, third, new Client());
        write(three.stdin(), "c\n");
        third.await("got c\n");
        three.cancel();
        stop(id, 0);
    }

    @Test
    void theInputOfAnOnceContainerEndsWithTheFirstClientThatHasInput() {
        String id = container("cat; echo end; sleep 1000", true, false);
        start(id);
        Client watching = new Client();
        attach(id, false, new Client(), new Client()).cancel();
        ProcessStreams watcher = attach(id, false, watching, new Client());
        Client stdout = new Client();
        ProcessStreams streams = attach(id, true, stdout, new Client());
        write(streams.stdin(), "text\n");
        stdout.await("text\n");
        assertThat(stdout.text()).doesNotContain("end");
        streams.stdin().end();
        stdout.await("end\n");
        watching.await("end\n");
        streams.cancel();
        watcher.cancel();
        assertThat(isRunning(id)).isTrue();
        stop(id, 0);
    }

    @Test
    void aClientThatVanishesEndsTheInputOfAnOnceContainer() {
        String id = container("cat; echo end >/end; sleep 1000", true, false);
        start(id);
        Client stdout = new Client();
        ProcessStreams streams = attach(id, true, stdout, new Client());
        write(streams.stdin(), "text\n");
        stdout.await("text\n");
        streams.cancel();
        until("the end", () -> execSync(id, "cat /end 2>/dev/null; true").equals("end\n"));
        stop(id, 0);
    }

    @Test
    void terminalsAreResizedAlsoInStorms() {
        String id = container("while read x; do stty size; done", false, true);
        Client stdout = new Client();
        ProcessStreams streams = attach(id, true, stdout, new Client());
        streams.resize(new TerminalSize(101, 31));
        start(id);
        until(
                "the first size",
                () -> {
                    write(streams.stdin(), "\n");
                    return stdout.text().contains("31 101\r\n");
                });
        for (int i = 1; i <= 200; i++) {
            streams.resize(new TerminalSize(200 + i, i));
        }
        until(
                "the last size",
                () -> {
                    write(streams.stdin(), "\n");
                    return stdout.text().contains("200 400\r\n");
                });
        streams.cancel();
        stop(id, 0);
    }

    @Test
    void aClientThatDoesNotReadHoldsUpNobodyAndIsCutOff() {
        String id =
                container(
                        "read x; dd if=/dev/zero bs=64k count=160 2>/dev/null; echo end; sleep"
                                + " 1000",
                        false,
                        false);
        start(id);
        Client stopped = Client.withRoomFor(1);
        Client reading = new Client();
        ProcessStreams slow = attach(id, false, stopped, new Client());
        ProcessStreams quick = attach(id, true, reading, new Client());
        write(quick.stdin(), "go\n");
        reading.await("end\n");
        assertThat(reading.size()).isEqualTo(160 * 65536 + 4);
        assertThatThrownBy(() -> get(slow.end())).hasMessageContaining("more slowly");
        quick.cancel();
        stop(id, 0);
    }

    @Test
    void aSlowClientThatCatchesUpMissesNothing() {
        String id = container("read x; seq 1 100000; echo end; read y", false, false);
        start(id);
        Client slow = Client.withRoomFor(1000);
        ProcessStreams streams = attach(id, true, slow, new Client());
        write(streams.stdin(), "go\n");
        until("full", () -> slow.size() >= 1000);
        slow.giveRoom();
        slow.await("100000\nend\n");
        assertThat(slow.text().lines().count()).isEqualTo(100_001);
        write(streams.stdin(), "bye\n");
        assertThat(get(streams.end())).isZero();
    }

    @Test
    void inputToAContainerWithoutIsRefused() {
        String id = create(pod, "sleep 1000", config -> config);
        assertThatThrownBy(() -> attach(id, true, new Client(), new Client()))
                .hasMessageContaining("created without stdin");
    }
}
