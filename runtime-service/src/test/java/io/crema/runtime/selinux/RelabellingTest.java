package io.crema.runtime.selinux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.conf.SecurityConfiguration;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.MountFlag;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The kernel keeps labels also where it does not look at them, which needs root. */
@Tag("root")
class RelabellingTest {
    private static final String ATTRIBUTE = "security.selinux";
    private static final String LABEL = "system_u:object_r:container_file_t:s0:c1,c2";
    private static final String STORED = "system_u:object_r:container_ro_file_t:s0";
    private static final String OTHER = "system_u:object_r:container_file_t:s0:c3,c4";

    private final Linux linux = JnaLinux.load();
    @TempDir private Path directory;
    private Path volume;
    private Path outside;

    @BeforeEach
    void makeVolume() throws IOException {
        directory = directory.toRealPath();
        volume = Files.createDirectories(directory.resolve("volume/sub/deep")).resolve("../..");
        volume = volume.normalize();
        outside = Files.writeString(directory.resolve("outside"), "");
        Files.writeString(volume.resolve("file"), "");
        Files.writeString(volume.resolve("sub/deep/file"), "");
        Files.createSymbolicLink(volume.resolve("sub/link"), outside);
    }

    @Test
    void labelsAWholeVolumeAndLinksThemselves() {
        relabel(volume, LABEL, false);
        assertLabel(volume, LABEL);
        assertLabel(volume.resolve("file"), LABEL);
        assertLabel(volume.resolve("sub"), LABEL);
        assertLabel(volume.resolve("sub/deep/file"), LABEL);
        assertLabel(volume.resolve("sub/link"), LABEL);
        assertUnlabelled(outside);
        assertUnlabelled(directory);
    }

    @Test
    void labelsASingleFile() {
        relabel(volume.resolve("file"), LABEL, false);
        assertLabel(volume.resolve("file"), LABEL);
        assertUnlabelled(volume);
    }

    @Test
    void leavesWhatIsMountedInsideToOthers() throws IOException {
        Path elsewhere = Files.createDirectory(directory.resolve("elsewhere"));
        Files.writeString(elsewhere.resolve("file"), "");
        Path place = volume.resolve("sub/deep");
        // Of the same file system: only the mount tells it apart.
        linux.mount(elsewhere.toString(), place, "none", EnumSet.of(MountFlag.BIND), "");
        Path memory = Files.createDirectory(volume.resolve("memory"));
        linux.mount("tmpfs", memory, "tmpfs", EnumSet.noneOf(MountFlag.class), "");
        try {
            relabel(volume, LABEL, false);
            assertUnlabelled(elsewhere);
            assertUnlabelled(elsewhere.resolve("file"));
            assertUnlabelled(memory);
            assertLabel(volume.resolve("sub/link"), LABEL);
        } finally {
            linux.unmount(place, Set.of(UnmountFlag.DETACH));
            linux.unmount(memory, Set.of(UnmountFlag.DETACH));
        }
    }

