package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.ReopenContainerLogRequest;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.RuntimeServiceGrpc.RuntimeServiceBlockingStub;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.StatusRequest;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.cri.v1.VersionRequest;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
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
 * Requests that repeat, or that outlive their callers: whatever hangs below a call, its caller
 * hears in time which step it was in, everybody else is served, and the repeated request joins.
 */
@Tag("e2e")
@Timeout(120)
class LateCallTest {
    private static final Duration PATIENCE = Duration.ofMillis(1500);
    private static final Duration LATEST = Duration.ofMillis(100);
    private static final Duration AT_ONCE = Duration.ofMillis(50);

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
    void removePods() {
        faults.none();
        node.removeAllPods();
    }

    @Test
    void anIdenticalPodJoinsAndAChangedOneDoesNot() throws Exception {
        Peers.differ(node, "containerd refuses the repeated request as a reserved name");
        PodSandboxConfig config = TestPod.config(node, pod -> {});
        faults.hang("ADD");
        CompletableFuture<String> first = async(() -> run(config));
        faults.awaitHang();
        CompletableFuture<String> second = async(() -> run(config));
        assertThatThrownBy(() -> run(config.toBuilder().putLabels("changed", "yes").build()))
                .hasMessageContaining("different request");
        faults.none();
        assertThat(first.get(20, TimeUnit.SECONDS)).isEqualTo(second.get(20, TimeUnit.SECONDS));
        assertThat(run(config)).isEqualTo(first.get());
    }

    @Test
    void anIdenticalContainerJoinsAndAChangedOneGetsNothing() throws Exception {
        Peers.differ(node, "containerd refuses the repeated request as a reserved name");
        TestPod pod = TestPod.run(node);
        ContainerConfig config = pod.shell("one", "exec sleep 1000").build();
        faults.hang("create");
        CompletableFuture<String> first = async(() -> pod.create(config));
        faults.awaitHang();
        CompletableFuture<String> second = async(() -> pod.create(config));
        ContainerConfig changed = config.toBuilder().putLabels("changed", "yes").build();
        assertThatThrownBy(() -> pod.create(changed)).hasMessageContaining("different request");
        faults.none();
        String id = first.get(20, TimeUnit.SECONDS);
        assertThat(second.get(20, TimeUnit.SECONDS)).isEqualTo(id);
        assertThat(pod.create(config)).as("the answer was lost").isEqualTo(id);
        assertThatThrownBy(() -> pod.create(changed)).hasMessageContaining("same name");
    }

    @Test
    void aChangedRequestReplacesWhatNobodyCameFor() throws InterruptedException {
        Peers.differ(node, "containerd refuses the repeated request as a reserved name");
        TestPod pod = TestPod.run(node);
        ContainerConfig config = pod.shell("one", "exec sleep 1000").build();
        faults.hang("create");
        assertLate(
                patient -> patient.createContainer(request(pod, config)), "CreateContainer of one");
        faults.none();
        awaitContainers(pod, 1);
        ContainerConfig changed = config.toBuilder().putLabels("changed", "yes").build();
        String id = pod.create(changed);
        assertThat(pod.status(id).getLabelsMap()).containsEntry("changed", "yes");
        awaitContainers(pod, 1);
    }

    @Test
    void aHangingStartIsTold() {
        Peers.differ(node, "containerd waits for its shim as long as it takes");
        TestPod pod = TestPod.run(node);
        String id = pod.create(pod.shell("one", "exec sleep 1000").build());
        faults.hang("start");
        StartContainerRequest start = StartContainerRequest.newBuilder().setContainerId(id).build();
        assertLate(patient -> patient.startContainer(start), "the OCI runtime's start");
        assertLate(
                patient ->
                        patient.updateContainerResources(
                                UpdateContainerResourcesRequest.newBuilder()
                                        .setContainerId(id)
                                        .setLinux(
                                                LinuxContainerResources.newBuilder()
                                                        .setCpuShares(100))
                                        .build()),
                "another call on container one");
        assertAnswersMeanwhile(id);
        faults.none();
        node.client().runtime().startContainer(start);
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
    }

    @Test
    void aHangingUpdateIsTold() {
        Peers.differ(node, "containerd waits for its shim as long as it takes");
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        faults.hang("update");
        UpdateContainerResourcesRequest update =
                UpdateContainerResourcesRequest.newBuilder()
                        .setContainerId(id)
                        .setLinux(LinuxContainerResources.newBuilder().setCpuShares(100))
                        .build();
        assertLate(patient -> patient.updateContainerResources(update), "update");
        assertAnswersMeanwhile(id);
        faults.none();
        node.client().runtime().updateContainerResources(update);
    }

