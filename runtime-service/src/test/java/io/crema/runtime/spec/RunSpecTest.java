package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.PodSandboxId;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.Device;
import io.crema.cri.v1.HugepageLimit;
import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.KeyValue;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.MountPropagation;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.image.ImageConfiguration;
import io.crema.oci.linux.LinuxMounts.MountFlag;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.runtime.RuntimeFeatures;
import io.crema.oci.spec.LinuxResources;
import io.crema.runtime.cgroup.CgroupPath;
import io.crema.runtime.spec.RuncBox.Result;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is built has the effect that it is meant to have, in containers that really run. */
@Tag("root")
@Timeout(120)
class RunSpecTest {
    private static final String DEFAULT_CAPABILITIES = "00000000000005fb";
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    @TempDir Path directory;
    private RuncBox box;
    private final ContainerId id = ContainerId.random();
    private final PodSandboxId pod = PodSandboxId.random();
    private final ContainerConfig.Builder config = ContainerConfig.newBuilder();
    private final PodSandboxConfig.Builder sandbox = PodSandboxConfig.newBuilder();
    private Map<NamespaceKind, Path> pins = Map.of();
    private OptionalInt initPid = OptionalInt.empty();

    @BeforeEach
    void makeBox() throws IOException {
        box = new RuncBox(directory);
        Files.writeString(directory.resolve("resolv.conf"), "nameserver 127.0.0.1\n");
        Files.writeString(directory.resolve("hostname"), "pod\n");
        Files.createDirectory(directory.resolve("shm"));
        security().getNamespaceOptionsBuilder().setPid(NamespaceMode.CONTAINER);
    }

    @AfterEach
    void cleanUp() {
        box.close();
        RuncBox.LINUX.unpin(Set.copyOf(pins.values()));
    }

    private LinuxContainerSecurityContext.Builder security() {
        return config.getLinuxBuilder().getSecurityContextBuilder();
    }

    private void privileged() {
        security().setPrivileged(true);
        sandbox.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
    }

    private void runtimeDefault() {
        security().setSeccomp(SecurityProfile.newBuilder());
    }

    private void asUser(long uid) {
        security().setRunAsUser(Int64Value.newBuilder().setValue(uid));
    }

    private SpecSettings settings() {
        return SpecSettings.of(
                new ConfigurationLoader(new HostFacts(false)).defaults().configuration(),
                List.of());
    }

    private Handler handler() {
        return new Handler(
                settings().runtime().defaultHandler(),
                new RuntimeFeatures(true, "1.1.5", Set.of("rro"), false));
    }

    // Without pins the pod is on the node's network, as far as these tests are concerned.
    private SandboxFacts facts() {
        if (pins.isEmpty()) {
            sandbox.getLinuxBuilder()
                    .getSecurityContextBuilder()
                    .getNamespaceOptionsBuilder()
                    .setNetwork(NamespaceMode.NODE);
        }
        return new SandboxFacts(
                pod,
                sandbox.build(),
                "pod",
                box.cgroupParent,
                Optional.ofNullable(pins.get(NamespaceKind.NETWORK)),
                Optional.ofNullable(pins.get(NamespaceKind.IPC)),
                Optional.ofNullable(pins.get(NamespaceKind.UTS)),
                initPid,
                directory.resolve("shm"),
                directory.resolve("resolv.conf"),
                directory.resolve("hostname"),
                Optional.empty(),
                Optional.empty());
    }

    private BuiltSpec build(String... command) {
        config.clearCommand().addAllCommand(List.of(command));
        return new ContainerSpecBuilder(
                        RuncBox.LINUX,
                        RuncBox.NODE,
                        settings(),
                        AppArmorProfiles.loadedElsewhere(Path.of("/")))
                .build(
                        new SpecRequest(
                                id,
                                config.build(),
                                facts(),
                                new ImageConfiguration(
                                        "amd64", "linux", "", List.of(), List.of(), List.of(), "",
                                        "", Set.of(), Map.of()),
                                "busybox",
                                box.root,
                                box.bundle,
                                handler(),
                                OptionalInt.empty(),
                                List.of(),
                                box.bundle.resolve("volumes")),
                        Deadline.none());
    }

    private Result run(String script) {
        build("/bin/sh", "-c", script).writeTo(box.bundle);
        return box.run(id.value(), box.bundle);
    }

    private String output(String script) {
        Result result = run(script);
        assertThat(result.code()).as(result.output()).isZero();
        return result.output();
    }

