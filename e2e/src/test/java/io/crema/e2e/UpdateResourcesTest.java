package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.CgroupDriver;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.HugepageLimit;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.RuntimeConfigRequest;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.cri.v1.UpdatePodSandboxResourcesRequest;
import io.crema.cri.v1.WindowsContainerResources;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** New limits for containers and pods that exist: in the cgroup, in the status, in the records. */
@Tag("e2e")
@Timeout(120)
class UpdateResourcesTest {
    private static final long MIB = 1 << 20;

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

    private static String launch(TestPod pod, boolean started) {
        var config = pod.shell("one", "exec sleep 1000");
        config.getLinuxBuilder()
                .setResources(
                        LinuxContainerResources.newBuilder()
                                .setCpuShares(512)
                                .setMemoryLimitInBytes(64 * MIB)
                                .setOomScoreAdj(300));
        return started ? pod.launch(config) : pod.create(config.build());
    }

    private static void update(String id, Consumer<LinuxContainerResources.Builder> change) {
        LinuxContainerResources.Builder resources = LinuxContainerResources.newBuilder();
        change.accept(resources);
        node.client()
                .runtime()
                .updateContainerResources(
                        UpdateContainerResourcesRequest.newBuilder()
                                .setContainerId(id)
                                .setLinux(resources)
                                .build());
    }

    private static String cgroup(String controller, String id, String file) {
        try {
            return Files.readString(
                            Path.of("/sys/fs/cgroup", controller, node.name())
                                    .resolve((node.runtime().isOurs() ? "crio-" : "") + id)
                                    .resolve(file))
                    .strip();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String info(String id) {
        return node.client()
                .runtime()
                .containerStatus(
                        ContainerStatusRequest.newBuilder()
                                .setContainerId(id)
                                .setVerbose(true)
                                .build())
                .getInfoOrThrow("info");
    }

    private static void everything(LinuxContainerResources.Builder resources) {
        resources
                .setCpuShares(1024)
                .setCpuPeriod(50_000)
                .setCpuQuota(25_000)
                .setCpusetCpus("0")
                .setCpusetMems("0")
                .setMemoryLimitInBytes(96 * MIB)
                .setMemorySwapLimitInBytes(128 * MIB)
                .setOomScoreAdj(500);
    }

    private static void assertCgroup(String id) {
        assertThat(cgroup("cpu", id, "cpu.shares")).isEqualTo("1024");
        assertThat(cgroup("cpu", id, "cpu.cfs_period_us")).isEqualTo("50000");
        assertThat(cgroup("cpu", id, "cpu.cfs_quota_us")).isEqualTo("25000");
        assertThat(cgroup("cpuset", id, "cpuset.cpus")).isEqualTo("0");
        assertThat(cgroup("cpuset", id, "cpuset.mems")).isEqualTo("0");
        assertThat(cgroup("memory", id, "memory.limit_in_bytes")).isEqualTo("" + 96 * MIB);
        assertThat(cgroup("memory", id, "memory.memsw.limit_in_bytes")).isEqualTo("" + 128 * MIB);
    }

    @Test
    void everyLimitOfARunningContainerChanges() {
        TestPod pod = TestPod.run(node);
        String id = launch(pod, true);
        update(id, UpdateResourcesTest::everything);
        assertCgroup(id);
        Peers.differ(node, "containerd 1.6 neither reports resources nor changes oom_score_adj");
        assertThat(pod.exec(id, "cat", "/proc/1/oom_score_adj").getStdout().toStringUtf8())
                .isEqualTo("500\n");
        LinuxContainerResources.Builder wanted = LinuxContainerResources.newBuilder();
        everything(wanted);
        assertThat(pod.status(id).getResources().getLinux()).isEqualTo(wanted.build());
        assertThat(info(id)).contains("\"limit\":" + 96 * MIB, "\"cpus\":\"0\"");
        node.restart();
        assertThat(pod.status(id).getResources().getLinux()).isEqualTo(wanted.build());
    }

    @Test
    void aCreatedContainerStartsWithItsNewLimits() {
        TestPod pod = TestPod.run(node);
        String id = launch(pod, false);
        Peers.differ(node, "containerd makes the cgroup when the container starts");
        update(id, UpdateResourcesTest::everything);
        pod.start(id);
        assertCgroup(id);
        assertThat(pod.exec(id, "cat", "/proc/1/oom_score_adj").getStdout().toStringUtf8())
                .isEqualTo("500\n");
    }

    @Test
    void whatIsLeftOutStays() {
        TestPod pod = TestPod.run(node);
        String id = launch(pod, true);
        update(id, resources -> resources.setCpuShares(700));
        assertThat(cgroup("cpu", id, "cpu.shares")).isEqualTo("700");
        assertThat(cgroup("memory", id, "memory.limit_in_bytes")).isEqualTo("" + 64 * MIB);
        Peers.differ(node, "containerd 1.6 reports no resources");
        LinuxContainerResources now = pod.status(id).getResources().getLinux();
        assertThat(now.getCpuShares()).isEqualTo(700);
        assertThat(now.getMemoryLimitInBytes()).isEqualTo(64 * MIB);
        assertThat(now.getOomScoreAdj()).isEqualTo(300);
    }

    @Test
    void aMemoryLimitBelowWhatIsUsedIsRefused() {
        Peers.differ(node, "containerd lets the kernel end the container");
        TestPod pod = TestPod.run(node);
        String id = launch(pod, true);
        pod.exec(id, "dd", "if=/dev/zero", "of=/dev/shm/fill", "bs=1M", "count=24");
        assertRefused(
                Status.Code.FAILED_PRECONDITION,
                "linux.memory_limit_in_bytes",
                id,
                resources -> resources.setMemoryLimitInBytes(16 * MIB));
        assertThat(cgroup("memory", id, "memory.limit_in_bytes")).isEqualTo("" + 64 * MIB);
        assertThat(pod.status(id).getResources().getLinux().getMemoryLimitInBytes())
                .isEqualTo(64 * MIB);
    }

    private static void assertRefused(
            Status.Code code,
            String field,
            String id,
            Consumer<LinuxContainerResources.Builder> change) {
        assertThatThrownBy(() -> update(id, change))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).as(e.getMessage()).isEqualTo(code))
                .hasMessageContaining(field);
    }

