package io.crema.e2e;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.e2e.image.Blob;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.image.TarWriter;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.TestImages;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.FaultyRegistry;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A mirror that serves wrong bytes is passed over; the image comes from the registry itself. */
@Tag("e2e")
@Timeout(120)
class MirrorTest {
    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static FaultyRegistry mirror;
    private static FaultyRegistry second;
    private static FaultyRegistry origin;
    private static TestNode node;
    private static TestImages images;

    @BeforeAll
    static void startNode() throws IOException {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        mirror = new FaultyRegistry(registry, network);
        second = new FaultyRegistry(registry, network);
        origin = new FaultyRegistry(registry, network);
        Path dropIns = Files.createDirectory(directory.resolve("registries.conf.d"));
        Files.writeString(
                dropIns.resolve("mirror.conf"),
                """
                [[registry]]
                prefix = "%s"
                location = "%s"
                insecure = true
                [[registry.mirror]]
                location = "%s"
                insecure = true
                [[registry.mirror]]
                location = "%s"
                insecure = true
                """
                        .formatted(
                                registry.address(),
                                origin.address(),
                                mirror.address(),
                                second.address()));
        // Whatever endpoint is asked for: a peer does not read registries.conf.
        node =
                TestNode.start(
                        NodeSetup.of(RuntimeUnderTest.CREMA)
                                .in(network)
                                .withRegistry(registry.address())
                                .withConfiguration(
                                        "[crema.image]\nregistries_conf_dir = \""
                                                + dropIns
                                                + "\"\n"));
        images = node.images();
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, mirror, second, origin, registry, () -> TestRegistry.release(network));
    }

    @AfterEach
    void removeImages() {
        mirror.behave();
        second.behave();
        origin.behave();
        images.removePulled();
    }

    @Test
    void aWrongLayerComesFromTheRegistry() {
        OciImage image = image("layer");
        assertPulledPast(image, image.layers().getFirst().blob(), new FaultyRegistry.Flip(50_000));
    }

    @Test
    void aLayerThatOnlyLooksRightComesFromTheRegistry() {
        // The flipped bit is the operating system in the gzip header: it inflates as ever.
        OciImage image = image("header");
        assertPulledPast(image, image.layers().getFirst().blob(), new FaultyRegistry.Flip(9));
    }

    @Test
    void aWrongConfigurationComesFromTheRegistry() {
        OciImage image = image("configuration");
        assertPulledPast(image, image.config(), new FaultyRegistry.Flip(20));
    }

    @Test
    void aShortLayerIsContinuedFromTheRegistry() {
        OciImage image = image("short");
        assertPulledPast(image, image.layers().getFirst().blob(), new FaultyRegistry.Cut(70_000));
    }

    @Test
    void aWrongFileOfAnArtifactComesFromTheRegistry() {
        Blob empty = new Blob("application/vnd.oci.empty.v1+json", "{}".getBytes(UTF_8));
        Blob file = new Blob("application/vnd.test.model", "weights of a model".getBytes(UTF_8));
        String descriptor = "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d}";
        String manifest =
                """
                {"schemaVersion":2,"mediaType":"%s","artifactType":"application/vnd.test.model.v1",
                 "config":%s,"layers":[%s]}
                """
                        .formatted(
                                OciImage.MANIFEST,
                                descriptor.formatted(empty.mediaType(), empty.digest(), 2),
                                descriptor.formatted(
                                        file.mediaType(), file.digest(), file.content().length));
        Blob top = new Blob(OciImage.MANIFEST, manifest.getBytes(UTF_8));
        registry.upload().blob("mirrored/model", empty);
        registry.upload().blob("mirrored/model", file);
        registry.upload().manifest("mirrored/model", "1", top);
        String path = "/blobs/" + file.digest();
        mirror.script(request ->
                request.endsWith(path) ? new FaultyRegistry.Flip(5) : new FaultyRegistry.None());
        assertThat(images.pull(registry.address() + "/mirrored/model:1")).isEqualTo(top.hex());
        assertThat(mirror.requests()).anyMatch(request -> request.endsWith(path));
    }

    @Test
    void aMirrorIsNotAskedTwiceForWrongBytes() {
        OciImage image = image("third");
        registry.push("mirrored/app:1", List.of(image));
        for (Blob blob : List.of(image.layers().getFirst().blob(), image.config())) {
            String path = "/blobs/" + blob.digest();
            mirror.script(request ->
                    request.endsWith(path)
                            ? new FaultyRegistry.Answer(503, Map.of())
                            : new FaultyRegistry.None());
            second.script(request ->
                    request.endsWith(path)
                            ? new FaultyRegistry.Flip(20)
                            : new FaultyRegistry.None());
            origin.behave();
            images.pull(registry.address() + "/mirrored/app:1");
            assertThat(asked(second, path)).isEqualTo(1);
            assertThat(asked(origin, path)).isEqualTo(1);
            images.removePulled();
        }
    }

    @Test
    void aHostileLayerIsFetchedFromOnePlaceOnly() {
        Layer refusedWhenWritten =
                Layer.of(tar -> {
                    tar.file("../outside", "x");
                    for (int i = 0; i < 20; i++) {
                        tar.file("more" + i, noise("more" + i), 0644);
                    }
                });
        byte[] torn = Layer.gzip(noise("torn"));
        torn[torn.length / 2] ^= 1;
        Layer refusedWhenRead = Layer.of(noise("torn"), torn);
        for (Layer layer : List.of(refusedWhenWritten, refusedWhenRead)) {
            OciImage hostile = OciImage.of(List.of("sh"), layer);
            registry.upload().image("mirrored/hostile", "1", hostile);
            mirror.behave();
            second.behave();
            origin.behave();
            assertThatThrownBy(() -> images.pull(registry.address() + "/mirrored/hostile:1"))
                    .isInstanceOf(StatusRuntimeException.class)
                    .hasMessageContaining("FAILED_PRECONDITION");
            String path = "/blobs/" + layer.blob().digest();
            assertThat(asked(mirror, path)).isEqualTo(1);
            assertThat(asked(second, path) + asked(origin, path)).isZero();
        }
    }

    @Test
    void whatIsHostileOnlyAtAMirrorComesFromElsewhere() {
        // The first byte of the first name: the header's sum is wrong, and so is the digest.
        OciImage image =
                OciImage.of(
                        List.of("sh"),
                        Layer.plain(
                                TarWriter.archive(tar -> tar.file("plain", noise("plain"), 0644))));
        registry.upload().image("mirrored/plain", "1", image);
        String path = "/blobs/" + image.layers().getFirst().blob().digest();
        mirror.script(request ->
                request.endsWith(path) ? new FaultyRegistry.Flip(0) : new FaultyRegistry.None());
        images.pull(registry.address() + "/mirrored/plain:1");
        assertThat(asked(mirror, path)).isEqualTo(1);
    }

    private static long asked(FaultyRegistry place, String path) {
        return place.requests().stream().filter(request -> request.endsWith(path)).count();
    }

    @Test
    void whatIsWrongEverywhereIsRefused() {
        byte[] tar = Layer.gzip(new byte[1000]);
        OciImage wrong = OciImage.of(List.of("sh"), Layer.of(tar, Layer.gzip(new byte[2000])));
        registry.upload().image("mirrored/wrong", "1", wrong);
        assertThatThrownBy(() -> images.pull(registry.address() + "/mirrored/wrong:1"))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("FAILED_PRECONDITION")
                .hasMessageContaining(wrong.layers().getFirst().blob().digest());
        assertThat(images.find(registry.address() + "/mirrored/wrong:1")).isEmpty();
    }

    private static void assertPulledPast(OciImage image, Blob blob, FaultyRegistry.Fault fault) {
        registry.push("mirrored/app:1", List.of(image));
        String path = "/blobs/" + blob.digest();
        mirror.script(request -> request.endsWith(path) ? fault : new FaultyRegistry.None());
        String id = images.pull(registry.address() + "/mirrored/app:1");
        assertThat(id).isEqualTo(image.config().hex());
        assertThat(mirror.requests()).anyMatch(request -> request.endsWith(path));
        assertThat(images.find(registry.address() + "/mirrored/app:1")).isPresent();
    }

    /** A layer that does not compress, and a small one. */
    private static OciImage image(String name) {
        return OciImage.of(
                List.of("sh"),
                Layer.of(tar -> tar.file(name, noise(name), 0644)),
                Layer.of(tar -> tar.file("small", name)));
    }

    private static byte[] noise(String name) {
        byte[] noise = new byte[100_000];
        new Random(name.hashCode()).nextBytes(noise);
        return noise;
    }
}
