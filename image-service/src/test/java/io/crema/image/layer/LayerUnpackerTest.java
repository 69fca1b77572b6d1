package io.crema.image.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.layer.LayerUnpacker.Parents;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@Tag("root")
final class LayerUnpackerTest {
    private static final Linux LINUX = JnaLinux.load();
    private static final long TIME = 1_700_000_000L;

    @TempDir Path directory;
    private final ExecutorService workers = Executors.newCachedThreadPool();
    private final LayerUnpacker unpacker =
            new LayerUnpacker(LINUX, workers, UnpackLimits.defaults());
    private Path outside;
    private int made;

    @BeforeEach
    void makeVictim() throws IOException {
        outside = Files.createDirectory(directory.resolve("outside"));
        Files.writeString(outside.resolve("victim"), "untouched");
    }

    @AfterEach
    void nothingOutsideWasTouched() throws IOException {
        workers.shutdownNow();
        assertThat(outside.resolve("victim")).hasContent("untouched");
        try (Stream<Path> files = Files.list(outside)) {
            assertThat(files).hasSize(1);
        }
    }

    // ---- helpers ----

    private Path newRoot() throws IOException {
        return Files.createDirectory(directory.resolve("root" + made++));
    }

    private Path unpack(byte[] tar, Path... lowerTopFirst) throws IOException {
        Path root = newRoot();
        unpackTo(root, tar, lowerTopFirst);
        return root;
    }

    private UnpackedLayer unpackTo(Path root, byte[] tar, Path... lowerTopFirst) {
        return unpacker.unpack(
                TarBytes.layer(tar, TarBytes.gzip(tar)), root, parents(lowerTopFirst));
    }

    private static Parents parents(Path... topFirst) {
        return new Parents() {
            @Override
            public boolean isEmpty() {
                return topFirst.length == 0;
            }

            @Override
            public List<Path> directories() {
                return List.of(topFirst);
            }
        };
    }

    private static FileStatus status(Path file) {
        return LINUX.status(file, false).orElseThrow(() -> new AssertionError(file + " is absent"));
    }

    private static boolean isWhiteout(Path file) {
        return Overlay.isWhiteout(status(file));
    }

    private static boolean isOpaque(Path file) {
        return LINUX.attribute(file, "trusted.overlay.opaque").isPresent();
    }

    // ---- what a layer may have ----

    enum Pressed {
        PLAIN,
        GZIP,
        ZSTD
    }

    @ParameterizedTest
    @EnumSource(Pressed.class)
    void unpacksEveryCompression(Pressed pressed) throws IOException {
        byte[] large = new byte[3_000_000];
        new Random(7).nextBytes(large);
        byte[] tar =
                new TarBytes()
                        .directory("a", 0755)
                        .file("a/large", 0644, large)
                        .file("empty", "")
                        .end();
        byte[] compressed =
                switch (pressed) {
                    case PLAIN -> tar;
                    case GZIP -> TarBytes.gzip(tar);
                    case ZSTD -> TarBytes.zstd(tar);
                };
        Path root = newRoot();
        UnpackedLayer unpacked =
                unpacker.unpack(TarBytes.layer(tar, compressed), root, Parents.none());
        assertThat(root.resolve("a/large")).hasBinaryContent(large);
        assertThat(root.resolve("empty")).isEmptyFile();
        assertThat(unpacked.plainBytes()).isEqualTo(tar.length);
        assertThat(unpacked.compressedBytes()).isEqualTo(compressed.length);
        assertThat(unpacked.entries()).isEqualTo(3);
        assertThat(unpacked.inodes()).isEqualTo(4);
        assertThat(unpacked.allocatedBytes()).isBetween(3_000_000L, 3_100_000L);
    }

    @Test
    void countsBlocksAsDuDoes() throws IOException {
        TarBytes tar = new TarBytes().directory("d", 0755);
        for (int i = 0; i < 500; i++) {
            tar.file("d/some-rather-long-name-" + i, 0644, new byte[i * 37]);
        }
        tar.symbolicLink("link", "x".repeat(90)).hardLink("again", "d/some-rather-long-name-9");
        tar.file("d/some-rather-long-name-7", "replaced");
        Path root = newRoot();
        UnpackedLayer unpacked = unpackTo(root, tar.end());
        DiskUsage measured = DiskUsage.of(LINUX, root);
        assertThat(unpacked.allocatedBytes()).isEqualTo(measured.bytes());
        assertThat(unpacked.inodes()).isEqualTo(measured.inodes());

        TarBytes plain = new TarBytes().directory("d", 0755);
        for (int i = 0; i < 500; i++) {
            plain.file("d/some-rather-long-name-" + i, 0644, new byte[i * 37]);
        }
        Path second = newRoot();
        UnpackedLayer counted = unpackTo(second, plain.end());
        DiskUsage walked = DiskUsage.of(LINUX, second);
        assertThat(counted.allocatedBytes()).isEqualTo(walked.bytes());
        assertThat(counted.inodes()).isEqualTo(walked.inodes());
    }

