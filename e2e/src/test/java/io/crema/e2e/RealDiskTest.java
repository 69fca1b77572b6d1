package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.crema.cri.v1.FilesystemUsage;
import io.crema.cri.v1.ImageSpec;
import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestImages;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.FaultyRegistry;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Images on ext4 and xfs, each on a disk of its own (a loop device): figures that agree with du and
 * df, and what a power cut leaves. The cut is the file system's own: its shutdown call drops all
 * that was not written out, the journal's open transaction included; the next mount recovers.
 */
@Tag("e2e")
@Timeout(180)
class RealDiskTest {
    private static final long DISK_BYTES = 400 << 20;
    private static final int FILES = 400;

    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static FaultyRegistry faulty;
    private static TestNode node;
    private static TestImages images;
    private static Path disk;

    @BeforeAll
    static void startNode() throws IOException {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        faulty = new FaultyRegistry(registry, network);
        disk = Files.createDirectory(directory.resolve("disk"));
        // Whatever endpoint is asked for: this is about an option of crio.conf.
        node =
                TestNode.start(
                        NodeSetup.of(RuntimeUnderTest.CREMA)
                                .in(network)
                                .withRegistry(registry.address())
                                .withRegistry(faulty.address()));
        images = node.images();
        images.list().forEach(image -> images.remove(image.getId()));
        Path conf = node.directory().resolve("etc/crema.conf");
        Files.writeString(
                conf,
                Files.readString(conf)
                        .replaceFirst(
                                "\\[crio\\]\n", "[crio]\nimagestore = \"" + disk + "/images\"\n"));
        node.stop();
    }

    @AfterAll
    static void stopNode() {
        Closing.all(
                node,
                () -> Shell.result(List.of("umount", disk.toString())),
                faulty,
                registry,
                () -> TestRegistry.release(network));
    }

    private interface Work {
        void run() throws Exception;
    }