    private void pinNamespaces() throws IOException {
        Map<NamespaceKind, Path> wanted = new EnumMap<>(NamespaceKind.class);
        for (NamespaceKind kind :
                List.of(NamespaceKind.NETWORK, NamespaceKind.IPC, NamespaceKind.UTS)) {
            wanted.put(kind, directory.resolve("ns-" + kind.fileName()));
        }
        RuncBox.LINUX.createAndPin(wanted, "pod", Map.of());
        pins = wanted;
    }

    @Test
    void userGroupsEnvironmentAndDirectory() {
        asUser(1000);
        security().addSupplementalGroups(777);
        config.setWorkingDir("/new/work");
        config.addEnvs(
                KeyValue.newBuilder()
                        .setKey("TEXT")
                        .setValue(ByteString.copyFromUtf8("two\nlines \u00e9")));

        String output = output("id; pwd; env; cat /etc/resolv.conf /etc/hostname");

        assertThat(output)
                .contains(
                        "uid=1000(app) gid=1000(app) groups=777,1000(app),50000(extra)",
                        "\n/new/work\n",
                        "TEXT=two\nlines \u00e9\n",
                        "HOME=/home/app",
                        "HOSTNAME=pod",
                        "nameserver 127.0.0.1",
                        "\npod\n");
    }

    @Test
    void anUnknownUserFindsItsName() {
        asUser(4242);
        security().setRunAsGroup(Int64Value.newBuilder().setValue(4343));

        assertThat(output("whoami; id")).contains("4242\n").contains("gid=4343(4343)");
    }

    @Test
    void capabilitiesAndSeccomp() {
        runtimeDefault();
        security().setNoNewPrivs(true);

        assertThat(output("cat /proc/self/status"))
                .contains(
                        "CapInh:\t0000000000000000",
                        "CapPrm:\t" + DEFAULT_CAPABILITIES,
                        "CapEff:\t" + DEFAULT_CAPABILITIES,
                        "CapBnd:\t" + DEFAULT_CAPABILITIES,
                        "CapAmb:\t0000000000000000",
                        "NoNewPrivs:\t1",
                        "Seccomp:\t2");
    }

    @Test
    void anotherUserHasNoEffectiveCapabilitiesButAmbientOnes() {
        asUser(1000);
        assertThat(output("cat /proc/self/status"))
                .contains("CapEff:\t0000000000000000", "CapBnd:\t" + DEFAULT_CAPABILITIES);

        security().getCapabilitiesBuilder().addAddAmbientCapabilities("NET_RAW");
        assertThat(output("cat /proc/self/status"))
                .contains("CapEff:\t0000000000002000", "CapAmb:\t0000000000002000");
    }

    @Test
    void seccompDeniesNewNamespaces() {
        runtimeDefault();
        Result denied = run("unshare -m true");
        assertThat(denied.code()).isNotZero();
        assertThat(denied.output()).contains("Operation not permitted");

        security().getCapabilitiesBuilder().addAddCapabilities("SYS_ADMIN");
        assertThat(run("unshare -m true").code()).isZero();
    }

    @Test
    void unconfined() {
        security().setSeccomp(SecurityProfile.newBuilder().setProfileType(ProfileType.Unconfined));

        assertThat(output("cat /proc/self/status")).contains("Seccomp:\t0");
    }

    @Test
    void aProfileOfTheNode() throws IOException {
        Path profile =
                Files.writeString(
                        directory.resolve("profile.json"),
                        """
                        {"defaultAction": "SCMP_ACT_ALLOW", "archMap": [
                          {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
                         "syscalls": [{"names": ["chmod", "fchmodat", "fchmodat2"],
                          "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
                        """);
        security()
                .setSeccomp(
                        SecurityProfile.newBuilder()
                                .setProfileType(ProfileType.Localhost)
                                .setLocalhostRef(profile.toString()));

        Result result = run("touch /tmp/x && chmod 600 /tmp/x");

        assertThat(result.code()).isNotZero();
        assertThat(result.output()).contains("No space left on device"); // errno 28
    }

    @Test
    void protectsPathsOnlyAsAsked() {
        String look =
                "echo timers: $(grep -c Timer /proc/timer_list); echo firmware: $(ls /sys/firmware);"
                        + " grep ' /proc/sys ' /proc/self/mounts || echo unprotected;"
                        + " echo end";
        assertThat(output(look)).contains("timers: 1", "firmware: ", "unprotected");

        security()
                .addMaskedPaths("/proc/timer_list")
                .addMaskedPaths("/sys/firmware")
                .addReadonlyPaths("/proc/sys");
        assertThat(output(look))
                .contains("timers: 0", "firmware:\n")
                .containsPattern("proc /proc/sys proc ro,")
                .doesNotContain("unprotected");
        assertThat(run("echo 1 > /proc/sys/kernel/panic").output())
                .contains("Read-only file system");
    }

