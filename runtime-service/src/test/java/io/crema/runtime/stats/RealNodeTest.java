package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.Deadline;
import io.crema.cri.v1.ContainerStats;
import io.crema.cri.v1.ContainerStatsFilter;
import io.crema.cri.v1.ContainerStatsRequest;
import io.crema.cri.v1.LinuxPodSandboxStats;
import io.crema.cri.v1.Metric;
import io.crema.cri.v1.NetworkUsage;
import io.crema.cri.v1.PodSandboxStatsFilter;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.PodSandbox;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Figures of real processes in real cgroups and network namespaces. */
@Tag("root")
@Timeout(120)
class RealNodeTest {
    /** Holds more memory than a shell needs, opens a file and burns processor time. */
    private static final String BURN =
            "block=$(head -c 8000000 /dev/zero | tr '\\0' x); exec 7</dev/null;"
                    + " while :; do :; done";

    @TempDir Path directory;

    private static <T> T await(Supplier<T> reading, Predicate<T> enough) {
        Deadline deadline = Deadline.after(Duration.ofSeconds(60));
        while (true) {
            T value = reading.get();
            if (enough.test(value)) {
                return value;
            }
            deadline.check("waiting for figures; the last were " + value);
        }
    }

    private static ContainerStats stats(StatsCalls calls, Container container) {
        return calls.containerStats(
                        ContainerStatsRequest.newBuilder()
                                .setContainerId(container.id().value())
                                .build())
                .getStats();
    }

    @Test
    void aBusyAndAnIdleContainer() throws Exception {
        try (RealNode node = new RealNode(directory);
                StatsCalls calls = node.calls()) {
            PodSandbox pod = node.pod("pod");
            Container busy = node.container(pod, "busy", BURN);
            Container idle = node.container(pod, "idle", "exec sleep 600");

            ContainerStats burning =
                    await(
                            () -> stats(calls, busy),
                            found ->
                                    found.getCpu().getUsageNanoCores().getValue() > 10_000_000
                                            && found.getMemory().getRssBytes().getValue()
                                                    > 8_000_000);
            assertThat(burning.getCpu().getUsageCoreNanoSeconds().getValue())
                    .isGreaterThan(10_000_000);
            assertThat(burning.getCpu().getUsageNanoCores().getValue())
                    .as("one loop cannot use more than a processor, but for the clock's grain")
                    .isLessThan(1_200_000_000L);
            assertThat(burning.getMemory().getWorkingSetBytes().getValue())
                    .isBetween(8_000_000L, 200_000_000L);
            assertThat(burning.getMemory().getPageFaults().getValue()).isPositive();
            assertThat(burning.getMemory().hasAvailableBytes()).as("no limit").isFalse();
            assertThat(burning.getWritableLayer().getInodesUsed().getValue()).isEqualTo(1);

            ContainerStats resting = stats(calls, idle);
            assertThat(resting.getCpu().getUsageCoreNanoSeconds().getValue())
                    .isLessThan(burning.getCpu().getUsageCoreNanoSeconds().getValue());
            if (Path.of("/proc/pressure/cpu").toFile().exists()) {
                assertThat(burning.getCpu().hasPsi()).isTrue();
                assertThat(burning.getMemory().hasPsi()).isTrue();
                assertThat(burning.getIo().hasPsi()).isTrue();
            }

            LinuxPodSandboxStats whole =
                    calls.podSandboxStats(
                                    PodSandboxStatsFilter.newBuilder()
                                            .setId(pod.id().value())
                                            .build())
                            .getFirst()
                            .getLinux();
            assertThat(whole.getContainersList()).hasSize(2);
            assertThat(whole.getProcess().getProcessCount().getValue()).isEqualTo(2);
            assertThat(whole.getCpu().getUsageCoreNanoSeconds().getValue())
                    .isGreaterThan(burning.getCpu().getUsageCoreNanoSeconds().getValue());
            assertThat(whole.getMemory().getRssBytes().getValue()).isGreaterThan(8_000_000);
        }
    }

    @Test
    void theNetworkOfAPodWithAndWithoutProcesses() throws Exception {
        try (RealNode node = new RealNode(directory);
                StatsCalls calls = node.calls()) {
            PodSandbox pod = node.pod("pod");
            Supplier<NetworkUsage> reading =
                    () ->
                            calls.podSandboxStats(PodSandboxStatsFilter.getDefaultInstance())
                                    .getFirst()
                                    .getLinux()
                                    .getNetwork();
            Predicate<NetworkUsage> hasTraffic =
                    network -> network.getDefaultInterface().getTxBytes().getValue() > 0;
            NetworkUsage inside = await(reading, hasTraffic);
            assertThat(inside.getDefaultInterface().getName()).isEqualTo("eth0");
            assertThat(inside.getInterfacesList()).anyMatch(i -> i.getName().equals("peer"));
            assertThat(inside.getInterfacesList()).noneMatch(i -> i.getName().equals("lo"));

            node.container(pod, "idle", "exec sleep 600");
            NetworkUsage through = await(reading, hasTraffic);
            assertThat(through.getDefaultInterface().getTxBytes().getValue())
                    .isGreaterThanOrEqualTo(inside.getDefaultInterface().getTxBytes().getValue());

            node.linux().unpin(Set.of(node.namespace(pod)));
            node.records().inventory.containers().forEach(node.records().inventory::remove);
            assertThat(reading.get()).isEqualTo(NetworkUsage.getDefaultInstance());
        }
    }

    @Test
    void metricsOfARealContainer() throws Exception {
        try (RealNode node = new RealNode(directory);
                StatsCalls calls = node.calls()) {
            Container busy = node.container(node.pod("pod"), "busy", BURN);
            List<Metric> metrics =
                    await(
                            () ->
                                    calls.podSandboxMetrics()
                                            .getFirst()
                                            .getContainerMetrics(0)
                                            .getMetricsList(),
                            found ->
                                    value(found, "container_cpu_usage_seconds_total") > 0
                                            && value(found, "container_fs_usage_bytes") > 0);
            assertThat(value(metrics, "container_processes")).isEqualTo(1);
            assertThat(value(metrics, "container_file_descriptors")).isGreaterThanOrEqualTo(4);
            assertThat(value(metrics, "container_ulimits_soft")).isPositive();
            assertThat(value(metrics, "container_memory_max_usage_bytes")).isGreaterThan(8_000_000);
            assertThat(value(metrics, "container_fs_limit_bytes")).isPositive();
            Set<String> missing = new TreeSet<>();
            for (PodMetric metric : PodMetric.values()) {
                if (value(metrics, metric.text()) < 0
                        && metric.group() != MetricGroup.NETWORK
                        && metric.group() != MetricGroup.HUGETLB
                        && metric.group() != MetricGroup.DISK_IO
                        && metric != PodMetric.SPEC_CPU_QUOTA) {
                    missing.add(metric.text());
                }
            }
            assertThat(missing).isEmpty();

            busy.observe(new ContainerState.Ended(1, 0, "Completed", ""));
            assertThat(calls.podSandboxMetrics().getFirst().getContainerMetricsList()).isEmpty();
            assertThat(calls.containerStats(ContainerStatsFilter.getDefaultInstance())).isEmpty();
        }
    }

    private static long value(List<Metric> metrics, String name) {
        return metrics.stream()
                .filter(metric -> metric.getName().equals(name))
                .mapToLong(metric -> metric.getValue().getValue())
                .max()
                .orElse(-1);
    }
}