    @Test
    void keepsOwnersModesAndTimes() throws IOException {
        byte[] tar =
                new TarBytes()
                        .directory("group", 02775)
                        .directory("group/below", 0755)
                        .file("group/file", "x")
                        .directory("tmp", 01777)
                        .owner(100_000, 3_000_000_000L)
                        .file("suid", 06755, new byte[] {1})
                        .file("secret", 0, new byte[] {1})
                        .pax("uid", "4000000000", "gid", "70000", "mtime", "1234567890.987654321")
                        .file("pax", "x")
                        .pax("mtime", "-1.25")
                        .file("before", "x")
                        .modified(99)
                        .symbolicLink("link", "nowhere")
                        .end();
        Path root = unpack(tar);
        assertThat(status(root.resolve("group")).mode() & 07777).isEqualTo(02775);
        assertThat(status(root.resolve("group/below")).mode() & 07777).isEqualTo(0755);
        assertThat(status(root.resolve("group")).modifiedSeconds()).isEqualTo(TIME);
        assertThat(status(root.resolve("tmp")).mode() & 07777).isEqualTo(01777);
        FileStatus suid = status(root.resolve("suid"));
        assertThat(suid.mode() & 07777).isEqualTo(06755);
        assertThat(suid.uid()).isEqualTo(100_000);
        assertThat(Integer.toUnsignedLong(suid.gid())).isEqualTo(3_000_000_000L);
        assertThat(status(root.resolve("secret")).mode() & 07777).isZero();
        FileStatus pax = status(root.resolve("pax"));
        assertThat(Integer.toUnsignedLong(pax.uid())).isEqualTo(4_000_000_000L);
        assertThat(pax.gid()).isEqualTo(70_000);
        assertThat(pax.modifiedSeconds()).isEqualTo(1_234_567_890L);
        assertThat(pax.modifiedNanos()).isEqualTo(987_654_321);
        FileStatus before = status(root.resolve("before"));
        assertThat(before.modifiedSeconds()).isEqualTo(-2);
        assertThat(before.modifiedNanos()).isEqualTo(750_000_000);
        assertThat(status(root.resolve("link")).modifiedSeconds()).isEqualTo(99);
        assertThat(status(root.resolve("link")).uid()).isEqualTo(100_000);
    }

    @Test
    void keepsExtendedAttributesAndDropsThoseOfThisMachineOnly() throws IOException {
        String capability =
                "\001\000\000\002\000\004\000\000\000\000\000\000\000\000\000\000\000\000\000\000";
        byte[] tar =
                new TarBytes()
                        .pax(
                                "SCHILY.xattr.user.note", "hello",
                                "SCHILY.xattr.security.capability", capability,
                                "SCHILY.xattr.trusted.overlay.redirect", "/etc",
                                "SCHILY.xattr.security.selinux", "system_u:object_r:bin_t:s0")
                        .owner(5, 6)
                        .file("program", 0755, new byte[] {1})
                        .pax("SCHILY.xattr.user.note", "in vain")
                        .symbolicLink("link", "program")
                        .end();
        Path root = newRoot();
        UnpackedLayer unpacked = unpackTo(root, tar);
        Path program = root.resolve("program");
        assertThat(LINUX.attribute(program, "user.note"))
                .hasValue("hello".getBytes(StandardCharsets.UTF_8));
        assertThat(LINUX.attribute(program, "security.capability"))
                .hasValue(capability.getBytes(StandardCharsets.ISO_8859_1));
        assertThat(LINUX.attributeNames(program))
                .containsExactlyInAnyOrder("user.note", "security.capability");
        assertThat(unpacked.droppedAttributes()).isEqualTo(3);
    }

    @Test
    void makesDevicesFifosAndLinks() throws IOException {
        byte[] tar =
                new TarBytes()
                        .device('3', "null", 1, 3)
                        .device('4', "disk", 259, 70_000)
                        .fifo("pipe")
                        .file("one", "content")
                        .hardLink("two", "one")
                        .hardLink("three", "/one")
                        .symbolicLink("absolute", "/one")
                        .symbolicLink("upwards", "../../one")
                        .hardLink("linkToLink", "absolute")
                        .end();
        Path root = unpack(tar);
        FileStatus device = status(root.resolve("null"));
        assertThat(device.isCharacterDevice()).isTrue();
        assertThat(device.deviceMajor()).isEqualTo(1);
        assertThat(device.deviceMinor()).isEqualTo(3);
        FileStatus disk = status(root.resolve("disk"));
        assertThat(disk.isBlockDevice()).isTrue();
        assertThat(disk.deviceMajor()).isEqualTo(259);
        assertThat(disk.deviceMinor()).isEqualTo(70_000);
        assertThat(status(root.resolve("pipe")).mode() & 0170000).isEqualTo(0010000);
        assertThat(status(root.resolve("two")).inode())
                .isEqualTo(status(root.resolve("one")).inode())
                .isEqualTo(status(root.resolve("three")).inode());
        assertThat(Files.readSymbolicLink(root.resolve("upwards"))).hasToString("../../one");
        assertThat(status(root.resolve("linkToLink")).isSymbolicLink()).isTrue();
    }

