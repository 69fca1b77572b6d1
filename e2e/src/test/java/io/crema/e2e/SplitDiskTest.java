package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.crema.cri.v1.FilesystemUsage;
import io.crema.cri.v1.ImageFsInfoRequest;
import io.crema.cri.v1.ImageFsInfoResponse;
import io.crema.cri.v1.ImageSpec;
import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.TestRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images on a disk of their own (KEP-4191), and figures that agree with du and df. */
@Tag("e2e")
class SplitDiskTest {
    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static TestNode node;
    private static Path disk;

    @BeforeAll
    static void startNode() throws IOException {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        disk = Files.createDirectory(directory.resolve("disk"));
        Shell.run("mount", "-t", "tmpfs", "-o", "size=200m", "crema-e2e", disk.toString());
        // Whatever endpoint is asked for: this is about an option of crio.conf.
        node =
                TestNode.start(
                        NodeSetup.of(RuntimeUnderTest.CREMA)
                                .in(network)
                                .withRegistry(registry.address()));
        node.images().list().forEach(image -> node.images().remove(image.getId()));
        Path conf = node.directory().resolve("etc/crema.conf");
        Files.writeString(
                conf,
                Files.readString(conf)
                        .replaceFirst(
                                "\\[crio\\]\n", "[crio]\nimagestore = \"" + disk + "/images\"\n"));
        node.restart();
    }

    @AfterAll
    static void stopNode() {
        Closing.all(
                node,
                () -> Shell.run("umount", disk.toString()),
                registry,
                () -> TestRegistry.release(network));
    }

    private static ImageFsInfoResponse info() {
        return node.client().images().imageFsInfo(ImageFsInfoRequest.getDefaultInstance());
    }

    private static long number(String command) {
        return Long.parseLong(Shell.run("sh", "-c", command).strip());
    }

    @Test
    void imagesAndContainersAreOnTheirDisksAndCountedThere() throws IOException {
        byte[] noise = new byte[3_000_000];
        new Random(5).nextBytes(noise);
        List<Layer> layers = new ArrayList<>();
        layers.add(Layer.of(BusyboxArchive.tar(Path.of("/bin/busybox"))));
        layers.add(Layer.of(tar -> tar.file("noise", noise, 0644).hardLink("again", "noise")));
        for (int i = 0; i < 8; i++) {
            String name = "small-" + i;
            layers.add(
                    Layer.of(tar -> {
                        for (int file = 0; file < 50; file++) {
                            tar.file(name + "/" + file, "x");
                        }
                    }));
        }
        registry.push(
                "split/app:1", List.of(OciImage.of(List.of("sh"), layers.toArray(Layer[]::new))));
        String name = registry.address() + "/split/app:1";
        node.images().pull(name);
        Path store = disk.resolve("images");
        FilesystemUsage images = info().getImageFilesystems(0);
        assertThat(images.getFsId().getMountpoint()).isEqualTo(store.toString());
        long bytes = number("du -s --block-size=1 " + store + " | cut -f1");
        assertThat(images.getUsedBytes().getValue()).isCloseTo(bytes, within(bytes / 50));
        long disks = number("df --block-size=1 --output=used " + disk + " | tail -n1");
        assertThat(images.getUsedBytes().getValue()).isCloseTo(disks, within(disks / 50));
        long inodes = number("find " + store + " -printf '%i\\n' | sort -u | wc -l");
        assertThat(images.getInodesUsed().getValue()).isCloseTo(inodes, within(inodes / 50));

        TestPod pod = TestPod.run(node);
        assertThat(
                        pod.output(
                                pod.shell("writer", "head -c 2000000 /noise > /mine; ls -l /mine")
                                        .setImage(ImageSpec.newBuilder().setImage(name))))
                .contains("2000000");
        FilesystemUsage containers = info().getContainerFilesystems(0);
        assertThat(containers.getFsId().getMountpoint()).startsWith(node.directory().toString());
        node.removeAllPods();
        node.images().remove(name);
        assertThat(node.images().find(name)).isEmpty();
    }
}
