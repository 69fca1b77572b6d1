package io.crema.runtime.nri;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ContainerId;
import io.crema.base.ImageId;
import io.crema.base.PodSandboxId;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerResources;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.SecurityProfile;
import io.crema.nri.v1alpha1.CDIDevice;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerState;
import io.crema.nri.v1alpha1.IOPrioClass;
import io.crema.nri.v1alpha1.LinuxContainer;
import io.crema.nri.v1alpha1.LinuxDevice;
import io.crema.nri.v1alpha1.LinuxNamespace;
import io.crema.nri.v1alpha1.LinuxSchedulerFlag;
import io.crema.nri.v1alpha1.LinuxSchedulerPolicy;
import io.crema.nri.v1alpha1.SecurityProfile.ProfileType;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.SpecJson;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.state.ContainerRecord;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Containers as plugins are told of them. */
class ContainerMessagesTest {
    private static final Layout LAYOUT =
            new Layout(Path.of("/a"), Path.of("/b"), Path.of("/c"), Path.of("/d"));

    private final ContainerConfig.Builder config =
            ContainerConfig.newBuilder()
                    .setImage(ImageSpec.newBuilder().setImage("busybox"))
                    .putLabels("role", "web")
                    .putAnnotations("note", "of the request")
                    .addCDIDevices(io.crema.cri.v1.CDIDevice.newBuilder().setName("v.com/c=d"));
    private long finishedAt;

    private io.crema.runtime.state.Container container() {
        ContainerStatus effective =
                ContainerStatus.newBuilder()
                        .setImageRef("registry.example/busybox@sha256:abc")
                        .setResources(
                                ContainerResources.newBuilder()
                                        .setLinux(
                                                LinuxContainerResources.newBuilder()
                                                        .setCpuShares(7)))
                        .build();
        return new io.crema.runtime.state.Container(
                LAYOUT,
                new ContainerRecord(
                        ContainerRecord.VERSION,
                        new ContainerId("c".repeat(64)),
                        new PodSandboxId("d".repeat(64)),
                        "main",
                        0,
                        config.build().toByteArray(),
                        effective.toByteArray(),
                        new ImageId("e".repeat(64)),
                        "runc",
                        "/pod",
                        "",
                        true,
                        new ProcessIdentity(42, 1),
                        null,
                        11,
                        12,
                        13,
                        finishedAt,
                        finishedAt == 0 ? 0 : 3,
                        finishedAt == 0 ? "" : "Error",
                        ""));
    }

    private static RuntimeSpec spec() {
        LinuxSpec linux =
                new LinuxSpec(
                        List.of(),
                        List.of(),
                        Map.of("net.a", "1"),
                        new LinuxResources(
                                List.of(),
                                new LinuxResources.Memory(1L, 2L, 3L, 4L, 5L, true),
                                new LinuxResources.Cpu(1L, 2L, 3L, "0", "1", 4L, 5L),
                                new LinuxResources.Pids(6),
                                List.of(),
                                Map.of("memory.high", "9")),
                        "/pod/crio-1",
                        List.of(new LinuxSpec.Namespace("ipc", "/p")),
                        List.of(new LinuxSpec.Device("c", "/dev/x", 1L, 2L, 0600, 3L, 4L)),
                        new LinuxSeccomp(
                                "SCMP_ACT_ERRNO",
                                38,
                                List.of("SCMP_ARCH_X86_64"),
                                List.of(),
                                null,
                                null,
                                List.of(
                                        new LinuxSeccomp.Syscall(
                                                List.of("read"),
                                                "SCMP_ACT_ALLOW",
                                                null,
                                                List.of(
                                                        new LinuxSeccomp.Argument(
                                                                1,
                                                                UnsignedLong.of(2),
                                                                null,
                                                                "SCMP_CMP_EQ"))))),
                        null,
                        List.of(),
                        List.of(),
                        null,
                        new LinuxSpec.IntelRdt(
                                "gold", List.of("MB:0=1"), null, null, null, null, true),
                        Map.of("eth7", new LinuxSpec.NetDevice(null)),
                        null);
        return new RuntimeSpec(
                RuntimeSpec.VERSION,
                new ContainerProcess(
                        false,
                        new ContainerProcess.User(1, 2, null, List.of(3L)),
                        List.of("sh"),
                        List.of("A=b"),
                        "/",
                        ContainerProcess.Capabilities.none(),
                        List.of(
                                new ContainerProcess.Rlimit(
                                        "RLIMIT_CORE", UnsignedLong.MAX, UnsignedLong.of(1))),
                        false,
                        5,
                        null,
                        null,
                        new ContainerProcess.Scheduler(
                                "SCHED_FIFO",
                                null,
                                7,
                                List.of("SCHED_FLAG_RECLAIM"),
                                UnsignedLong.of(8),
                                null,
                                null),
                        new ContainerProcess.IoPriority("IOPRIO_CLASS_BE", 6)),
                new RuntimeSpec.Root("/", true),
                null,
                List.of(RuntimeSpec.Mount.bind("/m", "/s", List.of("ro"))),
                new RuntimeSpec.Hooks(
                        List.of(),
                        List.of(),
                        List.of(),
                        List.of(),
                        List.of(),
                        List.of(new RuntimeSpec.Hook("/h", List.of("h"), List.of("E=1"), 9))),
                Map.of("added", "by a plugin"),
                linux);
    }

