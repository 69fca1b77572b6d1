package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxState;
import io.crema.cri.v1.RemoveContainerRequest;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.StatusRequest;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Plugins and OCI runtimes that fail or hang: the caller hears what and why in time, nothing stays
 * behind, and the next attempt succeeds.
 */
@Tag("e2e")
@Timeout(120)
class FaultTest {
    private static final Duration PATIENCE = Duration.ofSeconds(2);

    /** No call outlives its deadline by more. */
    private static final Duration LATE = Duration.ofMillis(100);

    @TempDir private static Path directory;

    private static Faults faults;
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        faults = new Faults(directory);
        node = TestNode.start(faults.on(NodeSetup.standard()));
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @AfterEach
    void removePods() throws InterruptedException {
        faults.none();
        node.removeAllPods();
        awaitNoLeaks();
    }

    @Test
    void aFailingPluginLeavesNothingAndTheNameIsFree() throws InterruptedException {
        PodSandboxConfig config = TestPod.config(node, pod -> {});
        faults.fail("ADD");
        assertThatThrownBy(() -> run(config))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining(Faults.PLUGIN)
                .hasMessageContaining(Faults.MESSAGE);
        assertThat(faults.calls()).contains("ADD", "DEL");
        assertThat(pods()).isEmpty();
        awaitNoLeaks();
        faults.none();
        run(config);
    }

    @Test
    void aHangingPluginHoldsNobodyBeyondTheDeadline() throws InterruptedException {
        Peers.differ(node, "containerd refuses the repeated request as a reserved name");
        PodSandboxConfig config = TestPod.config(node, pod -> {});
        faults.hang("ADD");
        assertDeadline(
                () ->
                        node.client()
                                .runtimeWithTheirDeadline(PATIENCE)
                                .runPodSandbox(
                                        RunPodSandboxRequest.newBuilder()
                                                .setConfig(config)
                                                .build()),
                "network");
        faults.awaitHang();
        assertAnswersMeanwhile();
        faults.none();
        String id = run(config);
        assertThat(faults.calls()).as("another ADD").isEmpty();
        assertThat(pods()).containsExactly(id);
    }

    @Test
    void aFailingDeleteOfTheNetworkCanBeRepeated() {
        TestPod pod = TestPod.run(node);
        faults.fail("DEL");
        assertThatThrownBy(pod::stop)
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining(Faults.MESSAGE);
        faults.none();
        pod.stop();
        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        pod.remove();
    }

    @Test
    void aStopThatACrashCutShortIsFinishedByTheNext() throws InterruptedException {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        faults.hang("DEL");
        Thread stop =
                Thread.ofVirtual()
                        .start(() ->
                                assertThatThrownBy(pod::stop)
                                        .isInstanceOf(StatusRuntimeException.class));
        faults.awaitHang();
        node.kill();
        stop.join();
        faults.none();
        node.startDaemon();
        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(pod.status(id).getExitCode()).isEqualTo(137);
        pod.stop();
        pod.remove();
    }

