package io.crema.e2e;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerStats;
import io.crema.cri.v1.ContainerStatsFilter;
import io.crema.cri.v1.ContainerStatsRequest;
import io.crema.cri.v1.FilesystemUsage;
import io.crema.cri.v1.ImageFsInfoRequest;
import io.crema.cri.v1.LinuxPodSandboxStats;
import io.crema.cri.v1.ListContainerStatsRequest;
import io.crema.cri.v1.ListMetricDescriptorsRequest;
import io.crema.cri.v1.ListPodSandboxMetricsRequest;
import io.crema.cri.v1.ListPodSandboxStatsRequest;
import io.crema.cri.v1.Metric;
import io.crema.cri.v1.MetricDescriptor;
import io.crema.cri.v1.PodSandboxMetrics;
import io.crema.cri.v1.PodSandboxStats;
import io.crema.cri.v1.PodSandboxStatsFilter;
import io.crema.cri.v1.PodSandboxStatsRequest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Statistics and metrics of pods and containers, as kubelet reads them. */
@Tag("e2e")
class StatsTest {
    private static final long MEBIBYTE = 1 << 20;

    /** What cAdvisor has and the CRI's validation suite looks for. */
    private static final Set<String> NAMES =
            Set.of(
                    "container_blkio_device_usage_total",
                    "container_cpu_cfs_periods_total",
                    "container_cpu_cfs_throttled_periods_total",
                    "container_cpu_cfs_throttled_seconds_total",
                    "container_cpu_system_seconds_total",
                    "container_cpu_usage_seconds_total",
                    "container_cpu_user_seconds_total",
                    "container_file_descriptors",
                    "container_fs_inodes_free",
                    "container_fs_inodes_total",
                    "container_fs_limit_bytes",
                    "container_fs_reads_bytes_total",
                    "container_fs_reads_total",
                    "container_fs_usage_bytes",
                    "container_fs_writes_bytes_total",
                    "container_fs_writes_total",
                    "container_hugetlb_max_usage_bytes",
                    "container_hugetlb_usage_bytes",
                    "container_last_seen",
                    "container_memory_cache",
                    "container_memory_failcnt",
                    "container_memory_failures_total",
                    "container_memory_kernel_usage",
                    "container_memory_mapped_file",
                    "container_memory_max_usage_bytes",
                    "container_memory_rss",
                    "container_memory_swap",
                    "container_memory_usage_bytes",
                    "container_memory_working_set_bytes",
                    "container_network_receive_bytes_total",
                    "container_network_receive_errors_total",
                    "container_network_receive_packets_dropped_total",
                    "container_network_receive_packets_total",
                    "container_network_transmit_bytes_total",
                    "container_network_transmit_errors_total",
                    "container_network_transmit_packets_dropped_total",
                    "container_network_transmit_packets_total",
                    "container_oom_events_total",
                    "container_pressure_cpu_stalled_seconds_total",
                    "container_pressure_cpu_waiting_seconds_total",
                    "container_pressure_io_stalled_seconds_total",
                    "container_pressure_io_waiting_seconds_total",
                    "container_pressure_memory_stalled_seconds_total",
                    "container_pressure_memory_waiting_seconds_total",
                    "container_processes",
                    "container_sockets",
                    "container_spec_cpu_period",
                    "container_spec_cpu_quota",
                    "container_spec_cpu_shares",
                    "container_spec_memory_limit_bytes",
                    "container_spec_memory_reservation_limit_bytes",
                    "container_spec_memory_swap_limit_bytes",
                    "container_start_time_seconds",
                    "container_threads",
                    "container_threads_max",
                    "container_ulimits_soft");

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
    void aContainersUseOfEverythingIsTold() {
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config =
                pod.shell(
                                "busy",
                                """
                                dd if=/dev/zero of=/written bs=1M count=5 2>/dev/null
                                i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done
                                echo done; exec sleep 1000\
                                """)
                        .putLabels("l", "v")
                        .putAnnotations("a", "b");
        config.getLinuxBuilder().getResourcesBuilder().setMemoryLimitInBytes(64 * MEBIBYTE);
        long before = nowNanos();
        String id = pod.launch(config);
        pod.awaitLog("busy.log", "done");
        ContainerStats stats = stats(id);
        assertThat(stats.getAttributes().getId()).isEqualTo(id);
        assertThat(stats.getAttributes().getMetadata()).isEqualTo(config.getMetadata());
        assertThat(stats.getAttributes().getLabelsMap()).containsEntry("l", "v");
        assertThat(stats.getAttributes().getAnnotationsMap()).containsEntry("a", "b");
        assertThat(stats.getCpu().getTimestamp()).isBetween(before, nowNanos());
        assertThat(stats.getCpu().getUsageCoreNanoSeconds().getValue()).isGreaterThan(5_000_000);
        assertThat(stats.getMemory().getTimestamp()).isBetween(before, nowNanos());
        long usage = stats.getMemory().getUsageBytes().getValue();
        long workingSet = stats.getMemory().getWorkingSetBytes().getValue();
        assertThat(workingSet).isPositive();
        Peers.differ(node, "containerd 1.6 tells neither usage, rss nor faults of memory");
        // What was written is in the page cache, inactive: not in the working set.
        assertThat(usage).isBetween(workingSet, 64 * MEBIBYTE);
        assertThat(stats.getMemory().getAvailableBytes().getValue())
                .isEqualTo(64 * MEBIBYTE - workingSet);
        assertThat(stats.getMemory().getRssBytes().getValue()).isPositive();
        assertThat(stats.getMemory().getPageFaults().getValue()).isPositive();
        assertThat(stats.hasSwap()).isTrue();
        assertThat(stats.getCpu().getPsi().getFull().getTotal())
                .isLessThanOrEqualTo(stats.getCpu().getPsi().getSome().getTotal());
        assertThat(stats.getMemory().hasPsi()).isTrue();
        assertThat(stats.getIo().hasPsi()).isTrue();
    }