    @Test
    void aHangingDeleteOfTheNetworkIsToldAndJoined() throws InterruptedException {
        Peers.differ(node, "containerd tells only that the deadline has passed");
        TestPod pod = TestPod.run(node);
        faults.hang("DEL");
        StopPodSandboxRequest stop =
                StopPodSandboxRequest.newBuilder().setPodSandboxId(pod.id()).build();
        assertLate(patient -> patient.stopPodSandbox(stop), "CNI DEL");
        assertLate(patient -> patient.stopPodSandbox(stop), "CNI DEL");
        assertThat(faults.calls()).containsOnlyOnce("DEL");
        faults.none();
        pod.stop();
    }

    /** A file system whose server never answers, as NFS when its server is gone. */
    @Test
    void aDeadMountHoldsNobody() throws Exception {
        Peers.differ(node, "containerd tells only that the deadline has passed");
        Path dead = Files.createDirectory(directory.resolve("dead"));
        Process server =
                new ProcessBuilder(
                                "sh",
                                "-c",
                                "exec 3<>/dev/fuse; mount -i -t fuse -o"
                                        + " fd=3,rootmode=40000,user_id=0,group_id=0 dead "
                                        + dead
                                        + " && echo mounted; exec sleep 1000")
                        .start();
        try {
            assertThat(server.inputReader().readLine()).isEqualTo("mounted");
            TestPod pod = TestPod.run(node);
            List<ContainerConfig> hanging = new ArrayList<>();
            // More of them than there are carriers of virtual threads.
            for (int i = 0; i < 6; i++) {
                hanging.add(
                        pod.shell("hanging-" + i, "exec sleep 1000")
                                .addMounts(
                                        Mount.newBuilder()
                                                .setContainerPath("/data")
                                                .setHostPath(dead + "/volume"))
                                .build());
            }
            List<CompletableFuture<?>> calls = new ArrayList<>();
            for (ContainerConfig config : hanging) {
                calls.add(
                        async(() -> {
                            assertLate(
                                    patient -> patient.createContainer(request(pod, config)),
                                    "the sources of its mounts");
                            return "late";
                        }));
            }
            for (CompletableFuture<?> call : calls) {
                call.get(20, TimeUnit.SECONDS);
            }
            String id = pod.launch(pod.shell("beside", "exec sleep 1000"));
            assertAnswersMeanwhile(id);
        } finally {
            server.destroyForcibly().waitFor();
            Shell.run("umount", "-l", dead.toString());
        }
    }

    @Test
    void aFrozenCgroupHoldsNobody() throws IOException {
        Peers.differ(node, "containerd tells only that the deadline has passed");
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        Path freezer = Path.of("/sys/fs/cgroup/freezer", node.name(), "freezer.state");
        Files.writeString(freezer, "FROZEN");
        try {
            assertLate(
                    patient ->
                            patient.execSync(
                                    ExecSyncRequest.newBuilder()
                                            .setContainerId(id)
                                            .addCmd("true")
                                            .build()),
                    "in container");
            assertLate(
                    patient ->
                            patient.stopContainer(
                                    StopContainerRequest.newBuilder().setContainerId(id).build()),
                    "to end after SIGKILL");
            assertAnswersMeanwhile(id);
        } finally {
            Files.writeString(freezer, "THAWED");
        }
        long thawed = System.nanoTime();
        pod.stop(id, 0);
        assertThat(Duration.ofNanos(System.nanoTime() - thawed))
                .as("what the exec left must not hold the container")
                .isLessThan(Duration.ofSeconds(4));
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
    }

    /** Frozen by itself, a container is thawed to be killed. */
    @Test
    void aFrozenContainerIsStopped() throws IOException {
        Peers.differ(node, "the cgroup has another name");
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        Files.writeString(
                Path.of("/sys/fs/cgroup/freezer", node.name(), "crio-" + id, "freezer.state"),
                "FROZEN");
        pod.stop(id, 0);
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
    }

