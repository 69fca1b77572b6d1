package io.crema.runtime.selinux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.conf.SecurityConfiguration;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.LinuxPodSandboxConfig;
import io.crema.cri.v1.LinuxSandboxSecurityContext;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.SELinuxOption;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Labels by the policy of a faked node, whose kernel knows every context. */
class SelinuxLabelsTest {
    private static final String PROCESS = "system_u:system_r:container_t:";
    private static final String FILES = "system_u:object_r:container_file_t:";
    private static final PodSandboxConfig POD = PodSandboxConfig.getDefaultInstance();
    private static final LinuxContainerSecurityContext PLAIN =
            LinuxContainerSecurityContext.getDefaultInstance();

    @TempDir private Path root;
    private Layout layout;

    @BeforeEach
    void fakeNode() throws IOException {
        layout =
                new Layout(
                        root.resolve("state"),
                        root.resolve("run"),
                        root.resolve("run"),
                        root.resolve("boot"));
        write("sys/fs/selinux/context", "");
        write("etc/selinux/config", "# c\nSELINUX=permissive\nSELINUXTYPE=default\n");
        write(
                "etc/selinux/default/contexts/lxc_contexts",
                """
                process = "system_u:system_r:container_t:s0"
                file = "system_u:object_r:container_file_t:s0"
                """);
    }

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private SelinuxLabels labels() {
        return labels(true);
    }

    private SelinuxLabels labels(boolean freesHostNetwork) {
        return SelinuxLabels.of(root, layout, configuration(true, freesHostNetwork), true);
    }

    private static SecurityConfiguration configuration(boolean selinux, boolean freesHostNetwork) {
        return new SecurityConfiguration(
                selinux,
                freesHostNetwork,
                Optional.empty(),
                Optional.empty(),
                "crema-default",
                List.of(),
                false);
    }

    private PodSandboxId pod() throws IOException {
        PodSandboxId id = PodSandboxId.random();
        Files.createDirectories(layout.sandbox(id));
        return id;
    }

    private static LinuxContainerSecurityContext with(SELinuxOption options) {
        return LinuxContainerSecurityContext.newBuilder().setSelinuxOptions(options).build();
    }

    @Test
    void eachPodHasAPairOfCategoriesThatItsContainersShare() throws IOException {
        SelinuxLabels labels = labels();
        PodSandboxId one = pod();
        PodSandboxId other = pod();
        Labels first = labels.ofContainer(one, POD, PLAIN, false);
        assertThat(first.process().orElseThrow()).startsWith(PROCESS).matches(".*:s0:c\\d+,c\\d+");
        assertThat(first.files())
                .isEqualTo(FILES + first.process().orElseThrow().substring(PROCESS.length()));
        assertThat(labels.ofContainer(one, POD, PLAIN, false)).isEqualTo(first);
        assertThat(labels.ofPod(one, POD)).isEqualTo(first);
        assertThat(labels.ofPod(other, POD)).isNotEqualTo(first);
    }

    @Test
    void aPodKeepsItsCategoriesOverARestart() throws IOException {
        PodSandboxId id = pod();
        Labels before = labels().ofPod(id, POD);
        assertThat(labels().ofPod(id, POD)).isEqualTo(before);
    }

    @Test
    void anEmptyFileOfAPodsCategoriesCountsAsNone() throws IOException {
        PodSandboxId id = pod();
        Path file = layout.sandbox(id).resolve(Layout.SELINUX_LEVEL);
        Files.createFile(file);
        Labels given = labels().ofPod(id, POD);
        assertThat(given.files()).matches(".*:s0:c\\d+,c\\d+");
        assertThat(file).content().matches("s0:c\\d+,c\\d+\n");
    }

    @Test
    void aLevelThatAPodAskedForIsNotGivenToOthers() throws IOException {
        PodSandboxId plain = pod();
        String drawn = drawing(1).ofPod(plain, POD).files().substring(FILES.length());
        Files.delete(layout.sandbox(plain).resolve(Layout.SELINUX_LEVEL));

        PodSandboxId asking = pod();
        PodSandboxConfig.Builder asks = PodSandboxConfig.newBuilder();
        asks.getLinuxBuilder()
                .getSecurityContextBuilder()
                .getSelinuxOptionsBuilder()
                .setLevel(drawn);
        assertThat(drawing(2).ofPod(asking, asks.build()).files()).isEqualTo(FILES + drawn);

        assertThat(drawing(1).ofPod(pod(), POD).files()).isNotEqualTo(FILES + drawn);
        Files.delete(layout.sandbox(asking).resolve(Layout.SELINUX_LEVEL));
        assertThat(drawing(1).ofPod(pod(), POD).files()).isEqualTo(FILES + drawn);
    }