    @Test
    void laterEntriesReplaceEarlierOnes() throws IOException {
        byte[] tar =
                new TarBytes()
                        .file("file", "old")
                        .file("file", "new")
                        .directory("tree", 0755)
                        .file("tree/inside", "x")
                        .file("tree", "now a file")
                        .symbolicLink("link", "file")
                        .file("link", "now a file")
                        .file("later", "x")
                        .directory("later", 0700)
                        .file("later/inside", "x")
                        .directory("twice", 0755)
                        .file("twice/kept", "x")
                        .directory("twice", 0700)
                        .end();
        Path root = unpack(tar);
        assertThat(root.resolve("file")).hasContent("new");
        assertThat(root.resolve("tree")).hasContent("now a file");
        assertThat(root.resolve("link")).isRegularFile().hasContent("now a file");
        assertThat(root.resolve("later/inside")).hasContent("x");
        assertThat(root.resolve("twice/kept")).exists();
        assertThat(status(root.resolve("twice")).mode() & 07777).isEqualTo(0700);
        assertThat(status(root.resolve("twice")).modifiedSeconds()).isEqualTo(TIME);
    }

    @Test
    void followsLinksOfTheLayerInsideTheRoot() throws IOException {
        byte[] tar =
                new TarBytes()
                        .directory("usr", 0755)
                        .directory("usr/lib", 0755)
                        .symbolicLink("lib", "usr/lib")
                        .symbolicLink("lib64", "/usr/lib")
                        .symbolicLink("usr/back", "../usr/./lib/")
                        .file("lib/a", "a")
                        .file("lib64/b", "b")
                        .file("usr/back/c", "c")
                        .end();
        Path root = unpack(tar);
        assertThat(root.resolve("usr/lib/a")).hasContent("a");
        assertThat(root.resolve("usr/lib/b")).hasContent("b");
        assertThat(root.resolve("usr/lib/c")).hasContent("c");
        assertThat(root.resolve("lib")).isSymbolicLink();
        assertThat(status(root.resolve("usr/lib")).modifiedSeconds()).isEqualTo(TIME);
    }

    @Test
    void readsNamesOfAllFormats() throws IOException {
        String deep = "d/".repeat(60) + "f".repeat(200);
        byte[] tar =
                new TarBytes()
                        .pax("path", deep)
                        .file("short", "pax")
                        .gnuLong('L', "gnu/" + "g".repeat(150))
                        .file("short", "gnu")
                        .gnuLong('K', "t".repeat(300))
                        .symbolicLink("gnuLink", "t")
                        .pax("linkpath", "p".repeat(300))
                        .symbolicLink("paxLink", "t")
                        .file("./dot//slashes/./x", "x")
                        .file("not-utf8-\u00e4", "latin")
                        .end();
        Path root = unpack(tar);
        assertThat(root.resolve(deep)).hasContent("pax");
        assertThat(root.resolve("gnu/" + "g".repeat(150))).hasContent("gnu");
        assertThat(Files.readSymbolicLink(root.resolve("gnuLink"))).hasToString("t".repeat(300));
        assertThat(Files.readSymbolicLink(root.resolve("paxLink"))).hasToString("p".repeat(300));
        assertThat(root.resolve("dot/slashes/x")).hasContent("x");
        assertThat(TreeListing.of(LINUX, root)).containsKey("not-utf8-\udce4");
    }

    @Test
    void writesVeryDeepTrees() throws IOException {
        TarBytes tar = new TarBytes();
        StringBuilder path = new StringBuilder();
        for (int i = 0; i < 900; i++) {
            path.append(i == 0 ? "d" : "/d");
            tar.pax("path", path.toString()).directory("d", 0755);
        }
        Path root = unpack(tar.end());
        assertThat(TreeListing.of(LINUX, root)).hasSize(900);
        try (var parent = LINUX.open(directory, java.util.Set.of(), 0)) {
            new TreeRemoval(LINUX).remove(parent, root.getFileName().toString());
        }
        assertThat(root).doesNotExist();
    }

