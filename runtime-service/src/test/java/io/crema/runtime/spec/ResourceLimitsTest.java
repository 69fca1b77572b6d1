package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.conf.RuntimeConfiguration.OomScoreAdjustment;
import io.crema.cri.v1.HugepageLimit;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.LinuxResources.Cpu;
import io.crema.oci.spec.LinuxResources.Memory;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.state.PodException;
import java.util.Locale;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ResourceLimitsTest {
    private static final long MIB = 1 << 20;
    private static final long MINIMUM = 12 * MIB;
    private final LinuxContainerResources.Builder requested = LinuxContainerResources.newBuilder();
    private NodeFacts node = Node.usual();

    private LinuxResources translate() {
        return new ResourceLimits(node, MINIMUM, "linux.resources")
                .translate(requested.build(), OptionalLong.empty());
    }

    private void refused(String message) {
        assertThatThrownBy(this::translate)
                .isInstanceOf(PodException.class)
                .hasMessageStartingWith("linux.resources.")
                .hasMessageContaining(message)
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(ErrorKind.INVALID_ARGUMENT);
    }

    @Test
    void nothingAskedIsNothingSet() {
        assertThat(translate()).isEqualTo(LinuxResources.none());
    }

    @Test
    void takesCpuAsItIs() {
        requested
                .setCpuShares(512)
                .setCpuQuota(-1)
                .setCpuPeriod(50_000)
                .setCpusetCpus("0-2,4")
                .setCpusetMems("0");

        assertThat(translate().cpu()).isEqualTo(new Cpu(512L, -1L, 50_000L, "0-2,4", "0"));
    }

    @ParameterizedTest
    @CsvSource({
        // limit, swap, expected limit, expected swap
        "0, 0, , ",
        "-1, 0, -1, -1",
        "-1, -1, -1, -1",
        "20971520, 0, 20971520, 20971520",
        "20971520, 20971520, 20971520, 20971520",
        "20971520, 41943040, 20971520, 41943040",
        "20971520, -1, 20971520, -1",
        "12582912, 0, 12582912, 12582912"
    })
    void memoryAndSwap(long limit, long swap, @Nullable Long expected, @Nullable Long both) {
        requested.setMemoryLimitInBytes(limit).setMemorySwapLimitInBytes(swap);

        assertThat(translate().memory())
                .isEqualTo(expected == null ? null : new Memory(expected, null, both));
    }

    @Test
    void swapIsLeftAloneWhereItCannotBeLimited() {
        node = Node.withoutSwapAccounting(node);
        requested.setMemoryLimitInBytes(64 * MIB).setMemorySwapLimitInBytes(65 * MIB);

        assertThat(translate().memory()).isEqualTo(new Memory(64 * MIB, null, null));
    }

    @Test
    void refusesMemoryThatCannotBe() {
        requested.setMemoryLimitInBytes(MINIMUM - 1);
        refused(
                "memory_limit_in_bytes: the memory limit of 12582911 bytes is below the minimum of"
                        + " 12582912");
        requested.setMemoryLimitInBytes(-2);
        refused("memory_limit_in_bytes: -2");
        requested.setMemoryLimitInBytes(64 * MIB).setMemorySwapLimitInBytes(63 * MIB);
        refused("must not be below the memory limit");
        requested.setMemorySwapLimitInBytes(-2);
        refused("memory_swap_limit_in_bytes: -2");
        requested.setMemoryLimitInBytes(0).setMemorySwapLimitInBytes(64 * MIB);
        refused("memory_swap_limit_in_bytes: it needs memory_limit_in_bytes");
    }

    @Test
    void refusesCpuThatCannotBe() {
        requested.setCpuShares(-1);
        refused("cpu_shares");
        requested.setCpuShares(0).setCpuPeriod(-1);
        refused("cpu_period");
        requested.setCpuPeriod(0).setCpuQuota(-2);
        refused("cpu_quota");
        requested.setCpuQuota(0).setCpusetCpus("0;1");
        refused("cpuset_cpus: '0;1'");
        requested.setCpusetCpus("").setCpusetMems("all");
        refused("cpuset_mems: 'all'");
    }

    private void hugePages(String size, long limit) {
        requested.addHugepageLimits(
                HugepageLimit.newBuilder().setPageSize(size).setLimit(limit).build());
    }

    @Test
    void limitsHugePages() {
        hugePages("2MB", 4 * MIB);
        hugePages("1GB", 0);
        hugePages("64KB", 0); // no such pages here, and none wanted

        assertThat(translate().hugepageLimits())
                .containsExactly(
                        new LinuxResources.HugepageLimit("2MB", UnsignedLong.of(4 * MIB)),
                        new LinuxResources.HugepageLimit("1GB", UnsignedLong.of(0)));
    }

    @Test
    void dropsLimitsOfHugePagesWithoutTheController() {
        node = Node.small();
        hugePages("2MB", 0);
        hugePages("1GB", MIB);

        assertThat(translate().hugepageLimits()).isEmpty();
    }

    @Test
    void refusesHugePagesThatTheNodeLacks() {
        hugePages("64KB", 1);
        refused("hugepage_limits: this node has no pages of 64KB");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "MB", "2", "2mb", "2MiB", "-2MB", "2MB "})
    void refusesPageSizesThatAreNone(String size) {
        hugePages(size, 0);
        refused("hugepage_limits: '" + size + "'");
    }

    @Test
    void takesUnifiedOnVersion2() {
        requested.putUnified("memory.oom.group", "1");

        assertThat(translate().unified()).containsEntry("memory.oom.group", "1").hasSize(1);
    }

    @Test
    void refusesUnifiedOnVersion1() {
        node = Node.small();
        requested.putUnified("memory.oom.group", "1");

        refused("unified: this node has cgroup version 1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "memory", ".x", "../memory.max", "memory.max/x"})
    void refusesUnifiedNamesThatAreNoFiles(String name) {
        requested.putUnified(name, "1");

        refused("unified: '" + name + "'");
    }

    @ParameterizedTest
    @CsvSource({
        // asked, mode, with CAP_SYS_RESOURCE, set
        "-998, detect, true, -998",
        "-998, detect, false, 0",
        "500, detect, false, 500",
        "-998, clamp, true, -100",
        "-998, verbatim, false, -998",
        "0, detect, false, 0"
    })
    void oomScoreIsWhatTheDaemonMaySet(int asked, String mode, boolean capable, int expected) {
        NodeFacts facts = capable ? Node.usual() : Node.small();
        int floor =
                ContainerSpecBuilder.oomScoreFloor(
                        OomScoreAdjustment.valueOf(mode.toUpperCase(Locale.ROOT)), facts);

        assertThat(
                        new ResourceLimits(facts, 0, "linux.resources")
                                .oomScoreAdjustment(
                                        LinuxContainerResources.newBuilder()
                                                .setOomScoreAdj(asked)
                                                .build(),
                                        floor))
                .isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(longs = {-1001, 1001, Long.MIN_VALUE})
    void refusesOomScoresOutOfRange(long value) {
        assertThatThrownBy(() ->
                        new ResourceLimits(node, 0, "linux.resources")
                                .oomScoreAdjustment(
                                        LinuxContainerResources.newBuilder()
                                                .setOomScoreAdj(value)
                                                .build(),
                                        -1000))
                .hasMessageContaining("oom_score_adj: " + value);
    }
}