    @Test
    void theWritableLayerIsMeasured() {
        TestPod pod = TestPod.run(node);
        String id =
                pod.launch(
                        pod.shell(
                                "writer",
                                """
                                dd if=/dev/zero of=/written bs=1M count=5 2>/dev/null
                                mkdir /d; touch /d/1 /d/2; sync; echo done; exec sleep 1000\
                                """));
        pod.awaitLog("writer.log", "done");
        Peers.differ(node, "containerd measures layers every ten seconds");
        FilesystemUsage layer = stats(id).getWritableLayer();
        assertThat(layer.getTimestamp()).isPositive();
        assertThat(layer.getUsedBytes().getValue()).isBetween(5 * MEBIBYTE, 6 * MEBIBYTE);
        // The root, the file, the directory and its two; runc makes mount points too.
        assertThat(layer.getInodesUsed().getValue()).isBetween(5L, 30L);
        assertThat(layer.getFsId().getMountpoint())
                .isEqualTo(
                        node.client()
                                .images()
                                .imageFsInfo(ImageFsInfoRequest.getDefaultInstance())
                                .getContainerFilesystems(0)
                                .getFsId()
                                .getMountpoint());
    }

    @Test
    void onlyRunningContainersThatPassTheFilterAreListed() {
        TestPod one = TestPod.run(node);
        TestPod two = TestPod.run(node);
        String a = one.launch(one.shell("a", "exec sleep 1000").putLabels("n", "1"));
        String b = one.launch(one.shell("b", "exec sleep 1000").putLabels("n", "2"));
        String c = two.launch(two.shell("c", "exec sleep 1000").putLabels("n", "1"));
        String ended = two.launch(two.shell("ended", "exit 0").putLabels("n", "1"));
        two.awaitExit(ended);
        two.create(two.shell("created", "exit 0").putLabels("n", "1").build());
        Peers.differ(node, "containerd lists created and ended containers, too");
        assertThat(list(ContainerStatsFilter.getDefaultInstance()))
                .containsExactlyInAnyOrder(a, b, c);
        assertThat(list(ContainerStatsFilter.newBuilder().setId(b).build())).containsExactly(b);
        assertThat(list(ContainerStatsFilter.newBuilder().setPodSandboxId(one.id()).build()))
                .containsExactlyInAnyOrder(a, b);
        assertThat(
                        list(
                                ContainerStatsFilter.newBuilder()
                                        .putLabelSelector("n", "1")
                                        .setPodSandboxId(one.id())
                                        .build()))
                .containsExactly(a);
        assertThat(list(ContainerStatsFilter.newBuilder().setId("f".repeat(64)).build())).isEmpty();
        ContainerStats attributesOnly = stats(ended);
        assertThat(attributesOnly.getAttributes().getMetadata().getName()).isEqualTo("ended");
        assertThat(attributesOnly.hasCpu()).isFalse();
        ContainerLifecycleTest.assertCode(Status.Code.NOT_FOUND, () -> stats("f".repeat(64)));
    }