    /** Kubelet does not know these pods any more and asks for nothing. */
    @Test
    void afterARebootTheNetworkIsAskedUntilItAnswers() throws IOException, InterruptedException {
        Peers.differ(node, "containerd keeps the records of dead pods over a reboot");
        TestPod pod = TestPod.run(node);
        node.kill();
        Files.delete(node.runDirectory().resolve("version"));
        faults.fail("DEL");
        node.startDaemon();
        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        faults.none();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!pods().isEmpty()) {
            assertThat(System.nanoTime()).as("its network is released").isLessThan(end);
            TimeUnit.MILLISECONDS.sleep(100);
        }
        assertThat(node.directory().resolve("ipam/e2e/" + pod.id())).doesNotExist();
    }

    @Test
    void aFailingCreateLeavesNothingAndTheNameIsFree() {
        Peers.differ(node, "containerd calls the runtime's create when the container starts");
        TestPod pod = TestPod.run(node);
        ContainerConfig config = pod.shell("one", "exec sleep 1000").build();
        faults.fail("create");
        assertThatThrownBy(() -> pod.create(config))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining(Faults.MESSAGE + " of create");
        assertThat(containers()).isEmpty();
        assertThat(pod.logFile("one.log")).doesNotExist();
        faults.none();
        pod.start(pod.create(config));
    }

    @Test
    void aHangingCreateHoldsNobodyBeyondTheDeadline() throws InterruptedException {
        Peers.differ(node, "containerd refuses the repeated request as a reserved name");
        TestPod pod = TestPod.run(node);
        CreateContainerRequest request =
                CreateContainerRequest.newBuilder()
                        .setPodSandboxId(pod.id())
                        .setConfig(pod.shell("one", "exec sleep 1000"))
                        .setSandboxConfig(pod.config())
                        .build();
        faults.hang("create");
        assertDeadline(
                () -> node.client().runtimeWithTheirDeadline(PATIENCE).createContainer(request),
                "create");
        faults.awaitHang();
        assertAnswersMeanwhile();
        faults.none();
        String id = node.client().runtime().createContainer(request).getContainerId();
        assertThat(containers()).containsExactly(id);
        pod.start(id);
    }

    @Test
    void aFailingStartLeavesAnExitedContainerThatTellsWhy() {
        TestPod pod = TestPod.run(node);
        String id = pod.create(pod.shell("one", "exec sleep 1000").build());
        faults.fail("start");
        assertThatThrownBy(() -> pod.start(id))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining(Faults.MESSAGE + " of start");
        faults.none();
        ContainerStatus status = pod.status(id);
        assertThat(status.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(status.getExitCode()).isEqualTo(128);
        assertThat(status.getReason()).isEqualTo("StartError");
        assertThat(status.getMessage()).contains(Faults.MESSAGE);
        assertThat(status.getFinishedAt()).isPositive();
        pod.remove(id);
        assertThat(containers()).isEmpty();
    }

    @Test
    void aFailingDeleteOfAContainerCanBeRepeated() {
        Peers.differ(node, "containerd 1.6 waits for ever for a container it could not delete");
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        faults.fail("delete");
        try {
            pod.remove(id);
        } catch (StatusRuntimeException e) {
            assertThat(e).hasMessageContaining(Faults.MESSAGE);
        }
        faults.none();
        pod.remove(id);
        assertThat(containers()).isEmpty();
    }

    @Test
    void aHangingDeleteHoldsNobodyBeyondTheDeadline() {
        Peers.differ(node, "containerd deletes when the container ends, and waits in its shim");
        TestPod pod = TestPod.run(node);
        String id = pod.create(pod.shell("one", "exec sleep 1000").build());
        faults.hang("delete");
        RemoveContainerRequest request =
                RemoveContainerRequest.newBuilder().setContainerId(id).build();
        assertDeadline(
                () -> node.client().runtimeWithTheirDeadline(PATIENCE).removeContainer(request),
                "delete");
        assertAnswersMeanwhile();
        faults.none();
        pod.remove(id);
        assertThat(containers()).isEmpty();
    }

    @Test
    void anExecThatTheRuntimeRefusesOrForgetsIsTold() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        faults.fail("exec");
        assertThatThrownBy(() -> pod.exec(id, "true")).isInstanceOf(StatusRuntimeException.class);
        Peers.differ(node, "containerd waits for the runtime as long as it takes");
        faults.hang("exec");
        long begin = System.nanoTime();
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .execSync(
                                        ExecSyncRequest.newBuilder()
                                                .setContainerId(id)
                                                .addAllCmd(List.of("true"))
                                                .setTimeout(1)
                                                .build()))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isEqualTo(Status.Code.DEADLINE_EXCEEDED));
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(8));
        faults.none();
        assertThat(pod.exec(id, "echo", "again").getStdout().toStringUtf8()).isEqualTo("again\n");
    }

    @Test
    void oneFailureInARowOfPodsHurtsOnlyThatOne() {
        Peers.differ(node, "containerd calls the runtime's create when the container starts");
        faults.fail("create", 2);
        TestPod pod = TestPod.run(node);
        pod.launch(pod.shell("first", "exec sleep 1000"));
        assertThatThrownBy(() -> pod.create(pod.shell("second", "exec sleep 1000").build()))
                .isInstanceOf(StatusRuntimeException.class);
        faults.none();
        pod.launch(pod.shell("third", "exec sleep 1000"));
        assertThat(containers()).hasSize(2);
    }

    private static void assertDeadline(ThrowingCallable call, String step) {
        long begin = System.nanoTime();
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isEqualTo(Status.Code.DEADLINE_EXCEEDED))
                .hasMessageContaining(step);
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isBetween(PATIENCE.minus(LATE), PATIENCE.plus(LATE));
    }

    /** Lists and status wait for nobody. */
    private static void assertAnswersMeanwhile() {
        Duration soon = Duration.ofMillis(500);
        node.client().runtime(soon).listPodSandbox(ListPodSandboxRequest.getDefaultInstance());
        node.client().runtime(soon).listContainers(ListContainersRequest.getDefaultInstance());
        node.client().runtime(soon).status(StatusRequest.getDefaultInstance());
    }

    private static void awaitNoLeaks() throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (!node.leaks().isEmpty() && System.nanoTime() < end) {
            TimeUnit.MILLISECONDS.sleep(50);
        }
        assertThat(node.leaks()).isEmpty();
    }

    private static String run(PodSandboxConfig config) {
        return node.client()
                .runtime()
                .runPodSandbox(RunPodSandboxRequest.newBuilder().setConfig(config).build())
                .getPodSandboxId();
    }

    private static List<String> pods() {
        return node
                .client()
                .runtime()
                .listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                .getItemsList()
                .stream()
                .map(io.crema.cri.v1.PodSandbox::getId)
                .toList();
    }

    private static List<String> containers() {
        return node
                .client()
                .runtime()
                .listContainers(ListContainersRequest.getDefaultInstance())
                .getContainersList()
                .stream()
                .map(io.crema.cri.v1.Container::getId)
                .toList();
    }
}
