package io.crema.runtime.nri;

import static io.crema.runtime.nri.SpecAdjusterTest.assertRefused;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.crema.nri.v1alpha1.HugepageLimit;
import io.crema.nri.v1alpha1.LinuxDeviceCgroup;
import io.crema.nri.v1alpha1.LinuxPids;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.nri.v1alpha1.OptionalBool;
import io.crema.nri.v1alpha1.OptionalInt64;
import io.crema.nri.v1alpha1.OptionalString;
import io.crema.nri.v1alpha1.OptionalUInt64;
import io.crema.oci.spec.LinuxResources.Cpu;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxResources.Memory;
import io.crema.oci.spec.LinuxResources.Pids;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.spec.BuiltSpec;
import io.crema.runtime.spec.Node;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of limits that plugins set, in the specification and in the status. */
class ResourceAdjustmentTest {
    private static final long MIB = 1 << 20;

    @TempDir Path directory;
    private AdjustmentFixture fixture;

    @BeforeEach
    void makeFixture() {
        fixture = new AdjustmentFixture(directory);
    }

    static OptionalInt64 number(long value) {
        return OptionalInt64.newBuilder().setValue(value).build();
    }

    static OptionalUInt64 unsigned(long value) {
        return OptionalUInt64.newBuilder().setValue(value).build();
    }

    private io.crema.oci.spec.LinuxResources resources(Consumer<LinuxResources.Builder> change) {
        return fixture.adjustResources(change).spec().linux().resources();
    }

    @Test
    void processorsAreSetAndTold() {
        BuiltSpec built =
                fixture.adjustResources(all ->
                        all.getCpuBuilder()
                                .setShares(unsigned(512))
                                .setQuota(number(-1))
                                .setPeriod(unsigned(50_000))
                                .setCpus("0-1")
                                .setMems("0"));

        assertThat(built.spec().linux().resources().cpu())
                .isEqualTo(new Cpu(512L, -1L, 50_000L, "0-1", "0"));
        assertThat(built.resources().getCpuShares()).isEqualTo(512);
        assertThat(built.resources().getCpuQuota()).isEqualTo(-1);
        assertThat(built.resources().getCpuPeriod()).isEqualTo(50_000);
        assertThat(built.resources().getCpusetCpus()).isEqualTo("0-1");
        assertThat(built.resources().getCpusetMems()).isEqualTo("0");
    }

    @Test
    void aMemoryLimitAloneMeansNoSwap() {
        BuiltSpec built =
                fixture.adjustResources(all -> all.getMemoryBuilder().setLimit(number(128 * MIB)));

        assertThat(built.spec().linux().resources().memory())
                .isEqualTo(new Memory(128 * MIB, null, 128 * MIB));
        assertThat(built.resources().getMemoryLimitInBytes()).isEqualTo(128 * MIB);
        assertThat(built.spec().linux().resources().pids()).isEqualTo(new Pids(100));
    }

    @Test
    void swapAndReservationAreSet() {
        BuiltSpec built =
                fixture.adjustResources(all ->
                        all.getMemoryBuilder()
                                .setSwap(number(100 * MIB))
                                .setReservation(number(7 * MIB)));

        assertThat(built.spec().linux().resources().memory())
                .isEqualTo(new Memory(64 * MIB, 7 * MIB, 100 * MIB));
        assertThat(built.resources().getMemorySwapLimitInBytes()).isEqualTo(100 * MIB);
    }

    @Test
    void aLimitThatCannotBeIsRefused() {
        assertRefused(
                () -> resources(all -> all.getMemoryBuilder().setLimit(number(1))),
                "linux.resources",
                "below the minimum");
        assertRefused(
                () -> resources(all -> all.getMemoryBuilder().setReservation(number(-2))),
                "linux.resources.memory.reservation",
                "negative");
        assertRefused(
                () -> resources(all -> all.getMemoryBuilder().setKernel(number(5))),
                "linux.resources.memory.kernel",
                "no such limit any more");
        assertRefused(
                () ->
                        resources(all ->
                                all.getMemoryBuilder()
                                        .setUseHierarchy(OptionalBool.getDefaultInstance())),
                "linux.resources.memory.use_hierarchy",
                "always counts");
    }

    @Test
    void hierarchyAsItAlwaysIsChangesNothing() {
        assertThat(
                        fixture.adjustResources(all ->
                                all.getMemoryBuilder()
                                        .setUseHierarchy(OptionalBool.newBuilder().setValue(true))))
                .isEqualTo(fixture.before());
    }

    @Test
    void whatOnlyVersionOneHasIsSetThere() {
        fixture.node = Node.small();
        io.crema.oci.spec.LinuxResources resources =
                resources(all -> {
                    all.getMemoryBuilder()
                            .setKernelTcp(number(5))
                            .setSwappiness(unsigned(0))
                            .setDisableOomKiller(OptionalBool.newBuilder().setValue(true));
                    all.getCpuBuilder()
                            .setRealtimeRuntime(number(6))
                            .setRealtimePeriod(unsigned(7));
                });

        assertThat(resources.memory())
                .isEqualTo(new Memory(64 * MIB, null, 64 * MIB, 5L, 0L, true));
        assertThat(resources.cpu()).isEqualTo(new Cpu(null, null, null, null, null, 6L, 7L));
        assertRefused(
                () -> resources(all -> all.getMemoryBuilder().setSwappiness(unsigned(101))),
                "linux.resources.memory.swappiness",
                "not from 0 to 100");
    }

