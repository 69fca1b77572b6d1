package io.crema.image.layer;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trees as a hostile container can leave them. */
final class DeepTreeTest {
    private static final Linux LINUX = JnaLinux.load();
    private static final Set<OpenFlag> DIRECTORY = Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY);

    @TempDir Path directory;

    @Test
    void treesDeeperThanAnyPathAreMeasuredAndDeleted() throws IOException {
        Files.createDirectory(directory.resolve("tree"));
        Descriptor at = LINUX.open(directory.resolve("tree"), DIRECTORY, 0);
        for (int i = 0; i < 20_000; i++) {
            LINUX.makeDirectoryAt(at, "d", 0700);
            LINUX.symbolicLinkAt("..", at, "link");
            Descriptor next = LINUX.openAt(at, "d", DIRECTORY, 0, Set.of());
            at.close();
            at = next;
        }
        at.close();
        DiskUsage usage = DiskUsage.of(LINUX, directory.resolve("tree"));
        assertThat(usage.inodes()).isBetween(4000L, 40_001L);
        try (Descriptor parent = LINUX.open(directory, DIRECTORY, 0)) {
            new TreeRemoval(LINUX).remove(parent, "tree");
            new TreeRemoval(LINUX).remove(parent, "absent");
        }
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void linksAreCountedOnceAndNeverFollowed() throws IOException {
        Path tree = Files.createDirectory(directory.resolve("tree"));
        Files.write(tree.resolve("a"), new byte[10_000]);
        Files.createLink(tree.resolve("b"), tree.resolve("a"));
        Path outside = Files.createDirectory(directory.resolve("outside"));
        Files.write(outside.resolve("kept"), new byte[100_000]);
        Files.createSymbolicLink(tree.resolve("c"), outside);
        DiskUsage usage = DiskUsage.of(LINUX, tree);
        assertThat(usage.inodes()).isEqualTo(3);
        assertThat(usage.bytes()).isBetween(10_000L, 30_000L);
        try (Descriptor parent = LINUX.open(directory, DIRECTORY, 0)) {
            new TreeRemoval(LINUX).removeChildren(parent);
        }
        assertThat(directory).isEmptyDirectory();
        assertThat(DiskUsage.of(LINUX, tree)).isEqualTo(new DiskUsage(0, 0));
    }

    @Test
    void whatALinkPointsToStays() throws IOException {
        Path outside = Files.createDirectory(directory.resolve("outside"));
        Files.writeString(outside.resolve("kept"), "x");
        Path tree = Files.createDirectory(directory.resolve("tree"));
        Files.createSymbolicLink(tree.resolve("link"), outside);
        try (Descriptor parent = LINUX.open(directory, DIRECTORY, 0)) {
            new TreeRemoval(LINUX).remove(parent, "tree");
        }
        assertThat(outside.resolve("kept")).hasContent("x");
        assertThat(tree).doesNotExist();
    }
}
