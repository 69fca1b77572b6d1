package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerAttributes;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.ContainerStats;
import io.crema.cri.v1.ContainerStatsFilter;
import io.crema.cri.v1.ContainerStatsRequest;
import io.crema.cri.v1.CpuUsage;
import io.crema.cri.v1.FilesystemIdentifier;
import io.crema.cri.v1.FilesystemUsage;
import io.crema.cri.v1.IoUsage;
import io.crema.cri.v1.LinuxPodSandboxConfig;
import io.crema.cri.v1.LinuxPodSandboxStats;
import io.crema.cri.v1.LinuxSandboxSecurityContext;
import io.crema.cri.v1.ListContainerStatsRequest;
import io.crema.cri.v1.ListPodSandboxStatsRequest;
import io.crema.cri.v1.MemoryUsage;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.NetworkInterfaceUsage;
import io.crema.cri.v1.NetworkUsage;
import io.crema.cri.v1.PodSandboxAttributes;
import io.crema.cri.v1.PodSandboxStats;
import io.crema.cri.v1.PodSandboxStatsFilter;
import io.crema.cri.v1.PodSandboxStatsRequest;
import io.crema.cri.v1.ProcessUsage;
import io.crema.cri.v1.PsiData;
import io.crema.cri.v1.PsiStats;
import io.crema.cri.v1.SwapUsage;
import io.crema.cri.v1.UInt64Value;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The messages on a node of the hybrid layout with one pod of two containers. */
@Timeout(60)
class StatsCallsTest {
    private static final String UID = "12345678-9abc-def0-1234-56789abcdef0";
    private static final String PARENT = "/kubepods/pod" + UID;
    private static final String POD = "a".repeat(64);
    private static final String ONE = "b1" + "0".repeat(62);
    private static final String TWO = "b2" + "0".repeat(62);
    static final String NET_DEV =
            """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
                lo:   99    9    0    0    0     0          0         0       99    9    0    0    0     0       0          0
              eth0: 1000   10    1    2    0     0          0         0     2000   20    3    4    0     0       0          0
              eth1:5000   50    0    0    0     0          0         0     6000   60    0    0    0     0       0          0
            """;

    @TempDir Path directory;
    private FakeNode node;
    private PodSandbox pod;
    private Container one;

    @BeforeEach
    void podWithTwoContainers() {
        node = FakeNode.hybrid(directory);
        pod = node.pod(POD, FakeNode.podConfig("web", UID), PARENT);
        one = node.container(ONE, pod, "one", new ProcessIdentity(41, 400));
        node.container(TWO, pod, "two", new ProcessIdentity(42, 400));
        CgroupReaderTest.fillVersionOne(node, PARENT);
        node.cgroup("cpuacct", PARENT, "cpuacct.usage", "20000000000\n");
        CgroupReaderTest.fillVersionOne(node, PARENT + "/crio-" + ONE);
        CgroupReaderTest.fillVersionOne(node, PARENT + "/crio-" + TWO);
        node.process(41, 400);
        node.proc("41/net/dev", NET_DEV);
    }

    private static UInt64Value value(long value) {
        return UInt64Value.newBuilder().setValue(value).build();
    }

    private static PsiStats pressure(long someNanos, long fullNanos) {
        return PsiStats.newBuilder()
                .setSome(PsiData.newBuilder().setTotal(someNanos))
                .setFull(PsiData.newBuilder().setTotal(fullNanos))
                .build();
    }

