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
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.HostileRegistry;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
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

    private static final int MAX_ENTRIES = 20_000;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static HostileRegistry hostile;
    private static TestNode node;
    private static int counter;

    @BeforeAll
    static void startNode() {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        hostile = new HostileRegistry(network);
        node =
                TestNode.start(
                        registry.node()
                                .withRegistry(hostile.address())
                                .withConfiguration(
                                        "[crema.image]\nmax_layer_entries = "
                                                + MAX_ENTRIES
                                                + "\n"));
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, hostile, registry, () -> TestRegistry.release(network));
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
                archive(
                        "a directory that becomes a link",
                        tar ->
                                tar.directory("d", 0755)
                                        .file("d/one", "1")
                                        .symbolicLink("d", UP + victim.substring(1))
                                        .file("d/evil", "evil")),
                archive(
                        "a link that becomes a link that climbs",
                        tar ->
                                tar.directory("real", 0755)
                                        .symbolicLink("d", "real")
                                        .file("d/one", "1")
                                        .symbolicLink("d", UP + victim.substring(1))
                                        .file("d/evil", "evil")),
                archive(
                        "a hard link to a link, written through",
                        tar ->
                                tar.symbolicLink("link", UP + victim.substring(1) + "/h")
                                        .hardLink("again", "link")
                                        .file("again/below", "evil")),
                archive(
                        "a chain of links that climbs",
                        tar ->
                                tar.symbolicLink("a", "b/../..")
                                        .symbolicLink("b", "c")
                                        .symbolicLink("c", UP + victim.substring(1))
                                        .file("c/evil", "evil")),
                archive(
                        "a sparse file larger than any disk",
                        tar ->
                                tar.record("GNU.sparse.major", "1")
                                        .record("GNU.sparse.minor", "0")
                                        .record("GNU.sparse.name", "sparse")
                                        .record("GNU.sparse.realsize", "9000000000000000000")
                                        .file("sparse", "0\n" + "\0".repeat(510))),
                archive(
                        "an extended header that is too large",
                        tar -> tar.record("comment", "c".repeat(2 << 20)).file("a", "")),
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
            if (what.startsWith("a sparse file")) {
                Peers.differ(node, "containerd 1.6 writes its holes out until the disk is full");
            }
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

    /** A link of one layer, a file through it in the next. */
    @Test
    void aLinkOfALowerLayerLeadsNowhereElse() {
        String victim = outside.toString().substring(1);
        Layer link =
                Layer.of(tar -> tar.symbolicLink("d", UP + victim).symbolicLink("e", "/" + victim));
        Layer through = Layer.of(tar -> tar.file("d/evil", "evil").file("e/evil", "evil"));
        Layer hardLink = Layer.of(tar -> tar.hardLink("stolen", "d/../../../etc/shadow"));
        assertContained(OciImage.of(List.of("sh"), link, through));
        assertContained(OciImage.of(List.of("sh"), link, hardLink));
    }

    /** Two GiB of zeros in two MiB: members of gzip can be repeated. */
    @Test
    void bombsAreRefusedBeforeTheyFillTheDisk() throws IOException {
        Peers.differ(node, "containerd unpacks what it is given");
        byte[] file = TarWriter.archive(tar -> tar.file("zeros", new byte[0], 0644));
        byte[] head = Arrays.copyOf(file, 512);
        // The size in octal, and the checksum for it.
        byte[] size = "17777777777".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(size, 0, head, 124, size.length);
        Arrays.fill(head, 148, 156, (byte) ' ');
        int sum = 0;
        for (byte b : head) {
            sum += b & 0xff;
        }
        byte[] checksum = "%06o\0".formatted(sum).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(checksum, 0, head, 148, checksum.length);
        ByteArrayOutputStream bomb = new ByteArrayOutputStream();
        bomb.write(Layer.gzip(head));
        byte[] member = Layer.gzip(new byte[1 << 20]);
        for (int i = 0; i < 2048; i++) {
            bomb.write(member);
        }
        assertRefused(Layer.of(new byte[1024], bomb.toByteArray()));
        // As many names as one likes cost next to nothing either.
        assertRefused(
                Layer.of(tar -> {
                    for (int i = 0; i <= MAX_ENTRIES; i++) {
                        tar.directory("d" + i, 0755);
                    }
                }));
    }

    static Stream<Arguments> manifests() {
        String empty = "{\"schemaVersion\":2,\"mediaType\":\"" + OciImage.MANIFEST + "\"";
        return Stream.of(
                Arguments.of("not JSON", "{"),
                Arguments.of("a list", "[]"),
                Arguments.of(
                        "deep",
                        empty + ",\"x\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}"),
                Arguments.of("a key twice", empty + ",\"config\":{},\"config\":{}}"),
                Arguments.of("nothing", empty + "}"),
                Arguments.of("both", empty + ",\"config\":{},\"layers\":[],\"manifests\":[]}"),
                Arguments.of("huge", empty + ",\"x\":\"" + "y".repeat(5 << 20) + "\"}"),
                Arguments.of("long numbers", empty + ",\"x\":" + "9".repeat(1 << 20) + "}"),
                Arguments.of(
                        "many layers",
                        empty
                                + ",\"config\":"
                                + descriptor("application/vnd.oci.image.config.v1+json")
                                + ",\"layers\":["
                                + String.join(
                                        ",",
                                        Collections.nCopies(
                                                20_000,
                                                descriptor(
                                                        "application/vnd.oci.image.layer.v1.tar")))
                                + "]}"),
                Arguments.of(
                        "a foreign layer",
                        empty
                                + ",\"config\":"
                                + descriptor("application/vnd.oci.image.config.v1+json")
                                + ",\"layers\":["
                                + descriptor(
                                                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
                                        .replace("}", ",\"urls\":[\"http://169.254.169.254/\"]}")
                                + "]}"));
    }

    private static String descriptor(String mediaType) {
        return "{\"mediaType\":\""
                + mediaType
                + "\",\"digest\":\"sha256:"
                + "ab".repeat(32)
                + "\",\"size\":5}";
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("manifests")
    void aHostileManifestIsRefusedAtOnce(String what, String manifest) {
        Peers.differ(node, "containerd 1.6 says other things of some of these");
        long begin = System.nanoTime();
        hostile.serve(new Blob(OciImage.MANIFEST, manifest.getBytes(StandardCharsets.UTF_8)));
        assertRefused(hostile.address() + "/hostile/manifest:1");
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void anIndexThatLeadsToItselfOrWithoutEndIsRefused() {
        Peers.differ(node, "containerd 1.6 says other things of some of these");
        String entry =
                "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d}],\"x\":%d}";
        // Whatever is asked for, the same index comes: not what its digest promises.
        Blob itself =
                new Blob(
                        OciImage.INDEX,
                        entry.formatted(
                                        OciImage.INDEX,
                                        OciImage.INDEX,
                                        "sha256:" + "ab".repeat(32),
                                        200,
                                        0)
                                .getBytes(StandardCharsets.UTF_8));
        hostile.serve(itself);
        assertRefused(hostile.address() + "/hostile/index:1");
        // True digests cannot make a circle, but a ladder.
        Blob last = OciImage.of(List.of("sh")).manifest();
        List<Blob> ladder = new ArrayList<>(List.of(last));
        for (int i = 0; i < 6; i++) {
            Blob below = ladder.getFirst();
            ladder.addFirst(
                    new Blob(
                            OciImage.INDEX,
                            entry.formatted(
                                            OciImage.INDEX,
                                            below.mediaType(),
                                            below.digest(),
                                            below.content().length,
                                            i)
                                    .getBytes(StandardCharsets.UTF_8)));
        }
        hostile.serve(ladder.toArray(Blob[]::new));
        assertRefused(hostile.address() + "/hostile/index:1");
    }

    @Test
    void aManifestWithoutEndIsCutOff() {
        Peers.differ(node, "containerd 1.6 reads on");
        hostile.serve();
        assertRefused(hostile.address() + "/hostile/endless:1");
        assertThat(hostile.sentBytes()).isLessThan(64 << 20);
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
        // What was renamed into it on its way out is deleted beside the call.
        long end = System.nanoTime() + 20_000_000_000L;
        while (!Shell.run("find", root.toString(), "-mindepth", "2", "-path", "*/ingest/*")
                .isEmpty()) {
            assertThat(System.nanoTime()).as("something stays in ingest").isLessThan(end);
        }
        return Shell.run("find", root.toString(), "-xdev").lines().sorted().toList();
    }
}
