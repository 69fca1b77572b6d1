package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListImagesRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.PodSandboxState;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The daemon dies at any instant: containers live on, and the next start knows what became of them.
 */
@Tag("e2e")
class RecoveryTest {
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
    void runningContainersLiveOnAndTheirLogsGoOn() throws InterruptedException {
        Peers.differ(node, "containerd reads container output itself, so logs stop with it");
        TestPod pod = TestPod.run(node);
        String id =
                pod.launch(
                        pod.shell(
                                "ticker",
                                "i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done"));
        pod.awaitLog("ticker.log", "tick 3");
        String address = pod.status().getNetwork().getIp();
        node.kill();
        int before = pod.log("ticker.log").length();
        TimeUnit.MILLISECONDS.sleep(500);
        assertThat(pod.log("ticker.log").length()).isGreaterThan(before);
        node.startDaemon();
        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
        assertThat(pod.status().getNetwork().getIp()).isEqualTo(address);
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        assertThat(pod.exec(id, "echo", "hi").getStdout().toStringUtf8()).isEqualTo("hi\n");
        assertThat(images()).contains(TestNode.BUSYBOX);
        pod.stop(id, 0);
        assertThat(pod.status(id).getExitCode()).isEqualTo(137);
        pod.remove(id);
        assertThat(pod.output(pod.shell("after", "echo new"))).isEqualTo("new\n");
    }

    @Test
    void anExitDuringTheOutageIsKnownAfterwards() throws InterruptedException {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("short", "echo up; sleep 0.7; exit 42"));
        pod.awaitLog("short.log", "up");
        node.kill();
        TimeUnit.MILLISECONDS.sleep(1500);
        node.startDaemon();
        ContainerStatus status = pod.status(id);
        assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(status.getExitCode()).isEqualTo(42);
        assertThat(status.getReason()).isEqualTo("Error");
        assertThat(status.getFinishedAt()).isGreaterThan(status.getStartedAt());
    }

    @Test
    void aCreatedContainerCanBeStartedAfterwards() {
        TestPod pod = TestPod.run(node);
        String id = pod.create(pod.shell("late", "echo started; exec sleep 1000").build());
        node.kill();
        node.startDaemon();
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
        pod.start(id);
        pod.awaitLog("late.log", "started");
    }

    @Test
    void aStoppedPodStaysStopped() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        pod.stop();
        node.kill();
        node.startDaemon();
        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        pod.remove();
        assertThat(
                        node.client()
                                .runtime()
                                .listContainers(ListContainersRequest.getDefaultInstance())
                                .getContainersCount())
                .isZero();
    }

    /**
     * Kills the daemon at ever later moments of a pod's making and unmaking. Whatever is listed
     * after the restart must be whole, and everything must be removable without a trace: the node's
     * own leak check after the last test is the judge.
     */
    @Test
    void aCrashAtAnyMomentLeavesNothingHalfMade() throws InterruptedException {
        Peers.differ(
                node,
                "containerd 1.6 cannot delete the network of a pod whose ADD it did not survive");
        for (int delayMillis = 0; delayMillis < 300; delayMillis += 15) {
            Thread victim = Thread.ofVirtual().start(RecoveryTest::wholeLife);
            TimeUnit.MILLISECONDS.sleep(delayMillis);
            node.kill();
            victim.join();
            node.startDaemon();
            List<io.crema.cri.v1.PodSandbox> pods =
                    node.client()
                            .runtime()
                            .listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                            .getItemsList();
            for (io.crema.cri.v1.Container container :
                    node.client()
                            .runtime()
                            .listContainers(ListContainersRequest.getDefaultInstance())
                            .getContainersList()) {
                assertThat(pods).anyMatch(pod -> pod.getId().equals(container.getPodSandboxId()));
            }
            node.removeAllPods();
        }
    }

    private static void wholeLife() {
        try {
            TestPod pod = TestPod.run(node);
            String id = pod.launch(pod.shell("victim", "exec sleep 1000"));
            pod.exec(id, "true");
            pod.stop(id, 0);
            pod.remove(id);
            pod.stop();
            pod.remove();
        } catch (StatusRuntimeException | IllegalStateException e) {
            // The daemon was killed under it; what matters is what the next start finds.
        }
    }

    @Test
    void aRepeatedRequestAfterTheCrashGetsTheSamePod() {
        Peers.differ(node, "containerd refuses a repeated request as a reserved name");
        TestPod pod = TestPod.run(node);
        node.kill();
        node.startDaemon();
        assertThat(
                        node.client()
                                .runtime()
                                .runPodSandbox(
                                        RunPodSandboxRequest.newBuilder()
                                                .setConfig(pod.config())
                                                .build())
                                .getPodSandboxId())
                .isEqualTo(pod.id());
    }

    @Test
    void aPodWhoseNamespaceVanishedIsNotReady() {
        Peers.differ(node, "containerd pins elsewhere");
        TestPod whole = TestPod.run(node);
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        node.kill();
        Shell.run(
                "umount", "-l", node.runDirectory().resolve("ns/" + pod.id() + "/net").toString());
        node.startDaemon();
        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(whole.status().getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        pod.stop();
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        pod.remove();
        assertThat(node.directory().resolve("ipam/e2e/" + pod.id())).doesNotExist();
    }

    @Test
    void afterARebootPodsAreGoneAndImagesAreThere() throws IOException {
        Peers.differ(node, "containerd keeps the records of dead pods over a reboot");
        TestPod pod = TestPod.run(node);
        pod.launch(pod.shell("one", "exec sleep 1000"));
        node.kill();
        // A reboot empties /run; the processes of the pod are still there here, which only makes it
        // harder.
        Files.delete(node.runDirectory().resolve("version"));
        node.startDaemon();
        assertThat(
                        node.client()
                                .runtime()
                                .listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                                .getItemsCount())
                .isZero();
        assertThat(images()).contains(TestNode.BUSYBOX);
        assertThat(node.directory().resolve("ipam/e2e/" + pod.id())).doesNotExist();
    }

    private static List<String> images() {
        return node
                .client()
                .images()
                .listImages(ListImagesRequest.getDefaultInstance())
                .getImagesList()
                .stream()
                .flatMap(image -> image.getRepoTagsList().stream())
                .toList();
    }
}
