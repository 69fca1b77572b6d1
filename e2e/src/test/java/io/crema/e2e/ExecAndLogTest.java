package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ExecSyncResponse;
import io.crema.cri.v1.ReopenContainerLogRequest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** ExecSync and container logs. */
@Tag("e2e")
class ExecAndLogTest {
    private static final Pattern LOG_LINE =
            Pattern.compile(
                    "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d+(Z|[+-]\\d\\d:\\d\\d) (stdout|stderr) [FP] .*");

    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    @Test
    void anExecReturnsBothOutputsAndTheExitCode() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("sleeper", "exec sleep 1000"));
        ExecSyncResponse result = pod.exec(id, "sh", "-c", "echo out; echo err >&2; exit 5");
        assertThat(result.getStdout().toStringUtf8()).isEqualTo("out\n");
        assertThat(result.getStderr().toStringUtf8()).isEqualTo("err\n");
        assertThat(result.getExitCode()).isEqualTo(5);
        assertThat(pod.exec(id, "true").getExitCode()).isZero();
        assertThat(pod.exec(id, "sh", "-c", "kill -9 $$").getExitCode()).isEqualTo(137);
    }

    @Test
    void anExecBeyondItsTimeoutIsKilledAndTheContainerIsNot() {
        Peers.differ(
                node, "containerd 1.6 waits for background children that hold the output open");
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("sleeper", "exec sleep 1000"));
        long begin = System.nanoTime();
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .execSync(
                                        ExecSyncRequest.newBuilder()
                                                .setContainerId(id)
                                                .addAllCmd(
                                                        List.of(
                                                                "sh",
                                                                "-c",
                                                                "sleep 7777 & sleep 8888"))
                                                .setTimeout(1)
                                                .build()))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isEqualTo(Status.Code.DEADLINE_EXCEEDED));
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(10));
        assertThat(pod.exec(id, "ps").getStdout().toStringUtf8()).doesNotContain("8888");
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
    }

    @Test
    void aLargeOutputArrivesWhole() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("sleeper", "exec sleep 1000"));
        ExecSyncResponse result = pod.exec(id, "sh", "-c", "yes 0123456789abcde | head -c 4000000");
        assertThat(result.getStdout().size()).isEqualTo(4_000_000);
        assertThat(result.getExitCode()).isZero();
    }

    @Test
    void anExecInAContainerThatDoesNotRunIsRefused() {
        TestPod pod = TestPod.run(node);
        String id = pod.create(pod.shell("created", "exec sleep 1000").build());
        assertThatThrownBy(() -> pod.exec(id, "true")).isInstanceOf(StatusRuntimeException.class);
    }

    @Test
    void anUnknownCommandIsTold() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("sleeper", "exec sleep 1000"));
        try {
            ExecSyncResponse result = pod.exec(id, "/no/such/command");
            assertThat(result.getExitCode()).isNotZero();
            assertThat(result.getStderr().toStringUtf8()).contains("no such file");
        } catch (StatusRuntimeException e) {
            assertThat(e).hasMessageContaining("no such file");
        }
    }

    @Test
    void logsAreInCriFormatWithLongLinesInParts() {
        TestPod pod = TestPod.run(node);
        String id =
                pod.launch(
                        pod.shell(
                                "talker",
                                "echo to stdout; echo to stderr >&2; head -c 40000 /dev/zero | tr '\\0' x; echo; printf end"));
        pod.awaitExit(id);
        String log = pod.log("talker.log");
        assertThat(log.lines()).allMatch(line -> LOG_LINE.matcher(line).matches());
        assertThat(log)
                .contains(" stdout F to stdout\n")
                .contains(" stderr F to stderr\n")
                .contains(" stdout P x");
        assertThat(log.chars().filter(c -> c == 'x').count()).isEqualTo(40_000);
    }

    @Test
    void aReopenedLogLosesNoLine() throws IOException {
        TestPod pod = TestPod.run(node);
        String id =
                pod.launch(
                        pod.shell(
                                "counter",
                                "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done;"
                                        + " while [ ! -e /go ]; do sleep 0.05; done;"
                                        + " while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done;"
                                        + " echo done; exec sleep 1000"));
        Path log = pod.logFile("counter.log");
        Path rotated = pod.logFile("counter.log.1");
        pod.awaitLog("counter.log", "line 10\n");
        Files.move(log, rotated);
        node.client()
                .runtime()
                .reopenContainerLog(
                        ReopenContainerLogRequest.newBuilder().setContainerId(id).build());
        assertThat(log).exists();
        pod.exec(id, "touch", "/go");
        pod.awaitLog("counter.log", "stdout F done\n");
        String all = TestPod.stdout(Files.readString(rotated) + Files.readString(log));
        for (int i = 0; i < 2000; i++) {
            assertThat(all).contains("line " + i + "\n");
        }
    }

    @Test
    void onlyARunningContainersLogIsReopened() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("once", "exit 0"));
        pod.awaitExit(id);
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .reopenContainerLog(
                                        ReopenContainerLogRequest.newBuilder()
                                                .setContainerId(id)
                                                .build()))
                .isInstanceOf(StatusRuntimeException.class);
    }
}
