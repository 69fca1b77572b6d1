package io.crema.runtime.nri;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import io.crema.base.ErrorKind;
import io.crema.nri.v1alpha1.CDIDevice;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerAdjustment;
import io.crema.nri.v1alpha1.ContainerEviction;
import io.crema.nri.v1alpha1.ContainerUpdate;
import io.crema.nri.v1alpha1.CreateContainerRequest;
import io.crema.nri.v1alpha1.CreateContainerResponse;
import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.FieldOwners;
import io.crema.nri.v1alpha1.Hook;
import io.crema.nri.v1alpha1.Hooks;
import io.crema.nri.v1alpha1.HugepageLimit;
import io.crema.nri.v1alpha1.IOPrioClass;
import io.crema.nri.v1alpha1.KeyValue;
import io.crema.nri.v1alpha1.LinuxDevice;
import io.crema.nri.v1alpha1.LinuxDeviceCgroup;
import io.crema.nri.v1alpha1.LinuxIOPriority;
import io.crema.nri.v1alpha1.LinuxMemoryPolicy;
import io.crema.nri.v1alpha1.LinuxNamespace;
import io.crema.nri.v1alpha1.LinuxNetDevice;
import io.crema.nri.v1alpha1.LinuxPids;
import io.crema.nri.v1alpha1.LinuxRdt;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.nri.v1alpha1.LinuxScheduler;
import io.crema.nri.v1alpha1.LinuxSchedulerPolicy;
import io.crema.nri.v1alpha1.LinuxSeccomp;
import io.crema.nri.v1alpha1.Mount;
import io.crema.nri.v1alpha1.OptionalBool;
import io.crema.nri.v1alpha1.OptionalInt;
import io.crema.nri.v1alpha1.OptionalInt64;
import io.crema.nri.v1alpha1.OptionalRepeatedString;
import io.crema.nri.v1alpha1.OptionalString;
import io.crema.nri.v1alpha1.OptionalUInt64;
import io.crema.nri.v1alpha1.POSIXRlimit;
import io.crema.nri.v1alpha1.PluginInstance;
import io.crema.runtime.state.PodException;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ContainerMergeTest {
    private static final String ID = "c1";
    private static final String FIRST = "00-first";
    private static final String SECOND = "10-second";
    private static final String THIRD = "20-third";

    /**
     * One field that plugins set.
     *
     * @param name as messages call it
     * @param set sets it
     */
    record Setting(Field field, String name, Consumer<ContainerAdjustment.Builder> set) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static OptionalInt64 number(long value) {
        return OptionalInt64.newBuilder().setValue(value).build();
    }

    private static OptionalUInt64 unsigned(long value) {
        return OptionalUInt64.newBuilder().setValue(value).build();
    }

    private static OptionalBool yes() {
        return OptionalBool.newBuilder().setValue(true).build();
    }

    private static Setting resource(
            Field field, String name, Consumer<LinuxResources.Builder> set) {
        return new Setting(
                field,
                "linux.resources." + name,
                all -> set.accept(all.getLinuxBuilder().getResourcesBuilder()));
    }

    /** Every field that one plugin alone may set. */
    static List<Setting> settings() {
        return List.of(
                new Setting(
                        Field.Annotations, "annotations[a]", all -> all.putAnnotations("a", "1")),
                new Setting(
                        Field.Mounts,
                        "mounts[/m]",
                        all -> all.addMounts(Mount.newBuilder().setDestination("/m"))),
                new Setting(
                        Field.Env,
                        "env[E]",
                        all -> all.addEnv(KeyValue.newBuilder().setKey("E").setValue("1"))),
                new Setting(Field.Args, "args", all -> all.addArgs("/other")),
                new Setting(
                        Field.Rlimits,
                        "rlimits[RLIMIT_CORE]",
                        all -> all.addRlimits(POSIXRlimit.newBuilder().setType("RLIMIT_CORE"))),
                new Setting(
                        Field.CdiDevices,
                        "CDI_devices[v.com/c=d]",
                        all -> all.addCDIDevices(CDIDevice.newBuilder().setName("v.com/c=d"))),
                new Setting(
                        Field.Devices,
                        "linux.devices[/dev/d]",
                        all ->
                                all.getLinuxBuilder()
                                        .addDevices(LinuxDevice.newBuilder().setPath("/dev/d"))),
                new Setting(
                        Field.CgroupsPath,
                        "linux.cgroups_path",
                        all -> all.getLinuxBuilder().setCgroupsPath("/c")),
                new Setting(
                        Field.OomScoreAdj,
                        "linux.oom_score_adj",
                        all ->
                                all.getLinuxBuilder()
                                        .setOomScoreAdj(OptionalInt.newBuilder().setValue(7))),
                new Setting(
                        Field.IoPriority,
                        "linux.io_priority",
                        all ->
                                all.getLinuxBuilder()
                                        .setIoPriority(
                                                LinuxIOPriority.newBuilder()
                                                        .setClass_(IOPrioClass.IOPRIO_CLASS_IDLE))),
                new Setting(
                        Field.SeccompPolicy,
                        "linux.seccomp_policy",
                        all ->
                                all.getLinuxBuilder()
                                        .setSeccompPolicy(
                                                LinuxSeccomp.newBuilder()
                                                        .setDefaultAction("SCMP_ACT_ALLOW"))),
                new Setting(
                        Field.Namespace,
                        "linux.namespaces[ipc]",
                        all ->
                                all.getLinuxBuilder()
                                        .addNamespaces(LinuxNamespace.newBuilder().setType("ipc"))),
                new Setting(
                        Field.Sysctl,
                        "linux.sysctl[net.a]",
                        all -> all.getLinuxBuilder().putSysctl("net.a", "1")),
                new Setting(
                        Field.LinuxNetDevices,
                        "linux.net_devices[eth7]",
                        all ->
                                all.getLinuxBuilder()
                                        .putNetDevices(
                                                "eth7",
                                                LinuxNetDevice.newBuilder()
                                                        .setName("eth0")
                                                        .build())),
                new Setting(
                        Field.LinuxSched,
                        "linux.scheduler",
                        all ->
                                all.getLinuxBuilder()
                                        .setScheduler(
                                                LinuxScheduler.newBuilder()
                                                        .setPolicy(
                                                                LinuxSchedulerPolicy.SCHED_BATCH))),
                new Setting(
                        Field.MemoryPolicy,
                        "linux.memory_policy",
                        all ->
                                all.getLinuxBuilder()
                                        .setMemoryPolicy(
                                                LinuxMemoryPolicy.newBuilder().setNodes("0"))),
                new Setting(
                        Field.RdtClosID,
                        "linux.rdt.clos_id",
                        all ->
                                all.getLinuxBuilder()
                                        .getRdtBuilder()
                                        .setClosId(OptionalString.newBuilder().setValue("gold"))),
                new Setting(
                        Field.RdtSchemata,
                        "linux.rdt.schemata",
                        all ->
                                all.getLinuxBuilder()
                                        .getRdtBuilder()
                                        .setSchemata(
                                                OptionalRepeatedString.newBuilder()
                                                        .addValue("MB:0=1"))),
                new Setting(
                        Field.RdtEnableMonitoring,
                        "linux.rdt.enable_monitoring",
                        all -> all.getLinuxBuilder().getRdtBuilder().setEnableMonitoring(yes())),
                resource(
                        Field.MemLimit,
                        "memory.limit",
                        all -> all.getMemoryBuilder().setLimit(number(5))),
                resource(
                        Field.MemReservation,
                        "memory.reservation",
                        all -> all.getMemoryBuilder().setReservation(number(5))),
                resource(
                        Field.MemSwapLimit,
                        "memory.swap",
                        all -> all.getMemoryBuilder().setSwap(number(5))),
                resource(
                        Field.MemKernelLimit,
                        "memory.kernel",
                        all -> all.getMemoryBuilder().setKernel(number(5))),
                resource(
                        Field.MemTCPLimit,
                        "memory.kernel_tcp",
                        all -> all.getMemoryBuilder().setKernelTcp(number(5))),
                resource(
                        Field.MemSwappiness,
                        "memory.swappiness",
                        all -> all.getMemoryBuilder().setSwappiness(unsigned(5))),
                resource(
                        Field.MemDisableOomKiller,
                        "memory.disable_oom_killer",
                        all -> all.getMemoryBuilder().setDisableOomKiller(yes())),
                resource(
                        Field.MemUseHierarchy,
                        "memory.use_hierarchy",
                        all -> all.getMemoryBuilder().setUseHierarchy(yes())),
                resource(
                        Field.CPUShares,
                        "cpu.shares",
                        all -> all.getCpuBuilder().setShares(unsigned(5))),
                resource(
                        Field.CPUQuota,
                        "cpu.quota",
                        all -> all.getCpuBuilder().setQuota(number(5))),
                resource(
                        Field.CPUPeriod,
                        "cpu.period",
                        all -> all.getCpuBuilder().setPeriod(unsigned(5))),
                resource(
                        Field.CPURealtimeRuntime,
                        "cpu.realtime_runtime",
                        all -> all.getCpuBuilder().setRealtimeRuntime(number(5))),
                resource(
                        Field.CPURealtimePeriod,
                        "cpu.realtime_period",
                        all -> all.getCpuBuilder().setRealtimePeriod(unsigned(5))),
                resource(Field.CPUSetCPUs, "cpu.cpus", all -> all.getCpuBuilder().setCpus("0")),
                resource(Field.CPUSetMems, "cpu.mems", all -> all.getCpuBuilder().setMems("0")),
                resource(
                        Field.PidsLimit,
                        "pids.limit",
                        all -> all.setPids(LinuxPids.newBuilder().setLimit(5))),
                resource(
                        Field.HugepageLimits,
                        "hugepage_limits[2MB]",
                        all ->
                                all.addHugepageLimits(
                                        HugepageLimit.newBuilder().setPageSize("2MB").setLimit(5))),
                resource(
                        Field.BlockioClass,
                        "blockio_class",
                        all -> all.setBlockioClass(OptionalString.newBuilder().setValue("b"))),
                resource(
                        Field.RdtClass,
                        "rdt_class",
                        all -> all.setRdtClass(OptionalString.newBuilder().setValue("r"))),
                resource(
                        Field.CgroupsUnified,
                        "unified[memory.high]",
                        all -> all.putUnified("memory.high", "5")));
    }

    private static ContainerMerge merge(Consumer<Container.Builder> change) {
        Container.Builder container = Container.newBuilder().setId(ID);
        change.accept(container);
        return new ContainerMerge(
                CreateContainerRequest.newBuilder().setContainer(container).build());
    }

    private static ContainerMerge merge() {
        return merge(container -> {});
    }

    private static CreateContainerResponse answer(Consumer<ContainerAdjustment.Builder> change) {
        ContainerAdjustment.Builder adjustment = ContainerAdjustment.newBuilder();
        change.accept(adjustment);
        return CreateContainerResponse.newBuilder().setAdjust(adjustment).build();
    }

    @ParameterizedTest
    @MethodSource("settings")
    void onePluginSetsIt(Setting setting) {
        ContainerMerge merge = merge();

        merge.add(FIRST, answer(setting.set));

        ContainerAdjustment.Builder expected = ContainerAdjustment.newBuilder();
        setting.set.accept(expected);
        expected.getLinuxBuilder().getResourcesBuilder();
        ContainerAdjustment.Builder found = merge.adjustment().toBuilder();
        assertThat(found.build()).isEqualTo(expected.build());
        FieldOwners owners = merge.owners().getOwnersOrThrow(ID);
        assertThat(
                        FieldNames.hasEntries(setting.field)
                                ? owners.getCompoundOrThrow(setting.field.getNumber())
                                        .getOwnersMap()
                                        .values()
                                : List.of(owners.getSimpleOrThrow(setting.field.getNumber())))
                .containsExactly(FIRST);
    }

    @ParameterizedTest
    @MethodSource("settings")
    void noOtherMaySetItAgain(Setting setting) {
        ContainerMerge merge = merge();
        merge.add(FIRST, answer(setting.set));

        assertThatThrownBy(() -> merge.add(SECOND, answer(setting.set)))
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION))
                .hasMessageContaining(FIRST)
                .hasMessageContaining(SECOND)
                .hasMessageContaining("both set " + setting.name + " of container " + ID);
    }

    /** A field that the protocol gains must be merged before it can be asked for. */
    @Test
    void everyFieldOfTheProtocolIsAmongTheSettings() {
        TreeSet<Field> tested = new TreeSet<>();
        settings().forEach(setting -> tested.add(setting.field));
        tested.add(Field.OciHooks); // everybody's

        assertThat(tested)
                .containsExactlyElementsOf(
                        List.of(Field.values()).stream()
                                .filter(one -> one != Field.None && one != Field.UNRECOGNIZED)
                                .toList());
    }

    @Test
    void hooksOfAllPluginsAreRunInOrder() {
        ContainerMerge merge = merge();
        for (String plugin : List.of(FIRST, SECOND)) {
            merge.add(
                    plugin,
                    answer(all ->
                            all.setHooks(
                                    Hooks.newBuilder()
                                            .addPoststop(
                                                    Hook.newBuilder().setPath("/" + plugin)))));
        }

        assertThat(merge.adjustment().getHooks().getPoststopList())
                .extracting(Hook::getPath)
                .containsExactly("/" + FIRST, "/" + SECOND);
        assertThat(merge.request().getContainer().getHooks().getPoststopCount()).isEqualTo(2);
        assertThat(merge.owners().getOwnersOrThrow(ID).getSimpleMap())
                .containsEntry(Field.OciHooks.getNumber(), FIRST + "," + SECOND);
    }

    @Test
    void laterPluginsSeeTheContainerAsEarlierOnesLeftIt() {
        ContainerMerge merge =
                merge(container -> {
                    container
                            .putAnnotations("old", "1")
                            .addEnv("PATH=/bin")
                            .addEnv("OLD=1")
                            .addArgs("/app")
                            .addMounts(Mount.newBuilder().setDestination("/old"))
                            .addMounts(Mount.newBuilder().setDestination("/stays"))
                            .addRlimits(POSIXRlimit.newBuilder().setType("RLIMIT_CORE").setHard(1));
                    container
                            .getLinuxBuilder()
                            .putSysctl("net.old", "1")
                            .addDevices(LinuxDevice.newBuilder().setPath("/dev/old"))
                            .addNamespaces(LinuxNamespace.newBuilder().setType("ipc"))
                            .addNamespaces(LinuxNamespace.newBuilder().setType("uts"))
                            .getResourcesBuilder()
                            .getCpuBuilder()
                            .setShares(unsigned(2))
                            .setPeriod(unsigned(100));
                });

        merge.add(
                FIRST,
                answer(all -> {
                    all.putAnnotations("-old", "")
                            .putAnnotations("new", "2")
                            .addEnv(KeyValue.newBuilder().setKey("-OLD"))
                            .addEnv(KeyValue.newBuilder().setKey("PATH").setValue("/new=1"))
                            .addArgs("/other")
                            .addMounts(Mount.newBuilder().setDestination("-/old"))
                            .addMounts(Mount.newBuilder().setDestination("/new").setSource("/s"))
                            .addRlimits(POSIXRlimit.newBuilder().setType("RLIMIT_CORE").setHard(9))
                            .addCDIDevices(CDIDevice.newBuilder().setName("v.com/c=d"));
                    all.getLinuxBuilder()
                            .putSysctl("-net.old", "")
                            .addDevices(LinuxDevice.newBuilder().setPath("-/dev/old"))
                            .addNamespaces(LinuxNamespace.newBuilder().setType("-uts"))
                            .addNamespaces(LinuxNamespace.newBuilder().setType("ipc").setPath("/p"))
                            .setOomScoreAdj(OptionalInt.newBuilder().setValue(5))
                            .getResourcesBuilder()
                            .getCpuBuilder()
                            .setShares(unsigned(7));
                }));

        Container seen = merge.request().getContainer();
        assertThat(seen.getAnnotationsMap()).containsOnlyKeys("new");
        assertThat(seen.getEnvList()).containsExactly("PATH=/new=1");
        assertThat(seen.getArgsList()).containsExactly("/other");
        assertThat(seen.getMountsList())
                .extracting(Mount::getDestination)
                .containsExactly("/stays", "/new");
        assertThat(seen.getRlimitsList())
                .extracting(POSIXRlimit::getHard)
                .containsExactly(Long.valueOf(9));
        assertThat(seen.getCDIDevicesCount()).isEqualTo(1);
        assertThat(seen.getLinux().getSysctlMap()).isEmpty();
        assertThat(seen.getLinux().getDevicesList()).isEmpty();
        assertThat(seen.getLinux().getNamespacesList())
                .extracting(LinuxNamespace::getPath)
                .containsExactly("/p");
        assertThat(seen.getLinux().getOomScoreAdj().getValue()).isEqualTo(5);
        assertThat(seen.getLinux().getResources().getCpu().getShares().getValue()).isEqualTo(7);
        assertThat(seen.getLinux().getResources().getCpu().getPeriod().getValue()).isEqualTo(100);
        // Only what was changed is applied.
        assertThat(merge.adjustment().getLinux().getResources().getCpu().hasPeriod()).isFalse();
    }

    @Test
    void whoRemovesAMountMayPutAnotherInItsPlaceAndNobodyElse() {
        ContainerMerge merge = merge();
        merge.add(FIRST, answer(all -> all.addMounts(mount("/m", "/first"))));
        merge.add(
                SECOND,
                answer(all -> all.addMounts(mount("-/m", "")).addMounts(mount("/m", "/second"))));

        assertThat(merge.adjustment().getMountsList()).containsExactly(mount("/m", "/second"));
        assertThatThrownBy(
                        () -> merge.add(THIRD, answer(all -> all.addMounts(mount("/m", "/third")))))
                .hasMessageContaining(SECOND)
                .hasMessageContaining(THIRD);
    }

    @Test
    void aRemovalWithoutAReplacementKeepsOthersFromSettingItAgain() {
        ContainerMerge merge = merge();
        merge.add(FIRST, answer(all -> all.putAnnotations("a", "1")));
        merge.add(SECOND, answer(all -> all.putAnnotations("-a", "")));

        assertThat(merge.adjustment().getAnnotationsMap()).containsOnlyKeys("-a");
        assertThat(
                        merge.owners()
                                .getOwnersOrThrow(ID)
                                .getCompoundOrThrow(Field.Annotations.getNumber())
                                .getOwnersMap())
                .containsEntry("a", "-" + SECOND);
        assertThatThrownBy(() -> merge.add(THIRD, answer(all -> all.putAnnotations("a", "3"))))
                .hasMessageContaining(SECOND);
    }

    @Test
    void whatTheContainerHadItselfMayBeRemovedByOneAndSetByAnother() {
        ContainerMerge merge = merge(container -> container.addMounts(mount("/m", "/own")));
        merge.add(FIRST, answer(all -> all.addMounts(mount("-/m", ""))));
        assertThat(merge.adjustment().getMountsList()).containsExactly(mount("-/m", ""));

        merge.add(SECOND, answer(all -> all.addMounts(mount("/m", "/second"))));

        assertThat(merge.adjustment().getMountsList()).containsExactly(mount("/m", "/second"));
    }

    @Test
    void aNamespaceIsOnePluginsEvenWhenItIsOnlyRemoved() {
        ContainerMerge merge = merge();
        merge.add(FIRST, namespace("-ipc"));

        assertThatThrownBy(() -> merge.add(SECOND, namespace("ipc")))
                .hasMessageContaining(FIRST)
                .hasMessageContaining("linux.namespaces[ipc]");
    }

    private static CreateContainerResponse namespace(String type) {
        return answer(all ->
                all.getLinuxBuilder().addNamespaces(LinuxNamespace.newBuilder().setType(type)));
    }

    @Test
    void argumentsAreTakenOverWithAnEmptyFirstOne() {
        ContainerMerge merge = merge();
        merge.add(FIRST, answer(all -> all.addArgs("/first")));
        merge.add(SECOND, answer(all -> all.addArgs("").addArgs("/second").addArgs("x")));

        assertThat(merge.adjustment().getArgsList()).containsExactly("/second", "x");
        assertThat(merge.request().getContainer().getArgsList()).containsExactly("/second", "x");
    }

    @Test
    void rdtIsTakenOverByRemovingIt() {
        ContainerMerge merge = merge();
        merge.add(
                FIRST,
                answer(all ->
                        all.getLinuxBuilder()
                                .getRdtBuilder()
                                .setClosId(OptionalString.newBuilder().setValue("gold"))
                                .setEnableMonitoring(yes())));
        merge.add(
                SECOND,
                answer(all ->
                        all.getLinuxBuilder()
                                .getRdtBuilder()
                                .setRemove(true)
                                .setClosId(OptionalString.newBuilder().setValue("lead"))));

        assertThat(merge.adjustment().getLinux().getRdt())
                .isEqualTo(
                        LinuxRdt.newBuilder()
                                .setRemove(true)
                                .setClosId(OptionalString.newBuilder().setValue("lead"))
                                .build());
        assertThat(merge.request().getContainer().getLinux().getRdt().hasEnableMonitoring())
                .isFalse();
    }

    @Test
    void rulesForDevicesAddUp() {
        ContainerMerge merge = merge();
        for (String plugin : List.of(FIRST, SECOND)) {
            merge.add(
                    plugin,
                    answer(all ->
                            all.getLinuxBuilder()
                                    .getResourcesBuilder()
                                    .addDevices(
                                            LinuxDeviceCgroup.newBuilder()
                                                    .setAllow(true)
                                                    .setAccess(plugin))));
        }

        assertThat(merge.adjustment().getLinux().getResources().getDevicesList())
                .extracting(LinuxDeviceCgroup::getAccess)
                .containsExactly(FIRST, SECOND);
    }

    @Test
    void onePluginMayNotSetTheSameTwice() {
        assertThatThrownBy(() ->
                        merge().add(
                                        FIRST,
                                        answer(all ->
                                                all.addMounts(mount("/m", "/a"))
                                                        .addMounts(mount("/m", "/b")))))
                .hasMessageContaining("mounts[/m] of container c1 is set twice");
    }

    @Test
    void anEntryNeedsAName() {
        assertThatThrownBy(() -> merge().add(FIRST, answer(all -> all.putAnnotations("-", ""))))
                .hasMessageContaining("annotations of container c1 holds an entry without a name");
    }

    @Test
    void updatesOfOthersAreCollectedAndTheContainerItselfIsNotAmongThem() {
        ContainerMerge merge = merge();
        merge.add(
                FIRST,
                CreateContainerResponse.newBuilder()
                        .addUpdate(ContainerUpdate.newBuilder().setContainerId("other"))
                        .addEvict(ContainerEviction.newBuilder().setContainerId("third"))
                        .build());

        assertThat(merge.updates())
                .extracting(ContainerUpdate::getContainerId)
                .containsExactly("other");
        assertThat(merge.evictions())
                .extracting(ContainerEviction::getContainerId)
                .containsExactly("third");
        assertThatThrownBy(() ->
                        merge.add(
                                SECOND,
                                CreateContainerResponse.newBuilder()
                                        .addUpdate(ContainerUpdate.newBuilder().setContainerId(ID))
                                        .build()))
                .hasMessageContaining(SECOND + " updates container c1, which is only being made");
    }

    @Test
    void aFieldOfALaterProtocolIsRefused() {
        ContainerAdjustment.Builder later = ContainerAdjustment.newBuilder();
        later.getLinuxBuilder()
                .setUnknownFields(
                        UnknownFieldSet.newBuilder()
                                .addField(
                                        99,
                                        UnknownFieldSet.Field.newBuilder()
                                                .addLengthDelimited(ByteString.copyFromUtf8("x"))
                                                .build())
                                .build());
        CreateContainerResponse answer =
                CreateContainerResponse.newBuilder().setAdjust(later).build();

        assertThatThrownBy(() -> merge().add(FIRST, answer))
                .hasMessageContaining(FIRST)
                .hasMessageContaining("field number 99 of adjust.linux");
    }

    @Test
    void aValueOfALaterProtocolIsRefused() {
        CreateContainerResponse answer =
                answer(all ->
                        all.getLinuxBuilder()
                                .setScheduler(LinuxScheduler.newBuilder().setPolicyValue(77)));

        assertThatThrownBy(() -> merge().add(FIRST, answer))
                .hasMessageContaining("the value 77 of adjust.linux.scheduler.policy");
    }

    @Test
    void validatorsAreToldOfTheContainerAsItWasAndOfAllChanges() {
        ContainerMerge merge = merge(container -> container.addArgs("/app"));
        merge.add(FIRST, answer(all -> all.addArgs("/other")));
        var validation =
                merge.validation(List.of(PluginInstance.newBuilder().setName("first").build()));

        assertThat(validation.getContainer().getArgsList()).containsExactly("/app");
        assertThat(validation.getAdjust().getArgsList()).containsExactly("/other");
        assertThat(validation.getPluginsList())
                .extracting(PluginInstance::getName)
                .containsExactly("first");
        assertThat(new TreeMap<>(validation.getOwners().getOwnersMap())).containsOnlyKeys(ID);
    }

    private static Mount mount(String place, String source) {
        return Mount.newBuilder().setDestination(place).setSource(source).build();
    }
}
