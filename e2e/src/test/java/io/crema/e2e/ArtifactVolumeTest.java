package io.crema.e2e;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.Image;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.Mount;
import io.crema.e2e.image.Blob;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.FaultyRegistry;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.StatusRuntimeException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** An OCI artifact (files, no image) from a registry into a container, as an image volume. */
@Tag("e2e")
class ArtifactVolumeTest {
    private static final Blob MODEL =
            new Blob("application/vnd.test.model", "weights of a model".getBytes(UTF_8));
    private static final Blob CARD = new Blob("text/markdown", "# a card".getBytes(UTF_8));
    private static final Blob EMPTY =
            new Blob("application/vnd.oci.empty.v1+json", "{}".getBytes(UTF_8));

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static FaultyRegistry faulty;
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        faulty = new FaultyRegistry(registry, network);
        node = TestNode.start(registry.node().withRegistry(faulty.address()));
        Peers.differ(node, "containerd 1.6 has neither artifacts nor image volumes");
        for (Blob blob : new Blob[] {MODEL, CARD, EMPTY}) {
            registry.upload().blob("models/small", blob);
        }
        registry.upload()
                .manifest(
                        "models/small",
                        "1",
                        new Blob(OciImage.MANIFEST, manifest().getBytes(UTF_8)));
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, faulty, registry, () -> TestRegistry.release(network));
    }

    private static String manifest() {
        return """
        {"schemaVersion":2,"mediaType":"%s","artifactType":"application/vnd.test.model.v1",
         "config":%s,
         "layers":[%s,%s]}
        """
                .formatted(
                        OciImage.MANIFEST,
                        descriptor(EMPTY, ""),
                        descriptor(MODEL, "data/weights.bin"),
                        descriptor(CARD, "README.md"));
    }

    private static String descriptor(Blob blob, String title) {
        return """
        {"mediaType":"%s","digest":"%s","size":%d%s}
        """
                .formatted(
                        blob.mediaType(),
                        blob.digest(),
                        blob.content().length,
                        title.isEmpty()
                                ? ""
                                : ",\"annotations\":{\"org.opencontainers.image.title\":\""
                                        + title
                                        + "\"}");
    }

    @Test
    void itsFilesAreInTheContainerUnderTheirTitles() {
        String name = registry.address() + "/models/small:1";
        String id = node.images().pull(name);
        Image listed = node.images().find(name).orElseThrow();
        assertThat(listed.getId()).isEqualTo(id);
        assertThat(listed.getSize())
                .isEqualTo(
                        (long) MODEL.content().length
                                + CARD.content().length
                                + EMPTY.content().length);
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder reader =
                pod.shell(
                                "reader",
                                "cat /model/data/weights.bin; echo; cat /model/README.md; echo;"
                                        + " touch /model/new 2>&1 | grep -o Read-only")
                        .addMounts(
                                Mount.newBuilder()
                                        .setContainerPath("/model")
                                        .setReadonly(true)
                                        .setImage(ImageSpec.newBuilder().setImage(id)));
        assertThat(pod.output(reader)).isEqualTo("weights of a model\n# a card\nRead-only\n");
        assertThatThrownBy(() ->
                        pod.create(
                                pod.shell("run", "true")
                                        .setImage(ImageSpec.newBuilder().setImage(id))
                                        .build()))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("it can be mounted as a volume, not run");
        node.removeAllPods();
        node.images().remove(name);
        assertThat(node.images().find(name)).isEmpty();
    }

    @Test
    void aWrongFileIsRefused() {
        String path = "/blobs/" + MODEL.digest();
        faulty.script(request ->
                request.endsWith(path) ? new FaultyRegistry.Flip(3) : new FaultyRegistry.None());
        String name = faulty.address() + "/models/small:1";
        assertThatThrownBy(() -> node.images().pull(name))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("data/weights.bin");
        assertThat(node.images().find(name)).isEmpty();
        faulty.behave();
        node.images().pull(name);
        node.images().remove(name);
    }
}