    @Test
    void whatOnlyVersionOneHasIsRefusedOnVersionTwo() {
        String reason = "this node has cgroup version 2";
        assertRefused(
                () -> resources(all -> all.getMemoryBuilder().setKernelTcp(number(5))),
                "linux.resources.memory.kernel_tcp",
                reason);
        assertRefused(
                () -> resources(all -> all.getMemoryBuilder().setSwappiness(unsigned(5))),
                "linux.resources.memory.swappiness",
                reason);
        assertRefused(
                () ->
                        resources(all ->
                                all.getMemoryBuilder()
                                        .setDisableOomKiller(
                                                OptionalBool.newBuilder().setValue(true))),
                "linux.resources.memory.disable_oom_killer",
                reason);
        assertRefused(
                () -> resources(all -> all.getCpuBuilder().setRealtimeRuntime(number(5))),
                "linux.resources.cpu.realtime_runtime",
                reason);
        assertRefused(
                () -> resources(all -> all.getCpuBuilder().setRealtimePeriod(unsigned(5))),
                "linux.resources.cpu.realtime_period",
                reason);
    }

    @Test
    void theNumberOfTasksIsSetOrWithoutLimit() {
        assertThat(resources(all -> all.setPids(LinuxPids.newBuilder().setLimit(5))).pids())
                .isEqualTo(new Pids(5));
        assertThat(resources(all -> all.setPids(LinuxPids.newBuilder().setLimit(-1))).pids())
                .isEqualTo(new Pids(-1));
        assertRefused(
                () -> resources(all -> all.setPids(LinuxPids.newBuilder().setLimit(-2))),
                "linux.resources.pids.limit",
                "negative");
    }

    @Test
    void hugePagesAreLimitedWhereTheNodeHasThem() {
        BuiltSpec built = fixture.adjustResources(all -> all.addHugepageLimits(pages("2MB")));

        assertThat(built.spec().linux().resources().hugepageLimits())
                .containsExactly(
                        new io.crema.oci.spec.LinuxResources.HugepageLimit(
                                "2MB", UnsignedLong.of(4 * MIB)));
        assertThat(built.resources().getHugepageLimits(0).getLimit()).isEqualTo(4 * MIB);
        assertRefused(
                () -> resources(all -> all.addHugepageLimits(pages("3MB"))),
                "linux.resources.hugepage_limits[3MB]",
                "no pages of this size");
        fixture.node = Node.small();
        assertRefused(
                () -> resources(all -> all.addHugepageLimits(pages("2MB"))),
                "linux.resources.hugepage_limits[2MB]",
                "cannot limit huge pages");
    }

    private static HugepageLimit pages(String size) {
        return HugepageLimit.newBuilder().setPageSize(size).setLimit(4 * MIB).build();
    }

    @Test
    void filesOfVersionTwoAreSetThere() {
        BuiltSpec built = fixture.adjustResources(all -> all.putUnified("memory.high", "7"));

        assertThat(built.spec().linux().resources().unified()).containsEntry("memory.high", "7");
        assertThat(built.resources().getUnifiedMap()).containsEntry("memory.high", "7");
        fixture.node = Node.small();
        assertRefused(
                () -> resources(all -> all.putUnified("memory.high", "7")),
                "linux.resources.unified[memory.high]",
                "cgroup version 1");
    }

    @Test
    void rulesForDevicesComeAfterThoseOfTheContainer() {
        List<DeviceRule> rules =
                resources(all ->
                                all.addDevices(
                                                LinuxDeviceCgroup.newBuilder()
                                                        .setAllow(true)
                                                        .setType("c")
                                                        .setMajor(number(1))
                                                        .setMinor(number(2))
                                                        .setAccess("r"))
                                        .addDevices(LinuxDeviceCgroup.newBuilder().setAccess("w")))
                        .devices();

        assertThat(rules).hasSize(4);
        assertThat(rules.subList(2, 4))
                .containsExactly(
                        new DeviceRule(true, "c", 1L, 2L, "r"),
                        new DeviceRule(false, null, null, null, "w"));
    }

    @Test
    void classesAreRefusedByNameAndTakenAwayInSilence() {
        assertRefused(
                () -> resources(all -> all.setBlockioClass(named("fast"))),
                "linux.resources.blockio_class",
                "no class 'fast'");
        assertRefused(
                () -> resources(all -> all.setRdtClass(named("gold"))),
                "linux.resources.rdt_class",
                "no class 'gold'");
        assertThat(
                        fixture.adjustResources(
                                all -> all.setBlockioClass(named("")).setRdtClass(named(""))))
                .isEqualTo(fixture.before());
    }

    private static OptionalString named(String name) {
        return OptionalString.newBuilder().setValue(name).build();
    }

    @Test
    void swapIsRefusedWhereTheKernelCannotLimitIt() {
        fixture.node = Node.withoutSwapAccounting(Node.usual());
        assertRefused(
                () -> resources(all -> all.getMemoryBuilder().setSwap(number(100 * MIB))),
                "linux.resources.memory.swap",
                "cannot limit swap");
        assertThat(
                        requireNonNull(
                                        resources(all ->
                                                        all.getMemoryBuilder()
                                                                .setLimit(number(100 * MIB)))
                                                .memory())
                                .swap())
                .isNull();
    }
}
