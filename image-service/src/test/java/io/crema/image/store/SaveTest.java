package io.crema.image.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.image.Image;
import io.crema.image.Images.Credentials;
import io.crema.image.layer.TarBytes;
import io.crema.image.layer.TreeListing;
import io.crema.image.registry.MemoryRegistry;
import io.crema.image.registry.ResolvedImage;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What is saved can be loaded again, by us and by others, and is the same then. */
@Tag("root")
@Timeout(120)
final class SaveTest {
    private static final Linux LINUX = JnaLinux.load();

    @TempDir Path directory;
    private final MemoryRegistry registry = new MemoryRegistry();
    private ImageStore store;

    @BeforeEach
    void open() {
        store = open("store");
    }

    @AfterEach
    void close() {
        store.close();
    }

    private ImageStore open(String name) {
        return new ImageStore(StoreOptions.at(directory.resolve(name), List.of()), LINUX, registry);
    }

    private static List<byte[]> layers() {
        byte[] base =
                new TarBytes()
                        .directory("./", 0711)
                        .directory("etc", 0755)
                        .file("etc/passwd", "root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n")
                        .file("etc/removed", "x")
                        .directory("data", 0700)
                        .file("data/one", "1")
                        .file("tool", 04755, new byte[70_000])
                        .hardLink("alias", "tool")
                        .symbolicLink("link", "/etc/passwd")
                        .pax("linkpath", "t".repeat(150))
                        .symbolicLink("long-link", "x")
                        .fifo("pipe")
                        .device('3', "null", 1, 3)
                        .device('4', "disk", 8, 1)
                        .owner(3_000_000, 4_000_000)
                        .file("far-owner", "x")
                        .owner(0, 0)
                        .pax("mtime", "1234567890.123456789")
                        .file("nanoseconds", "x")
                        .pax("mtime", "-1.250000000")
                        .file("before-1970", "x")
                        .pax("SCHILY.xattr.user.note", "hello = world\nsecond")
                        .file("attributes", "x")
                        .pax("path", "long/" + "ü".repeat(100))
                        .file("x", "a long name")
                        .file("empty", "")
                        .end();
        byte[] second =
                new TarBytes()
                        .modified(1_600_000_000L)
                        .directory("etc", 0750)
                        .file("etc/.wh.removed", "")
                        .directory("data", 0755)
                        .file("data/.wh..wh..opq", "")
                        .file("data/two", "2")
                        .hardLink("linked-across", "etc/passwd")
                        .end();
        return List.of(base, second);
    }

    private Map<String, String> tree(ImageStore of, Image image, String name) throws IOException {
        Path mounted = Files.createDirectory(directory.resolve(name));
        of.mountRootFileSystem(
                image,
                Files.createDirectory(directory.resolve(name + "-upper")),
                Files.createDirectory(directory.resolve(name + "-work")),
                mounted,
                "");
        try {
            return TreeListing.of(LINUX, mounted);
        } finally {
            LINUX.unmount(mounted, Set.of(UnmountFlag.DETACH));
        }
    }

    @Test
    void anArchiveHasTheSameFilesAndSettings() throws Exception {
        Image image =
                store.load(ToolImages.layout(directory.resolve("layout"), "app", layers()))
                        .getFirst();
        String name = image.repoTags().getFirst();
        Path archive = directory.resolve("saved.tar");
        store.save(List.of(name), archive, false);
        Map<String, String> expected = tree(store, image, "first");
        try (ImageStore other = open("other")) {
            Image loaded = other.load(archive).getFirst();
            assertThat(loaded.repoTags()).containsExactly(name);
            assertThat(loaded.configuration()).isEqualTo(image.configuration());
            assertThat(loaded.createdAt()).isEqualTo(image.createdAt());
            assertThat(TreeListing.differences(expected, tree(other, loaded, "second"))).isEmpty();
            assertThat(expected).hasSizeGreaterThan(15);
            // Saved again it is the same to the byte.
            Path again = directory.resolve("again.tar");
            other.save(List.of(loaded.id().value().substring(0, 12)), again, false);
            assertThat(other.load(again).getFirst().id()).isEqualTo(loaded.id());
        }
        assertThatThrownBy(() -> store.save(List.of(name), archive, false))
                .hasMessageContaining("it exists");
        assertNothingPartial();
    }

    @Test
    void aDirectoryIsReadByOthers() throws Exception {
        store.load(ToolImages.layout(directory.resolve("layout"), "app", layers()));
        Path saved = directory.resolve("saved");
        store.save(List.of("localhost/layout:app"), saved, true);
        ToolImages.copy(
                "oci:" + saved + ":localhost/layout:app", "dir:" + directory.resolve("copied"));
        assertThat(ToolImages.run("skopeo", "inspect", "oci:" + saved + ":localhost/layout:app"))
                .contains("\"Layers\"");
        assertNothingPartial();
    }

    @Test
    void anArtifactKeepsItsDigest() throws Exception {
        ResolvedImage served =
                registry.serveArtifact(
                        "registry.test/model:1",
                        "application/x",
                        Map.of("dir/a.txt", "one".getBytes(UTF_8)));
        store.pull(
                "registry.test/model:1", Credentials.none(), Deadline.after(Duration.ofMinutes(1)));
        Path saved = directory.resolve("saved");
        store.save(List.of("registry.test/model:1"), saved, true);
        try (Stream<Path> blobs = Files.list(saved.resolve("blobs/sha256"))) {
            assertThat(blobs).hasSize(3);
        }
        assertThat(saved.resolve("index.json")).content().contains(served.digest().toString());
    }

    @Test
    void whatIsNotHereIsTold() {
        assertThatThrownBy(() ->
                        store.save(List.of("registry.test/none:1"), directory.resolve("x"), true))
                .hasMessageContaining("registry.test/none:1 is not on this node");
        assertThat(directory.resolve("x")).doesNotExist();
    }

    private void assertNothingPartial() throws IOException {
        try (Stream<Path> names = Files.list(directory)) {
            assertThat(names.map(path -> path.getFileName().toString()))
                    .noneMatch(name -> name.startsWith("."));
        }
    }
}