    @Test
    void readsSparseFilesOfAllKinds() throws IOException {
        byte[] piece = "piece".repeat(200).getBytes(StandardCharsets.UTF_8);
        byte[] expected = new byte[1_000_000];
        System.arraycopy(piece, 0, expected, 4096, 500);
        System.arraycopy(piece, 500, expected, 500_000, 500);
        TarBytes tar = new TarBytes();
        byte[] old = tar.header('S', "old", "", 0644, 1000);
        byte[] gnuMagic = "ustar  \0".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(gnuMagic, 0, old, 257, 8);
        TarBytes.number(old, 386, 12, 4096);
        TarBytes.number(old, 398, 12, 500);
        TarBytes.number(old, 410, 12, 500_000);
        TarBytes.number(old, 422, 12, 500);
        TarBytes.number(old, 483, 12, 1_000_000);
        tar.raw(TarBytes.sum(old)).content(piece);
        tar.pax("GNU.sparse.map", "4096,500,500000,500", "GNU.sparse.size", "1000000")
                .file("v01", 0644, piece);
        String map = "2\n4096\n500\n500000\n500\n";
        byte[] withMap = new byte[512 + 1000];
        System.arraycopy(map.getBytes(StandardCharsets.US_ASCII), 0, withMap, 0, map.length());
        System.arraycopy(piece, 0, withMap, 512, 1000);
        tar.pax(
                        "GNU.sparse.major", "1",
                        "GNU.sparse.minor", "0",
                        "GNU.sparse.name", "v10",
                        "GNU.sparse.realsize", "1000000")
                .file("GNUSparseFile.1/v10", 0644, withMap);
        tar.pax(
                        "GNU.sparse.size", "1000000",
                        "GNU.sparse.numblocks", "2",
                        "GNU.sparse.offset", "4096",
                        "GNU.sparse.numbytes", "500",
                        "GNU.sparse.offset", "500000",
                        "GNU.sparse.numbytes", "500")
                .file("v00", 0644, piece);
        tar.file("after", "still in step");
        Path root = unpack(tar.end());
        for (String name : List.of("old", "v00", "v01", "v10")) {
            assertThat(root.resolve(name)).hasBinaryContent(expected);
            assertThat(status(root.resolve(name)).blocks512()).as(name).isLessThan(100);
        }
        assertThat(root.resolve("after")).hasContent("still in step");
    }

    // ---- layers on top of others ----

    @Test
    void turnsWhiteoutsIntoTheKernels() throws IOException {
        Path lower = unpack(new TarBytes().file("gone", "x").end());
        byte[] tar =
                new TarBytes()
                        .file(".wh.gone", "")
                        .directory("dir", 0755)
                        .file("dir/.wh..wh..opq", "")
                        .file("dir/.wh.needless", "")
                        .file("dir/kept", "x")
                        .directory("both", 0755)
                        .file("both/new", "x")
                        .file(".wh.both", "")
                        .file(".wh.remade", "")
                        .directory("remade", 0755)
                        .file(".wh.file", "")
                        .file("file", "new")
                        .file(".wh.implied", "")
                        .file("implied/x", "x")
                        .file(".wh..wh.aufs", "")
                        .directory(".wh..wh.plnk", 0700)
                        .end();
        Path root = newRoot();
        UnpackedLayer unpacked = unpackTo(root, tar, lower);
        assertThat(isWhiteout(root.resolve("gone"))).isTrue();
        assertThat(isOpaque(root.resolve("dir"))).isTrue();
        assertThat(root.resolve("dir/needless")).doesNotExist();
        assertThat(root.resolve("dir/kept")).exists();
        assertThat(status(root.resolve("dir")).modifiedSeconds()).isEqualTo(TIME);
        assertThat(isOpaque(root.resolve("both"))).isTrue();
        assertThat(root.resolve("both/new")).exists();
        assertThat(isOpaque(root.resolve("remade"))).isTrue();
        assertThat(root.resolve("file")).hasContent("new");
        assertThat(isOpaque(root.resolve("implied"))).isTrue();
        assertThat(root.resolve(".wh..wh.plnk")).doesNotExist();
        assertThat(unpacked.hidesAllBelow()).isFalse();
        assertThat(unpacked.inodes()).isEqualTo(DiskUsage.of(LINUX, root).inodes());
    }

    @Test
    void saysWhenTheRootIsOpaque() throws IOException {
        Path root = newRoot();
        UnpackedLayer unpacked =
                unpackTo(
                        root,
                        new TarBytes().file(".wh..wh..opq", "").directory(".", 0750).end(),
                        newRoot());
        assertThat(unpacked.hidesAllBelow()).isTrue();
        assertThat(unpacked.rootGiven()).isTrue();
        assertThat(status(root).mode() & 07777).isEqualTo(0750);
    }

