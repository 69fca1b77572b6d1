package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.MountPropagation;
import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.image.ImageArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Mounts of the node's paths: how they travel, what may be done in them, and what is refused. */
@Tag("e2e")
class MountTest {
    private static final String VOLUMES = "localhost/crema/volumes:1";
    private static TestNode node;
    private static TestPod pod;
    private static Path shared;
    private static Path isolated;

    @BeforeAll
    static void startNode() throws IOException {
        node =
                TestNode.start(
                        NodeSetup.standard()
                                .withConfiguration(
                                        """
                                        [crio.runtime]
                                        absent_mount_sources_to_reject = ["/etc/hostname-of-nobody"]
                                        [crio.image]
                                        image_volumes = "bind"
                                        """));
        shared = tmpfs("shared", "--make-shared");
        isolated = tmpfs("isolated", "--make-private");
        pod =
                TestPod.run(
                        node,
                        config ->
                                config.getLinuxBuilder()
                                        .getSecurityContextBuilder()
                                        .setPrivileged(true));
    }

    private static Path tmpfs(String name, String propagation) throws IOException {
        Path place = Files.createDirectory(node.directory().resolve(name));
        Shell.run("mount", "-t", "tmpfs", "none", place.toString());
        Shell.run("mount", propagation, place.toString());
        return place;
    }

    @AfterAll
    static void stopNode() {
        Shell.result(List.of("umount", "-R", shared.toString()));
        Shell.result(List.of("umount", "-R", isolated.toString()));
        node.close();
    }

    private static Mount.Builder mount(Path source, MountPropagation propagation) {
        return Mount.newBuilder()
                .setContainerPath("/volume")
                .setHostPath(source.toString())
                .setPropagation(propagation);
    }

    private static Mount.Builder mount(Path source) {
        return mount(source, MountPropagation.PROPAGATION_PRIVATE);
    }

    private static ContainerConfig.Builder privileged(String name, String script, Mount.Builder m) {
        ContainerConfig.Builder container = pod.shell(name, script).addMounts(m);
        container.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        return container;
    }

    private static boolean isMounted(Path place) throws IOException {
        return Files.readString(Path.of("/proc/self/mounts")).contains(" " + place + " ");
    }

    @Test
    void mountsTravelAsAsked() throws IOException {
        Path inside = Files.createDirectories(shared.resolve("travel/inside"));
        Path source = shared.resolve("travel");
        String idle = "sleep 1000";
        String toContainer =
                pod.launch(
                        privileged(
                                "down",
                                idle,
                                mount(source, MountPropagation.PROPAGATION_HOST_TO_CONTAINER)));
        String apart = pod.launch(privileged("apart", idle, mount(source)));
        String both =
                pod.launch(
                        privileged(
                                "both",
                                idle,
                                mount(source, MountPropagation.PROPAGATION_BIDIRECTIONAL)));

        Shell.run("mount", "-t", "tmpfs", "none", inside.toString());
        Files.writeString(inside.resolve("seen"), "");
        assertThat(pod.exec(toContainer, "test", "-e", "/volume/inside/seen").getExitCode())
                .isZero();
        assertThat(pod.exec(both, "test", "-e", "/volume/inside/seen").getExitCode()).isZero();
        assertThat(pod.exec(apart, "test", "-e", "/volume/inside/seen").getExitCode()).isNotZero();
        Shell.run("umount", inside.toString());

        pod.exec(both, "mount", "-t", "tmpfs", "none", "/volume/inside");
        assertThat(isMounted(inside)).as("from the container to the node").isTrue();
        pod.exec(both, "umount", "/volume/inside");
        pod.exec(toContainer, "mount", "-t", "tmpfs", "none", "/volume/inside");
        pod.exec(apart, "mount", "-t", "tmpfs", "none", "/volume/inside");
        assertThat(isMounted(inside)).isFalse();

        assertThat(pod.status(both).getMounts(0).getPropagation())
                .isEqualTo(MountPropagation.PROPAGATION_BIDIRECTIONAL);
        List.of(toContainer, apart, both).forEach(pod::remove);
    }

    @Test
    void refusesWhatCannotTravel() {
        for (MountPropagation propagation :
                List.of(
                        MountPropagation.PROPAGATION_HOST_TO_CONTAINER,
                        MountPropagation.PROPAGATION_BIDIRECTIONAL)) {
            ContainerConfig container =
                    privileged("refused", "true", mount(isolated, propagation)).build();
            assertThatThrownBy(() -> pod.start(pod.create(container)))
                    .hasMessageContaining(isolated.toString())
                    .hasMessageContaining("shared");
        }
    }

