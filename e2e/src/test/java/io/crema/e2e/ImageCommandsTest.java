package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ContainerConfig;
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
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An administrator's way with images: pull, list, save, remove, load, run. */
@Tag("e2e")
class ImageCommandsTest {
    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        // Whatever endpoint is asked for: a peer has none of these commands.
        node =
                TestNode.start(
                        NodeSetup.of(RuntimeUnderTest.CREMA)
                                .in(network)
                                .withRegistry(registry.address()));
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, registry, () -> TestRegistry.release(network));
    }

    private static Shell.Result crema(String command, String... arguments) {
        return Shell.result(node.crema(command, arguments));
    }

    private static String good(String command, String... arguments) {
        Shell.Result result = crema(command, arguments);
        assertThat(result.exitCode()).as(result.output()).isZero();
        return result.output().strip();
    }

    @Test
    void anImageGoesOutAndComesBack() throws IOException {
        byte[] busybox = BusyboxArchive.tar(Path.of("/bin/busybox"));
        Layer hello =
                Layer.of(tar -> tar.directory("data", 0750).file("data/hello", "hello from disk"));
        registry.push(
                "commands/app:1", List.of(OciImage.of(List.of("sh"), Layer.of(busybox), hello)));
        String name = registry.address() + "/commands/app:1";
        String id = good("pull", name);
        assertThat(id).matches("[0-9a-f]{64}");
        assertThat(good("images"))
                .containsPattern("IMAGE +ID +SIZE +KIND")
                .containsPattern(name + " +" + id.substring(0, 13) + " .*MiB  image");
        assertThat(good("images", "--json")).contains("\"id\":\"" + id + "\"");
        assertThat(good("images", "--quiet").lines()).contains(id);
        Path archive = directory.resolve("app.tar");
        assertThat(good("save", "--output", archive.toString(), name))
                .isEqualTo("saved " + archive);
        Path layout = directory.resolve("app");
        good("save", "-o", layout.toString(), "--format", "oci", name);
        assertThat(Shell.run("skopeo", "inspect", "oci:" + layout + ":" + name))
                .contains("\"Layers\"");
        assertThat(good("rmi", name)).isEqualTo("removed " + id);
        assertThat(node.images().find(name)).isEmpty();
        assertThat(good("load", archive.toString())).contains(name);
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder reader =
                pod.shell("reader", "cat /data/hello; stat -c %a /data")
                        .setImage(ImageSpec.newBuilder().setImage(name));
        assertThat(pod.output(reader)).isEqualTo("hello from disk750\n");
        node.removeAllPods();
        good("rmi", name);
    }

    @Test
    void mistakesAreTold() {
        Shell.Result unknown = crema("rmi", "registry.example/none:1");
        assertThat(unknown.exitCode()).isEqualTo(1);
        assertThat(unknown.output()).contains("registry.example/none:1 is not on this node");
        Shell.Result pull = crema("pull", registry.address() + "/commands/none:1");
        assertThat(pull.exitCode()).isEqualTo(1);
        assertThat(pull.output()).contains("manifest unknown");
        Shell.Result save =
                crema("save", "-o", directory.resolve("none.tar").toString(), "example.test/no:1");
        assertThat(save.exitCode()).isEqualTo(1);
        assertThat(save.output()).contains("is not on this node");
        Shell.Result usage = crema("save", "registry.example/none:1");
        assertThat(usage.exitCode()).isEqualTo(2);
        assertThat(usage.output()).contains("usage: crema save --output FILE");
        Shell.Result nobody = crema("images", "--listen", directory.resolve("no.sock").toString());
        assertThat(nobody.exitCode()).isEqualTo(1);
        assertThat(nobody.output()).contains("no crema daemon answers on");
    }
}