    @Test
    void leavesWhiteoutsOutOfTheLowestLayer() throws IOException {
        Path root = newRoot();
        UnpackedLayer unpacked =
                unpackTo(root, new TarBytes().file(".wh.x", "").directory("d", 0755).end());
        assertThat(TreeListing.of(LINUX, root)).containsOnlyKeys("d");
        assertThat(unpacked.dependsOnPosition()).isTrue();
    }

    @Test
    void directoriesThatTheLayerLeavesOutAreLikeTheParents() throws IOException {
        Path lowest =
                unpack(
                        new TarBytes()
                                .owner(7, 8)
                                .modified(1234)
                                .directory("tmp", 01777)
                                .directory("usr", 0755)
                                .pax("SCHILY.xattr.user.note", "kept")
                                .directory("usr/lib", 0711)
                                .symbolicLink("lib", "usr/lib")
                                .directory("hidden", 0700)
                                .end());
        Path middle = unpack(new TarBytes().file(".wh.hidden", "").end(), lowest);
        Path root = newRoot();
        UnpackedLayer unpacked =
                unpackTo(
                        root,
                        new TarBytes()
                                .file("tmp/new", "x")
                                .file("lib/through", "x")
                                .file("hidden/x", "x")
                                .file("unknown/x", "x")
                                .end(),
                        middle,
                        lowest);
        assertThat(unpacked.dependsOnPosition()).isTrue();
        FileStatus tmp = status(root.resolve("tmp"));
        assertThat(tmp.mode() & 07777).isEqualTo(01777);
        assertThat(tmp.uid()).isEqualTo(7);
        assertThat(tmp.gid()).isEqualTo(8);
        assertThat(tmp.modifiedSeconds()).isEqualTo(1234);
        assertThat(root.resolve("usr/lib/through")).exists();
        assertThat(root.resolve("lib")).doesNotExist();
        assertThat(status(root.resolve("usr/lib")).mode() & 07777).isEqualTo(0711);
        assertThat(LINUX.attribute(root.resolve("usr/lib"), "user.note")).isPresent();
        assertThat(status(root.resolve("hidden")).mode() & 07777).isEqualTo(0755);
        assertThat(status(root.resolve("unknown")).mode() & 07777).isEqualTo(0755);
    }

    @Test
    void hardLinksOntoFilesOfLowerLayersCopyThem() throws IOException {
        Path lowest =
                unpack(
                        new TarBytes()
                                .owner(7, 8)
                                .directory("bin", 0711)
                                .file("bin/tool", 04755, "tool".getBytes(StandardCharsets.UTF_8))
                                .symbolicLink("sbin", "bin")
                                .file("gone", "x")
                                .end());
        Path middle = unpack(new TarBytes().file(".wh.gone", "").end(), lowest);
        Path root = newRoot();
        UnpackedLayer unpacked =
                unpackTo(
                        root,
                        new TarBytes()
                                .hardLink("alias", "bin/tool")
                                .hardLink("b", "sbin/tool")
                                .end(),
                        middle,
                        lowest);
        assertThat(unpacked.dependsOnPosition()).isTrue();
        FileStatus alias = status(root.resolve("alias"));
        assertThat(root.resolve("alias")).hasContent("tool");
        assertThat(alias.mode() & 07777).isEqualTo(04755);
        assertThat(alias.uid()).isEqualTo(7);
        assertThat(alias.inode())
                .isEqualTo(status(root.resolve("bin/tool")).inode())
                .isEqualTo(status(root.resolve("b")).inode());
        assertThat(status(root.resolve("bin")).mode() & 07777).isEqualTo(0711);
        assertThatThrownBy(() -> unpack(new TarBytes().hardLink("x", "gone").end(), middle, lowest))
                .hasMessageContaining("'x'")
                .hasMessageContaining("neither in this layer");
    }

    @Test
    void aLayerThatLeansOnNothingBelongsAnywhere() throws IOException {
        Path root = newRoot();
        UnpackedLayer unpacked =
                unpackTo(
                        root,
                        new TarBytes()
                                .directory("d", 0755)
                                .file("d/x", "x")
                                .file(".wh.y", "")
                                .end(),
                        newRoot());
        assertThat(unpacked.dependsOnPosition()).isFalse();
    }

    // ---- what no layer may have ----