    @Test
    void readOnlyWithAllThatIsMountedInside() throws IOException {
        Path source = Files.createDirectories(shared.resolve("rro"));
        Path inner = Files.createDirectory(source.resolve("inner"));
        Shell.run("mount", "-t", "tmpfs", "none", inner.toString());
        String script =
                "touch /volume/x 2>/dev/null && echo outer; touch /volume/inner/x 2>/dev/null &&"
                        + " echo inner; true";
        assertThat(pod.output(pod.shell("ro", script).addMounts(mount(source).setReadonly(true))))
                .isEqualTo("inner\n");

        Peers.differ(node, "containerd 1.6 has no recursive_read_only");
        Mount.Builder recursive = mount(source).setReadonly(true).setRecursiveReadOnly(true);
        String container = pod.create(pod.shell("rro", script).addMounts(recursive).build());
        pod.start(container);
        pod.awaitExit(container);
        assertThat(TestPod.stdout(pod.log("rro.log"))).isEmpty();
        assertThat(pod.status(container).getMounts(0).getRecursiveReadOnly()).isTrue();
        pod.remove(container);
        Shell.run("umount", inner.toString());
        assertThatThrownBy(() ->
                        pod.create(
                                pod.shell("rrw", "true")
                                        .addMounts(mount(source).setRecursiveReadOnly(true))
                                        .build()))
                .hasMessageContaining("INVALID_ARGUMENT: mounts[0].recursive_read_only");
    }

    @Test
    void takesOptions() throws IOException {
        Peers.differ(node, "mount_options are newer than containerd 1.6");
        Path source = Files.createDirectory(node.directory().resolve("options"));
        assertThat(
                        pod.output(
                                pod.shell("options", "grep ' /volume ' /proc/mounts")
                                        .addMounts(
                                                mount(source)
                                                        .addMountOptions("noexec")
                                                        .addMountOptions("nosuid"))))
                .contains("nosuid")
                .contains("noexec");
        assertThatThrownBy(() ->
                        pod.create(
                                pod.shell("wrong", "true")
                                        .addMounts(mount(source).addMountOptions("suid"))
                                        .build()))
                .hasMessageContaining("INVALID_ARGUMENT: mounts[0].mount_options: 'suid'");
    }

    @Test
    void makesMissingSources() {
        Path missing = node.directory().resolve("made/by/request");
        assertThat(pod.output(pod.shell("made", "stat -c %a /volume").addMounts(mount(missing))))
                .isEqualTo("755\n");
        assertThat(missing).isDirectory();

        Peers.differ(node, "absent_mount_sources_to_reject is CRI-O's");
        Path rejected = Path.of("/etc/hostname-of-nobody");
        assertThatThrownBy(() ->
                        pod.create(
                                pod.shell("rejected", "true").addMounts(mount(rejected)).build()))
                .hasMessageContaining("absent_mount_sources_to_reject forbids");
        assertThat(rejected).doesNotExist();
    }

    @Test
    void keepsTheImagesVolumesOutsideOfIt() throws IOException {
        Peers.differ(node, "image_volumes is CRI-O's");
        Path archive = node.directory().resolve("volumes.tar");
        ImageArchive.writeOci(
                new OciImage(
                        OciImage.localArchitecture(),
                        Map.of("Volumes", Map.of("/data", Map.of()), "Env", List.of("PATH=/bin")),
                        List.of(Layer.of(BusyboxArchive.tar(Path.of("/bin/busybox"))))),
                VOLUMES,
                archive);
        node.load(archive);
        ContainerConfig.Builder container =
                pod.shell("volumes", "touch /data/x; grep -c ' /data ' /proc/mounts");
        container.getImageBuilder().setImage(VOLUMES);
        String id = pod.launch(container);
        pod.awaitExit(id);
        assertThat(TestPod.stdout(pod.log("volumes.log"))).isEqualTo("1\n");
        Path volume = node.directory().resolve("root/containers/" + id + "/volumes/0/x");
        assertThat(volume).exists();
        pod.remove(id);
        assertThat(volume).doesNotExist();
        node.images().remove(VOLUMES);
    }
}
