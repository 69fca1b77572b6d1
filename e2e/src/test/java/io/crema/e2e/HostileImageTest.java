package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.e2e.image.Blob;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.image.TarWriter;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Images made to break out, to break in, or simply broken: refused, and nothing is left. */
@Tag("e2e")
class HostileImageTest {
    private static final String UP = "../".repeat(40);

    @TempDir private static Path outside;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static TestNode node;
    private static int counter;

    @BeforeAll
    static void startNode() {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        node = TestNode.start(registry.node());
    }

    @AfterAll
    static void stopNode() {
        node.close();
        registry.close();
        TestRegistry.release(network);
    }

    static Stream<Arguments> archives() {
        String victim = outside.toString();
        return Stream.of(
                archive("a path that climbs", tar -> tar.file(UP + victim.substring(1) + "/a", "")),
                archive("a path that climbs later", tar -> tar.file("x/" + UP + "tmp/b", "")),
                archive(
                        "a directory that climbs",
                        tar -> tar.directory(UP + victim.substring(1) + "/d", 0777)),
                archive(
                        "a PAX path that climbs",
                        tar -> tar.record("path", UP + victim.substring(1) + "/p").file("p", "")),
                archive(
                        "a file through a link that climbs",
                        tar ->
                                tar.symbolicLink("link", UP + victim.substring(1))
                                        .file("link/e", "evil")),
                archive(
                        "a hard link that climbs",
                        tar -> tar.hardLink("passwd", UP + "etc/passwd")),
                archive(
                        "a hard link through a link that climbs",
                        tar ->
                                tar.symbolicLink("link", UP + "etc")
                                        .hardLink("passwd", "link/passwd")),
                archive("a hard link to nothing", tar -> tar.hardLink("a", "not-there")),
                archive("a hard link to itself", tar -> tar.hardLink("a", "a")),
                archive("a hard link to the root", tar -> tar.hardLink("a", "/")),
                archive("a whiteout device", tar -> tar.characterDevice("hidden", 0, 0)),
                archive(
                        "a file below a device",
                        tar -> tar.characterDevice("null", 1, 3).file("null/below", "")),
                archive("a whiteout of the directory", tar -> tar.file("d/.wh..", "")),
                archive("a whiteout of the parent", tar -> tar.file("d/.wh...", "")),
                archive("a whiteout of nothing", tar -> tar.file("d/.wh.", "")),
                archive("a file below a whiteout", tar -> tar.file(".wh.d/below", "")),
                archive("a link instead of the root", tar -> tar.symbolicLink("./", victim)),
                archive(
                        "links in a circle",
                        tar ->
                                tar.symbolicLink("a", "b")
                                        .symbolicLink("b", "a")
                                        .file("a/below", "")),
                archive("a path that is too long", tar -> tar.file("d/".repeat(2500) + "file", "")),
                archive(
                        "a path with a zero byte",
                        tar -> tar.record("path", "a\0b").file("a", "")));
    }

