package io.crema.image.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.crema.image.Image;
import io.crema.image.layer.TarBytes;
import io.crema.image.layer.TreeListing;
import io.crema.image.registry.MemoryRegistry;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.jna.JnaLinux;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What others unpack from a tricky image is what our mounts show, name by name. */
@Tag("root")
@Timeout(120)
final class SameAsOthersTest {
    private static final Linux LINUX = JnaLinux.load();
    private static final String CAPABILITY =
            "\001\000\000\002\000\004\000\000\000\000\000\000\000\000\000\000\000\000\000\000";

    @TempDir Path directory;
    private ImageStore store;
    private Path mounted;

    @BeforeEach
    void open() throws Exception {
        store =
                new ImageStore(
                        StoreOptions.at(directory.resolve("store"), List.of()),
                        LINUX,
                        new MemoryRegistry());
        mounted = Files.createDirectory(directory.resolve("mounted"));
    }

    @AfterEach
    void close() {
        if (LINUX.mounts().stream().anyMatch(mount -> mount.mountPoint().equals(mounted))) {
            LINUX.unmount(mounted, Set.of(UnmountFlag.DETACH));
        }
        store.close();
    }

    private Map<String, String> ours(List<byte[]> layers) throws Exception {
        Path layout = ToolImages.layout(directory.resolve("layout"), "app", layers);
        Image image = store.load(layout).getFirst();
        store.mountRootFileSystem(
                image,
                Files.createDirectory(directory.resolve("upper")),
                Files.createDirectory(directory.resolve("work")),
                mounted,
                "");
        return TreeListing.of(LINUX, mounted);
    }

    /** Two pieces of a file, after the map that says where they are. */
    private static byte[] sparse() {
        byte[] content = new byte[3 * 512];
        Arrays.fill(content, 512, content.length, (byte) 'x');
        byte[] map = "2\n4096\n512\n99488\n512\n".getBytes(UTF_8);
        System.arraycopy(map, 0, content, 0, map.length);
        return content;
    }

    /** Everything a single layer can have. */
    private static byte[] base() {
        TarBytes tar =
                new TarBytes()
                        .directory("./", 0755)
                        .directory("etc", 0755)
                        .file("etc/passwd", "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n")
                        .file("etc/removed", "x")
                        .directory("usr", 0755)
                        .directory("usr/bin", 0755)
                        .file("usr/bin/tool", 04755, "tool".getBytes(UTF_8))
                        .hardLink("usr/bin/alias", "usr/bin/tool")
                        .symbolicLink("bin", "usr/bin")
                        .symbolicLink("absolute", "/usr/bin/tool")
                        .symbolicLink("dangling", "../../nowhere")
                        .directory("tmp", 01777)
                        .directory("var", 02775)
                        .file("var/inherits-nothing", "x")
                        .directory("data", 0700)
                        .file("data/one", "1")
                        .file("data/two", "2")
                        .directory("replaced", 0755)
                        .file("replaced/by-a-file", "x")
                        .fifo("pipe")
                        .device('3', "null", 1, 3)
                        .device('4', "disk", 8, 1)
                        .owner(1000, 65_600)
                        .file("foreign", 0640, new byte[200_000])
                        .owner(2_000_000, 2_000_000)
                        .file("beyond-octal-owner", "x")
                        .owner(0, 0)
                        .pax("mtime", "1234567890.123456789")
                        .file("nanoseconds", "x")
                        .pax("SCHILY.xattr.user.note", "hello")
                        .file("attributes", "x")
                        .pax("SCHILY.xattr.security.capability", CAPABILITY)
                        .file("capable", 0755, new byte[] {1})
                        .pax("path", "long/" + "n".repeat(180))
                        .file("x", "long name by PAX")
                        .gnuLong('L', "gnu-" + "g".repeat(180))
                        .file("x", "long name by GNU")
                        .file("empty", "")
                        .pax(
                                "GNU.sparse.major", "1",
                                "GNU.sparse.minor", "0",
                                "GNU.sparse.name", "sparse",
                                "GNU.sparse.realsize", "100000")
                        .file("GNUSparseFile.1/sparse", 0644, sparse());
        for (int depth = 1; depth < 60; depth++) {
            tar.pax("path", "deep/".repeat(depth)).directory("deep", 0750);
        }
        return tar.end();
    }

    @Test
    void oneLayerIsWhatTarUnpacks() throws Exception {
        Path archive = Files.write(directory.resolve("base.tar"), base());
        Path theirs = Files.createDirectory(directory.resolve("theirs"));
        ToolImages.run(
                "tar",
                "--numeric-owner",
                "--same-owner",
                "--same-permissions",
                "--xattrs",
                "--xattrs-include=*",
                "-C",
                theirs.toString(),
                "-xf",
                archive.toString());
        Map<String, String> expected = TreeListing.of(LINUX, theirs);
        Map<String, String> found = ours(List.of(base()));
        // A directory that the archive leaves out has no time of its own: tar gives it the present.
        expected.keySet().remove("long");
        found.keySet().remove("long");
        assertThat(TreeListing.differences(expected, found)).isEmpty();
        assertThat(found).hasSizeGreaterThan(80);
    }

    @Test
    void severalLayersAreWhatUmociUnpacks() throws Exception {
        byte[] second =
                new TarBytes()
                        .modified(1_600_000_000L)
                        .directory("etc", 0750)
                        .file("etc/.wh.removed", "")
                        .file("etc/added", "x")
                        .directory("data", 0755)
                        .file("data/.wh..wh..opq", "")
                        .file("data/three", "3")
                        .file("replaced", "now a file")
                        .file(".wh.foreign", "")
                        .symbolicLink("empty", "etc")
                        .directory("usr", 0755)
                        .directory("usr/bin", 0711)
                        .file("usr/bin/tool", "changed")
                        .end();
        byte[] third =
                new TarBytes()
                        .modified(1_500_000_000L)
                        .directory("data", 0755)
                        .file("data/.wh.three", "")
                        .file("data/four", "4")
                        .file("foreign", "back again")
                        .directory("etc", 0750)
                        .hardLink("etc/linked-across-layers", "etc/passwd")
                        .end();
        // The same names again and again: the last one counts.
        byte[] fourth =
                new TarBytes()
                        .file("twice", "first")
                        .file("twice", 0600, "second".getBytes(UTF_8))
                        .directory("thrice", 0700)
                        .file("thrice/inside", "x")
                        .directory("thrice", 0755)
                        .symbolicLink("becomes-file", "nowhere")
                        .file("becomes-file", "x")
                        .file("becomes-link", "x")
                        .symbolicLink("becomes-link", "twice")
                        .file("hard", "x")
                        .hardLink("hard-too", "hard")
                        .file("hard", "another")
                        .fifo("becomes-directory")
                        .directory("becomes-directory", 0711)
                        .end();
        byte[] empty = new TarBytes().end();
        List<byte[]> layers = List.of(base(), second, empty, third, fourth);
        Map<String, String> found = ours(layers);
        Path bundle = directory.resolve("bundle");
        ToolImages.run(
                "umoci",
                "unpack",
                "--image",
                directory.resolve("layout") + ":app",
                bundle.toString());
        Map<String, String> expected = TreeListing.of(LINUX, bundle.resolve("rootfs"));
        expected.keySet().remove("long");
        found.keySet().remove("long");
        assertThat(TreeListing.differences(expected, found)).isEmpty();
        assertThat(found).hasSizeGreaterThan(80);
    }
}
