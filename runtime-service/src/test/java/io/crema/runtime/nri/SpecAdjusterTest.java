package io.crema.runtime.nri;

import static io.crema.runtime.nri.AdjustmentFixture.ID;
import static io.crema.runtime.nri.AdjustmentFixture.PLUGIN;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.nri.v1alpha1.CDIDevice;
import io.crema.nri.v1alpha1.Hook;
import io.crema.nri.v1alpha1.IOPrioClass;
import io.crema.nri.v1alpha1.KeyValue;
import io.crema.nri.v1alpha1.LinuxDevice;
import io.crema.nri.v1alpha1.LinuxNamespace;
import io.crema.nri.v1alpha1.LinuxNetDevice;
import io.crema.nri.v1alpha1.LinuxSchedulerFlag;
import io.crema.nri.v1alpha1.LinuxSchedulerPolicy;
import io.crema.nri.v1alpha1.LinuxSeccomp;
import io.crema.nri.v1alpha1.LinuxSeccompArg;
import io.crema.nri.v1alpha1.LinuxSyscall;
import io.crema.nri.v1alpha1.MpolFlag;
import io.crema.nri.v1alpha1.MpolMode;
import io.crema.nri.v1alpha1.OptionalBool;
import io.crema.nri.v1alpha1.OptionalFileMode;
import io.crema.nri.v1alpha1.OptionalInt;
import io.crema.nri.v1alpha1.OptionalRepeatedString;
import io.crema.nri.v1alpha1.OptionalString;
import io.crema.nri.v1alpha1.OptionalUInt32;
import io.crema.nri.v1alpha1.POSIXRlimit;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.spec.BuiltSpec;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of each field of an adjustment but mounts and limits. */
class SpecAdjusterTest {
    @TempDir Path directory;
    private AdjustmentFixture fixture;

    @BeforeEach
    void makeFixture() {
        fixture = new AdjustmentFixture(directory);
    }