    static Stream<Arguments> hostile() {
        return Stream.of(
                Arguments.of("absolute", new TarBytes().file("/etc/x", "x").end(), "absolute"),
                Arguments.of("up", new TarBytes().file("../outside/x", "x").end(), "'..'"),
                Arguments.of("up inside", new TarBytes().file("a/../../x", "x").end(), "'..'"),
                Arguments.of(
                        "up by PAX",
                        new TarBytes().pax("path", "../outside/x").file("fine", "x").end(),
                        "'..'"),
                Arguments.of(
                        "up by GNU name",
                        new TarBytes().gnuLong('L', "../outside/x").file("fine", "x").end(),
                        "'..'"),
                Arguments.of(
                        "through a link upwards",
                        new TarBytes().symbolicLink("link", "../outside").file("link/x", "x").end(),
                        "leads out of the root"),
                Arguments.of(
                        "through a chain of links",
                        new TarBytes()
                                .directory("a", 0755)
                                .symbolicLink("a/one", "..")
                                .symbolicLink("two", "a/one/..")
                                .file("two/outside/x", "x")
                                .end(),
                        "leads out of the root"),
                Arguments.of(
                        "through a loop of links",
                        new TarBytes()
                                .symbolicLink("a", "b")
                                .symbolicLink("b", "a")
                                .file("a/x", "x")
                                .end(),
                        "too many symbolic links"),
                Arguments.of(
                        "hard link upwards",
                        new TarBytes().hardLink("x", "../outside/victim").end(),
                        "'..'"),
                Arguments.of(
                        "hard link to a file of the host",
                        new TarBytes().hardLink("x", "/etc/passwd").end(),
                        "neither in this layer"),
                Arguments.of(
                        "hard link through a link",
                        new TarBytes()
                                .symbolicLink("link", "../outside")
                                .hardLink("x", "link/victim")
                                .end(),
                        "leads out of the root"),
                Arguments.of(
                        "hard link to a directory",
                        new TarBytes().directory("d", 0755).hardLink("x", "d").end(),
                        "is a directory"),
                Arguments.of(
                        "hard link to itself",
                        new TarBytes().file("x", "x").hardLink("x", "x").end(),
                        "itself"),
                Arguments.of(
                        "hard link over its own directory",
                        new TarBytes().file("d/x", "x").hardLink("d", "d/x").end(),
                        "directory of its target"),
                Arguments.of("whiteout of .", new TarBytes().file(".wh..", "").end(), "remove '.'"),
                Arguments.of(
                        "whiteout of ..", new TarBytes().file("a/.wh...", "").end(), "remove '..'"),
                Arguments.of(
                        "whiteout of nothing", new TarBytes().file(".wh.", "").end(), "remove ''"),
                Arguments.of(
                        "below a whiteout",
                        new TarBytes().file(".wh.a/x", "").end(),
                        "below a whiteout"),
                Arguments.of(
                        "smuggled whiteout", new TarBytes().device('3', "etc", 0, 0).end(), "0:0"),
                Arguments.of("root as a link", new TarBytes().symbolicLink(".", "/").end(), "root"),
                Arguments.of(
                        "file as a directory",
                        new TarBytes().file("f", "x").file("f/x", "x").end(),
                        "not a directory"),
                Arguments.of(
                        "long component",
                        new TarBytes().pax("path", "n".repeat(256)).file("x", "x").end(),
                        "255"),
                Arguments.of(
                        "long path",
                        new TarBytes().pax("path", "n/".repeat(2100)).file("x", "x").end(),
                        "4095"),
                Arguments.of(
                        "deep path",
                        new TarBytes().pax("path", "n/".repeat(1100)).file("x", "x").end(),
                        "1024 directories deep"),
                Arguments.of(
                        "zero byte in a name",
                        new TarBytes().pax("path", "a\0b").file("x", "x").end(),
                        "zero byte"),
                Arguments.of("no name", new TarBytes().file("", "x").end(), "no name"),
                Arguments.of(
                        "link without a target",
                        new TarBytes().symbolicLink("x", "").end(),
                        "target of 0"),
                Arguments.of(
                        "unknown type",
                        new TarBytes().entry('M', "x", "", 0, new byte[0]).end(),
                        "type 'M'"),
                Arguments.of(
                        "huge PAX header",
                        new TarBytes().raw(hugeHeader('x', 1L << 40)).end(),
                        "more than"),
                Arguments.of(
                        "huge long name",
                        new TarBytes().raw(hugeHeader('L', 1L << 40)).end(),
                        "more than"),
                Arguments.of(
                        "negative size",
                        new TarBytes().raw(hugeHeader('0', -512)).end(),
                        "negative"),
                Arguments.of(
                        "huge file",
                        new TarBytes().raw(hugeHeader('0', 1L << 60)).end(),
                        "more than"),
                Arguments.of(
                        "huge sparse file",
                        new TarBytes()
                                .pax(
                                        "GNU.sparse.map",
                                        "0,1",
                                        "GNU.sparse.size",
                                        "4611686018427387904")
                                .file("x", "x")
                                .end(),
                        "more than"),
                Arguments.of(
                        "sparse map that overlaps",
                        new TarBytes()
                                .pax("GNU.sparse.map", "10,5,12,5", "GNU.sparse.size", "100")
                                .file("x", 0644, new byte[10])
                                .end(),
                        "sparse map"),
                Arguments.of(
                        "malformed PAX",
                        new TarBytes()
                                .entry(
                                        'x',
                                        "x",
                                        "",
                                        0,
                                        "999 a=b\n".getBytes(StandardCharsets.UTF_8))
                                .file("x", "x")
                                .end(),
                        "PAX"),
                Arguments.of(
                        "PAX without an entry", new TarBytes().pax("path", "x").end(), "extended"),
                Arguments.of(
                        "owner out of range",
                        new TarBytes().pax("uid", "4294967295").file("x", "x").end(),
                        "uid"),
                Arguments.of(
                        "cut in a file",
                        Arrays.copyOf(new TarBytes().file("x", 0644, new byte[5000]).end(), 3000),
                        "ends in the middle"),
                Arguments.of(
                        "cut in a header",
                        Arrays.copyOf(new TarBytes().file("x", 0644, new byte[100]).end(), 1224),
                        "ends in the middle"),
                Arguments.of(
                        "flipped header",
                        flipped(new TarBytes().file("x", "x").end(), 3),
                        "checksum"),
                Arguments.of(
                        "something after the end",
                        join(
                                new TarBytes().file("x", "x").end(),
                                new TarBytes().file("y", "y").end()),
                        "follows the end"),
                Arguments.of(
                        "no archive",
                        "hello".repeat(500).getBytes(StandardCharsets.UTF_8),
                        "checksum"));
    }