    private static Arguments archive(String what, TarWriter.Entries entries) {
        return Arguments.of(what, entries);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("archives")
    void aHostileArchiveIsRefused(String what, TarWriter.Entries entries) {
        if (!node.runtime().isOurs()) {
            // containerd keeps such entries inside the root instead of refusing them.
            assertContained(Layer.of(entries));
            return;
        }
        assertRefused(Layer.of(entries));
    }

    static Stream<Arguments> damages() {
        byte[] noise = new byte[300_000];
        new Random(7).nextBytes(noise);
        byte[] tar = TarWriter.archive(writer -> writer.file("noise", noise, 0644));
        byte[] gzip = Layer.gzip(tar);
        byte[] flipped = gzip.clone();
        flipped[flipped.length / 2] ^= 0x10;
        byte[] checksum = gzip.clone();
        checksum[checksum.length - 6] ^= 1;
        byte[] appended = Arrays.copyOf(gzip, gzip.length + 100);
        Arrays.fill(appended, gzip.length, appended.length, (byte) 'x');
        byte[] header = tar.clone();
        header[150] ^= 1;
        byte[] cut = Arrays.copyOf(tar, tar.length / 2);
        return Stream.of(
                Arguments.of("half of a gzip", Layer.of(tar, Arrays.copyOf(gzip, gzip.length / 2))),
                Arguments.of(
                        "a gzip without its end",
                        Layer.of(tar, Arrays.copyOf(gzip, gzip.length - 8))),
                Arguments.of("a flipped bit in a gzip", Layer.of(tar, flipped)),
                Arguments.of("a wrong gzip checksum", Layer.of(tar, checksum)),
                Arguments.of("something after a gzip", Layer.of(tar, appended)),
                Arguments.of(
                        "no gzip at all",
                        Layer.of(tar, "this is no gzip".getBytes(StandardCharsets.UTF_8))),
                Arguments.of("nothing", Layer.of(tar, new byte[0])),
                Arguments.of("a wrong tar checksum", Layer.of(header)),
                Arguments.of("half of a tar", Layer.of(cut)),
                Arguments.of("another content than promised", Layer.of(new byte[1024], gzip)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("damages")
    void aDamagedLayerIsRefused(String what, Layer layer) {
        if (!node.runtime().isOurs()) {
            Peers.differ(node, "containerd lets some of these pass and keeps blobs of the others");
        }
        assertRefused(layer);
    }

    /** Where an absolute link points is a matter of the root it is read in. */
    @Test
    void anAbsoluteLinkLeadsToInsideTheImage() {
        OciImage image =
                OciImage.of(
                        List.of("sh"),
                        Layer.of(tar ->
                                tar.symbolicLink("link", outside.toString())
                                        .file("link/f", "evil")
                                        .symbolicLink("file", outside.resolve("g").toString())
                                        .file("file", "evil")));
        assertContained(image);
    }

    @Test
    void aManifestMustBeTrueAndOfBoundedSize() {
        Peers.differ(node, "containerd 1.6 does not check all of this");
        Layer layer = Layer.of(tar -> tar.file("a", "a"));
        OciImage image = OciImage.of(List.of("sh"), layer);
        // A size that is not the blob's.
        registry.upload().image("hostile/size", "right", image);
        String manifest = new String(image.manifest().content(), StandardCharsets.UTF_8);
        String size = "\"size\":" + layer.blob().content().length;
        for (String wrong : List.of("\"size\":1", "\"size\":100000", "\"size\":-1")) {
            String lie = manifest.replace(size, wrong);
            assertThat(lie).isNotEqualTo(manifest);
            registry.upload()
                    .manifest(
                            "hostile/size",
                            "wrong",
                            new Blob(OciImage.MANIFEST, lie.getBytes(StandardCharsets.UTF_8)));
            assertRefused(registry.address() + "/hostile/size:wrong");
        }
        // A configuration that promises fewer layers than the manifest has.
        OciImage fewer = OciImage.of(List.of("sh"));
        registry.upload().blob("hostile/size", fewer.config());
        String mixed =
                manifest.replace(image.config().digest(), fewer.config().digest())
                        .replace(
                                "\"size\":" + image.config().content().length,
                                "\"size\":" + fewer.config().content().length);
        registry.upload()
                .manifest(
                        "hostile/size",
                        "fewer",
                        new Blob(OciImage.MANIFEST, mixed.getBytes(StandardCharsets.UTF_8)));
        assertRefused(registry.address() + "/hostile/size:fewer");
    }

    private static void assertContained(Layer layer) {
        assertContained(OciImage.of(List.of("sh"), layer));
    }

    /** Refused or not: nothing leaves the root. */
    private static void assertContained(OciImage image) {
        String repository = "hostile/" + ++counter;
        registry.upload().image(repository, "1", image);
        try {
            node.images().pull(registry.address() + "/" + repository + ":1");
        } catch (StatusRuntimeException e) {
            assertThat(e.getStatus().getCode()).isNotEqualTo(Status.Code.DEADLINE_EXCEEDED);
        }
        assertThat(outside).isEmptyDirectory();
        node.images().removePulled();
    }

    private static void assertRefused(Layer layer) {
        String repository = "hostile/" + ++counter;
        registry.upload().image(repository, "1", OciImage.of(List.of("sh"), layer));
        assertRefused(registry.address() + "/" + repository + ":1");
    }

    private static void assertRefused(String reference) {
        List<String> before = stored();
        assertThatThrownBy(() -> node.images().pull(reference))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> {
                            assertThat(e.getStatus().getCode())
                                    .isNotIn(
                                            Status.Code.DEADLINE_EXCEEDED,
                                            Status.Code.NOT_FOUND,
                                            Status.Code.INTERNAL);
                            assertThat(e.getStatus().getDescription())
                                    .contains(reference)
                                    .doesNotContain("Exception");
                        });
        assertThat(node.images().find(reference)).isEmpty();
        assertThat(outside).isEmptyDirectory();
        assertThat(stored()).isEqualTo(before);
    }

    /** All that the store holds. */
    private static List<String> stored() {
        Path root = node.directory().resolve("root");
        assertThat(root.resolve("ingest"))
                .satisfiesAnyOf(
                        ingest -> assertThat(ingest).doesNotExist(),
                        ingest -> assertThat(ingest).isEmptyDirectory());
        return Shell.run("find", root.toString(), "-xdev").lines().sorted().toList();
    }
}