    private ContainerStats expected(Container container) {
        long layer =
                JnaLinux.load()
                                .status(node.layout.upper(container.id()), false)
                                .orElseThrow()
                                .blocks512()
                        * 512;
        String name = container.config().getMetadata().getName();
        PsiStats cpuPressure =
                PsiStats.newBuilder()
                        .setSome(
                                PsiData.newBuilder()
                                        .setTotal(2_000_000_000L)
                                        .setAvg10(1.5)
                                        .setAvg60(0.25))
                        .setFull(PsiData.newBuilder().setTotal(1_000_000_000L))
                        .build();
        PsiStats ioPressure =
                PsiStats.newBuilder()
                        .setSome(PsiData.newBuilder().setTotal(6_000_000_000L).setAvg300(99.99))
                        .setFull(PsiData.newBuilder().setTotal(5_000_000_000L))
                        .build();
        return ContainerStats.newBuilder()
                .setAttributes(
                        ContainerAttributes.newBuilder()
                                .setId(container.id().value())
                                .setMetadata(ContainerMetadata.newBuilder().setName(name))
                                .putLabels("name", name)
                                .putAnnotations("note", "kept"))
                .setCpu(
                        CpuUsage.newBuilder()
                                .setTimestamp(FakeNode.NOW_NANOS)
                                .setUsageCoreNanoSeconds(value(8_004_142_000L))
                                .setPsi(cpuPressure))
                .setMemory(
                        MemoryUsage.newBuilder()
                                .setTimestamp(FakeNode.NOW_NANOS)
                                .setWorkingSetBytes(value(40_000_000))
                                .setAvailableBytes(value(27_108_864))
                                .setUsageBytes(value(50_000_000))
                                .setRssBytes(value(20_000_000))
                                .setPageFaults(value(700))
                                .setMajorPageFaults(value(7))
                                .setPsi(pressure(4_000_000_000L, 3_000_000_000L)))
                .setWritableLayer(
                        FilesystemUsage.newBuilder()
                                .setTimestamp(FakeNode.NOW_NANOS)
                                .setFsId(
                                        FilesystemIdentifier.newBuilder()
                                                .setMountpoint("/var/lib/images"))
                                .setUsedBytes(value(layer))
                                .setInodesUsed(value(1)))
                .setSwap(
                        SwapUsage.newBuilder()
                                .setTimestamp(FakeNode.NOW_NANOS)
                                .setSwapAvailableBytes(value(31_891_136))
                                .setSwapUsageBytes(value(1_000_000)))
                .setIo(IoUsage.newBuilder().setTimestamp(FakeNode.NOW_NANOS).setPsi(ioPressure))
                .build();
    }

    private static List<String> ids(List<ContainerStats> stats) {
        return stats.stream().map(found -> found.getAttributes().getId()).sorted().toList();
    }

    private static ContainerStats settled(StatsCalls calls, String id) {
        // The first answer may come before the layer was measured.
        while (true) {
            ContainerStats stats =
                    calls.containerStats(
                                    ContainerStatsRequest.newBuilder().setContainerId(id).build())
                            .getStats();
            if (stats.getWritableLayer().hasUsedBytes()) {
                return stats;
            }
        }
    }

    @Test
    void oneContainer() {
        try (StatsCalls calls = node.calls()) {
            assertThat(settled(calls, ONE)).isEqualTo(expected(one));
            assertThat(settled(calls, "b1")).isEqualTo(expected(one));
        }
    }

    @Test
    void theRateComesWithTheSecondReading() {
        try (StatsCalls calls = node.calls()) {
            assertThat(settled(calls, ONE).getCpu().hasUsageNanoCores()).isFalse();
            node.nanoTime.addAndGet(Duration.ofSeconds(10).toNanos());
            node.cgroup("cpuacct", PARENT + "/crio-" + ONE, "cpuacct.usage", "13004142000\n");
            CpuUsage cpu = settled(calls, ONE).getCpu();
            assertThat(cpu.getUsageCoreNanoSeconds().getValue()).isEqualTo(13_004_142_000L);
            assertThat(cpu.getUsageNanoCores().getValue()).isEqualTo(500_000_000L);
        }
    }