    @Test
    void followsNoLinkThatWasPutIntoThePathMeanwhile() throws IOException {
        Path inside = volume.resolve("sub/deep");
        Files.move(volume.resolve("sub"), directory.resolve("moved"));
        Files.createSymbolicLink(volume.resolve("sub"), directory.resolve("moved"));
        assertThatThrownBy(() -> relabel(inside, LABEL, false))
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION))
                .hasMessageContaining("mounts[0].selinux_relabel")
                .hasMessageContaining("symbolic link");
        assertUnlabelled(directory.resolve("moved/deep"));
        assertUnlabelled(directory.resolve("moved/deep/file"));
    }

    @Test
    void aLinkInPlaceOfTheVolumeIsLabelledItself() throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("swapped"), volume);
        relabel(link, LABEL, false);
        assertLabel(link, LABEL);
        assertUnlabelled(volume);
        assertUnlabelled(volume.resolve("file"));
    }

    @Test
    void skipsAVolumeThatIsLabelledOnlyWhenAskedTo() {
        relabel(volume, LABEL, true);
        set(volume.resolve("file"), OTHER);
        relabel(volume, LABEL, true);
        assertLabel(volume.resolve("file"), OTHER);
        relabel(volume, LABEL, false);
        assertLabel(volume.resolve("file"), LABEL);
    }

    @Test
    void aVolumeThatWasLeftHalfwayIsNotSkipped() {
        Relabelling late = new Relabelling(linux, Deadline.after(Duration.ZERO));
        assertThatThrownBy(() -> late.volume("mounts[0]", volume, LABEL, true))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("the SELinux labels in " + volume);
        assertUnlabelled(volume);
        relabel(volume, LABEL, true);
        assertLabel(volume.resolve("file"), LABEL);
        assertLabel(volume.resolve("sub/deep/file"), LABEL);
    }

    @Test
    void refusesTheNodesOwnDirectories() {
        assertThatThrownBy(() -> relabel(Path.of("/etc"), LABEL, false))
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                .hasMessageContaining("the node's own");
        assertUnlabelled(Path.of("/etc"));
    }

    @Test
    void aFileSystemWithoutLabelsNeedsNone() {
        Path file = Path.of("/proc/version");
        Relabelling.label(linux, file, LABEL);
        relabel(Path.of("/proc/sys/kernel/random"), LABEL, false);
        assertUnlabelled(file);
    }

    @Test
    void theStoreGetsTheLabelThatAllContainersMayReadAndKeepsIt() throws IOException {
        SelinuxLabels labels = labelsOfFakeNode(true);
        labels.labelStore(linux, List.of(volume, directory.resolve("absent")), Deadline.none());
        assertLabel(volume, STORED);
        assertLabel(volume.resolve("sub/deep/file"), STORED);
        set(volume.resolve("file"), LABEL);
        labels.labelStore(linux, List.of(volume), Deadline.none());
        assertLabel(volume.resolve("file"), LABEL);
    }

    @Test
    void theStoreKeepsItsLabelWhereThePolicyKnowsNoBetter() throws IOException {
        labelsOfFakeNode(false).labelStore(linux, List.of(volume), Deadline.none());
        assertUnlabelled(volume);
        assertUnlabelled(volume.resolve("file"));
    }

    /** They are the pods' own, and containers that write there may be running. */
    @Test
    void theVolumesOfContainersKeepTheirLabels() throws IOException {
        SelinuxLabels labels = labelsOfFakeNode(true);
        Path containers = fakeLayout().containers();
        Path volumes = Files.createDirectories(containers.resolve("c1/volumes"));
        Path kept = Files.createDirectory(volumes.resolve("0"));
        Path deep = Files.createDirectories(containers.resolve("c1/upper/volumes"));
        set(kept, LABEL);
        labels.labelStore(linux, List.of(containers), Deadline.none());
        assertLabel(kept, LABEL);
        assertUnlabelled(volumes);
        assertLabel(containers.resolve("c1"), STORED);
        assertLabel(deep, STORED);
        assertLabel(containers, STORED);
        Path elsewhere = Files.createDirectories(volume.resolve("c1/volumes"));
        labels.labelStore(linux, List.of(volume), Deadline.none());
        assertLabel(elsewhere, STORED);
    }

    @Test
    void aStoreThatIsNotDoneInTimeIsDoneAtALaterStart() throws IOException {
        SelinuxLabels labels = labelsOfFakeNode(true);
        labels.labelStore(linux, List.of(volume), Deadline.after(Duration.ZERO));
        assertUnlabelled(volume);
        labels.labelStore(linux, List.of(volume), Deadline.none());
        assertLabel(volume.resolve("sub/deep/file"), STORED);
        assertLabel(volume, STORED);
    }

    private Layout fakeLayout() {
        Path root = directory.resolve("fake");
        return new Layout(
                root.resolve("state"),
                root.resolve("run"),
                root.resolve("run"),
                root.resolve("boot"));
    }

    private SelinuxLabels labelsOfFakeNode(boolean knowsEveryLabel) throws IOException {
        Path root = Files.createDirectories(directory.resolve("fake"));
        if (knowsEveryLabel) {
            Files.createDirectories(root.resolve("sys/fs/selinux"));
            Files.createFile(root.resolve("sys/fs/selinux/context"));
        }
        SecurityConfiguration configuration =
                new SecurityConfiguration(
                        true,
                        true,
                        Optional.empty(),
                        Optional.empty(),
                        "crema-default",
                        List.of(),
                        false);
        return SelinuxLabels.of(root, fakeLayout(), configuration, true);
    }

    private void relabel(Path source, String label, boolean skipsLabelled) {
        new Relabelling(linux, Deadline.none()).volume("mounts[0]", source, label, skipsLabelled);
    }

    private void set(Path path, String label) {
        Relabelling.label(linux, path, label);
    }

    private void assertLabel(Path path, String label) {
        assertThat(linux.attribute(path, ATTRIBUTE))
                .as("label of " + path)
                .hasValue((label + "\0").getBytes(StandardCharsets.UTF_8));
    }

    private void assertUnlabelled(Path path) {
        assertThat(linux.attribute(path, ATTRIBUTE)).as("label of " + path).isEmpty();
    }
}