    private Container told() {
        return ContainerMessages.of(container(), Optional.of(spec()), true);
    }

    @Test
    void theSpecificationIsTheSameFromTheBundle() throws IOException {
        assertThat(SpecJson.read(SpecJson.write(spec()))).isEqualTo(spec());
    }

    @Test
    void whatItIs() {
        Container told = told();

        assertThat(told.getId()).isEqualTo("c".repeat(64));
        assertThat(told.getPodSandboxId()).isEqualTo("d".repeat(64));
        assertThat(told.getName()).isEqualTo("main");
        assertThat(told.getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        assertThat(told.getPid()).isEqualTo(42);
        assertThat(told.getCreatedAt()).isEqualTo(11);
        assertThat(told.getStartedAt()).isEqualTo(13);
        assertThat(told.getLabelsMap()).containsEntry("role", "web");
        assertThat(told.getAnnotationsMap())
                .containsEntry("note", "of the request")
                .containsEntry("added", "by a plugin");
        assertThat(told.getCDIDevicesList())
                .extracting(CDIDevice::getName)
                .containsExactly("v.com/c=d");
        assertThat(told.getImage().getName()).isEqualTo("busybox");
        assertThat(told.getImage().getDigest()).isEqualTo("sha256:abc");
        assertThat(told.getImage().getConfigDigest()).isEqualTo("sha256:" + "e".repeat(64));
    }

    @Test
    void whatItsProcessIs() {
        Container told = told();

        assertThat(told.getArgsList()).containsExactly("sh");
        assertThat(told.getEnvList()).containsExactly("A=b");
        assertThat(told.getUser().getUid()).isEqualTo(1);
        assertThat(told.getUser().getGid()).isEqualTo(2);
        assertThat(told.getUser().getAdditionalGidsList()).containsExactly(3);
        assertThat(told.getMounts(0).getSource()).isEqualTo("/s");
        assertThat(told.getHooks().getPoststop(0).getTimeout().getValue()).isEqualTo(9);
        assertThat(told.getRlimits(0).getHard()).isEqualTo(-1);
        LinuxContainer linux = told.getLinux();
        assertThat(linux.getOomScoreAdj().getValue()).isEqualTo(5);
        assertThat(linux.getIoPriority().getClass_()).isEqualTo(IOPrioClass.IOPRIO_CLASS_BE);
        assertThat(linux.getIoPriority().getPriority()).isEqualTo(6);
        assertThat(linux.getScheduler().getPolicy()).isEqualTo(LinuxSchedulerPolicy.SCHED_FIFO);
        assertThat(linux.getScheduler().getPriority()).isEqualTo(7);
        assertThat(linux.getScheduler().getRuntime()).isEqualTo(8);
        assertThat(linux.getScheduler().getFlagsList())
                .containsExactly(LinuxSchedulerFlag.SCHED_FLAG_RECLAIM);
    }

    @Test
    void whatIsParticularToLinux() {
        LinuxContainer linux = told().getLinux();

        assertThat(linux.getNamespacesList())
                .containsExactly(LinuxNamespace.newBuilder().setType("ipc").setPath("/p").build());
        assertThat(linux.getDevicesList())
                .extracting(LinuxDevice::getPath)
                .containsExactly("/dev/x");
        assertThat(linux.getCgroupsPath()).isEqualTo("/pod/crio-1");
        assertThat(linux.getSysctlMap()).containsEntry("net.a", "1");
        assertThat(linux.getNetDevicesMap()).containsOnlyKeys("eth7");
        assertThat(linux.getRdt().getClosId().getValue()).isEqualTo("gold");
        assertThat(linux.getRdt().getSchemata().getValueList()).containsExactly("MB:0=1");
        assertThat(linux.getRdt().getEnableMonitoring().getValue()).isTrue();
        assertThat(linux.getSeccompPolicy().getDefaultErrno().getValue()).isEqualTo(38);
        assertThat(linux.getSeccompPolicy().getSyscalls(0).getArgs(0).getOp())
                .isEqualTo("SCMP_CMP_EQ");
        var memory = linux.getResources().getMemory();
        assertThat(memory.getLimit().getValue()).isEqualTo(1);
        assertThat(memory.getReservation().getValue()).isEqualTo(2);
        assertThat(memory.getSwap().getValue()).isEqualTo(3);
        assertThat(memory.getKernelTcp().getValue()).isEqualTo(4);
        assertThat(memory.getSwappiness().getValue()).isEqualTo(5);
        assertThat(memory.getDisableOomKiller().getValue()).isTrue();
        var cpu = linux.getResources().getCpu();
        assertThat(cpu.getShares().getValue()).isEqualTo(1);
        assertThat(cpu.getRealtimeRuntime().getValue()).isEqualTo(4);
        assertThat(cpu.getRealtimePeriod().getValue()).isEqualTo(5);
        assertThat(cpu.getCpus()).isEqualTo("0");
        assertThat(linux.getResources().getPids().getLimit()).isEqualTo(6);
        assertThat(linux.getResources().getUnifiedMap()).containsEntry("memory.high", "9");
    }

    @Test
    void whatIsLeftWhenThereIsNoSpecificationAnyMore() {
        finishedAt = 20;
        Container told = ContainerMessages.of(container(), Optional.empty(), true);

        assertThat(told.getState()).isEqualTo(ContainerState.CONTAINER_STOPPED);
        assertThat(told.getFinishedAt()).isEqualTo(20);
        assertThat(told.getExitCode()).isEqualTo(3);
        assertThat(told.getStatusReason()).isEqualTo("Error");
        assertThat(told.getAnnotationsMap()).containsEntry("note", "of the request");
        assertThat(told.getLinux().getResources().getCpu().getShares().getValue()).isEqualTo(7);
    }

    @ParameterizedTest
    @CsvSource({
        "RuntimeDefault, '', RUNTIME_DEFAULT",
        "Unconfined, '', UNCONFINED",
        "Localhost, '', LOCALHOST",
        ", runtime/default, RUNTIME_DEFAULT",
        ", localhost/x, LOCALHOST",
        ", '', UNCONFINED"
    })
    void theSeccompProfileThatWasAskedFor(
            SecurityProfile.ProfileType asked, String deprecated, ProfileType expected) {
        var security = config.getLinuxBuilder().getSecurityContextBuilder();
        if (asked != null) {
            security.setSeccomp(SecurityProfile.newBuilder().setProfileType(asked));
        }
        security.setSeccompProfilePath(deprecated);

        assertThat(told().getLinux().getSeccompProfile().getProfileType()).isEqualTo(expected);
        security.setPrivileged(true);
        assertThat(told().getLinux().getSeccompProfile().getProfileType())
                .isEqualTo(ProfileType.UNCONFINED);
    }
}