    private static byte[] hugeHeader(char type, long size) {
        return TarBytes.sum(new TarBytes().header(type, "x", "", 0644, size));
    }

    private static byte[] flipped(byte[] bytes, int at) {
        byte[] copy = bytes.clone();
        copy[at] ^= 4;
        return copy;
    }

    private static byte[] join(byte[] first, byte[] second) {
        byte[] joined = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, joined, first.length, second.length);
        return joined;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("hostile")
    void refusesWhatNoLayerMayHave(String name, byte[] tar, String reason) throws IOException {
        for (Path[] lower : new Path[][] {{}, {newRoot()}}) {
            Path root = newRoot();
            ImageException refusal =
                    catchThrowableOfType(ImageException.class, () -> unpackTo(root, tar, lower));
            assertThat(refusal).as(name).isNotNull();
            assertThat(refusal.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION);
            assertThat(refusal)
                    .hasMessageStartingWith("layer sha256:")
                    .hasMessageContaining("is refused")
                    .hasMessageContaining(reason);
        }
    }

    @Test
    void namesTheEntryThatIsRefused() {
        assertThatThrownBy(
                        () -> unpack(new TarBytes().file("fine", "x").file("dir/.wh...", "").end()))
                .hasMessageContaining("entry 'dir/.wh...' is refused: it would remove '..'");
    }

    @Test
    void refusesTooManyEntries() throws IOException {
        UnpackLimits defaults = UnpackLimits.defaults();
        UnpackLimits few =
                new UnpackLimits(
                        100,
                        defaults.maxUnpackedBytes(),
                        defaults.maxRatio(),
                        defaults.ratioFreeBytes(),
                        defaults.maxFileBytes(),
                        defaults.maxPathBytes(),
                        defaults.maxDepth(),
                        defaults.maxHeaderBytes(),
                        defaults.maxSparseFragments());
        TarBytes tar = new TarBytes();
        for (int i = 0; i < 101; i++) {
            tar.file("f" + i, "");
        }
        byte[] bytes = tar.end();
        Path root = newRoot();
        assertThatThrownBy(() ->
                        new LayerUnpacker(LINUX, workers, few)
                                .unpack(TarBytes.layer(bytes, bytes), root, Parents.none()))
                .hasMessageContaining("more than 100 entries");
    }

    @Test
    void refusesBombs() throws IOException {
        UnpackLimits defaults = UnpackLimits.defaults();
        UnpackLimits strict =
                new UnpackLimits(
                        defaults.maxEntries(),
                        defaults.maxUnpackedBytes(),
                        100,
                        1 << 20,
                        defaults.maxFileBytes(),
                        defaults.maxPathBytes(),
                        defaults.maxDepth(),
                        defaults.maxHeaderBytes(),
                        defaults.maxSparseFragments());
        byte[] tar = new TarBytes().file("zeros", 0644, new byte[50 << 20]).end();
        for (byte[] bomb : List.of(TarBytes.gzip(tar), TarBytes.zstd(tar))) {
            Path root = newRoot();
            assertThatThrownBy(() ->
                            new LayerUnpacker(LINUX, workers, strict)
                                    .unpack(TarBytes.layer(tar, bomb), root, Parents.none()))
                    .hasMessageContaining("bomb");
            Path zeros = root.resolve("zeros");
            assertThat(Files.exists(zeros) ? Files.size(zeros) : 0).isLessThan(10 << 20);
        }
    }

