package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.e2e.image.ImageArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk without room: what does not fit is refused, leaves nothing, and hurts nothing else. */
@Tag("e2e")
class FullDiskTest {
    private static final int DISK_MEBIBYTES = 20;

    @TempDir private static Path directory;

    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start(NodeSetup.standard().onTmpfs(DISK_MEBIBYTES));
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @Test
    void anImageThatDoesNotFitLeavesNothing() {
        Path archive = directory.resolve("large.tar");
        byte[] noise = new byte[(DISK_MEBIBYTES + 4) << 20];
        new Random(1).nextBytes(noise);
        ImageArchive.writeOci(
                OciImage.of(List.of("sh"), Layer.of(tar -> tar.file("noise", noise, 0644))),
                "localhost/too/large:1",
                archive);
        List<String> before = stored();
        assertThatThrownBy(() -> node.load(archive))
                .hasMessageMatching("(?is).*no space left on device.*");
        assertThat(node.images().find("localhost/too/large:1")).isEmpty();
        Peers.differ(node, "containerd 1.6 keeps what it got for an hour, on a disk full of it");
        TestPod pod = TestPod.run(node);
        assertThat(pod.output(pod.shell("after", "echo fine"))).isEqualTo("fine\n");
        pod.stop();
        pod.remove();
        assertThat(stored()).isEqualTo(before);
    }

    private static List<String> stored() {
        return Shell.run("find", node.directory().resolve("root").toString(), "-xdev", "-type", "f")
                .lines()
                .filter(file -> !file.contains("/containers/") && !file.contains("/sandboxes/"))
                .sorted()
                .toList();
    }
}
