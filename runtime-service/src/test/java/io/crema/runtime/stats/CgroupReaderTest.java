package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.runtime.cgroup.CgroupPath;
import io.crema.runtime.stats.CgroupDetail.DeviceTraffic;
import io.crema.runtime.stats.CgroupDetail.HugePages;
import io.crema.runtime.stats.CgroupDetail.Limits;
import io.crema.runtime.stats.CgroupUsage.Memory;
import io.crema.runtime.stats.CgroupUsage.Swap;
import io.crema.runtime.stats.Pressure.Stall;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CgroupReaderTest {
    private static final CgroupPath CGROUP = new CgroupPath("/pods/one");

    @TempDir Path directory;

    private static Memory memory(CgroupUsage usage) {
        return Objects.requireNonNull(usage.memory());
    }

    private static void write(FakeNode node, String controller, String file, String text) {
        node.cgroup(controller, CGROUP.value(), file, text);
    }

    /** A limited container in the hybrid layout. */
    static void fillVersionOne(FakeNode node, String cgroup) {
        node.cgroup("cpuacct", cgroup, "cpuacct.usage", "8004142000\n");
        node.cgroup("cpuacct", cgroup, "cpuacct.usage_user", "5000000000\n");
        node.cgroup("cpuacct", cgroup, "cpuacct.usage_sys", "3000000000\n");
        node.cgroup("cpuacct", cgroup, "notify_on_release", "0\n");
        node.cgroup(
                "cpu",
                cgroup,
                "cpu.stat",
                "nr_periods 30\nnr_throttled 4\nthrottled_time 2500000000\n");
        node.cgroup("cpu", cgroup, "cpu.shares", "512\n");
        node.cgroup("cpu", cgroup, "cpu.cfs_period_us", "100000\n");
        node.cgroup("cpu", cgroup, "cpu.cfs_quota_us", "20000\n");
        node.cgroup("memory", cgroup, "memory.usage_in_bytes", "50000000\n");
        node.cgroup("memory", cgroup, "memory.limit_in_bytes", "67108864\n");
        node.cgroup("memory", cgroup, "memory.memsw.limit_in_bytes", "100000000\n");
        node.cgroup("memory", cgroup, "memory.soft_limit_in_bytes", "9223372036854771712\n");
        node.cgroup("memory", cgroup, "memory.max_usage_in_bytes", "60000000\n");
        node.cgroup("memory", cgroup, "memory.kmem.usage_in_bytes", "400000\n");
        node.cgroup("memory", cgroup, "memory.failcnt", "3\n");
        node.cgroup(
                "memory",
                cgroup,
                "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
        node.cgroup(
                "memory",
                cgroup,
                "memory.stat",
                """
                cache 1
                rss 2
                pgfault 600
                pgmajfault 6
                inactive_file 4
                hierarchical_memory_limit 67108864
                hierarchical_memsw_limit 100000000
                total_cache 30000000
                total_rss 20000000
                total_mapped_file 5000000
                total_swap 1000000
                total_pgfault 700
                total_pgmajfault 7
                total_inactive_file 10000000
                """);
        node.cgroup("pids", cgroup, "pids.current", "5\n");
        node.cgroup("pids", cgroup, "pids.max", "100\n");
        node.cgroup("hugetlb", cgroup, "hugetlb.2MB.usage_in_bytes", "2097152\n");
        node.cgroup("hugetlb", cgroup, "hugetlb.2MB.max_usage_in_bytes", "4194304\n");
        node.cgroup(
                "blkio",
                cgroup,
                "blkio.throttle.io_service_bytes_recursive",
                """
                254:0 Read 4096
                254:0 Write 8192
                254:0 Sync 1
                254:0 Total 12288
                Total 12288
                """);
        node.cgroup(
                "blkio",
                cgroup,
                "blkio.throttle.io_serviced_recursive",
                "254:0 Read 1\n254:0 Write 2\nTotal 3\n");
        node.cgroup(
                "unified",
                cgroup,
                "cpu.pressure",
                """
                some avg10=1.50 avg60=0.25 avg300=0.00 total=2000000
                full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000
                """);
        node.cgroup(
                "unified",
                cgroup,
                "memory.pressure",
                """
                some avg10=0.00 avg60=0.00 avg300=0.00 total=4000000
                full avg10=0.00 avg60=0.00 avg300=0.00 total=3000000
                """);
        node.cgroup(
                "unified",
                cgroup,
                "io.pressure",
                """
                some avg10=0.00 avg60=0.00 avg300=99.99 total=6000000
                full avg10=0.00 avg60=0.00 avg300=0.00 total=5000000
                """);
        node.sys("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
        node.sys("kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0\n");
    }

    @Test
    void versionOneWithPressureFromTheHierarchyBeside() {
        FakeNode node = FakeNode.hybrid(directory);
        fillVersionOne(node, CGROUP.value());
        assertThat(node.reader().usage(CGROUP))
                .contains(
                        new CgroupUsage(
                                OptionalLong.of(8_004_142_000L),
                                new Memory(
                                        50_000_000,
                                        40_000_000,
                                        OptionalLong.of(67_108_864),
                                        20_000_000,
                                        30_000_000,
                                        5_000_000,
                                        700,
                                        7,
                                        600,
                                        6),
                                new Swap(
                                        1_000_000,
                                        OptionalLong.of(100_000_000 - 67_108_864 - 1_000_000)),
                                OptionalLong.of(5),
                                new Pressure(
                                        new Stall(2_000_000_000L, 1.5, 0.25, 0),
                                        new Stall(1_000_000_000L, 0, 0, 0)),
                                new Pressure(
                                        new Stall(4_000_000_000L, 0, 0, 0),
                                        new Stall(3_000_000_000L, 0, 0, 0)),
                                new Pressure(
                                        new Stall(6_000_000_000L, 0, 0, 99.99),
                                        new Stall(5_000_000_000L, 0, 0, 0))));
        assertThat(node.reader().detail(CGROUP))
                .contains(
                        new CgroupDetail(
                                new CgroupDetail.Cpu(
                                        5_000_000_000L, 3_000_000_000L, 30, 4, 2_500_000_000L),
                                new CgroupDetail.Memory(60_000_000, 400_000, 3, 2),
                                new Limits(
                                        OptionalLong.of(512),
                                        OptionalLong.of(100_000),
                                        OptionalLong.of(20_000),
                                        OptionalLong.of(67_108_864),
                                        OptionalLong.of(0),
                                        OptionalLong.of(100_000_000),
                                        OptionalLong.of(100)),
                                List.of(new HugePages("2MB", 2_097_152, 4_194_304)),
                                List.of(new DeviceTraffic(254, 0, 4096, 8192, 1, 2))));
    }

    @Test
    void versionOneWithoutLimits() {
        FakeNode node = FakeNode.hybrid(directory);
        fillVersionOne(node, CGROUP.value());
        write(node, "memory", "memory.limit_in_bytes", "9223372036854771712\n");
        write(
                node,
                "memory",
                "memory.stat",
                """
                hierarchical_memory_limit 9223372036854771712
                hierarchical_memsw_limit 9223372036854771712
                total_inactive_file 60000000
                total_swap 0
                """);
        CgroupUsage usage = node.reader().usage(CGROUP).orElseThrow();
        assertThat(memory(usage).workingSetBytes()).as("never below zero").isZero();
        assertThat(memory(usage).availableBytes()).isEmpty();
        assertThat(usage.swap()).isEqualTo(new Swap(0, OptionalLong.empty()));
    }

    @Test
    void aLimitAroundTheCgroupIsNotItsOwn() {
        FakeNode node = FakeNode.hybrid(directory);
        fillVersionOne(node, CGROUP.value());
        write(node, "memory", "memory.limit_in_bytes", "9223372036854771712\n");
        CgroupUsage usage = node.reader().usage(CGROUP).orElseThrow();
        assertThat(memory(usage).limitBytes()).isEmpty();
    }

    @Test
    void versionOneWithoutSwapAccounting() {
        FakeNode node = FakeNode.hybrid(directory);
        fillVersionOne(node, CGROUP.value());
        write(node, "memory", "memory.stat", "hierarchical_memory_limit 9223372036854771712\n");
        assertThat(node.reader().usage(CGROUP).orElseThrow().swap()).isNull();
    }

    @Test
    void controllersThatTheNodeLacksAreAbsent() {
        FakeNode node = FakeNode.versionOne(directory, "cpuacct");
        write(node, "cpuacct", "cpuacct.usage", "9\n");
        write(node, "cpuacct", "cpuacct.stat", "user 100\nsystem 50\n");
        write(node, "cpuacct", "notify_on_release", "0\n");
        assertThat(node.reader().usage(CGROUP))
                .contains(
                        new CgroupUsage(
                                OptionalLong.of(9),
                                null,
                                null,
                                OptionalLong.empty(),
                                null,
                                null,
                                null));
        CgroupDetail detail = node.reader().detail(CGROUP).orElseThrow();
        assertThat(detail.cpu())
                .as("in ticks, before Linux 4.7")
                .isEqualTo(new CgroupDetail.Cpu(1_000_000_000L, 500_000_000L, 0, 0, 0));
        assertThat(detail.memory()).isNull();
        assertThat(detail.limits().memoryBytes()).isEmpty();
        assertThat(detail.devices()).isEmpty();
    }

    @Test
    void aRuntimeThatLeavesTheOtherHierarchyAloneCostsThePressureOnly() {
        FakeNode node = FakeNode.hybrid(directory);
        fillVersionOne(node, CGROUP.value());
        FakeNode.delete(directory.resolve("cgroup/unified/pods"));
        CgroupUsage usage = node.reader().usage(CGROUP).orElseThrow();
        assertThat(usage.memory()).isNotNull();
        assertThat(usage.cpuPressure()).isNull();
        assertThat(usage.ioPressure()).isNull();
    }

    /** As a container of version 2 has it, with the limits given. */
    static void fillVersionTwo(FakeNode node, String cgroup, String memoryMax, String swapMax) {
        node.cgroup(
                "",
                cgroup,
                "cpu.stat",
                """
                usage_usec 8004142
                user_usec 5000000
                system_usec 3000000
                nr_periods 30
                nr_throttled 4
                throttled_usec 2500000
                """);
        node.cgroup("", cgroup, "cgroup.controllers", "cpu io memory pids\n");
        node.cgroup("", cgroup, "cgroup.procs", "");
        node.cgroup("", cgroup, "cpu.weight", "39\n");
        node.cgroup("", cgroup, "cpu.max", "20000 100000\n");
        node.cgroup("", cgroup, "memory.current", "50000000\n");
        node.cgroup("", cgroup, "memory.peak", "60000000\n");
        node.cgroup("", cgroup, "memory.max", memoryMax + "\n");
        node.cgroup("", cgroup, "memory.min", "1000\n");
        node.cgroup("", cgroup, "memory.swap.current", "1000000\n");
        node.cgroup("", cgroup, "memory.swap.max", swapMax + "\n");
        node.cgroup(
                "",
                cgroup,
                "memory.events",
                "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n");
        node.cgroup(
                "",
                cgroup,
                "memory.stat",
                """
                anon 20000000
                file 30000000
                kernel_stack 16384
                pagetables 4096
                percpu 100
                file_mapped 5000000
                inactive_file 10000000
                slab 1000
                pgfault 700
                pgmajfault 7
                """);
        node.cgroup("", cgroup, "pids.current", "5\n");
        node.cgroup("", cgroup, "pids.max", "max\n");
        node.cgroup(
                "",
                cgroup,
                "io.stat",
                "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n253:0 \n");
        node.cgroup("", cgroup, "hugetlb.2MB.current", "2097152\n");
        node.sys("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
        for (String resource : List.of("cpu", "memory", "io")) {
            node.cgroup(
                    "",
                    cgroup,
                    resource + ".pressure",
                    """
                    some avg10=1.50 avg60=0.25 avg300=0.00 total=2000000
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000
                    """);
        }
    }

    @Test
    void versionTwo() {
        FakeNode node = FakeNode.versionTwo(directory, "cpu", "memory", "pids", "io", "hugetlb");
        fillVersionTwo(node, CGROUP.value(), "67108864", "3000000");
        Pressure pressure =
                new Pressure(
                        new Stall(2_000_000_000L, 1.5, 0.25, 0),
                        new Stall(1_000_000_000L, 0, 0, 0));
        assertThat(node.reader().usage(CGROUP))
                .contains(
                        new CgroupUsage(
                                OptionalLong.of(8_004_142_000L),
                                new Memory(
                                        50_000_000,
                                        40_000_000,
                                        OptionalLong.of(67_108_864),
                                        20_000_000,
                                        30_000_000,
                                        5_000_000,
                                        700,
                                        7,
                                        700,
                                        7),
                                new Swap(1_000_000, OptionalLong.of(2_000_000)),
                                OptionalLong.of(5),
                                pressure,
                                pressure,
                                pressure));
        assertThat(node.reader().detail(CGROUP))
                .contains(
                        new CgroupDetail(
                                new CgroupDetail.Cpu(
                                        5_000_000_000L, 3_000_000_000L, 30, 4, 2_500_000_000L),
                                new CgroupDetail.Memory(60_000_000, 21_580, 3, 2),
                                new Limits(
                                        OptionalLong.of(999),
                                        OptionalLong.of(100_000),
                                        OptionalLong.of(20_000),
                                        OptionalLong.of(67_108_864),
                                        OptionalLong.of(1000),
                                        OptionalLong.of(3_000_000),
                                        OptionalLong.of(0)),
                                List.of(new HugePages("2MB", 2_097_152, 2_097_152)),
                                List.of(
                                        new DeviceTraffic(254, 0, 4096, 8192, 1, 2),
                                        new DeviceTraffic(253, 0, 0, 0, 0, 0))));
    }

    @Test
    void versionTwoWithoutLimits() {
        FakeNode node = FakeNode.versionTwo(directory, "cpu", "memory", "pids", "io");
        fillVersionTwo(node, CGROUP.value(), "max", "max");
        write(node, "", "cpu.max", "max 100000\n");
        CgroupUsage usage = node.reader().usage(CGROUP).orElseThrow();
        assertThat(memory(usage).availableBytes()).isEmpty();
        assertThat(usage.swap()).isEqualTo(new Swap(1_000_000, OptionalLong.empty()));
        Limits limits = node.reader().detail(CGROUP).orElseThrow().limits();
        assertThat(limits.cpuQuotaMicros()).hasValue(0);
        assertThat(limits.memoryBytes()).hasValue(0);
    }

    @Test
    void versionTwoWithControllersThatAreNotPassedOn() {
        FakeNode node = FakeNode.versionTwo(directory, "cpu");
        write(node, "", "cpu.stat", "usage_usec 9\n");
        write(node, "", "cgroup.controllers", "\n");
        assertThat(node.reader().usage(CGROUP))
                .contains(
                        new CgroupUsage(
                                OptionalLong.of(9000),
                                null,
                                null,
                                OptionalLong.empty(),
                                null,
                                null,
                                null));
    }

    @Test
    void sharesAndWeightsAreEachOthersReverse() {
        assertThat(VersionTwoReader.shares(1)).isEqualTo(2);
        assertThat(VersionTwoReader.shares(10_000)).isEqualTo(262_144);
        for (long weight = 1; weight <= 10_000; weight++) {
            long shares = VersionTwoReader.shares(weight);
            assertThat(1 + (shares - 2) * 9999 / 262_142).isEqualTo(weight);
        }
    }

    @Test
    void aCgroupThatIsNotThereIsEmpty() {
        for (FakeNode node :
                List.of(
                        FakeNode.hybrid(directory.resolve("one")),
                        FakeNode.versionTwo(directory.resolve("two"), "memory"))) {
            assertThat(node.reader().usage(CGROUP)).isEmpty();
            assertThat(node.reader().detail(CGROUP)).isEmpty();
        }
    }

    @Test
    void aCgroupThatVanishesBetweenTwoFilesIsEmpty() {
        FakeNode one = FakeNode.hybrid(directory.resolve("one"));
        fillVersionOne(one, CGROUP.value());
        FakeNode two = FakeNode.versionTwo(directory.resolve("two"), "memory", "pids");
        fillVersionTwo(two, CGROUP.value(), "max", "max");
        for (FakeNode node : List.of(one, two)) {
            assertThat(node.reader().usage(CGROUP)).isPresent();
            node.beforeOpen(path -> {
                if (path.endsWith("memory.stat")) {
                    node.removeCgroup(CGROUP.value());
                }
            });
            assertThat(node.reader().usage(CGROUP)).isEmpty();
        }
    }

    @Test
    void aCgroupRemovedBetweenOpenAndReadIsEmpty() {
        FakeNode node = FakeNode.hybrid(directory);
        fillVersionOne(node, CGROUP.value());
        node.beforeOpen(path -> {
            if (!path.startsWith("/proc")) {
                throw new LinuxException("read", path.toString(), Errno.ENODEV);
            }
        });
        assertThat(node.reader().usage(CGROUP)).isEqualTo(Optional.empty());
    }

    @Test
    void theSumHasNoLimitsAndNoPressure() {
        FakeNode node = FakeNode.hybrid(directory);
        fillVersionOne(node, CGROUP.value());
        CgroupUsage usage = node.reader().usage(CGROUP).orElseThrow();
        CgroupUsage sum = CgroupUsage.sum(List.of(usage, usage));
        assertThat(sum.cpuNanos()).hasValue(16_008_284_000L);
        assertThat(sum.tasks()).hasValue(10);
        assertThat(memory(sum).workingSetBytes()).isEqualTo(80_000_000);
        assertThat(memory(sum).availableBytes()).isEmpty();
        assertThat(sum.swap()).isEqualTo(new Swap(2_000_000, OptionalLong.empty()));
        assertThat(sum.cpuPressure()).isNull();
        assertThat(memory(CgroupUsage.sum(List.of(usage))).availableBytes()).isEmpty();
        assertThat(CgroupUsage.sum(List.of()).cpuNanos()).isEmpty();
    }
}
