package io.crema.runtime.spec;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.google.protobuf.ByteString;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.CDIDevice;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.Device;
import io.crema.cri.v1.HugepageLimit;
import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.KeyValue;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.cri.v1.Signal;
import io.crema.cri.v1.WindowsContainerConfig;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.SpecJson;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ContainerSpecBuilderTest {
    @TempDir Path directory;
    private SpecFixture fixture;

    @BeforeEach
    void makeFixture() {
        fixture = new SpecFixture(directory);
        fixture.write("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:\n");
        fixture.write("etc/group", "root:x:0:\napp:x:1000:\nextra:x:50000:app\n");
    }

    private LinuxContainerSecurityContext.Builder security() {
        return fixture.config.getLinuxBuilder().getSecurityContextBuilder();
    }

    private void privileged() {
        security().setPrivileged(true);
        fixture.sandbox.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
    }

    private RuntimeSpec spec() {
        return fixture.build().spec();
    }

    @Test
    void aPlainContainer() {
        fixture.config.clearCommand();
        fixture.imageEntrypoint = List.of("/app");
        fixture.imageCommand = List.of("--serve");
        fixture.imageUser = "app";
        fixture.imageEnvironment = List.of("LANG=C");
        fixture.imageDirectory = "/srv/app";
        fixture.imageStopSignal = "SIGQUIT";

        BuiltSpec built = fixture.build();
        RuntimeSpec spec = built.spec();

        assertThat(spec.ociVersion()).isEqualTo("1.0.2");
        assertThat(spec.hostname()).isEqualTo("pod-name");
        assertThat(spec.root().path()).isEqualTo(fixture.root.toString());
        assertThat(spec.root().readonly()).isFalse();
        assertThat(spec.process().args()).containsExactly("/app", "--serve");
        assertThat(spec.process().cwd()).isEqualTo("/srv/app");
        assertThat(fixture.root.resolve("srv/app")).isDirectory();
        assertThat(spec.process().env())
                .contains("LANG=C", "HOSTNAME=pod-name", "HOME=/home/app")
                .noneMatch(entry -> entry.startsWith("TERM="));
        assertThat(spec.process().user().uid()).isEqualTo(1000);
        assertThat(spec.process().user().additionalGids()).containsExactly(1000L, 50_000L);
        assertThat(spec.process().terminal()).isFalse();
        assertThat(spec.process().noNewPrivileges()).isFalse();
        assertThat(spec.process().capabilities().effective())
                .containsExactly(
                        "CAP_CHOWN",
                        "CAP_DAC_OVERRIDE",
                        "CAP_FOWNER",
                        "CAP_FSETID",
                        "CAP_KILL",
                        "CAP_SETGID",
                        "CAP_SETUID",
                        "CAP_SETPCAP",
                        "CAP_NET_BIND_SERVICE");
        assertThat(spec.linux().cgroupsPath())
                .isEqualTo("/kubepods/pod1/crio-" + SpecFixture.ID.value());
        assertThat(spec.linux().seccomp()).isNull();
        assertThat(spec.linux().devices()).isEmpty();
        assertThat(spec.linux().resources().devices().getFirst())
                .isEqualTo(new DeviceRule(false, null, null, null, "rwm"));
        assertThat(spec.annotations())
                .containsEntry("io.kubernetes.cri.container-type", "container")
                .containsEntry("io.kubernetes.cri.sandbox-id", SpecFixture.POD.value());

        ContainerStatus status = built.effective();
        assertThat(status.getUser().getLinux().getUid()).isEqualTo(1000);
        assertThat(status.getUser().getLinux().getSupplementalGroupsList())
                .containsExactly(1000L, 50_000L);
        assertThat(status.getStopSignal()).isEqualTo(Signal.SIGNAL_SIGQUIT);
        assertThat(built.stopSignal().number()).isEqualTo(3);
        assertThat(built.warnings()).isEmpty();
    }

    @Test
    void theSameRequestMakesTheSameBytes() {
        privileged();
        fixture.config.putAnnotations("b", "2").putAnnotations("a", "1");

        assertThat(SpecJson.write(spec())).isEqualTo(SpecJson.write(spec()));
    }

    @Test
    void writesTheBundle() throws IOException {
        security().setRunAsUser(Int64Value.newBuilder().setValue(4242));
        BuiltSpec built = fixture.build();

        built.writeTo(fixture.bundle);

        assertThat(SpecJson.read(Files.readAllBytes(fixture.bundle.resolve("config.json"))))
                .isEqualTo(built.spec());
        assertThat(permissions("config.json")).isEqualTo("rw-------");
        assertThat(permissions("containerenv")).isEqualTo("rw-r--r--");
        assertThat(fixture.bundle.resolve("containerenv")).isEmptyFile();
        assertThat(Files.readString(fixture.bundle.resolve("passwd")))
                .endsWith("4242:x:4242:0:4242 user:/:/sbin/nologin\n");
        assertThat(fixture.bundle.resolve("group")).doesNotExist(); // 0 is there
        assertThat(built.spec().mounts())
                .filteredOn(mount -> mount.destination().equals("/etc/passwd"))
                .singleElement()
                .satisfies(mount ->
                        assertThat(mount.source())
                                .isEqualTo(fixture.bundle.resolve("passwd").toString()));
    }

    private String permissions(String file) throws IOException {
        return PosixFilePermissions.toString(
                Files.getPosixFilePermissions(fixture.bundle.resolve(file)));
    }

    @Test
    void warmUpTellsOfABrokenProfile() throws IOException {
        Path broken = Files.writeString(directory.resolve("broken"), "{}");
        fixture.toml = "[crio.runtime]\nseccomp_profile = \"" + broken + "\"\n";

        assertThatThrownBy(() ->
                        new ContainerSpecBuilder(
                                        fixture.linux(),
                                        fixture.node,
                                        fixture.settings(),
                                        AppArmorProfiles.loadedElsewhere(directory))
                                .warmUp())
                .hasMessageContaining("seccomp_profile " + broken);
    }

    @Test
    void leavesAccountsAloneThatTheRequestMounts() {
        security().setRunAsUser(Int64Value.newBuilder().setValue(4242));
        fixture.config
                .addMountsBuilder()
                .setContainerPath("/etc/group")
                .setHostPath(directory.toString());

        assertThat(spec().mounts())
                .extracting(RuntimeSpec.Mount::destination)
                .doesNotContain("/etc/passwd");
    }

    @Test
    void aTerminal() {
        fixture.config.setTty(true);

        assertThat(spec().process().terminal()).isTrue();
        assertThat(spec().process().env()).contains("TERM=xterm");

        fixture.imageEnvironment = List.of("TERM=vt100");
        assertThat(spec().process().env()).contains("TERM=vt100").doesNotContain("TERM=xterm");
    }

    @Test
    void aReadOnlyRoot() {
        security().setReadonlyRootfs(true);

        RuntimeSpec spec = spec();

        assertThat(spec.root().readonly()).isTrue();
        assertThat(spec.mounts())
                .filteredOn(mount -> mount.destination().startsWith("/etc/"))
                .allSatisfy(mount -> assertThat(mount.options()).contains("ro"))
                .hasSize(3);
    }

    @Test
    void masksAndProtectsExactlyWhatIsAsked() {
        security().addMaskedPaths("/proc/kcore").addReadonlyPaths("/proc/sys");
        assertThat(spec().linux().maskedPaths()).containsExactly("/proc/kcore");
        assertThat(spec().linux().readonlyPaths()).containsExactly("/proc/sys");

        security().clearMaskedPaths().clearReadonlyPaths();
        assertThat(spec().linux().maskedPaths()).isEmpty();
        assertThat(spec().linux().readonlyPaths()).isEmpty();
    }

    @Test
    void noNewPrivileges() {
        security().setNoNewPrivs(true);

        assertThat(spec().process().noNewPrivileges()).isTrue();
    }

    @Test
    void privilegedHasEverythingThatTheDaemonHas() {
        fixture.node = Node.small();
        privileged();
        security()
                .addMaskedPaths("/proc/kcore")
                .addReadonlyPaths("/proc/sys")
                .setSeccomp(SecurityProfile.newBuilder());

        RuntimeSpec spec = spec();

        assertThat(spec.process().capabilities().bounding())
                .hasSize(40)
                .doesNotContain("CAP_SYS_RESOURCE");
        assertThat(spec.linux().seccomp()).isNull();
        assertThat(spec.linux().maskedPaths()).isEmpty();
        assertThat(spec.linux().readonlyPaths()).isEmpty();
        assertThat(spec.linux().devices()).extracting("path").contains("/dev/null");
        assertThat(spec.linux().resources().devices())
                .contains(new DeviceRule(true, null, null, null, "rwm"));
        assertThat(spec.mounts())
                .filteredOn(mount -> mount.destination().startsWith("/sys"))
                .hasSize(2)
                .allSatisfy(
                        mount -> assertThat(mount.options()).contains("rw").doesNotContain("ro"));
    }

    @Test
    void privilegedWithoutTheHostsDevices() {
        fixture.toml = "[crio.runtime.runtimes.runc]\nprivileged_without_host_devices = true\n";
        privileged();

        assertThat(spec().linux().devices()).isEmpty();
        assertThat(spec().linux().resources().devices())
                .doesNotContain(new DeviceRule(true, null, null, null, "rwm"));
    }

    @Test
    void privilegedNeedsAPrivilegedPod() {
        security().setPrivileged(true);

        assertThatThrownBy(this::spec).hasMessageContaining("privileged: a privileged container");
    }

    @Test
    void devices() {
        fixture.toml =
                """
                [crio.runtime]
                additional_devices = ["/dev/zero:/dev/configured:r"]
                device_ownership_from_security_context = true
                """;
        security().setRunAsUser(Int64Value.newBuilder().setValue(1000));
        fixture.config.addDevices(
                Device.newBuilder()
                        .setHostPath("/dev/null")
                        .setContainerPath("/dev/asked")
                        .setPermissions("rw"));

        assertThat(spec().linux().devices())
                .extracting("path")
                .containsExactly("/dev/configured", "/dev/asked");
        assertThat(spec().linux().devices()).extracting("uid").containsOnly(1000L);
        assertThat(spec().linux().resources().devices())
                .contains(new DeviceRule(true, "c", 1L, 3L, "rw"));
    }

    @Test
    void seccompNamesTheProfileItMeans() throws IOException {
        security().setSeccomp(SecurityProfile.newBuilder());
        assertThat(filter().defaultErrnoRet()).isEqualTo(38);

        security().setSeccomp(SecurityProfile.newBuilder().setProfileType(ProfileType.Unconfined));
        assertThat(spec().linux().seccomp()).isNull();

        Path file =
                Files.writeString(
                        directory.resolve("profile.json"), "{\"defaultAction\":\"SCMP_ACT_LOG\"}");
        security()
                .setSeccomp(
                        SecurityProfile.newBuilder()
                                .setProfileType(ProfileType.Localhost)
                                .setLocalhostRef(file.toString()));
        assertThat(filter().defaultAction()).isEqualTo("SCMP_ACT_LOG");
    }

    private LinuxSeccomp filter() {
        return Objects.requireNonNull(spec().linux().seccomp());
    }

    @Test
    void seccompDefaultsAreConfigured() throws IOException {
        Path common = Files.writeString(directory.resolve("common"), profile("SCMP_ACT_LOG"));
        Path ofHandler = Files.writeString(directory.resolve("handler"), profile("SCMP_ACT_TRAP"));
        security().setSeccomp(SecurityProfile.newBuilder());
        fixture.toml = "[crio.runtime]\nseccomp_profile = \"" + common + "\"\n";
        assertThat(filter().defaultAction()).isEqualTo("SCMP_ACT_LOG");

        fixture.toml += "[crio.runtime.runtimes.runc]\nseccomp_profile = \"" + ofHandler + "\"\n";
        assertThat(filter().defaultAction()).isEqualTo("SCMP_ACT_TRAP");
    }

    private static String profile(String action) {
        return "{\"defaultAction\":\"" + action + "\"}";
    }

    @ParameterizedTest
    @CsvSource({"'', false", "unconfined, false", "runtime/default, true", "docker/default, true"})
    void seccompByTheDeprecatedString(String text, boolean filtered) {
        security().setSeccompProfilePath(text);

        assertThat(spec().linux().seccomp() != null).isEqualTo(filtered);
    }

    @Test
    void seccompFollowsTheCapabilities() {
        security().setSeccomp(SecurityProfile.newBuilder());
        security().getCapabilitiesBuilder().addAddCapabilities("SYS_ADMIN");

        assertThat(filter().syscalls())
                .anyMatch(rule ->
                        rule.names().contains("unshare") && rule.action().equals("SCMP_ACT_ALLOW"));
    }

    @Test
    void withoutSeccompInTheKernel() throws IOException {
        fixture.node = Node.withoutSeccomp(fixture.node);
        security().setSeccomp(SecurityProfile.newBuilder());
        assertThat(spec().linux().seccomp()).isNull();

        Path file = Files.writeString(directory.resolve("profile"), profile("SCMP_ACT_LOG"));
        security()
                .setSeccomp(
                        SecurityProfile.newBuilder()
                                .setProfileType(ProfileType.Localhost)
                                .setLocalhostRef(file.toString()));
        assertThatThrownBy(this::spec).hasMessageContaining("built without seccomp");
    }

    @Test
    void appArmor() throws IOException {
        Files.createDirectories(directory.resolve("sys/kernel/security/apparmor"));
        Files.writeString(
                directory.resolve("sys/kernel/security/apparmor/profiles"),
                "crema-default (enforce)\nmine (enforce)\n");
        fixture.node = Node.withAppArmor(fixture.node);
        fixture.appArmorRoot = directory;
        assertThat(spec().process().apparmorProfile()).isEqualTo("crema-default");

        SecurityProfile.Builder localhost =
                SecurityProfile.newBuilder()
                        .setProfileType(ProfileType.Localhost)
                        .setLocalhostRef("mine");
        security().setApparmor(localhost);
        assertThat(spec().process().apparmorProfile()).isEqualTo("mine");
        security().setApparmor(localhost.setLocalhostRef("other"));
        assertThatThrownBy(this::spec).hasMessageContaining("profile 'other' is not loaded");
        security().setApparmor(localhost.clear().setProfileType(ProfileType.Unconfined));
        assertThat(spec().process().apparmorProfile()).isNull();
        security().clearApparmor().setApparmorProfile("localhost/mine");
        assertThat(spec().process().apparmorProfile()).isEqualTo("mine");
        security().setApparmorProfile("unconfined");
        assertThat(spec().process().apparmorProfile()).isNull();

        security().setApparmorProfile("");
        privileged();
        assertThat(spec().process().apparmorProfile()).isNull();
    }

    @Test
    void warnsWhenTheDefaultAppArmorProfileIsNotThere() {
        fixture.node = Node.withAppArmor(fixture.node);

        BuiltSpec built = fixture.build();

        assertThat(built.spec().process().apparmorProfile()).isNull();
        assertThat(built.warnings()).singleElement().asString().contains("crema-default");

        security()
                .setApparmor(
                        SecurityProfile.newBuilder().setProfileType(ProfileType.RuntimeDefault));
        assertThatThrownBy(this::spec)
                .hasMessageContaining("security_context.apparmor")
                .hasMessageContaining("crema-default is not loaded");
        security().clearApparmor().setApparmorProfile("runtime/default");
        assertThatThrownBy(this::spec).hasMessageContaining("crema-default is not loaded");
    }

    @Test
    void resourcesAreReportedAsTheyAre() {
        fixture.node = Node.small();
        fixture.config
                .getLinuxBuilder()
                .getResourcesBuilder()
                .setCpuShares(100)
                .setOomScoreAdj(-998)
                .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("2MB"));

        BuiltSpec built = fixture.build();

        assertThat(built.spec().process().oomScoreAdj()).isZero();
        assertThat(built.spec().linux().resources().hugepageLimits()).isEmpty();
        assertThat(built.effective().getResources().getLinux().getOomScoreAdj()).isZero();
        assertThat(built.effective().getResources().getLinux().getCpuShares()).isEqualTo(100);
        assertThat(built.effective().getResources().getLinux().getHugepageLimitsList()).isEmpty();
    }

    @Test
    void configuredLimits() {
        fixture.toml =
                """
                [crio.runtime]
                pids_limit = 99
                default_ulimits = ["nofile=1024:2048", "core=unlimited"]
                """;

        RuntimeSpec spec = spec();

        assertThat(spec.linux().resources().pids()).hasFieldOrPropertyWithValue("limit", 99L);
        assertThat(spec.process().rlimits())
                .extracting("type", "hard")
                .containsExactly(
                        tuple("RLIMIT_NOFILE", UnsignedLong.of(2048)),
                        tuple("RLIMIT_CORE", UnsignedLong.MAX));
    }

    @Test
    void systemdAsTheFirstProcess() {
        fixture.config.clearCommand().addCommand("/sbin/init");

        RuntimeSpec spec = spec();

        assertThat(spec.process().env()).contains("container=crema");
        assertThat(spec.mounts())
                .filteredOn(mount -> "tmpfs".equals(mount.type()))
                .extracting(RuntimeSpec.Mount::destination)
                .containsExactlyInAnyOrder("/dev", "/run", "/tmp", "/run/lock", "/var/log/journal");
        assertThat(spec.mounts())
                .filteredOn(mount -> mount.destination().equals("/sys/fs/cgroup"))
                .singleElement()
                .satisfies(mount -> assertThat(mount.options()).contains("rw"));
    }

    @Test
    void timezone() {
        fixture.toml = "[crio.runtime]\ntimezone = \"Europe/Rome\"\n";

        assertThat(spec().mounts())
                .filteredOn(mount -> mount.destination().equals("/etc/localtime"))
                .singleElement()
                .satisfies(mount ->
                        assertThat(mount.source()).isEqualTo("/usr/share/zoneinfo/Europe/Rome"));
    }

    @Test
    void makesTheImagesVolumes() {
        fixture.imageVolumes = Set.of("/var/lib/data", "/../outside");
        spec();
        assertThat(fixture.root.resolve("var/lib/data")).isDirectory();
        assertThat(fixture.root.resolve("outside")).isDirectory();
        assertThat(directory.resolve("outside")).doesNotExist();

        fixture.imageVolumes = Set.of("/ignored");
        fixture.toml = "[crio.image]\nimage_volumes = \"ignore\"\n";
        spec();
        assertThat(fixture.root.resolve("ignored")).doesNotExist();
    }

    @Test
    void annotationsReachTheRuntimeOnlyIfAllowed() {
        fixture.toml = "[crio.runtime.runtimes.runc]\nallowed_annotations = [\"run.oci.\"]\n";
        fixture.config
                .putAnnotations("run.oci.keep_original_groups", "1")
                .putAnnotations("example.com/x", "1");
        fixture.sandbox.putAnnotations("run.oci.systemd.force_cgroup_v1", "2");

        assertThat(spec().annotations())
                .containsEntry("run.oci.keep_original_groups", "1")
                .containsEntry("run.oci.systemd.force_cgroup_v1", "2")
                .doesNotContainKey("example.com/x");
    }

    @Test
    void systemdIsToldAboutTheScope() {
        fixture.config.putAnnotations("io.kubernetes.pod.terminationGracePeriod", "45");
        assertThat(spec().annotations()).doesNotContainKey("org.systemd.property.CollectMode");

        fixture.toml = "[crio.runtime]\ncgroup_manager = \"systemd\"\n";
        assertThat(spec().annotations())
                .containsEntry("org.systemd.property.CollectMode", "'inactive-or-failed'")
                .containsEntry("org.systemd.property.TimeoutStopUSec", "uint64 45000000");
    }

    private static Arguments refusal(
            String name, ErrorKind kind, String message, Consumer<ContainerConfig.Builder> change) {
        return Arguments.of(name, kind, message, change);
    }

    static Stream<Arguments> refusals() {
        return Stream.of(
                refusal(
                        "windows",
                        ErrorKind.INVALID_ARGUMENT,
                        "windows:",
                        config -> config.setWindows(WindowsContainerConfig.getDefaultInstance())),
                refusal(
                        "CDI",
                        ErrorKind.FAILED_PRECONDITION,
                        "CDI_devices[0].name: there is no device v/c=1; looked in",
                        config -> config.addCDIDevices(CDIDevice.newBuilder().setName("v/c=1"))),
                refusal(
                        "CDI annotation",
                        ErrorKind.INVALID_ARGUMENT,
                        "annotations: cdi.k8s.io/x: 'c=1' is not the full name of a device",
                        config -> config.putAnnotations("cdi.k8s.io/x", "v/c=1,c=1")),
                refusal(
                        "no command",
                        ErrorKind.INVALID_ARGUMENT,
                        "no command",
                        ContainerConfig.Builder::clearCommand),
                refusal(
                        "signal",
                        ErrorKind.INVALID_ARGUMENT,
                        "stop_signal",
                        config -> config.setStopSignalValue(99)),
                refusal(
                        "env",
                        ErrorKind.INVALID_ARGUMENT,
                        "envs: the value of X",
                        config ->
                                config.addEnvs(
                                        KeyValue.newBuilder()
                                                .setKey("X")
                                                .setValue(
                                                        ByteString.copyFrom(
                                                                new byte[] {(byte) 0xff})))),
                refusal(
                        "masked",
                        ErrorKind.INVALID_ARGUMENT,
                        "masked_paths",
                        config -> security(config).addMaskedPaths("proc")),
                refusal(
                        "readonly",
                        ErrorKind.INVALID_ARGUMENT,
                        "readonly_paths",
                        config -> security(config).addReadonlyPaths("")),
                refusal(
                        "seccomp type",
                        ErrorKind.INVALID_ARGUMENT,
                        "seccomp.profile_type",
                        config -> security(config).getSeccompBuilder().setProfileTypeValue(9)),
                refusal(
                        "seccomp without name",
                        ErrorKind.INVALID_ARGUMENT,
                        "seccomp.localhost_ref must name",
                        config ->
                                security(config)
                                        .getSeccompBuilder()
                                        .setProfileType(ProfileType.Localhost)),
                refusal(
                        "seccomp with name",
                        ErrorKind.INVALID_ARGUMENT,
                        "seccomp.localhost_ref is for the type Localhost",
                        config -> security(config).getSeccompBuilder().setLocalhostRef("/x")),
                refusal(
                        "seccomp missing",
                        ErrorKind.INVALID_ARGUMENT,
                        "there is no profile /nonexistent",
                        config ->
                                security(config)
                                        .getSeccompBuilder()
                                        .setProfileType(ProfileType.Localhost)
                                        .setLocalhostRef("/nonexistent")),
                refusal(
                        "seccomp relative",
                        ErrorKind.INVALID_ARGUMENT,
                        "must be an absolute path",
                        config -> security(config).setSeccompProfilePath("localhost/profile")),
                refusal(
                        "seccomp nonsense",
                        ErrorKind.INVALID_ARGUMENT,
                        "unknown profile 'strange'",
                        config -> security(config).setSeccompProfilePath("strange")),
                refusal(
                        "AppArmor",
                        ErrorKind.FAILED_PRECONDITION,
                        "this node has no AppArmor",
                        config -> security(config).setApparmorProfile("localhost/x")),
                refusal(
                        "oom score",
                        ErrorKind.INVALID_ARGUMENT,
                        "linux.resources.oom_score_adj",
                        config ->
                                config.getLinuxBuilder()
                                        .getResourcesBuilder()
                                        .setOomScoreAdj(2000)),
                refusal(
                        "little memory",
                        ErrorKind.INVALID_ARGUMENT,
                        "linux.resources.memory_limit_in_bytes",
                        config ->
                                config.getLinuxBuilder()
                                        .getResourcesBuilder()
                                        .setMemoryLimitInBytes(1)));
    }

    private static LinuxContainerSecurityContext.Builder security(ContainerConfig.Builder config) {
        return config.getLinuxBuilder().getSecurityContextBuilder();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refusals")
    void refusesByName(
            String name, ErrorKind kind, String message, Consumer<ContainerConfig.Builder> change)
            throws IOException {
        // A mount source that does not exist tells whether anything was touched.
        Path untouched = directory.resolve("untouched");
        fixture.config
                .addMountsBuilder()
                .setContainerPath("/data")
                .setHostPath(untouched.toString());
        change.accept(fixture.config);

        assertThatThrownBy(this::spec)
                .as(name)
                .isInstanceOf(PodException.class)
                .hasMessageContaining(message)
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(kind);
        assertThat(untouched).doesNotExist();
    }

    @Test
    void bindsTheImagesVolumesOutsideOfIt() throws IOException {
        fixture.imageVolumes = Set.of("/data", "/covered/inner");
        fixture.toml = "[crio.image]\nimage_volumes = \"bind\"\n";
        fixture.config.addMounts(
                Mount.newBuilder().setContainerPath("/covered").setHostPath("/tmp").build());
        Path inImage = Files.createDirectories(fixture.root.resolve("data"));
        Files.setPosixFilePermissions(inImage, PosixFilePermissions.fromString("rwx------"));

        assertThat(spec().mounts())
                .filteredOn(mount -> mount.destination().equals("/data"))
                .singleElement()
                .satisfies(mount -> {
                    Path source = Path.of(requireNonNull(mount.source()));
                    assertThat(source).isEqualTo(fixture.bundle.resolve("volumes/0"));
                    assertThat(Files.getPosixFilePermissions(source))
                            .as("as the image's own")
                            .isEqualTo(PosixFilePermissions.fromString("rwx------"));
                });
        assertThat(spec().mounts())
                .noneMatch(mount -> mount.destination().equals("/covered/inner"));
    }

    /** Else they had the label of the store around them, which no container may write. */
    @Tag("root")
    @Test
    void theImagesVolumesOutsideOfItHaveTheLabelOfTheContainer() {
        fixture.imageVolumes = Set.of("/data");
        fixture.toml = "[crio.image]\nimage_volumes = \"bind\"\n";
        fixture.labelFiles(directory.resolve("fake"));

        String label = requireNonNull(spec().linux().mountLabel());

        assertThat(label).contains(":container_file_t:s0:c");
        assertThat(
                        fixture.linux()
                                .attribute(fixture.bundle.resolve("volumes/0"), "security.selinux"))
                .hasValue((label + "\0").getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void exec() {
        security().setRunAsUser(Int64Value.newBuilder().setValue(1000)).setNoNewPrivs(true);
        RuntimeSpec spec = spec();
        fixture.build().writeTo(fixture.bundle);

        byte[] json = ExecProcess.json(fixture.bundle, List.of("ls", "-l"), true);
        var first = spec.process();
        var environment = new ArrayList<>(first.env());
        environment.add("TERM=xterm");
        var process =
                new ContainerProcess(
                        true,
                        first.user(),
                        List.of("ls", "-l"),
                        environment,
                        first.cwd(),
                        first.capabilities(),
                        first.rlimits(),
                        first.noNewPrivileges(),
                        first.oomScoreAdj(),
                        first.apparmorProfile(),
                        first.selinuxLabel());
        assertThat(process.noNewPrivileges()).isTrue();
        assertThat(json).isEqualTo(SpecJson.write(process));
        assertThat(ExecProcess.json(fixture.bundle, spec.process().args(), false))
                .isEqualTo(SpecJson.write(spec.process()));
        assertThatThrownBy(() -> ExecProcess.json(fixture.bundle, List.of(), false))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("cmd: no command");
        assertThatThrownBy(() -> ExecProcess.json(directory, List.of("ls"), false))
                .hasMessageContaining("config.json");
    }
}
