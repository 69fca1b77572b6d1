package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ListMetricDescriptorsRequest;
import io.crema.cri.v1.ListPodSandboxMetricsRequest;
import io.crema.cri.v1.Metric;
import io.crema.cri.v1.MetricDescriptor;
import io.crema.cri.v1.MetricType;
import io.crema.cri.v1.PodSandboxMetrics;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PodMetricsTest {
    private static final String POD = "a".repeat(64);
    private static final String CONTAINER = "b".repeat(64);
    private static final String PARENT = "/kubepods/poduid-1";
    private static final String CGROUP = PARENT + "/crio-" + CONTAINER;

    /** Those that the CRI validation suite asks for. */
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

    @TempDir Path directory;

    private static FakeNode filled(FakeNode node) {
        PodSandbox pod = node.pod(POD, FakeNode.podConfig("web", "uid-1"), PARENT);
        node.container(CONTAINER, pod, "one", new ProcessIdentity(41, 400));
        node.process(41, 400);
        node.proc("41/net/dev", StatsCallsTest.NET_DEV);
        node.proc(
                "41/limits",
                """
                Limit                     Soft Limit           Hard Limit           Units
                Max stack size            8388608              unlimited            bytes
                Max open files            1024                 4096                 files
                """);
        node.proc("41/fd/0", "");
        node.proc("41/fd/1", "");
        node.sys("dev/block/254:0/uevent", "MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n");
        return node;
    }

    private FakeNode versionOne() {
        FakeNode node = filled(FakeNode.hybrid(directory.resolve("one")));
        CgroupReaderTest.fillVersionOne(node, CGROUP);
        node.cgroup("pids", CGROUP, "cgroup.procs", "41\n");
        node.cgroup("pids", CGROUP + "/inner", "cgroup.procs", "42\n43\n");
        return node;
    }

    private FakeNode versionTwo() {
        FakeNode node =
                filled(
                        FakeNode.versionTwo(
                                directory.resolve("two"),
                                "cpu",
                                "memory",
                                "pids",
                                "io",
                                "hugetlb"));
        CgroupReaderTest.fillVersionTwo(node, CGROUP, "67108864", "3000000");
        node.cgroup("", CGROUP, "cgroup.procs", "41\n");
        return node;
    }

    /** Asks until the layer is measured. */
    private static PodSandboxMetrics read(StatsCalls calls) {
        while (true) {
            PodSandboxMetrics metrics =
                    calls.listPodSandboxMetrics(ListPodSandboxMetricsRequest.getDefaultInstance())
                            .getPodMetrics(0);
            boolean isSettled =
                    metrics.getContainerMetrics(0).getMetricsList().stream()
                            .anyMatch(m -> m.getName().equals("container_fs_usage_bytes"));
            if (isSettled) {
                return metrics;
            }
        }
    }

    private static List<Metric> all(PodSandboxMetrics metrics) {
        List<Metric> all = new ArrayList<>(metrics.getMetricsList());
        metrics.getContainerMetricsList().forEach(one -> all.addAll(one.getMetricsList()));
        return all;
    }

    private static Map<String, MetricDescriptor> descriptors(StatsCalls calls) {
        Map<String, MetricDescriptor> descriptors = new LinkedHashMap<>();
        calls.listMetricDescriptors(ListMetricDescriptorsRequest.getDefaultInstance())
                .getDescriptorsList()
                .forEach(one -> descriptors.put(one.getName(), one));
        return descriptors;
    }

    @Test
    void everyNameHasADescriptorWithHelpAndLabels() {
        try (StatsCalls calls = versionOne().calls()) {
            Map<String, MetricDescriptor> descriptors = descriptors(calls);
            assertThat(descriptors.keySet()).containsExactlyInAnyOrderElementsOf(NAMES);
            descriptors
                    .values()
                    .forEach(one -> {
                        assertThat(one.getHelp()).as(one.getName()).endsWith(".");
                        assertThat(one.getLabelKeysList())
                                .as(one.getName())
                                .startsWith("id", "image", "namespace", "pod", "container")
                                .doesNotHaveDuplicates();
                    });
        }
    }

    @Test
    void everyNameIsAnsweredWithItsLabelsOnBothVersions() {
        for (FakeNode node : List.of(versionOne(), versionTwo())) {
            try (StatsCalls calls = node.calls("all")) {
                Map<String, MetricDescriptor> descriptors = descriptors(calls);
                List<Metric> metrics = all(read(calls));
                Set<String> seen = new TreeSet<>();
                Set<String> series = new HashSet<>();
                for (Metric metric : metrics) {
                    seen.add(metric.getName());
                    assertThat(metric.getLabelValuesCount())
                            .as(metric.getName())
                            .isEqualTo(
                                    Objects.requireNonNull(descriptors.get(metric.getName()))
                                            .getLabelKeysCount());
                    assertThat(metric.hasValue()).isTrue();
                    assertThat(metric.getTimestamp()).as("read now").isZero();
                    assertThat(series.add(metric.getName() + metric.getLabelValuesList()))
                            .as("one value for each series: %s", metric)
                            .isTrue();
                }
                assertThat(seen).containsExactlyInAnyOrderElementsOf(NAMES);
            }
        }
    }

    @Test
    void valuesAreThoseOfTheKernel() {
        try (StatsCalls calls = versionOne().calls("all")) {
            Map<String, Long> values = new HashMap<>();
            for (Metric metric : all(read(calls))) {
                List<String> labels = metric.getLabelValuesList();
                assertThat(labels.subList(2, 4)).containsExactly("space", "web");
                boolean isPods = labels.get(4).equals("POD");
                assertThat(labels.subList(0, 2))
                        .containsExactly(
                                isPods ? POD : CONTAINER, isPods ? "" : "example.test/one:1");
                String own = String.join(",", labels.subList(5, labels.size()));
                String name = metric.getName().substring("container_".length());
                values.put(
                        (isPods ? "POD " : "") + name + (own.isEmpty() ? "" : "{" + own + "}"),
                        metric.getValue().getValue());
            }
            long now = FakeNode.NOW.getEpochSecond();
            assertThat(values)
                    .containsEntry("cpu_usage_seconds_total{total}", 8L)
                    .containsEntry("cpu_user_seconds_total", 5L)
                    .containsEntry("cpu_system_seconds_total", 3L)
                    .containsEntry("cpu_cfs_periods_total", 30L)
                    .containsEntry("cpu_cfs_throttled_periods_total", 4L)
                    .containsEntry("cpu_cfs_throttled_seconds_total", 2L)
                    .containsEntry("memory_cache", 30_000_000L)
                    .containsEntry("memory_failcnt", 3L)
                    .containsEntry("memory_failures_total{pgfault,container}", 600L)
                    .containsEntry("memory_failures_total{pgfault,hierarchy}", 700L)
                    .containsEntry("memory_failures_total{pgmajfault,hierarchy}", 7L)
                    .containsEntry("memory_kernel_usage", 400_000L)
                    .containsEntry("memory_mapped_file", 5_000_000L)
                    .containsEntry("memory_max_usage_bytes", 60_000_000L)
                    .containsEntry("memory_rss", 20_000_000L)
                    .containsEntry("memory_swap", 1_000_000L)
                    .containsEntry("memory_usage_bytes", 50_000_000L)
                    .containsEntry("memory_working_set_bytes", 40_000_000L)
                    .containsEntry("oom_events_total", 2L)
                    .containsEntry("pressure_cpu_waiting_seconds_total", 2L)
                    .containsEntry("pressure_cpu_stalled_seconds_total", 1L)
                    .containsEntry("pressure_memory_waiting_seconds_total", 4L)
                    .containsEntry("pressure_memory_stalled_seconds_total", 3L)
                    .containsEntry("pressure_io_waiting_seconds_total", 6L)
                    .containsEntry("pressure_io_stalled_seconds_total", 5L)
                    .containsEntry("hugetlb_usage_bytes{2MB}", 2_097_152L)
                    .containsEntry("hugetlb_max_usage_bytes{2MB}", 4_194_304L)
                    .containsEntry("fs_reads_bytes_total{/dev/vda}", 4096L)
                    .containsEntry("fs_writes_bytes_total{/dev/vda}", 8192L)
                    .containsEntry("fs_reads_total{/dev/vda}", 1L)
                    .containsEntry("fs_writes_total{/dev/vda}", 2L)
                    .containsEntry("blkio_device_usage_total{/dev/vda,254,0,Read}", 4096L)
                    .containsEntry("blkio_device_usage_total{/dev/vda,254,0,Write}", 8192L)
                    .containsEntry("processes", 3L)
                    .containsEntry("file_descriptors", 2L)
                    .containsEntry("sockets", 0L)
                    .containsEntry("threads", 5L)
                    .containsEntry("threads_max", 100L)
                    .containsEntry("ulimits_soft{max_open_files}", 1024L)
                    .containsEntry("spec_cpu_period", 100_000L)
                    .containsEntry("spec_cpu_quota", 20_000L)
                    .containsEntry("spec_cpu_shares", 512L)
                    .containsEntry("spec_memory_limit_bytes", 67_108_864L)
                    .containsEntry("spec_memory_reservation_limit_bytes", 0L)
                    .containsEntry("spec_memory_swap_limit_bytes", 100_000_000L)
                    .containsEntry("last_seen", now)
                    .containsEntry("start_time_seconds", now - 60)
                    .containsEntry("POD last_seen", now)
                    .containsEntry("POD start_time_seconds", now - 60)
                    .containsEntry("POD network_receive_bytes_total{eth0}", 1000L)
                    .containsEntry("POD network_receive_packets_total{eth0}", 10L)
                    .containsEntry("POD network_receive_errors_total{eth0}", 1L)
                    .containsEntry("POD network_receive_packets_dropped_total{eth0}", 2L)
                    .containsEntry("POD network_transmit_bytes_total{eth0}", 2000L)
                    .containsEntry("POD network_transmit_packets_total{eth0}", 20L)
                    .containsEntry("POD network_transmit_errors_total{eth0}", 3L)
                    .containsEntry("POD network_transmit_packets_dropped_total{eth0}", 4L)
                    .containsEntry("POD network_receive_bytes_total{eth1}", 5000L)
                    .doesNotContainKey("POD network_receive_bytes_total{lo}");
        }
    }

    @Test
    void countersAreCounters() {
        for (PodMetric metric : PodMetric.values()) {
            if (metric.text().endsWith("_total") && metric != PodMetric.FS_INODES_TOTAL) {
                assertThat(metric.type()).as(metric.text()).isEqualTo(MetricType.COUNTER);
            }
        }
    }

    @Test
    void onlyIncludedGroupsAreAnswered() {
        try (StatsCalls calls = versionOne().calls("network", "disk")) {
            Set<String> names = new TreeSet<>();
            all(read(calls)).forEach(metric -> names.add(metric.getName()));
            assertThat(names)
                    .contains(
                            "container_last_seen",
                            "container_start_time_seconds",
                            "container_fs_usage_bytes",
                            "container_network_receive_bytes_total")
                    .allMatch(name ->
                            name.startsWith("container_network_")
                                    || name.startsWith("container_fs_")
                                    || name.equals("container_last_seen")
                                    || name.equals("container_start_time_seconds"));
            assertThat(descriptors(calls)).hasSize(56);
        }
    }

    @Test
    void withoutGroupsOnlyTheTwoOfEveryContainerAreAnswered() {
        try (StatsCalls calls = versionOne().calls()) {
            PodSandboxMetrics metrics = calls.podSandboxMetrics().getFirst();
            assertThat(metrics.getPodSandboxId()).isEqualTo(POD);
            assertThat(metrics.getContainerMetrics(0).getContainerId()).isEqualTo(CONTAINER);
            assertThat(metrics.getMetricsList()).hasSize(2);
            assertThat(metrics.getContainerMetrics(0).getMetricsList()).hasSize(2);
        }
    }

    @Test
    void aGroupThatIsNoneIsRefused() {
        FakeNode node = versionOne();
        assertThatThrownBy(() -> node.calls("cpu", "disks"))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("'disks'")
                .hasMessageContaining("diskIO");
    }

    @Test
    void keptAnswersTellTheirTime() {
        try (StatsCalls calls = versionOne().calls(Duration.ofSeconds(10), "cpu")) {
            List<PodSandboxMetrics> first = calls.podSandboxMetrics();
            assertThat(all(first.getFirst()))
                    .allMatch(metric -> metric.getTimestamp() == FakeNode.NOW_NANOS);
            assertThat(calls.podSandboxMetrics()).isSameAs(first);
        }
    }

    @Test
    void deviceNumbersAreTakenApartAsGlibcDoes() {
        assertThat(BlockDevices.major(0xFE00)).isEqualTo(254);
        assertThat(BlockDevices.minor(0xFE00)).isZero();
        long large = (0x12345000L << 32) | (0x678L << 8) | (0xABCDE00L << 12) | 0xF1L;
        assertThat(BlockDevices.major(large)).isEqualTo(0x12345678);
        assertThat(BlockDevices.minor(large)).isEqualTo(0xABCDEF1);
    }

    @Test
    void aPartitionCountsAtItsDisk() throws Exception {
        FakeNode node = FakeNode.versionTwo(directory);
        node.sys("devices/sda/dev", "8:0\n");
        node.sys("devices/sda/uevent", "DEVNAME=sda\n");
        node.sys("devices/sda/sda1/partition", "1\n");
        node.sys("devices/sda/sda1/uevent", "DEVNAME=sda1\n");
        Path block = Files.createDirectories(directory.resolve("sys/dev/block"));
        Files.createSymbolicLink(block.resolve("8:1"), Path.of("../../devices/sda/sda1"));
        Files.createSymbolicLink(block.resolve("8:0"), Path.of("../../devices/sda"));
        BlockDevices devices =
                new BlockDevices(node.linux(), node.kernel(), directory.resolve("sys"));
        BlockDevices.Device partition = new BlockDevices.Device(8, 1, devices.name(8, 1));
        assertThat(partition.name()).isEqualTo("/dev/sda1");
        assertThat(devices.disk(partition)).isEqualTo(new BlockDevices.Device(8, 0, "/dev/sda"));
        assertThat(devices.disk(devices.disk(partition)).name()).isEqualTo("/dev/sda");
        assertThat(devices.name(9, 9)).as("unknown").isEqualTo("9:9");
    }
}