    /** Levels in an order of its own, the same for the same seed, after a restart. */
    private SelinuxLabels drawing(long seed) {
        return SelinuxLabels.of(root, layout, configuration(true, true), true, new Random(seed));
    }

    @Test
    void optionsReplaceTheirPart() throws IOException {
        SelinuxLabels labels = labels();
        PodSandboxId id = pod();
        PodSandboxConfig pod =
                PodSandboxConfig.newBuilder()
                        .setLinux(
                                LinuxPodSandboxConfig.newBuilder()
                                        .setSecurityContext(
                                                LinuxSandboxSecurityContext.newBuilder()
                                                        .setSelinuxOptions(
                                                                SELinuxOption.newBuilder()
                                                                        .setUser("pod_u")
                                                                        .setLevel("s0:c4,c5"))))
                        .build();
        assertThat(labels.ofContainer(id, pod, PLAIN, false))
                .isEqualTo(
                        new Labels(
                                Optional.of("pod_u:system_r:container_t:s0:c4,c5"),
                                FILES + "s0:c4,c5"));
        assertThat(
                        labels.ofContainer(
                                id,
                                pod,
                                with(
                                        SELinuxOption.newBuilder()
                                                .setRole("own_r")
                                                .setType("own_t")
                                                .setLevel("s0-s1:c6")
                                                .build()),
                                false))
                .isEqualTo(new Labels(Optional.of("pod_u:own_r:own_t:s0-s1:c6"), FILES + "s0"));
    }

    @Test
    void whatIsNoLabelIsRefused() throws IOException {
        SelinuxLabels labels = labels();
        PodSandboxId id = pod();
        for (String level : List.of("s0,c4,c5", "c1", "s", "s0:c", "s0:c1,", "s0:c1 c2")) {
            assertInvalid(
                    () ->
                            labels.ofContainer(
                                    id,
                                    POD,
                                    with(SELinuxOption.newBuilder().setLevel(level).build()),
                                    false),
                    "selinux_options.level");
        }
        assertInvalid(
                () ->
                        labels.ofContainer(
                                id,
                                POD,
                                with(SELinuxOption.newBuilder().setType("a:b").build()),
                                false),
                "selinux_options.type");
        // The kernel says whether its policy knows a context.
        Files.delete(root.resolve("sys/fs/selinux/context"));
        assertInvalid(() -> labels.ofContainer(id, POD, PLAIN, false), "does not know");
    }

    @Test
    void whoSharesWithTheNodeIsFree() throws IOException {
        PodSandboxId id = pod();
        String free = "system_u:system_r:spc_t:s0-s0:c0.c1023";
        for (NamespaceOption shared :
                List.of(
                        NamespaceOption.newBuilder().setPid(NamespaceMode.NODE).build(),
                        NamespaceOption.newBuilder().setIpc(NamespaceMode.NODE).build(),
                        NamespaceOption.newBuilder().setNetwork(NamespaceMode.NODE).build())) {
            LinuxContainerSecurityContext security =
                    LinuxContainerSecurityContext.newBuilder().setNamespaceOptions(shared).build();
            assertThat(labels().ofContainer(id, POD, security, false).process()).contains(free);
            boolean isNetwork = shared.getNetwork() == NamespaceMode.NODE;
            assertThat(labels(false).ofContainer(id, POD, security, false).process().orElseThrow())
                    .startsWith(isNetwork ? PROCESS : free);
        }
        Labels privileged =
                labels().ofContainer(
                                id,
                                POD,
                                LinuxContainerSecurityContext.newBuilder()
                                        .setPrivileged(true)
                                        .build(),
                                false);
        assertThat(privileged.process()).contains(free);
        assertThat(privileged.files()).startsWith(FILES + "s0:c");
        assertThat(labels().ofContainer(id, POD, PLAIN, true).process().orElseThrow())
                .contains(":container_init_t:");
    }

    @Test
    void withoutSelinuxNothingIsLabelledOrTheStartIsRefused() throws IOException {
        SelinuxLabels off = SelinuxLabels.of(root, layout, configuration(false, true), true);
        assertThat(off.ofContainer(pod(), POD, PLAIN, false)).isEqualTo(Labels.NONE);
        assertThatThrownBy(() -> SelinuxLabels.of(root, layout, configuration(true, true), false))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("this kernel runs without SELinux");
    }

    private static void assertInvalid(
            org.assertj.core.api.ThrowableAssert.ThrowingCallable call, String text) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                .hasMessageContaining(text);
    }
}