    @Test
    void refusesBytesThatAreNotThePromisedOnes() throws IOException {
        byte[] tar = new TarBytes().file("x", 0644, new byte[100_000]).end();
        byte[] other = new TarBytes().file("y", 0644, new byte[100_000]).end();
        byte[] gzip = TarBytes.gzip(tar);
        LayerContent right = TarBytes.layer(tar, gzip);
        Map<String, LayerContent> wrong =
                Map.of(
                        "has the digest",
                        new LayerContent(
                                "sha256:x",
                                right.digest(),
                                right.sizeBytes(),
                                ContentHash.of(other),
                                right.source()),
                        "manifest promises",
                        new LayerContent(
                                "sha256:x",
                                Optional.of(ContentHash.of(other)),
                                right.sizeBytes(),
                                right.diffId(),
                                right.source()),
                        "more bytes come",
                        new LayerContent(
                                "sha256:x",
                                right.digest(),
                                right.sizeBytes() - 1,
                                right.diffId(),
                                right.source()),
                        "it ends after",
                        new LayerContent(
                                "sha256:x",
                                right.digest(),
                                right.sizeBytes() + 1,
                                right.diffId(),
                                right.source()));
        for (Map.Entry<String, LayerContent> content : wrong.entrySet()) {
            Path root = newRoot();
            assertThatThrownBy(() -> unpacker.unpack(content.getValue(), root, Parents.none()))
                    .hasMessageContaining(content.getKey());
        }
    }

    @Test
    void refusesEveryTruncationAndBitFlip() throws IOException {
        byte[] tar =
                new TarBytes()
                        .directory("a", 0755)
                        .file("a/b", "some content that compresses some content")
                        .symbolicLink("c", "a/b")
                        .end();
        List<byte[]> damaged = new ArrayList<>();
        for (byte[] whole : List.of(TarBytes.gzip(tar), TarBytes.zstd(tar))) {
            for (int length = 0; length < whole.length; length += 3) {
                damaged.add(Arrays.copyOf(whole, length));
            }
            for (int at = 0; at < whole.length; at += 2) {
                damaged.add(flipped(whole, at));
            }
            damaged.add(join(whole, new byte[] {1, 2, 3}));
        }
        byte[] gzip = TarBytes.gzip(tar);
        LayerContent promised = TarBytes.layer(tar, gzip);
        for (byte[] bytes : damaged) {
            Path root = newRoot();
            // The size and digest of the manifest are those of the damaged bytes half of the time,
            // so
            // that the damage has to be found by what comes after them.
            boolean consistent = made % 2 == 0;
            LayerContent content =
                    new LayerContent(
                            "damaged",
                            consistent ? Optional.of(ContentHash.of(bytes)) : promised.digest(),
                            bytes.length,
                            promised.diffId(),
                            () -> new ByteArrayInputStream(bytes));
            Throwable failure =
                    org.assertj.core.api.Assertions.catchThrowable(
                            () -> unpacker.unpack(content, root, Parents.none()));
            if (failure == null) {
                // Some bits of a gzip header say nothing about the content.
                assertThat(consistent).isTrue();
                assertThat(root.resolve("a/b")).exists();
            } else {
                assertThat(failure).isInstanceOf(ImageException.class);
                assertThat(((ImageException) failure).kind())
                        .isEqualTo(ErrorKind.FAILED_PRECONDITION);
            }
        }
    }

    @Test
    void endsWhenInterrupted() throws Exception {
        byte[] tar = new TarBytes().file("x", 0644, new byte[2_000_000]).end();
        var slow = new java.io.PipedInputStream();
        try (var feed = new java.io.PipedOutputStream(slow)) {
            LayerContent content =
                    new LayerContent(
                            "slow", Optional.empty(), tar.length, ContentHash.of(tar), () -> slow);
            Path root = newRoot();
            var failure = new java.util.concurrent.CompletableFuture<Throwable>();
            Thread thread =
                    Thread.ofPlatform()
                            .start(() -> {
                                try {
                                    unpacker.unpack(content, root, Parents.none());
                                    failure.complete(new AssertionError("it ended well"));
                                } catch (ImageException e) {
                                    failure.complete(e);
                                }
                            });
            feed.write(tar, 0, 700_000);
            thread.interrupt();
            Throwable thrown = failure.get(20, java.util.concurrent.TimeUnit.SECONDS);
            assertThat(thrown).isInstanceOf(ImageException.class);
            assertThat(((ImageException) thrown).kind()).isEqualTo(ErrorKind.CANCELLED);
        }
    }
}
