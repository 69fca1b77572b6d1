package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.Mount;
import io.crema.e2e.image.ImageArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Images mounted as volumes (Mount.image): what they show, who keeps them, what is refused. */
@Tag("e2e")
class ImageVolumeTest {
    private static final String DATA = "localhost/crema/data:1";
    private static final String WHY = "image volumes came with containerd 2.1";
    private static TestNode node;
    private static TestPod pod;

    @BeforeAll
    static void startNode() throws IOException {
        node = TestNode.start();
        Peers.differ(node, WHY);
        loadData();
        pod = TestPod.run(node);
    }

    private static void loadData() throws IOException {
        Path archive = node.directory().resolve("data.tar");
        ImageArchive.writeOci(
                OciImage.of(
                        List.of("none"),
                        Layer.of(tar -> {
                            tar.directory("models", 0755);
                            tar.file("models/weights", "lower");
                            tar.file("models/name", "small");
                            tar.symbolicLink("latest", "/models");
                        }),
                        Layer.of(tar -> tar.file("models/weights", "upper"))),
                DATA,
                archive);
        node.load(archive);
        Files.delete(archive);
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    private static Mount.Builder data() {
        return Mount.newBuilder()
                .setContainerPath("/data")
                .setReadonly(true)
                .setImage(ImageSpec.newBuilder().setImage(DATA));
    }

    private static ContainerConfig.Builder withData(String name, String script, Mount.Builder m) {
        return pod.shell(name, script).addMounts(m);
    }

    @Test
    void showsAllLayersReadOnly() {
        assertThat(
                        pod.output(
                                withData(
                                        "whole",
                                        "cat /data/models/weights /data/models/name; "
                                                + "touch /data/new 2>&1 | grep -o Read-only",
                                        data())))
                .isEqualTo("uppersmallRead-only\n");
    }

    @Test
    void showsADirectoryOfTheImage() {
        assertThat(pod.output(withData("sub", "ls /data", data().setImageSubPath("latest"))))
                .isEqualTo("name\nweights\n");
        assertThatThrownBy(() ->
                        pod.create(
                                withData("no-sub", "true", data().setImageSubPath("absent"))
                                        .build()))
                .hasMessageContaining("UNKNOWN: ImageVolumeMountFailed: mounts[0].image_sub_path")
                .hasMessageContaining("no directory absent");
    }

    @Test
    void takesMountOptionsAndTellsTheDigest() {
        String image = node.images().find(DATA).orElseThrow().getId();
        String container =
                pod.launch(
                        withData(
                                "digest",
                                "sleep 1000",
                                data().setImage(ImageSpec.newBuilder().setImage(image))
                                        .addMountOptions("noexec")));

        assertThat(
                        pod.exec(container, "grep", " /data ", "/proc/mounts")
                                .getStdout()
                                .toStringUtf8())
                .contains("noexec");
        assertThat(pod.status(container).getMountsList())
                .singleElement()
                .satisfies(mount -> {
                    assertThat(mount.getImage().getImageRef()).isEqualTo(image);
                    assertThat(mount.getReadonly()).isTrue();
                    assertThat(mount.getHostPath()).isEmpty();
                });
        pod.remove(container);
    }

    @Test
    void keepsTheImageAlsoOverARestart() throws IOException {
        String container = pod.launch(withData("keeper", "sleep 1000", data()));
        assertThatThrownBy(() -> node.images().remove(DATA))
                .hasMessageContaining("in use by")
                .hasMessageContaining(container);

        node.kill();
        node.startDaemon();

        assertThat(pod.exec(container, "cat", "/data/models/name").getStdout().toStringUtf8())
                .isEqualTo("small");
        assertThatThrownBy(() -> node.images().remove(DATA)).hasMessageContaining(container);
        pod.remove(container);
        node.images().remove(DATA);
        loadData();
    }

    @Test
    void refusesWhatTheCriForbids() {
        for (Mount.Builder wrong :
                List.of(
                        data().setHostPath("/tmp"),
                        data().setReadonly(false),
                        data().setImageSubPath("../models"),
                        data().clearImage().setHostPath("/tmp").setImageSubPath("x"))) {
            assertThatThrownBy(() -> pod.create(withData("wrong", "true", wrong).build()))
                    .hasMessageContaining("INVALID_ARGUMENT")
                    .hasMessageContaining("mounts[0]");
        }
        assertThatThrownBy(() ->
                        pod.create(
                                withData(
                                                "missing",
                                                "true",
                                                data().setImage(
                                                                ImageSpec.newBuilder()
                                                                        .setImage("localhost/x")))
                                        .build()))
                .hasMessageContaining(
                        "UNKNOWN: ImageVolumeMountFailed: mounts[0].image: image localhost/x is not"
                                + " on this node");
    }
}