    /** The message names the plugin, the container and the field. */
    static void assertRefused(ThrowingCallable call, String field, String reason) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION))
                .hasMessageStartingWith(
                        "NRI plugin " + PLUGIN + ": " + field + " of container " + ID + ": ")
                .hasMessageContaining(reason);
    }

    @Test
    void nothingWantedNothingChanged() {
        assertThat(fixture.adjust(all -> {})).isEqualTo(fixture.before());
    }

    @Test
    void annotationsAreSetAndRemoved() {
        BuiltSpec built =
                fixture.adjust(all -> all.putAnnotations("-old", "").putAnnotations("new", "2"));

        assertThat(built.spec().annotations()).containsOnlyKeys("new").containsEntry("new", "2");
    }

    @Test
    void variablesAreReplacedInPlaceRemovedAndAdded() {
        BuiltSpec built =
                fixture.adjust(all ->
                        all.addEnv(KeyValue.newBuilder().setKey("ADDED").setValue("a=b"))
                                .addEnv(KeyValue.newBuilder().setKey("-LAST"))
                                .addEnv(KeyValue.newBuilder().setKey("MODE").setValue("fast")));

        assertThat(built.spec().process().env())
                .containsExactly("PATH=/bin", "MODE=fast", "ADDED=a=b");
    }

    @Test
    void aVariableThatIsNoneIsRefused() {
        assertRefused(
                () -> fixture.adjust(all -> all.addEnv(KeyValue.newBuilder().setKey("A=B"))),
                "env[A=B]",
                "must not hold '='");
    }

    @Test
    void argumentsAreReplaced() {
        assertThat(
                        fixture.adjust(all -> all.addArgs("/other").addArgs("-x"))
                                .spec()
                                .process()
                                .args())
                .containsExactly("/other", "-x");
        assertRefused(
                () -> fixture.adjust(all -> all.addArgs("").addArgs("")),
                "args",
                "the program must have a name");
    }

    @Test
    void aLimitReplacesTheOneOfItsKind() {
        BuiltSpec built =
                fixture.adjust(all ->
                        all.addRlimits(limit("RLIMIT_CORE", -1, 5))
                                .addRlimits(limit("RLIMIT_NOFILE", 9, 9)));

        assertThat(built.spec().process().rlimits())
                .containsExactly(
                        new ContainerProcess.Rlimit(
                                "RLIMIT_CORE", UnsignedLong.MAX, UnsignedLong.of(5)),
                        new ContainerProcess.Rlimit(
                                "RLIMIT_NOFILE", UnsignedLong.of(9), UnsignedLong.of(9)));
        assertRefused(
                () -> fixture.adjust(all -> all.addRlimits(limit("CORE", 1, 1))),
                "rlimits[CORE]",
                "no such limit");
        assertRefused(
                () -> fixture.adjust(all -> all.addRlimits(limit("RLIMIT_CORE", 1, 2))),
                "rlimits[RLIMIT_CORE]",
                "above the hard one");
    }

    private static POSIXRlimit limit(String type, long hard, long soft) {
        return POSIXRlimit.newBuilder().setType(type).setHard(hard).setSoft(soft).build();
    }

    @Test
    void hooksOfEveryStageAreAdded() {
        Hook hook =
                Hook.newBuilder()
                        .setPath("/hook")
                        .addArgs("hook")
                        .addEnv("A=B")
                        .setTimeout(OptionalInt.newBuilder().setValue(5))
                        .build();
        RuntimeSpec.Hooks hooks =
                requireNonNull(
                        fixture.adjust(all ->
                                        all.getHooksBuilder()
                                                .addPrestart(hook)
                                                .addCreateRuntime(hook)
                                                .addCreateContainer(hook)
                                                .addStartContainer(hook)
                                                .addPoststart(hook)
                                                .addPoststop(hook))
                                .spec()
                                .hooks());

        RuntimeSpec.Hook expected =
                new RuntimeSpec.Hook("/hook", List.of("hook"), List.of("A=B"), 5);
        assertThat(hooks.prestart()).containsExactly(expected);
        assertThat(hooks.createRuntime()).containsExactly(expected);
        assertThat(hooks.createContainer()).containsExactly(expected);
        assertThat(hooks.startContainer()).containsExactly(expected);
        assertThat(hooks.poststart()).containsExactly(expected);
        assertThat(hooks.poststop()).containsExactly(expected);
    }

    @Test
    void aHookThatCannotRunIsRefused() {
        assertRefused(
                () ->
                        fixture.adjust(all ->
                                all.getHooksBuilder().addPoststop(Hook.newBuilder().setPath("x"))),
                "hooks",
                "the path 'x' is not absolute");
        assertRefused(
                () ->
                        fixture.adjust(all ->
                                all.getHooksBuilder()
                                        .addPoststop(
                                                Hook.newBuilder()
                                                        .setPath("/x")
                                                        .setTimeout(
                                                                OptionalInt.newBuilder()
                                                                        .setValue(0)))),
                "hooks",
                "must be positive");
    }

    @Test
    void devicesOfTheContainerDeviceInterfaceAreFoundByName() throws IOException {
        Files.createDirectories(fixture.cdi);
        Files.writeString(
                fixture.cdi.resolve("gpu.json"),
                """
                {"cdiVersion": "0.6.0", "kind": "example.com/gpu",
                 "containerEdits": {"hooks": [{"hookName": "poststop", "path": "/bin/x"}]},
                 "devices": [
                   {"name": "0", "containerEdits": {"env": ["GPU=0", "MODE=gpu"]}},
                   {"name": "1", "containerEdits": {"env": ["GPU1=1"]}}]}
                """);
        RuntimeSpec spec =
                fixture.adjust(all ->
                                all.addCDIDevices(device("example.com/gpu=0"))
                                        .addCDIDevices(device("example.com/gpu=1"))
                                        .addEnv(
                                                KeyValue.newBuilder()
                                                        .setKey("MODE")
                                                        .setValue("plugin")))
                        .spec();

        assertThat(spec.process().env()).contains("GPU=0", "GPU1=1", "MODE=plugin");
        assertThat(requireNonNull(spec.hooks()).poststop()).hasSize(1);
        assertRefused(
                () -> fixture.adjust(all -> all.addCDIDevices(device("example.com/gpu=2"))),
                "CDI_devices[example.com/gpu=2]",
                "there is no device");
    }

    private static CDIDevice device(String name) {
        return CDIDevice.newBuilder().setName(name).build();
    }

    @Test
    void aDeviceIsAddedWithLeaveToUseIt() {
        LinuxSpec linux =
                fixture.adjustLinux(all ->
                                all.addDevices(
                                                LinuxDevice.newBuilder()
                                                        .setPath("/dev/new")
                                                        .setType("b")
                                                        .setMajor(8)
                                                        .setMinor(1)
                                                        .setFileMode(
                                                                OptionalFileMode.newBuilder()
                                                                        .setValue(0640))
                                                        .setUid(
                                                                OptionalUInt32.newBuilder()
                                                                        .setValue(-1))
                                                        .setGid(
                                                                OptionalUInt32.newBuilder()
                                                                        .setValue(7)))
                                        .addDevices(
                                                LinuxDevice.newBuilder()
                                                        .setPath("/dev/fifo")
                                                        .setType("p")))
                        .spec()
                        .linux();

        assertThat(linux.devices())
                .contains(
                        new LinuxSpec.Device("b", "/dev/new", 8L, 1L, 0640, 0xffff_ffffL, 7L),
                        new LinuxSpec.Device("p", "/dev/fifo", null, null, null, null, null));
        assertThat(linux.resources().devices())
                .contains(new DeviceRule(true, "b", 8L, 1L, "rwm"))
                .hasSize(3);
    }

    @Test
    void aRemovedDeviceCannotBeUsedAnyMore() {
        LinuxSpec linux =
                fixture.adjustLinux(all ->
                                all.addDevices(LinuxDevice.newBuilder().setPath("-/dev/tun")))
                        .spec()
                        .linux();

        assertThat(linux.devices()).isEmpty();
        assertThat(linux.resources().devices())
                .containsExactly(new DeviceRule(false, null, null, null, "rwm"));
    }

    @ParameterizedTest
    @CsvSource({
        "dev/x, c, 0, the path is not absolute",
        "/dev/x, x, 0, the type 'x' is not one of",
        "/dev/x, c, 65536, more than permissions"
    })
    void aDeviceThatIsNoneIsRefused(String path, String type, int mode, String reason) {
        assertRefused(
                () ->
                        fixture.adjustLinux(all ->
                                all.addDevices(
                                        LinuxDevice.newBuilder()
                                                .setPath(path)
                                                .setType(type)
                                                .setFileMode(
                                                        OptionalFileMode.newBuilder()
                                                                .setValue(mode)))),
                "linux.devices[" + path + "]",
                reason);
    }

    @Test
    void onlyItsOwnCgroupsPathIsTaken() {
        assertThat(fixture.adjustLinux(all -> all.setCgroupsPath("/pod/crio-c1")))
                .isEqualTo(fixture.before());
        assertRefused(
                () -> fixture.adjustLinux(all -> all.setCgroupsPath("/elsewhere")),
                "linux.cgroups_path",
                "is not where Crema looks");
    }

    @Test
    void theOomScoreIsSetInTheStatusToo() {
        BuiltSpec built =
                fixture.adjustLinux(
                        all -> all.setOomScoreAdj(OptionalInt.newBuilder().setValue(77)));

        assertThat(built.spec().process().oomScoreAdj()).isEqualTo(77);
        assertThat(built.resources().getOomScoreAdj()).isEqualTo(77);
    }

    @ParameterizedTest
    @CsvSource({"1001, not from -1000", "-999, lowest that this daemon may set"})
    void anOomScoreThatCannotBeSetIsRefused(long score, String reason) {
        fixture.oomScoreFloor = -500;
        assertRefused(
                () ->
                        fixture.adjustLinux(all ->
                                all.setOomScoreAdj(OptionalInt.newBuilder().setValue(score))),
                "linux.oom_score_adj",
                reason);
    }

    @Test
    void theIoPriorityIsSetWhereTheRuntimeDoesSo() {
        Consumer<io.crema.nri.v1alpha1.LinuxContainerAdjustment.Builder> change =
                all ->
                        all.getIoPriorityBuilder()
                                .setClass_(IOPrioClass.IOPRIO_CLASS_BE)
                                .setPriority(3);

        assertThat(fixture.adjustLinux(change).spec().process().ioPriority())
                .isEqualTo(new ContainerProcess.IoPriority("IOPRIO_CLASS_BE", 3));
        fixture.canAll = false;
        assertRefused(
                () -> fixture.adjustLinux(change), "linux.io_priority", "version 1.1 of the OCI");
    }

    @Test
    void anIoPriorityIsZeroToSevenOrNone() {
        assertThat(
                        fixture.adjustLinux(all ->
                                        all.getIoPriorityBuilder()
                                                .setClass_(IOPrioClass.IOPRIO_CLASS_NONE))
                                .spec()
                                .process()
                                .ioPriority())
                .isNull();
        assertRefused(
                () ->
                        fixture.adjustLinux(all ->
                                all.getIoPriorityBuilder()
                                        .setClass_(IOPrioClass.IOPRIO_CLASS_RT)
                                        .setPriority(8)),
                "linux.io_priority",
                "8 is not 0 to 7");
    }

    @Test
    void theSchedulerIsSetWhereTheRuntimeDoesSo() {
        Consumer<io.crema.nri.v1alpha1.LinuxContainerAdjustment.Builder> change =
                all ->
                        all.getSchedulerBuilder()
                                .setPolicy(LinuxSchedulerPolicy.SCHED_DEADLINE)
                                .setNice(-5)
                                .setPriority(2)
                                .addFlags(LinuxSchedulerFlag.SCHED_FLAG_RECLAIM)
                                .setRuntime(10)
                                .setDeadline(20)
                                .setPeriod(30);

        assertThat(fixture.adjustLinux(change).spec().process().scheduler())
                .isEqualTo(
                        new ContainerProcess.Scheduler(
                                "SCHED_DEADLINE",
                                -5,
                                2,
                                List.of("SCHED_FLAG_RECLAIM"),
                                UnsignedLong.of(10),
                                UnsignedLong.of(20),
                                UnsignedLong.of(30)));
        fixture.canAll = false;
        assertRefused(
                () -> fixture.adjustLinux(change), "linux.scheduler", "version 1.1 of the OCI");
        assertThat(
                        fixture.adjustLinux(all ->
                                        all.getSchedulerBuilder()
                                                .setPolicy(LinuxSchedulerPolicy.SCHED_NONE))
                                .spec()
                                .process()
                                .scheduler())
                .isNull();
    }

    @Test
    void aNiceValueOutOfRangeIsRefused() {
        assertRefused(
                () ->
                        fixture.adjustLinux(all ->
                                all.getSchedulerBuilder()
                                        .setPolicy(LinuxSchedulerPolicy.SCHED_OTHER)
                                        .setNice(20)),
                "linux.scheduler",
                "nice is 20");
    }

    @Test
    void aSeccompFilterTakesThePlaceOfTheProfile() {
        BuiltSpec built =
                fixture.adjustLinux(all ->
                        all.setSeccompPolicy(
                                LinuxSeccomp.newBuilder()
                                        .setDefaultAction("SCMP_ACT_ERRNO")
                                        .setDefaultErrno(OptionalUInt32.newBuilder().setValue(38))
                                        .addArchitectures("SCMP_ARCH_X86_64")
                                        .addFlags("SECCOMP_FILTER_FLAG_LOG")
                                        .setListenerPath("/run/agent")
                                        .setListenerMetadata("m")
                                        .addSyscalls(
                                                LinuxSyscall.newBuilder()
                                                        .addNames("read")
                                                        .setAction("SCMP_ACT_ALLOW")
                                                        .setErrnoRet(
                                                                OptionalUInt32.newBuilder()
                                                                        .setValue(1))
                                                        .addArgs(
                                                                LinuxSeccompArg.newBuilder()
                                                                        .setIndex(1)
                                                                        .setValue(2)
                                                                        .setValueTwo(3)
                                                                        .setOp("SCMP_CMP_EQ")))));

        assertThat(built.spec().linux().seccomp())
                .isEqualTo(
                        new io.crema.oci.spec.LinuxSeccomp(
                                "SCMP_ACT_ERRNO",
                                38,
                                List.of("SCMP_ARCH_X86_64"),
                                List.of("SECCOMP_FILTER_FLAG_LOG"),
                                "/run/agent",
                                "m",
                                List.of(
                                        new io.crema.oci.spec.LinuxSeccomp.Syscall(
                                                List.of("read"),
                                                "SCMP_ACT_ALLOW",
                                                1,
                                                List.of(
                                                        new io.crema.oci.spec.LinuxSeccomp.Argument(
                                                                1,
                                                                UnsignedLong.of(2),
                                                                UnsignedLong.of(3),
                                                                "SCMP_CMP_EQ"))))));
    }

    @Test
    void aSeccompFilterThatIsNoneIsRefused() {
        assertRefused(
                () ->
                        fixture.adjustLinux(
                                all -> all.setSeccompPolicy(LinuxSeccomp.getDefaultInstance())),
                "linux.seccomp_policy",
                "the action '' is unknown");
        assertRefused(
                () ->
                        fixture.adjustLinux(all ->
                                all.setSeccompPolicy(
                                        LinuxSeccomp.newBuilder()
                                                .setDefaultAction("SCMP_ACT_ALLOW")
                                                .addSyscalls(
                                                        LinuxSyscall.newBuilder()
                                                                .setAction("SCMP_ACT_LOG")))),
                "linux.seccomp_policy",
                "a rule names no system call");
    }

    @Test
    void namespacesAreReplacedAddedAndRemoved() {
        BuiltSpec built =
                fixture.adjustLinux(all ->
                        all.addNamespaces(namespace("-uts", ""))
                                .addNamespaces(namespace("network", "/proc/self/ns/net"))
                                .addNamespaces(namespace("ipc", ""))
                                .addNamespaces(namespace("time", "")));

        assertThat(built.spec().linux().namespaces())
                .containsExactly(
                        new LinuxSpec.Namespace("mount", null),
                        new LinuxSpec.Namespace("pid", null),
                        new LinuxSpec.Namespace("network", "/proc/self/ns/net"),
                        new LinuxSpec.Namespace("ipc", null),
                        new LinuxSpec.Namespace("time", null));
        assertThat(built.spec().hostname()).isNull();
    }

    private static LinuxNamespace namespace(String type, String path) {
        return LinuxNamespace.newBuilder().setType(type).setPath(path).build();
    }

    @ParameterizedTest
    @CsvSource({
        "-mount, '', mount, made for the one that it has",
        "user, /proc/self/ns/user, user, made for the one that it has",
        "-pid, '', pid, the end of its own PID namespace",
        "pid, /proc/self/ns/pid, pid, the end of its own PID namespace",
        "network, /nowhere, network, there is no namespace at '/nowhere'",
        "network, relative, network, there is no namespace at 'relative'",
        "strange, '', strange, no such kind of namespace"
    })
    void aNamespaceThatCannotBeIsRefused(String type, String path, String entry, String reason) {
        assertRefused(
                () -> fixture.adjustLinux(all -> all.addNamespaces(namespace(type, path))),
                "linux.namespaces[" + entry + "]",
                reason);
    }

    @Test
    void aContainerThatSharesItsPidNamespaceMayShareAnother() {
        fixture.namespaces =
                List.of(
                        new LinuxSpec.Namespace("mount", null),
                        new LinuxSpec.Namespace("pid", "/proc/1/ns/pid"));

        assertThat(
                        fixture.adjustLinux(all ->
                                        all.addNamespaces(namespace("pid", "/proc/self/ns/pid")))
                                .spec()
                                .linux()
                                .namespaces())
                .contains(new LinuxSpec.Namespace("pid", "/proc/self/ns/pid"));
    }

    @Test
    void kernelParametersAreSetAndRemoved() {
        BuiltSpec built =
                fixture.adjustLinux(all ->
                        all.putSysctl("-kernel.sem", "")
                                .putSysctl("net.core.somaxconn", "9")
                                .putSysctl("fs/mqueue/msg_max", "5"));

        assertThat(built.spec().linux().sysctl())
                .containsOnlyKeys("net.core.somaxconn", "fs/mqueue/msg_max");
    }

    @Test
    void kernelParametersOfTheNodeAreRefused() {
        assertRefused(
                () -> fixture.adjustLinux(all -> all.putSysctl("vm.swappiness", "0")),
                "linux.sysctl[vm.swappiness]",
                "of the whole node");
        fixture.namespaces = List.of();
        assertRefused(
                () -> fixture.adjustLinux(all -> all.putSysctl("net.core.somaxconn", "0")),
                "linux.sysctl[net.core.somaxconn]",
                "uses the node's network namespace");
    }

    @Test
    void networkInterfacesAreMovedWhereTheRuntimeDoesSo() {
        Consumer<io.crema.nri.v1alpha1.LinuxContainerAdjustment.Builder> change =
                all ->
                        all.putNetDevices(
                                "eth7", LinuxNetDevice.newBuilder().setName("eth1").build());

        assertThat(fixture.adjustLinux(change).spec().linux().netDevices())
                .containsEntry("eth7", new LinuxSpec.NetDevice("eth1"));
        fixture.canAll = false;
        assertRefused(
                () -> fixture.adjustLinux(change),
                "linux.net_devices[eth7]",
                "cannot move network interfaces");
        assertThat(
                        fixture.adjustLinux(all ->
                                all.putNetDevices("-eth7", LinuxNetDevice.getDefaultInstance())))
                .isEqualTo(fixture.before());
    }

    @Test
    void rdtIsSetWhereNodeAndRuntimeHaveIt() throws IOException {
        Files.createDirectories(fixture.resctrl.resolve("info"));
        BuiltSpec built =
                fixture.adjustLinux(all ->
                        all.getRdtBuilder()
                                .setRemove(true)
                                .setClosId(OptionalString.newBuilder().setValue("gold"))
                                .setSchemata(OptionalRepeatedString.newBuilder().addValue("MB:0=1"))
                                .setEnableMonitoring(OptionalBool.newBuilder().setValue(true)));

        assertThat(built.spec().linux().intelRdt())
                .isEqualTo(
                        new LinuxSpec.IntelRdt(
                                "gold", List.of("MB:0=1"), null, null, null, null, true));
        assertThat(fixture.adjustLinux(all -> all.getRdtBuilder().setRemove(true)))
                .isEqualTo(fixture.before());
    }

    @Test
    void rdtIsRefusedWhereThereIsNone() throws IOException {
        Consumer<io.crema.nri.v1alpha1.LinuxContainerAdjustment.Builder> schemata =
                all ->
                        all.getRdtBuilder()
                                .setSchemata(
                                        OptionalRepeatedString.newBuilder().addValue("MB:0=1"));
        assertRefused(
                () ->
                        fixture.adjustLinux(all ->
                                all.getRdtBuilder()
                                        .setClosId(OptionalString.newBuilder().setValue("gold"))),
                "linux.rdt.clos_id",
                "this node has no Intel RDT");
        assertRefused(
                () -> fixture.adjustLinux(schemata),
                "linux.rdt.schemata",
                "this node has no Intel RDT");
        Files.createDirectories(fixture.resctrl.resolve("info"));
        fixture.canAll = false;
        assertRefused(
                () -> fixture.adjustLinux(schemata),
                "linux.rdt.schemata",
                "have no intelRdt.schemata");
        assertRefused(
                () ->
                        fixture.adjustLinux(all ->
                                all.getRdtBuilder()
                                        .setEnableMonitoring(
                                                OptionalBool.newBuilder().setValue(true))),
                "linux.rdt.enable_monitoring",
                "have no intelRdt.monitoring");
    }

    @Test
    void theMemoryPolicyIsSetWhereTheRuntimeDoesSo() {
        Consumer<io.crema.nri.v1alpha1.LinuxContainerAdjustment.Builder> change =
                all ->
                        all.getMemoryPolicyBuilder()
                                .setMode(MpolMode.MPOL_BIND)
                                .setNodes("0-1")
                                .addFlags(MpolFlag.MPOL_F_STATIC_NODES);

        assertThat(fixture.adjustLinux(change).spec().linux().memoryPolicy())
                .isEqualTo(
                        new LinuxSpec.MemoryPolicy(
                                "MPOL_BIND", "0-1", List.of("MPOL_F_STATIC_NODES")));
        fixture.canAll = false;
        assertRefused(
                () -> fixture.adjustLinux(change),
                "linux.memory_policy",
                "does not know MPOL_BIND");
    }

    @ParameterizedTest
    @ValueSource(strings = {"MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING"})
    void aFlagOfTheMemoryPolicyThatTheRuntimeDoesNotKnowIsRefused(MpolFlag flag) {
        assertRefused(
                () ->
                        fixture.adjustLinux(all ->
                                all.getMemoryPolicyBuilder()
                                        .setMode(MpolMode.MPOL_BIND)
                                        .addFlags(flag)),
                "linux.memory_policy",
                "does not know " + flag);
    }
}