    @Test
    void aLaterShorterTimeoutShortensTheStopAndNothingWaitsForIt() throws Exception {
        Peers.differ(node, "containerd's second stop waits for its own time");
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "trap '' TERM; while :; do sleep 1; done"));
        CompletableFuture<String> stop =
                async(() -> {
                    pod.stop(id, 60);
                    return "stopped";
                });
        TimeUnit.MILLISECONDS.sleep(300);
        assertAnswersMeanwhile(id);
        assertSoon(() ->
                node.client()
                        .runtime()
                        .reopenContainerLog(
                                ReopenContainerLogRequest.newBuilder().setContainerId(id).build()));
        assertThat(stop).isNotDone();
        long begin = System.nanoTime();
        pod.stop(id, 1);
        assertThat(stop.get(20, TimeUnit.SECONDS)).isEqualTo("stopped");
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isBetween(Duration.ofMillis(900), Duration.ofSeconds(8));
        assertThat(pod.status(id).getExitCode()).isEqualTo(137);
    }

    private static CreateContainerRequest request(TestPod pod, ContainerConfig config) {
        return CreateContainerRequest.newBuilder()
                .setPodSandboxId(pod.id())
                .setConfig(config)
                .setSandboxConfig(pod.config())
                .build();
    }

    private static String run(PodSandboxConfig config) {
        return node.client()
                .runtime()
                .runPodSandbox(RunPodSandboxRequest.newBuilder().setConfig(config).build())
                .getPodSandboxId();
    }

    private static <T> CompletableFuture<T> async(java.util.function.Supplier<T> call) {
        return CompletableFuture.supplyAsync(call, Thread::startVirtualThread);
    }

    private interface Call {
        Object with(RuntimeServiceBlockingStub client);
    }

    /**
     * The daemon's own words arrive not later than a moment after the deadline. How late this
     * machine is by itself shows a call that is sent at that time and answered at once.
     */
    private static void assertLate(Call call, String step) {
        RuntimeServiceBlockingStub client = node.client().runtimeWithTheirDeadline(PATIENCE);
        long begin = System.nanoTime();
        CompletableFuture<Duration> beside = async(() -> answeredAtTheDeadline(begin));
        assertThatThrownBy(() -> call.with(client))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isEqualTo(Status.Code.DEADLINE_EXCEEDED))
                .hasMessageContaining(step);
        Duration taken = Duration.ofNanos(System.nanoTime() - begin);
        assertThat(taken).isGreaterThanOrEqualTo(PATIENCE.minus(LATEST));
        Duration besideTaken = beside.join();
        assertThat(besideTaken)
                .as("others must be served meanwhile")
                .isLessThan(PATIENCE.plusSeconds(2));
        assertThat(taken)
                .isLessThanOrEqualTo(Collections.max(List.of(PATIENCE, besideTaken)).plus(LATEST));
    }

    private static Duration answeredAtTheDeadline(long begin) {
        try {
            TimeUnit.NANOSECONDS.sleep(begin + PATIENCE.toNanos() - System.nanoTime());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        var _ = node.client().runtime().version(VersionRequest.getDefaultInstance());
        return Duration.ofNanos(System.nanoTime() - begin);
    }

    private static void assertAnswersMeanwhile(String container) {
        RuntimeServiceBlockingStub client = node.client().runtime();
        assertSoon(() -> client.listPodSandbox(ListPodSandboxRequest.getDefaultInstance()));
        assertSoon(() -> client.listContainers(ListContainersRequest.getDefaultInstance()));
        assertSoon(() -> client.status(StatusRequest.getDefaultInstance()));
        assertSoon(() ->
                client.containerStatus(
                        ContainerStatusRequest.newBuilder().setContainerId(container).build()));
    }

    /** The median of some calls, since a busy machine may hold up any one. */
    private static void assertSoon(ThrowingCallable call) {
        List<Duration> times = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            long begin = System.nanoTime();
            try {
                call.call();
            } catch (Throwable e) {
                throw new AssertionError("not served meanwhile", e);
            }
            times.add(Duration.ofNanos(System.nanoTime() - begin));
        }
        Collections.sort(times);
        assertThat(times.get(times.size() / 2)).isLessThan(AT_ONCE);
    }

    private static void awaitContainers(TestPod pod, int count) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (node
                        .client()
                        .runtime()
                        .listContainers(ListContainersRequest.getDefaultInstance())
                        .getContainersList()
                        .stream()
                        .filter(container -> container.getPodSandboxId().equals(pod.id()))
                        .count()
                != count) {
            assertThat(System.nanoTime()).as("too late").isLessThan(end);
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }
}