    @Test
    void listsFilterByIdPodAndLabels() {
        try (StatsCalls calls = node.calls()) {
            assertThat(ids(calls.containerStats(ContainerStatsFilter.getDefaultInstance())))
                    .containsExactly(ONE, TWO);
            assertThat(
                            ids(
                                    calls.containerStats(
                                            ContainerStatsFilter.newBuilder().setId("b2").build())))
                    .containsExactly(TWO);
            assertThat(
                            ids(
                                    calls.containerStats(
                                            ContainerStatsFilter.newBuilder()
                                                    .setPodSandboxId(POD.substring(0, 13))
                                                    .putLabelSelector("name", "one")
                                                    .build())))
                    .containsExactly(ONE);
            for (ContainerStatsFilter none :
                    List.of(
                            ContainerStatsFilter.newBuilder().setId("f00").build(),
                            ContainerStatsFilter.newBuilder().setPodSandboxId("f00").build(),
                            ContainerStatsFilter.newBuilder()
                                    .putLabelSelector("name", "three")
                                    .build())) {
                assertThat(calls.containerStats(none)).isEmpty();
            }
            assertThat(
                            calls.listContainerStats(ListContainerStatsRequest.getDefaultInstance())
                                    .getStatsList())
                    .hasSize(2);
        }
    }

    @Test
    void onlyRunningContainersAreListed() {
        String created = "b3" + "0".repeat(62);
        String exited = "b4" + "0".repeat(62);
        node.container(created, pod, "created", new ProcessIdentity(43, 1), 0, 0);
        node.container(
                exited, pod, "exited", new ProcessIdentity(44, 1), 1, FakeNode.STARTED_AT_NANOS);
        try (StatsCalls calls = node.calls()) {
            assertThat(ids(calls.containerStats(ContainerStatsFilter.getDefaultInstance())))
                    .containsExactly(ONE, TWO);
            ContainerStats alone =
                    calls.containerStats(
                                    ContainerStatsRequest.newBuilder()
                                            .setContainerId(exited)
                                            .build())
                            .getStats();
            assertThat(alone.getAttributes().getId()).isEqualTo(exited);
            assertThat(alone.hasCpu()).isFalse();
        }
    }

    @Test
    void aContainerWhoseCgroupVanishesIsLeftOut() {
        node.beforeOpen(path -> {
            if (path.endsWith("crio-" + TWO + "/memory.stat")) {
                node.removeCgroup(PARENT + "/crio-" + TWO);
            }
        });
        try (StatsCalls calls = node.calls("all")) {
            assertThat(ids(calls.containerStats(ContainerStatsFilter.getDefaultInstance())))
                    .containsExactly(ONE);
            assertThat(calls.podSandboxMetrics().getFirst().getContainerMetricsList()).hasSize(1);
        }
    }

