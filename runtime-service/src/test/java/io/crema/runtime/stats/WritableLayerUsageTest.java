package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.Layout;
import io.crema.runtime.stats.WritableLayerUsage.Measured;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WritableLayerUsageTest {
    private static final ContainerId ID = new ContainerId("ab".repeat(32));

    @TempDir Path directory;
    private final Linux linux = JnaLinux.load();

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(30));
    }

    private long blocks(Path... paths) {
        long bytes = 0;
        for (Path path : paths) {
            bytes += linux.status(path, false).orElseThrow().blocks512() * 512;
        }
        return bytes;
    }

    @Test
    void countsBlocksAndInodesAsDuDoes() throws Exception {
        Path outer = Files.createDirectory(directory.resolve("a"));
        Path inner = Files.createDirectory(outer.resolve("b"));
        Path file = Files.write(inner.resolve("file"), new byte[100_000]);
        Files.createLink(directory.resolve("same"), file);
        Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("a"));
        LayerWalk.Size size = LayerWalk.of(linux, directory);
        assertThat(size.inodes()).isEqualTo(5);
        assertThat(size.bytes())
                .isEqualTo(blocks(directory, outer, inner, file, link))
                .isGreaterThanOrEqualTo(100_000);
    }

    @Test
    void aDirectoryOfManyNamesIsCountedPieceByPiece() throws Exception {
        for (int i = 0; i < 700; i++) {
            Files.createDirectories(directory.resolve("d" + i + "/e"));
        }
        LayerWalk.Size whole = LayerWalk.of(linux, directory);
        assertThat(whole.inodes()).isEqualTo(1401);
        assertThat(LayerWalk.of(linux, directory, 0)).isEqualTo(whole);
    }

    @Test
    void aTreeDeeperThanAnyPathIsCountedAsFarAsPathsReach() throws Exception {
        List<Descriptor> open = new ArrayList<>();
        String name = "n".repeat(200);
        try {
            Set<OpenFlag> flags = Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY);
            open.add(linux.open(directory, flags, 0));
            for (int i = 0; i < 40; i++) {
                linux.makeDirectoryAt(open.getLast(), name, 0755);
                open.add(linux.openAt(open.getLast(), name, flags, 0, Set.of()));
            }
            assertThat(LayerWalk.of(linux, directory).inodes()).isBetween(20L, 40L);
        } finally {
            for (int i = open.size() - 2; i >= 0; i--) {
                linux.unlinkAt(open.get(i), name, true);
            }
            open.forEach(Descriptor::close);
        }
    }

    @Test
    void whatIsNotThereUsesNothing() throws Exception {
        assertThat(LayerWalk.of(linux, directory.resolve("none")))
                .isEqualTo(new LayerWalk.Size(0, 0));
        assertThat(LayerWalk.of(linux, Files.createFile(directory.resolve("file"))))
                .isEqualTo(new LayerWalk.Size(0, 0));
    }

    private WritableLayerUsage usage() {
        return new WritableLayerUsage(
                linux,
                new Layout(directory, directory, directory, directory.resolve("boot")),
                Clock.fixed(FakeNode.NOW, ZoneOffset.UTC));
    }

    @Test
    void aLayerIsMeasuredInTheBackground() throws IOException {
        Path upper = Files.createDirectories(directory.resolve("containers/" + ID + "/diff"));
        try (WritableLayerUsage usage = usage()) {
            usage.refresh(ID);
            Measured first = usage.latest(ID, soon());
            assertThat(first).isEqualTo(new Measured(blocks(upper), 1, FakeNode.NOW_NANOS));

            Files.createFile(upper.resolve("new"));
            usage.refresh(ID);
            assertThat(usage.latest(ID, soon())).as("young enough").isEqualTo(first);
        }
    }

    @Test
    void anAnswerDoesNotWaitBeyondItsPatienceAndTellsTheLeast() throws IOException {
        Path upper = Files.createDirectories(directory.resolve("containers/" + ID + "/diff"));
        Files.write(upper.resolve("file"), new byte[100_000]);
        Measured least = new Measured(0, 1, FakeNode.NOW_NANOS);
        WritableLayerUsage usage = usage();
        assertThat(usage.latest(ID, soon())).as("nobody asked for it").isEqualTo(least);
        usage.close(); // nothing is measured any more
        usage.refresh(ID);
        assertThat(usage.latest(ID, Deadline.after(Duration.ofMillis(2)))).isEqualTo(least);
    }

    @Test
    void removedContainersAreForgotten() {
        try (WritableLayerUsage usage = usage()) {
            usage.refresh(ID);
            assertThat(usage.size()).isEqualTo(1);
            usage.keepOnly(new Inventory());
            assertThat(usage.size()).isZero();
        }
    }
}