    @Test
    void whatCannotBeIsRefusedByItsField() {
        Peers.differ(node, "containerd leaves the checks to runc and the kernel");
        TestPod pod = TestPod.run(node);
        String id = launch(pod, true);
        Status.Code invalid = Status.Code.INVALID_ARGUMENT;
        assertRefused(invalid, "linux.cpu_shares", id, r -> r.setCpuShares(-1));
        assertRefused(invalid, "linux.cpu_period", id, r -> r.setCpuPeriod(-1));
        assertRefused(invalid, "linux.cpu_quota", id, r -> r.setCpuQuota(-2));
        assertRefused(invalid, "linux.cpuset_cpus", id, r -> r.setCpusetCpus("a"));
        assertRefused(invalid, "linux.cpuset_cpus", id, r -> r.setCpusetCpus("0,4000"));
        assertRefused(invalid, "linux.cpuset_mems", id, r -> r.setCpusetMems("a"));
        assertRefused(invalid, "linux.cpuset_mems", id, r -> r.setCpusetMems("1000"));
        assertRefused(invalid, "linux.memory_limit", id, r -> r.setMemoryLimitInBytes(-2));
        assertRefused(
                invalid,
                "linux.memory_swap_limit_in_bytes",
                id,
                r -> r.setMemoryLimitInBytes(64 * MIB).setMemorySwapLimitInBytes(32 * MIB));
        assertRefused(invalid, "linux.oom_score_adj", id, r -> r.setOomScoreAdj(2000));
        assertRefused(invalid, "linux.unified", id, r -> r.putUnified("memory.high", "1000000"));
        assertRefused(
                invalid,
                "linux.hugepage_limits",
                id,
                r -> r.addHugepageLimits(HugepageLimit.newBuilder().setPageSize("huge")));
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .updateContainerResources(
                                        UpdateContainerResourcesRequest.newBuilder()
                                                .setContainerId(id)
                                                .setWindows(
                                                        WindowsContainerResources
                                                                .getDefaultInstance())
                                                .build()))
                .hasMessageContaining("INVALID_ARGUMENT: windows");
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .updateContainerResources(
                                        UpdateContainerResourcesRequest.newBuilder()
                                                .setContainerId(id)
                                                .putAnnotations("a", "b")
                                                .build()))
                .hasMessageContaining("INVALID_ARGUMENT: annotations");
        pod.stop(id, 0);
        assertRefused(Status.Code.FAILED_PRECONDITION, "exited", id, r -> r.setCpuShares(100));
    }

    /** Kubelet sends limits of zero for sizes that the kernel cannot limit. */
    @Test
    void hugePagesOfANodeThatCannotLimitThemAreLeftOut() {
        TestPod pod = TestPod.run(node);
        String id = launch(pod, true);
        update(
                id,
                resources ->
                        resources.addHugepageLimits(
                                HugepageLimit.newBuilder().setPageSize("2MB").setLimit(0)));
        Peers.differ(node, "containerd 1.6 reports no resources");
        if (!Files.isDirectory(Path.of("/sys/fs/cgroup/hugetlb"))) {
            assertThat(pod.status(id).getResources().getLinux().getHugepageLimitsList()).isEmpty();
        }
    }

    @Test
    void thePodsResourcesAreRecordedAndShown() {
        Peers.differ(node, "containerd 1.6 does not know the call");
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.getLinuxBuilder()
                                        .setOverhead(
                                                LinuxContainerResources.newBuilder()
                                                        .setCpuShares(11))
                                        .setResources(
                                                LinuxContainerResources.newBuilder()
                                                        .setCpuShares(22)));
        assertThat(podInfo(pod))
                .contains("\"overhead\":{\"cpu_shares\":11}")
                .contains("\"resources\":{\"cpu_shares\":22}");
        node.client()
                .runtime()
                .updatePodSandboxResources(
                        UpdatePodSandboxResourcesRequest.newBuilder()
                                .setPodSandboxId(pod.id())
                                .setResources(
                                        LinuxContainerResources.newBuilder()
                                                .setMemoryLimitInBytes(64 * MIB))
                                .build());
        node.restart();
        assertThat(podInfo(pod))
                .contains("\"overhead\":{\"cpu_shares\":11}")
                .contains("\"resources\":{\"memory_limit_in_bytes\":" + 64 * MIB + "}");
        node.client()
                .runtime()
                .updatePodSandboxResources(
                        UpdatePodSandboxResourcesRequest.newBuilder()
                                .setPodSandboxId(pod.id())
                                .setOverhead(LinuxContainerResources.newBuilder().setCpuShares(33))
                                .build());
        assertThat(podInfo(pod)).contains("\"overhead\":{\"cpu_shares\":33}");
        assertPodRefused(pod, "overhead", "resources", r -> {});
        assertPodRefused(
                pod, "INVALID_ARGUMENT: resources.cpu_shares", "", r -> r.setCpuShares(-1));
        assertPodRefused(
                pod, "INVALID_ARGUMENT: resources.unified", "", r -> r.putUnified("cpu.max", "1"));
        pod.stop();
        assertPodRefused(pod, "FAILED_PRECONDITION", "not ready", r -> r.setCpuShares(5));
    }

    private static void assertPodRefused(
            TestPod pod, String one, String other, Consumer<LinuxContainerResources.Builder> c) {
        LinuxContainerResources.Builder resources = LinuxContainerResources.newBuilder();
        c.accept(resources);
        UpdatePodSandboxResourcesRequest.Builder request =
                UpdatePodSandboxResourcesRequest.newBuilder().setPodSandboxId(pod.id());
        if (!resources.build().equals(LinuxContainerResources.getDefaultInstance())) {
            request.setResources(resources);
        }
        assertThatThrownBy(() -> node.client().runtime().updatePodSandboxResources(request.build()))
                .hasMessageContaining(one)
                .hasMessageContaining(other);
    }

    private static String podInfo(TestPod pod) {
        return node.client()
                .runtime()
                .podSandboxStatus(
                        PodSandboxStatusRequest.newBuilder()
                                .setPodSandboxId(pod.id())
                                .setVerbose(true)
                                .build())
                .getInfoOrThrow("info");
    }

    @Test
    void theDriverIsToldAsItIs() {
        Peers.differ(node, "containerd 1.6 does not know the call");
        assertThat(
                        node.client()
                                .runtime()
                                .runtimeConfig(RuntimeConfigRequest.getDefaultInstance())
                                .getLinux()
                                .getCgroupDriver())
                .isEqualTo(CgroupDriver.CGROUPFS);
    }
}