    @Test
    void aMissingIdIsNotFound() {
        try (StatsCalls calls = node.calls()) {
            assertThatThrownBy(() ->
                            calls.containerStats(
                                    ContainerStatsRequest.newBuilder()
                                            .setContainerId("f00")
                                            .build()))
                    .isInstanceOfSatisfying(
                            CremaException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.NOT_FOUND));
            assertThatThrownBy(() ->
                            calls.podSandboxStats(
                                    PodSandboxStatsRequest.newBuilder()
                                            .setPodSandboxId("f00")
                                            .build()))
                    .isInstanceOfSatisfying(
                            CremaException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.NOT_FOUND));
            assertThatThrownBy(() ->
                            calls.podSandboxStats(PodSandboxStatsRequest.getDefaultInstance()))
                    .isInstanceOfSatisfying(
                            CremaException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT));
        }
    }

    private PodSandboxStats podStats(StatsCalls calls) {
        return calls.podSandboxStats(
                        PodSandboxStatsRequest.newBuilder().setPodSandboxId(POD).build())
                .getStats();
    }

    @Test
    void aPodHasTheFiguresOfItsOwnCgroup() {
        try (StatsCalls calls = node.calls()) {
            settled(calls, ONE);
            settled(calls, TWO);
            PodSandboxStats stats = podStats(calls);
            ContainerStats ofOne = expected(one);
            LinuxPodSandboxStats expected =
                    LinuxPodSandboxStats.newBuilder()
                            .setCpu(
                                    ofOne.getCpu().toBuilder()
                                            .setUsageCoreNanoSeconds(value(20_000_000_000L)))
                            .setMemory(ofOne.getMemory())
                            .setIo(ofOne.getIo())
                            .setProcess(
                                    ProcessUsage.newBuilder()
                                            .setTimestamp(FakeNode.NOW_NANOS)
                                            .setProcessCount(value(5)))
                            .setNetwork(
                                    NetworkUsage.newBuilder()
                                            .setTimestamp(FakeNode.NOW_NANOS)
                                            .setDefaultInterface(counters("eth0", 1000, 1, 2000, 3))
                                            .addInterfaces(counters("eth1", 5000, 0, 6000, 0)))
                            .build();
            assertThat(stats.getAttributes())
                    .isEqualTo(
                            PodSandboxAttributes.newBuilder()
                                    .setId(POD)
                                    .setMetadata(pod.config().getMetadata())
                                    .putLabels("app", "web")
                                    .build());
            assertThat(stats.getLinux().toBuilder().clearContainers().build()).isEqualTo(expected);
            assertThat(ids(stats.getLinux().getContainersList())).containsExactly(ONE, TWO);
            assertThat(stats.getLinux().getContainersList()).contains(ofOne);
        }
    }

    private static NetworkInterfaceUsage counters(
            String name, long received, long errors, long transmitted, long transmitErrors) {
        return NetworkInterfaceUsage.newBuilder()
                .setName(name)
                .setRxBytes(value(received))
                .setRxErrors(value(errors))
                .setTxBytes(value(transmitted))
                .setTxErrors(value(transmitErrors))
                .build();
    }

    @Test
    void aPodInACgroupWithOthersIsTheSumOfItsContainers() {
        String shared = "/crema";
        String id = "c".repeat(64);
        PodSandbox other = node.pod(id, FakeNode.podConfig("other", "uid"), shared);
        for (String container : List.of("d".repeat(64), "e".repeat(64))) {
            node.container(container, other, "x", new ProcessIdentity(45, 1));
            CgroupReaderTest.fillVersionOne(node, shared + "/crio-" + container);
        }
        CgroupReaderTest.fillVersionOne(node, shared);
        node.cgroup("cpuacct", shared, "cpuacct.usage", "999999999999\n");
        try (StatsCalls calls = node.calls()) {
            LinuxPodSandboxStats stats =
                    calls.podSandboxStats(PodSandboxStatsFilter.newBuilder().setId(id).build())
                            .getFirst()
                            .getLinux();
            assertThat(stats.getCpu().getUsageCoreNanoSeconds().getValue())
                    .isEqualTo(2 * 8_004_142_000L);
            assertThat(stats.getCpu().hasPsi()).isFalse();
            assertThat(stats.getMemory().getWorkingSetBytes().getValue()).isEqualTo(80_000_000);
            assertThat(stats.getProcess().getProcessCount().getValue()).isEqualTo(10);
        }
    }

    @Test
    void aProcessNumberOfAnotherProcessIsNotTrusted() {
        node.process(41, 401);
        node.process(42, 400);
        node.proc("42/net/dev", NET_DEV.replace("1000", "7777"));
        try (StatsCalls calls = node.calls()) {
            assertThat(
                            podStats(calls)
                                    .getLinux()
                                    .getNetwork()
                                    .getDefaultInterface()
                                    .getRxBytes()
                                    .getValue())
                    .isEqualTo(7777);
        }
    }

    @Test
    void aPodWithoutProcessesIsReadInsideItsNamespace() {
        node.process(41, 401);
        node.proc("thread-self/net/dev", NET_DEV.replace("eth0", "net0").replace("eth1", "net1"));
        try (StatsCalls calls = node.calls()) {
            NetworkUsage network = podStats(calls).getLinux().getNetwork();
            assertThat(network.getDefaultInterface().getName())
                    .as("the first when none has the usual name")
                    .isEqualTo("net0");
            assertThat(network.getInterfacesList()).hasSize(1);
        }
    }

    @Test
    void withoutAnInterfaceThereIsNoNetwork() {
        node.proc("41/net/dev", NET_DEV.substring(0, NET_DEV.indexOf("  eth0")));
        try (StatsCalls calls = node.calls()) {
            assertThat(podStats(calls).getLinux().hasNetwork()).isFalse();
        }
    }

    @Test
    void theHostsNetworkIsNoPods() {
        String id = "c".repeat(64);
        PodSandbox host =
                node.pod(
                        id,
                        FakeNode.podConfig("host", UID).toBuilder()
                                .setLinux(
                                        LinuxPodSandboxConfig.newBuilder()
                                                .setSecurityContext(
                                                        LinuxSandboxSecurityContext.newBuilder()
                                                                .setNamespaceOptions(
                                                                        NamespaceOption.newBuilder()
                                                                                .setNetwork(
                                                                                        NamespaceMode
                                                                                                .NODE))))
                                .build(),
                        PARENT);
        node.container("d".repeat(64), host, "x", new ProcessIdentity(41, 400));
        try (StatsCalls calls = node.calls()) {
            assertThat(
                            calls.podSandboxStats(
                                            PodSandboxStatsFilter.newBuilder().setId(id).build())
                                    .getFirst()
                                    .getLinux()
                                    .hasNetwork())
                    .isFalse();
        }
    }

    @Test
    void onlyReadyPodsAreListed() {
        try (StatsCalls calls = node.calls()) {
            ListPodSandboxStatsRequest all = ListPodSandboxStatsRequest.getDefaultInstance();
            assertThat(calls.listPodSandboxStats(all).getStatsList()).hasSize(1);
            assertThat(
                            calls.podSandboxStats(
                                    PodSandboxStatsFilter.newBuilder()
                                            .putLabelSelector("app", "db")
                                            .build()))
                    .isEmpty();
            pod.lost();
            assertThat(calls.listPodSandboxStats(all).getStatsList()).isEmpty();
            assertThat(podStats(calls).hasLinux()).isFalse();
            assertThat(podStats(calls).getAttributes().getId()).isEqualTo(POD);
        }
    }

    @Test
    void withAPeriodAnAnswerIsGivenAgain() {
        try (StatsCalls calls = node.calls(Duration.ofSeconds(10))) {
            ContainerStats first = settled(calls, ONE);
            node.cgroup("cpuacct", PARENT + "/crio-" + ONE, "cpuacct.usage", "13004142000\n");
            assertThat(settled(calls, ONE)).isEqualTo(first);
            assertThat(podStats(calls).getLinux().getContainersList()).contains(first);
            node.nanoTime.addAndGet(Duration.ofSeconds(10).toNanos());
            assertThat(settled(calls, ONE).getCpu().getUsageNanoCores().getValue())
                    .isEqualTo(500_000_000L);
        }
    }

    @Test
    void whatIsRememberedEndsWithContainersAndPods() {
        try (StatsCalls calls = node.calls(Duration.ofSeconds(10))) {
            podStats(calls);
            assertThat(calls.remembered()).isPositive();
            node.inventory.containers().forEach(node.inventory::remove);
            node.inventory.remove(pod);
            assertThat(calls.containerStats(ContainerStatsFilter.getDefaultInstance())).isEmpty();
            assertThat(calls.remembered()).isZero();
        }
    }

    @Test
    void aFileSystemThatNeverAnswersHoldsNoCall() throws InterruptedException {
        CountDownLatch answers = new CountDownLatch(1);
        node.beforeOpen(path -> {
            if (path.startsWith(node.layout.containers())) {
                try {
                    answers.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
        });
        try (StatsCalls calls = node.calls("all")) {
            for (int i = 0; i < 3; i++) {
                long begin = System.nanoTime();
                List<ContainerStats> stats =
                        calls.containerStats(ContainerStatsFilter.getDefaultInstance());
                assertThat(stats).hasSize(2);
                assertThat(stats.getFirst().hasCpu()).isTrue();
                assertThat(stats.getFirst().getWritableLayer().getUsedBytes().getValue()).isZero();
                assertThat(calls.podSandboxStats(PodSandboxStatsFilter.getDefaultInstance()))
                        .hasSize(1);
                assertThat(calls.podSandboxMetrics()).hasSize(1);
                assertThat(Duration.ofNanos(System.nanoTime() - begin))
                        .isLessThan(Duration.ofSeconds(2));
            }
            answers.countDown();
            calls.measureLayers(Deadline.after(Duration.ofSeconds(30)));
            assertThat(calls.containerStats(ContainerStatsFilter.getDefaultInstance()))
                    .contains(expected(one));
        }
    }
}