    @Test
    void aPodsNetworkProcessesAndContainersAreTold() {
        Peers.differ(node, "containerd 1.6 leaves parts of PodSandboxStats out");
        TestPod pod = TestPod.run(node, config -> config.putLabels("l", "v"));
        String id = pod.launch(pod.shell("two", "sleep 1000 & echo up; wait"));
        pod.awaitLog("two.log", "up");
        node.inNamespace(
                "/bin/busybox", "ping", "-c", "2", "-i", "0.2", pod.status().getNetwork().getIp());
        PodSandboxStats stats = podStats(pod.id());
        assertThat(stats.getAttributes().getId()).isEqualTo(pod.id());
        assertThat(stats.getAttributes().getMetadata()).isEqualTo(pod.config().getMetadata());
        LinuxPodSandboxStats linux = stats.getLinux();
        assertThat(linux.getContainersList())
                .extracting(container -> container.getAttributes().getId())
                .containsExactly(id);
        assertThat(linux.getProcess().getProcessCount().getValue()).isEqualTo(2);
        assertThat(linux.getNetwork().getTimestamp()).isPositive();
        assertThat(linux.getNetwork().getDefaultInterface().getName()).isEqualTo("eth0");
        // Two echo requests of 98 bytes at the least.
        assertThat(linux.getNetwork().getDefaultInterface().getRxBytes().getValue())
                .isGreaterThan(190);
        assertThat(linux.getNetwork().getDefaultInterface().getTxBytes().getValue())
                .isGreaterThan(190);
        assertThat(linux.getNetwork().getInterfacesList())
                .noneMatch(other -> other.getName().equals("lo"));
        assertThat(linux.getCpu().getUsageCoreNanoSeconds().getValue()).isPositive();
        assertThat(linux.getMemory().getWorkingSetBytes().getValue()).isPositive();
        TestPod other = TestPod.run(node);
        assertThat(listPods(PodSandboxStatsFilter.getDefaultInstance()))
                .containsExactlyInAnyOrder(pod.id(), other.id());
        assertThat(listPods(PodSandboxStatsFilter.newBuilder().putLabelSelector("l", "v").build()))
                .containsExactly(pod.id());
        assertThat(listPods(PodSandboxStatsFilter.newBuilder().setId(other.id()).build()))
                .containsExactly(other.id());
        // A pod without any process has a network all the same.
        assertThat(podStats(other.id()).getLinux().getNetwork().hasDefaultInterface()).isTrue();
        other.stop();
        assertThat(listPods(PodSandboxStatsFilter.getDefaultInstance())).containsExactly(pod.id());
        assertThat(podStats(other.id()).getAttributes().getId()).isEqualTo(other.id());
        ContainerLifecycleTest.assertCode(Status.Code.NOT_FOUND, () -> podStats("f".repeat(64)));
    }

    @Test
    void everyMetricHasADescriptorAndItsLabels() {
        Peers.differ(node, "containerd 1.6 has no metrics");
        Map<String, MetricDescriptor> descriptors = descriptors();
        assertThat(descriptors.keySet()).isEqualTo(NAMES);
        assertThat(descriptors.values())
                .allSatisfy(descriptor -> {
                    assertThat(descriptor.getHelp()).isNotEmpty();
                    assertThat(descriptor.getLabelKeysList())
                            .contains("id", "image", "namespace", "pod", "container")
                            .doesNotHaveDuplicates();
                });
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config =
                pod.shell(
                        "writer",
                        """
                        dd if=/dev/zero of=/written bs=1M count=5 conv=fsync 2>/dev/null
                        echo done; exec sleep 1000\
                        """);
        config.getLinuxBuilder()
                .getResourcesBuilder()
                .setCpuPeriod(100_000)
                .setCpuQuota(50_000)
                .setMemoryLimitInBytes(64 * MEBIBYTE);
        pod.launch(config);
        pod.awaitLog("writer.log", "done");
        Set<String> seen = new TreeSet<>();
        for (PodSandboxMetrics metrics : metrics()) {
            assertThat(metrics.getPodSandboxId()).isEqualTo(pod.id());
            assertThat(metrics.getContainerMetricsCount()).isEqualTo(1);
            metrics.getMetricsList().forEach(metric -> check(metric, descriptors, seen));
            metrics.getContainerMetrics(0)
                    .getMetricsList()
                    .forEach(metric -> check(metric, descriptors, seen));
        }
        Set<String> missing = new TreeSet<>(NAMES);
        missing.removeAll(seen);
        // This kernel has no hugetlb controller; figures of devices need a block device.
        missing.removeIf(name -> name.startsWith("container_hugetlb") || isOfBlockDevices(name));
        assertThat(missing).isEmpty();
        Metric limit = ofContainer("container_spec_memory_limit_bytes");
        assertThat(limit.getValue().getValue()).isEqualTo(64 * MEBIBYTE);
        assertThat(ofContainer("container_spec_cpu_quota").getValue().getValue()).isEqualTo(50_000);
        List<String> keys =
                requireNonNull(descriptors.get("container_spec_memory_limit_bytes"))
                        .getLabelKeysList();
        assertThat(limit.getLabelValues(keys.indexOf("namespace"))).isEqualTo("e2e");
        assertThat(limit.getLabelValues(keys.indexOf("container"))).isEqualTo("writer");
        assertThat(limit.getLabelValues(keys.indexOf("pod")))
                .isEqualTo(pod.config().getMetadata().getName());
    }