    @Test
    void aReadOnlyRoot() {
        security().setReadonlyRootfs(true);

        Result result = run("touch /new; touch /etc/resolv.conf; touch /dev/shm/ok && echo done");

        assertThat(result.output())
                .contains("/new: Read-only file system")
                .contains("/etc/resolv.conf: Read-only file system")
                .contains("done");
    }

    @Test
    void limits() {
        config.getLinuxBuilder()
                .setResources(
                        LinuxContainerResources.newBuilder()
                                .setMemoryLimitInBytes(64 << 20)
                                .setCpuShares(123)
                                .setCpuQuota(50_000)
                                .setCpuPeriod(100_000)
                                .setOomScoreAdj(-998)
                                .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("2MB"))
                                .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("1GB")));
        CgroupPath cgroup = new CgroupPath(box.cgroupParent).child("crio-" + id);
        build("/bin/sleep", "1000").writeTo(box.bundle);

        startAndThen(pid -> {
            assertThat(box.cgroups.memoryLimit(cgroup)).hasValue(64 << 20);
            assertThat(box.cgroups.processes(cgroup)).containsExactly(pid);
            if (RuncBox.NODE.cgroups().isUnified()) {
                assertThat(read(cgroup, "cpu", "cpu.max")).isEqualTo("50000 100000");
            } else {
                assertThat(read(cgroup, "cpu", "cpu.shares")).isEqualTo("123");
                assertThat(read(cgroup, "cpu", "cpu.cfs_quota_us")).isEqualTo("50000");
                assertThat(read(cgroup, "memory", "memory.memsw.limit_in_bytes"))
                        .isEqualTo(Integer.toString(64 << 20));
            }
            int expected = Math.max(-998, RuncBox.NODE.lowestOomScoreAdjustment().orElse(-998));
            assertThat(Files.readString(Path.of("/proc/" + pid + "/oom_score_adj")).strip())
                    .isEqualTo(Integer.toString(expected));
        });
    }

    private static String read(CgroupPath cgroup, String controller, String file)
            throws IOException {
        return Files.readString(
                        RuncBox.NODE
                                .cgroups()
                                .directory(controller, cgroup)
                                .orElseThrow()
                                .resolve(file))
                .strip();
    }

    /** Something to do with a running container. */
    private interface WithPid {
        void accept(int pid) throws IOException;
    }

    private void startAndThen(WithPid work) {
        try {
            work.accept(box.start(id.value(), box.bundle));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void updatesALivingContainer() {
        LinuxContainerResources current =
                LinuxContainerResources.newBuilder().setMemoryLimitInBytes(64 << 20).build();
        config.getLinuxBuilder().setResources(current);
        build("/bin/sleep", "1000").writeTo(box.bundle);
        CgroupPath cgroup = new CgroupPath(box.cgroupParent).child("crio-" + id);

        startAndThen(pid -> {
            for (int mebibytes : List.of(128, 32)) {
                ResourceUpdate update =
                        ResourceUpdate.of(
                                current,
                                ResourceRequest.of(
                                        LinuxContainerResources.newBuilder()
                                                .setMemoryLimitInBytes((long) mebibytes << 20)
                                                .setCpuShares(200)
                                                .build()),
                                RuncBox.NODE,
                                handler(),
                                -1000,
                                box.cgroups.memoryUsage(cgroup));
                Path file = directory.resolve("update.json");
                Files.write(file, update.json());
                Result result = box.runc("update", "--resources", file.toString(), id.value());

                assertThat(result.code()).as(result.output()).isZero();
                assertThat(box.cgroups.memoryLimit(cgroup)).hasValue((long) mebibytes << 20);
            }
        });
    }

    @Test
    void execRunsAsTheContainerDoes() {
        asUser(1000);
        runtimeDefault();
        build("/bin/sleep", "1000").writeTo(box.bundle);

        startAndThen(pid -> {
            Path process = directory.resolve("process.json");
            Files.write(
                    process,
                    ExecProcess.json(
                            box.bundle,
                            List.of("/bin/sh", "-c", "id -u; env; cat /proc/self/status"),
                            false));
            Result result = box.runc("exec", "--process", process.toString(), id.value());

            assertThat(result.code()).as(result.output()).isZero();
            assertThat(result.output())
                    .startsWith("1000\n")
                    .contains("HOME=/home/app", "Seccomp:\t2", "CapBnd:\t" + DEFAULT_CAPABILITIES);
        });
    }

    @Test
    void killsEverythingInACgroup() {
        build("/bin/sh", "-c", "sleep 1000 & sleep 1001 & sleep 1002").writeTo(box.bundle);
        CgroupPath cgroup = new CgroupPath(box.cgroupParent).child("crio-" + id);

        startAndThen(pid -> {
            assertThat(box.cgroups.processes(cgroup)).contains(pid);

            box.cgroups.killAll(cgroup, Deadline.after(PATIENCE));

            assertThat(box.cgroups.processes(cgroup)).isEmpty();
        });
    }

    @Test
    void mounts() throws IOException {
        Path source = Files.createDirectory(directory.resolve("source"));
        Files.writeString(source.resolve("file"), "content\n");
        Files.copy(Path.of("/bin/busybox"), source.resolve("busybox"));
        source.resolve("busybox").toFile().setExecutable(true, false);
        config.addMountsBuilder().setContainerPath("/rw").setHostPath(source.toString());
        config.addMountsBuilder()
                .setContainerPath("/ro")
                .setHostPath(source.toString())
                .setReadonly(true);
        config.addMountsBuilder()
                .setContainerPath("/noexec")
                .setHostPath(source.toString())
                .addMountOptions("noexec");
        config.addMountsBuilder()
                .setContainerPath("/made")
                .setHostPath(directory.resolve("missing").toString());

        Result result =
                run(
                        "cat /ro/file; touch /ro/x; touch /rw/y && echo written;"
                                + " /rw/busybox true && echo ran; /noexec/busybox true || echo refused;"
                                + " touch /made/z");

        assertThat(result.output())
                .contains("content", "/ro/x: Read-only file system", "written", "ran", "refused");
        assertThat(source.resolve("y")).exists();
        assertThat(directory.resolve("missing/z")).exists();
    }

    @Test
    void recursiveReadOnlyReachesMountsInside() throws IOException {
        Path source = Files.createDirectory(directory.resolve("source"));
        Path inner = Files.createDirectory(source.resolve("inner"));
        RuncBox.LINUX.mount("tmpfs", inner, "tmpfs", EnumSet.noneOf(MountFlag.class), "");
        try {
            config.addMountsBuilder()
                    .setContainerPath("/ro")
                    .setHostPath(source.toString())
                    .setReadonly(true);
            config.addMountsBuilder()
                    .setContainerPath("/rro")
                    .setHostPath(source.toString())
                    .setReadonly(true)
                    .setRecursiveReadOnly(true);

            assertThat(run("touch /ro/inner/x && echo written; touch /rro/inner/y").output())
                    .contains("written", "/rro/inner/y: Read-only file system");
        } finally {
            RuncBox.LINUX.unmount(inner, EnumSet.of(UnmountFlag.DETACH));
        }
    }

    @Test
    void mountsTravelAsAsked() throws IOException {
        Path source = Files.createDirectory(directory.resolve("shared"));
        RuncBox.LINUX.mount("tmpfs", source, "tmpfs", EnumSet.noneOf(MountFlag.class), "");
        Path toContainer = Files.createDirectory(source.resolve("to-container"));
        Path toHost = Files.createDirectory(source.resolve("to-host"));
        try {
            RuncBox.LINUX.mount("", source, "", EnumSet.of(MountFlag.SHARED), "");
            privileged();
            config.addMountsBuilder()
                    .setContainerPath("/slave")
                    .setHostPath(source.toString())
                    .setPropagation(MountPropagation.PROPAGATION_HOST_TO_CONTAINER);
            config.addMountsBuilder()
                    .setContainerPath("/both")
                    .setHostPath(source.toString())
                    .setPropagation(MountPropagation.PROPAGATION_BIDIRECTIONAL);
            build(
                            "/bin/sh",
                            "-c",
                            "mount -t tmpfs t /both/to-host && touch /both/to-host/mine && sleep 1000")
                    .writeTo(box.bundle);
            box.start(id.value(), box.bundle);
            RuncBox.LINUX.mount("tmpfs", toContainer, "tmpfs", EnumSet.noneOf(MountFlag.class), "");
            Files.writeString(toContainer.resolve("hosts"), "");

            Result seen = box.runc("exec", id.value(), "/bin/ls", "/slave/to-container");
            assertThat(seen.output()).contains("hosts");
            Deadline deadline = Deadline.after(PATIENCE);
            while (!Files.exists(toHost.resolve("mine")) && !deadline.hasPassed()) {
                Thread.onSpinWait();
            }
            assertThat(toHost.resolve("mine")).exists();
        } finally {
            box.runc("delete", "--force", id.value());
            for (Path place : List.of(toContainer, toHost, source)) {
                if (RuncBox.LINUX.mounts().stream()
                        .anyMatch(mount -> mount.mountPoint().equals(place))) {
                    RuncBox.LINUX.unmount(place, EnumSet.of(UnmountFlag.DETACH));
                }
            }
        }
    }

    @Test
    void devices() {
        security().getCapabilitiesBuilder().addAddCapabilities("MKNOD");
        config.addDevices(
                Device.newBuilder()
                        .setHostPath("/dev/zero")
                        .setContainerPath("/dev/mine")
                        .setPermissions("r"));

        Result result =
                run(
                        "stat -c '%t %T' /dev/mine; cat /dev/null && echo null;"
                                + " mknod /tmp/kmsg c 1 11; cat /tmp/kmsg");

        assertThat(result.output()).contains("1 5\nnull\n", "/tmp/kmsg': Operation not permitted");
    }

    @Test
    void privilegedMayDoAll() {
        privileged();

        Result result =
                run(
                        "cat /proc/self/status; mount -t tmpfs t /mnt && echo mounted;"
                                + " ls /dev; test -w /sys/fs/cgroup && echo writable");

        assertThat(result.code()).as(result.output()).isZero();
        String all =
                "%016x"
                        .formatted(
                                RuncBox.NODE.boundingCapabilities().stream()
                                        .mapToLong(one ->
                                                1L << List.of(Capability.values()).indexOf(one))
                                        .sum());
        assertThat(result.output())
                .contains("CapEff:\t" + all, "Seccomp:\t0", "mounted", "writable", "kmsg");
    }

    @Test
    void aPodWithAnInitAndPinnedNamespaces() throws IOException {
        pinNamespaces();
        Path initRoot = Files.createDirectory(directory.resolve("init-root"));
        assertThat(initRoot.toFile().setExecutable(true, false)).isTrue();
        int init =
                box.start(
                        pod.value(),
                        new SandboxInitSpec(
                                        RuncBox.LINUX,
                                        RuncBox.NODE,
                                        settings(),
                                        AppArmorProfiles.loadedElsewhere(Path.of("/")))
                                .build(
                                        facts(),
                                        handler(),
                                        new InitProgram.StaticBinary(Path.of("/usr/bin/catatonit")),
                                        initRoot));
        initPid = OptionalInt.of(init);
        security().getNamespaceOptionsBuilder().setPid(NamespaceMode.POD);
        runtimeDefault();

        String output =
                output(
                        "grep Name /proc/1/status; grep CapBnd /proc/1/status;"
                                + " grep Uid /proc/1/status; hostname; ls /sys/class/net;"
                                + " readlink /proc/self/ns/ipc");

        assertThat(output)
                .contains(
                        "Name:\tinit",
                        "CapBnd:\t0000000000000000",
                        "Uid:\t65535",
                        "\npod\n",
                        "\nlo\n");
        assertThat(Files.readSymbolicLink(Path.of("/proc/" + init + "/ns/ipc")).toString())
                .isSubstringOf(output)
                .isNotEqualTo(Files.readSymbolicLink(Path.of("/proc/self/ns/ipc")).toString());
        assertThat(box.cgroups.processes(new CgroupPath(box.cgroupParent).child("crio-" + pod)))
                .containsExactly(init);
    }

    @Test
    void aCgroupOfAPodWithoutProcesses() {
        CgroupPath cgroup = new CgroupPath(box.cgroupParent).child("crio-" + pod);

        box.cgroups.create(cgroup);
        for (Path root : RuncBox.NODE.cgroups().roots()) {
            assertThat(cgroup.below(root).resolve("cgroup.procs")).exists();
        }
        box.cgroups.apply(
                cgroup,
                new LinuxResources(
                        List.of(),
                        new LinuxResources.Memory(100L << 20, null, 200L << 20),
                        null,
                        null,
                        List.of(),
                        Map.of()));
        assertThat(box.cgroups.memoryLimit(cgroup)).hasValue(100 << 20);
        box.cgroups.remove(cgroup, Deadline.after(PATIENCE));

        for (Path root : RuncBox.NODE.cgroups().roots()) {
            assertThat(cgroup.below(root)).doesNotExist();
        }
    }
}
