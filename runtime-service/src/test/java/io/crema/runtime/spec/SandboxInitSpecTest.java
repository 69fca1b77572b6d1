package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.image.ImageConfiguration;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.spec.LinuxSpec.Namespace;
import io.crema.oci.spec.RuntimeSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SandboxInitSpecTest {
    private static final InitProgram CATATONIT =
            new InitProgram.StaticBinary(Path.of("/usr/bin/catatonit"));

    @TempDir Path directory;
    private SpecFixture fixture;

    @BeforeEach
    void makeFixture() {
        fixture = new SpecFixture(directory);
    }

    private RuntimeSpec build(InitProgram program) {
        return new SandboxInitSpec(
                        JnaLinux.load(),
                        fixture.node,
                        fixture.settings(),
                        AppArmorProfiles.loadedElsewhere(fixture.appArmorRoot))
                .build(fixture.sandboxFacts(), fixture.handler(), program, fixture.root);
    }

    @Test
    void aBinaryInAnEmptyRoot() {
        RuntimeSpec spec = build(CATATONIT);

        assertThat(spec.process().args()).containsExactly("/init", "-P");
        assertThat(spec.process().capabilities().bounding()).isEmpty();
        assertThat(spec.process().noNewPrivileges()).isTrue();
        assertThat(spec.process().user().uid()).isEqualTo(65_535);
        assertThat(spec.process().oomScoreAdj()).isEqualTo(-998);
        assertThat(spec.root()).isEqualTo(new RuntimeSpec.Root(fixture.root.toString(), true));
        assertThat(spec.mounts())
                .extracting(RuntimeSpec.Mount::destination)
                .containsExactly("/proc", "/dev", "/init");
        assertThat(spec.mounts().getLast().source()).isEqualTo("/usr/bin/catatonit");
        assertThat(spec.mounts().getLast().options()).contains("ro");
        assertThat(spec.linux().namespaces())
                .containsExactly(
                        new Namespace("mount", null),
                        new Namespace("pid", null),
                        new Namespace("network", "/run/ns/net"),
                        new Namespace("ipc", "/run/ns/ipc"),
                        new Namespace("uts", "/run/ns/uts"),
                        new Namespace("cgroup", null));
        assertThat(spec.linux().cgroupsPath())
                .isEqualTo("/kubepods/pod1/crio-" + SpecFixture.POD.value());
        assertThat(spec.linux().maskedPaths()).contains("/proc/kcore");
        assertThat(spec.linux().readonlyPaths()).contains("/proc/sys");
        assertThat(spec.linux().seccomp()).isNotNull();
        assertThat(spec.annotations()).containsEntry("io.kubernetes.cri.container-type", "sandbox");
    }

    @Test
    void appArmorConfinesItAsContainers() throws IOException {
        fixture.node = Node.withAppArmor(fixture.node);
        fixture.appArmorRoot = directory;
        assertThat(build(CATATONIT).process().apparmorProfile()).isNull(); // with a warning
        Files.createDirectories(directory.resolve("sys/kernel/security/apparmor"));
        Files.writeString(
                directory.resolve("sys/kernel/security/apparmor/profiles"),
                "crema-default (enforce)\n");
        assertThat(build(CATATONIT).process().apparmorProfile()).isEqualTo("crema-default");
        fixture.sandbox
                .getLinuxBuilder()
                .getSecurityContextBuilder()
                .setApparmor(
                        SecurityProfile.newBuilder()
                                .setProfileType(ProfileType.Localhost)
                                .setLocalhostRef("missing"));
        assertThatThrownBy(() -> build(CATATONIT)).hasMessageContaining("'missing' is not loaded");
    }

    @Test
    void followsThePodsSecurityContext() {
        fixture.node = Node.small();
        fixture.sandbox
                .getLinuxBuilder()
                .getSecurityContextBuilder()
                .setRunAsUser(Int64Value.newBuilder().setValue(1234))
                .setRunAsGroup(Int64Value.newBuilder().setValue(5678))
                .addSupplementalGroups(9)
                .setSeccomp(SecurityProfile.newBuilder().setProfileType(ProfileType.Unconfined));

        RuntimeSpec spec = build(CATATONIT);

        assertThat(spec.process().user().uid()).isEqualTo(1234);
        assertThat(spec.process().user().gid()).isEqualTo(5678);
        assertThat(spec.process().user().additionalGids()).containsExactly(5678L, 9L);
        assertThat(spec.process().oomScoreAdj()).isZero();
        assertThat(spec.linux().seccomp()).isNull();
    }

    private static ImageConfiguration pause(List<String> entrypoint) {
        return new ImageConfiguration(
                "amd64",
                "linux",
                "7:8",
                List.of("PATH=/bin"),
                entrypoint,
                List.of(),
                "/",
                "",
                Set.of(),
                Map.of());
    }

    @Test
    void aPauseImage() {
        RuntimeSpec spec =
                build(new InitProgram.PauseImage(pause(List.of("/pause")), "pause:3", List.of()));

        assertThat(spec.process().args()).containsExactly("/pause");
        assertThat(spec.process().user().uid()).isEqualTo(7);
        assertThat(spec.process().env()).containsExactly("PATH=/bin");
        assertThat(spec.mounts())
                .extracting(RuntimeSpec.Mount::destination)
                .containsExactly("/proc", "/dev");
        assertThat(
                        build(
                                        new InitProgram.PauseImage(
                                                pause(List.of("/pause")),
                                                "pause:3",
                                                List.of("/other", "x")))
                                .process()
                                .args())
                .containsExactly("/other", "x");
    }

    @Test
    void refusesAPauseImageWithoutACommand() {
        assertThatThrownBy(() ->
                        build(new InitProgram.PauseImage(pause(List.of()), "pause:3", List.of())))
                .hasMessageContaining("the pause image pause:3 has no command");
    }
}