    private static boolean isOfBlockDevices(String name) {
        return name.startsWith("container_blkio")
                || name.startsWith("container_fs_reads")
                || name.startsWith("container_fs_writes");
    }

    private static void check(
            Metric metric, Map<String, MetricDescriptor> descriptors, Set<String> seen) {
        MetricDescriptor descriptor =
                requireNonNull(descriptors.get(metric.getName()), metric.getName());
        assertThat(metric.getLabelValuesCount())
                .as(metric.getName())
                .isEqualTo(descriptor.getLabelKeysCount());
        seen.add(metric.getName());
    }

    @Test
    void fiftyReadingsInARowLeaveNothingBehind() {
        TestPod pod = TestPod.run(node);
        pod.launch(pod.shell("one", "exec sleep 1000"));
        long open = openDescriptors();
        for (int i = 0; i < 50; i++) {
            list(ContainerStatsFilter.getDefaultInstance());
        }
        assertThat(openDescriptors()).isLessThan(open + 20);
    }

    private static long openDescriptors() {
        String[] names = new java.io.File("/proc/" + node.daemonPid() + "/fd").list();
        return names == null ? 0 : names.length;
    }

    @Test
    void theRateOfTheProcessorIsToldFromTheSecondReading() throws InterruptedException {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("spin", "while :; do :; done"));
        stats(id);
        // The shortest interval that a rate is told of is a second.
        Thread.sleep(Duration.ofMillis(1100));
        Peers.differ(node, "containerd 1.6 computes the rate from two collections of its own");
        assertThat(stats(id).getCpu().getUsageNanoCores().getValue())
                .isBetween(1_000_000L, 2_000_000_000L);
    }

    private static long nowNanos() {
        Instant now = Instant.now();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }

    private static ContainerStats stats(String id) {
        return node.client()
                .runtime()
                .containerStats(ContainerStatsRequest.newBuilder().setContainerId(id).build())
                .getStats();
    }

    private static List<String> list(ContainerStatsFilter filter) {
        return node
                .client()
                .runtime()
                .listContainerStats(
                        ListContainerStatsRequest.newBuilder().setFilter(filter).build())
                .getStatsList()
                .stream()
                .map(stats -> stats.getAttributes().getId())
                .toList();
    }

    private static PodSandboxStats podStats(String id) {
        return node.client()
                .runtime()
                .podSandboxStats(PodSandboxStatsRequest.newBuilder().setPodSandboxId(id).build())
                .getStats();
    }

    private static List<String> listPods(PodSandboxStatsFilter filter) {
        return node
                .client()
                .runtime()
                .listPodSandboxStats(
                        ListPodSandboxStatsRequest.newBuilder().setFilter(filter).build())
                .getStatsList()
                .stream()
                .map(stats -> stats.getAttributes().getId())
                .toList();
    }

    private static Map<String, MetricDescriptor> descriptors() {
        Map<String, MetricDescriptor> descriptors = new TreeMap<>();
        for (MetricDescriptor descriptor :
                node.client()
                        .runtime()
                        .listMetricDescriptors(ListMetricDescriptorsRequest.getDefaultInstance())
                        .getDescriptorsList()) {
            assertThat(descriptors.put(descriptor.getName(), descriptor)).isNull();
        }
        return descriptors;
    }

    private static List<PodSandboxMetrics> metrics() {
        return node.client()
                .runtime()
                .listPodSandboxMetrics(ListPodSandboxMetricsRequest.getDefaultInstance())
                .getPodMetricsList();
    }

    private static Metric ofContainer(String name) {
        Set<Metric> found = new HashSet<>();
        for (PodSandboxMetrics pod : metrics()) {
            pod.getContainerMetricsList()
                    .forEach(container ->
                            container.getMetricsList().stream()
                                    .filter(metric -> metric.getName().equals(name))
                                    .forEach(found::add));
        }
        assertThat(found).hasSize(1);
        return found.iterator().next();
    }
}