    /** With the store on a fresh disk. */
    private static void on(String type, Work work) throws Exception {
        Path image = directory.resolve(type + ".img");
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(DISK_BYTES);
        }
        Shell.run("mkfs." + type, "-q", image.toString());
        mount(image);
        try {
            node.startDaemon();
            work.run();
        } finally {
            Closing.all(
                    faulty::behave,
                    node::removeAllPods,
                    node::kill,
                    () -> Shell.run("umount", disk.toString()),
                    () -> Files.delete(image));
        }
    }

    private static void mount(Path image) {
        Shell.run("mount", "-o", "loop", image.toString(), disk.toString());
    }

    /** The daemon dies and the disk with it; then both come back. */
    private static void cutPower(String type) throws IOException {
        Path canary = disk.resolve("canary");
        Files.writeString(canary, "never written out");
        node.kill();
        Shell.run("xfs_io", "-x", "-c", "shutdown", disk.toString());
        Shell.run("umount", disk.toString());
        mount(directory.resolve(type + ".img"));
        assertThat(canary).as("lost with the power").doesNotExist();
        node.startDaemon();
    }

    private static long number(String command) {
        return Long.parseLong(Shell.run("sh", "-c", command).strip());
    }

    private static long used() {
        return number("df --block-size=1 --output=used " + disk + " | tail -n1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "xfs"})
    void anImageIsCountedAsDuAndDfDoAndOutlivesAPowerCut(String type) throws Exception {
        on(
                type,
                () -> {
                    Shell.run("sync", "-f", disk.toString());
                    long before = used();
                    long counted = images.fileSystem().getUsedBytes().getValue();
                    registry.push("disk/app:1", List.of(image()));
                    String name = registry.address() + "/disk/app:1";
                    String id = images.pull(name);
                    Shell.run("sync", "-f", disk.toString());
                    FilesystemUsage told = images.fileSystem();
                    Path store = disk.resolve("images");
                    long bytes = number("du -s --block-size=1 " + store + " | cut -f1");
                    assertThat(told.getUsedBytes().getValue()).isCloseTo(bytes, within(bytes / 50));
                    // What the file system itself takes, such as its journal, is nobody's images.
                    long grown = used() - before;
                    assertThat(told.getUsedBytes().getValue() - counted)
                            .isCloseTo(grown, within(grown / 50));
                    long inodes = number("find " + store + " -printf '%i\\n' | sort -u | wc -l");
                    assertThat(told.getInodesUsed().getValue())
                            .isCloseTo(inodes, within(inodes / 50));

                    images.remove(name);
                    // Nothing but the store itself flushes this one.
                    assertThat(images.pull(name)).isEqualTo(id);
                    cutPower(type);
                    assertThat(images.find(name).orElseThrow().getId()).isEqualTo(id);
                    assertWhole(name);
                    images.remove(name);
                    cutPower(type);
                    // The removal may be lost; then the image is whole as before.
                    if (images.find(name).isPresent()) {
                        assertWhole(name);
                    }
                });
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "xfs"})
    void aPowerCutDuringAPullLeavesNothingToBeSeen(String type) throws Exception {
        on(
                type,
                () -> {
                    OciImage image = image();
                    registry.push("disk/app:1", List.of(image));
                    String blob = "/blobs/" + image.layers().getLast().blob().digest();
                    faulty.script(request ->
                            request.endsWith(blob)
                                    ? new FaultyRegistry.Drip(100, 50)
                                    : new FaultyRegistry.None());
                    String name = faulty.address() + "/disk/app:1";
                    Thread victim =
                            Thread.ofVirtual()
                                    .start(() -> {
                                        try {
                                            images.pull(name);
                                        } catch (StatusRuntimeException e) {
                                            // Its daemon was killed.
                                        }
                                    });
                    // All but the last layer are unpacked, and may be on disk in part.
                    long end = System.nanoTime() + 30_000_000_000L;
                    while (layers() < image.layers().size() - 1) {
                        assertThat(System.nanoTime()).isLessThan(end);
                        Thread.sleep(10);
                    }
                    cutPower(type);
                    victim.join();
                    assertThat(images.find(name)).isEmpty();
                    assertThat(images.list()).isEmpty();
                    assertThat(Shell.run("ls", "-A", disk.resolve("images/partial").toString()))
                            .isEmpty();
                    faulty.behave();
                    images.pull(name);
                    assertWhole(name);
                });
    }

    private static long layers() throws IOException {
        try (var entries = Files.list(disk.resolve("images/layers"))) {
            return entries.filter(entry -> entry.getFileName().toString().length() == 64).count();
        }
    }

    private static byte[] content(int file) {
        byte[] noise = new byte[1 + file * 97 % 20_000];
        new Random(file).nextBytes(noise);
        return noise;
    }

    private static OciImage image() throws IOException {
        List<Layer> layers = new ArrayList<>();
        layers.add(Layer.of(BusyboxArchive.tar(Path.of("/bin/busybox"))));
        layers.add(
                Layer.of(tar -> {
                    for (int file = 0; file < FILES; file++) {
                        tar.file("data/%04d".formatted(file), content(file), 0644);
                    }
                    tar.hardLink("data/again", "data/0007");
                }));
        byte[] large = new byte[4_000_000];
        new Random(5).nextBytes(large);
        layers.add(Layer.of(tar -> tar.file("large", large, 0644)));
        return OciImage.of(List.of("sh"), layers.toArray(Layer[]::new));
    }

    /** By what a container reads. */
    private static void assertWhole(String name) throws GeneralSecurityException {
        MessageDigest expected = MessageDigest.getInstance("SHA-256");
        for (int file = 0; file < FILES; file++) {
            expected.update(content(file));
        }
        TestPod pod = TestPod.run(node);
        assertThat(
                        pod.output(
                                pod.shell("reader", "cat /data/0* | sha256sum | cut -d' ' -f1")
                                        .setImage(ImageSpec.newBuilder().setImage(name))))
                .isEqualTo(HexFormat.of().formatHex(expected.digest()) + "\n");
        node.removeAllPods();
    }
}
