package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ExecSyncResponse;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A pod whose runtime handler is youki, beside others that run on runc. */
@Tag("e2e")
class YoukiTest {
    private static final long GRACE_SECONDS = 2;

    private static TestNode node;

    @BeforeAll
    static void startNode() {
        String youki = System.getProperty("crema.youki", "/var/cache/crema-tools/bin/youki");
        node =
                TestNode.start(
                        NodeSetup.of(RuntimeUnderTest.CREMA)
                                .withConfiguration(
                                        """
                                        [crio.runtime.runtimes.youki]
                                        runtime_path = "%s"
                                        monitor_path = "/usr/bin/conmon"
                                        """
                                                .formatted(youki)));
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    private static TestPod youkiPod() {
        return TestPod.run(node, "youki", pod -> {});
    }

    @Test
    void aContainerRunsIsEnteredAndStopped() {
        TestPod pod = youkiPod();
        assertThat(pod.status().getRuntimeHandler()).isEqualTo("youki");
        String id = pod.launch(pod.shell("one", "echo started; exec sleep 1000"));
        pod.awaitLog("one.log", "started");
        ExecSyncResponse exec = pod.exec(id, "sh", "-c", "hostname; exit 3");
        assertThat(exec.getExitCode()).isEqualTo(3);
        assertThat(exec.getStdout().toStringUtf8().strip()).isEqualTo(pod.config().getHostname());
        pod.stop(id, GRACE_SECONDS);
        ContainerStatus status = pod.status(id);
        assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(status.getExitCode()).isEqualTo(137); // sleep as PID 1 ignores SIGTERM
        pod.remove(id);
        assertThat(node.inNamespace("sh", "-c", "cat /proc/mounts")).doesNotContain(id);
    }

    @Test
    void exitCodesAndLimitsHold() {
        TestPod pod = youkiPod();
        assertThat(pod.awaitExit(pod.launch(pod.shell("seven", "exit 7"))).getExitCode())
                .isEqualTo(7);
        ContainerConfig.Builder limited = pod.shell("oom", "tail /dev/zero");
        limited.getLinuxBuilder().getResourcesBuilder().setMemoryLimitInBytes(16 << 20);
        ContainerStatus killed = pod.awaitExit(pod.launch(limited));
        assertThat(killed.getReason()).isEqualTo("OOMKilled");
    }

    @Test
    void podsOfSeveralHandlersLiveSideBySideAndSurviveARestart() {
        TestPod youki = youkiPod();
        TestPod runc = TestPod.run(node);
        String one = youki.launch(youki.shell("one", "exec sleep 1000"));
        String other = runc.launch(runc.shell("other", "exec sleep 1000"));
        node.kill();
        node.startDaemon();
        for (ExecSyncResponse exec :
                new ExecSyncResponse[] {
                    youki.exec(one, "echo", "alive"), runc.exec(other, "echo", "alive")
                }) {
            assertThat(exec.getStdout().toStringUtf8()).isEqualTo("alive\n");
        }
    }
}
