package io.crema.image.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.layer.ContentHash;
import io.crema.image.layer.TarBytes;
import io.crema.image.registry.MemoryRegistry;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Tag("root")
@Timeout(120)
final class LoadTest {
    private static final Linux LINUX = JnaLinux.load();
    private static final List<byte[]> LAYERS =
            List.of(
                    new TarBytes().directory("bin", 0755).file("bin/tool", "old").end(),
                    new TarBytes().directory("bin", 0755).file("bin/tool", "new").end());

    @TempDir Path directory;
    private ImageStore store;

    @BeforeEach
    void open() {
        store =
                new ImageStore(
                        StoreOptions.at(directory.resolve("store"), List.of()),
                        LINUX,
                        new MemoryRegistry());
    }

    @AfterEach
    void close() throws IOException {
        try (Stream<Path> left = Files.list(directory.resolve("store/ingest"))) {
            assertThat(left).isEmpty();
        } finally {
            store.close();
        }
    }

    private static void assertIsTheImage(Image image) {
        assertThat(image.layerDirectories()).hasSize(2);
        assertThat(image.layerDirectories().getLast().resolve("bin/tool")).hasContent("new");
        assertThat(image.configuration().user()).isEqualTo("daemon");
        assertThat(image.configuration().command()).containsExactly("/bin/true");
        assertThat(image.sizeBytes()).isPositive();
    }

    // ---- what tools write ----

    @Test
    void loadsALayoutDirectory() throws Exception {
        Path layout = ToolImages.layout(directory.resolve("My App.oci"), "v1", LAYERS);
        ToolImages.layout(layout, "registry.test/other:2", LAYERS);
        List<Image> images = store.load(layout);
        assertThat(images).hasSize(2);
        images.forEach(LoadTest::assertIsTheImage);
        assertThat(store.find("localhost/my-app:v1")).isPresent();
        assertThat(store.find("my-app:v1")).isPresent();
        assertThat(store.find("registry.test/other:2")).isPresent();
    }

    @Test
    void loadsAnOciArchive() throws Exception {
        Path layout = ToolImages.layout(directory.resolve("layout"), "app", LAYERS);
        Path archive = directory.resolve("archive.tar");
        ToolImages.copy(
                "oci:" + layout + ":app", "oci-archive:" + archive + ":registry.test/app:2");
        Image image = store.load(archive).getFirst();
        assertIsTheImage(image);
        assertThat(image.repoTags()).containsExactly("registry.test/app:2");
        assertThat(image.repoDigests())
                .containsExactly("registry.test/app@" + image.manifestDigest());
        assertThat(store.load(archive).getFirst()).isEqualTo(image);
        assertThat(store.list()).containsExactly(image);
    }

    @Test
    void loadsADockerArchiveAlsoWhenCompressed() throws Exception {
        Path layout = ToolImages.layout(directory.resolve("layout"), "app", LAYERS);
        Path archive = directory.resolve("archive.tar");
        ToolImages.copy("oci:" + layout + ":app", "docker-archive:" + archive + ":busybox:test");
        Image image = store.load(archive).getFirst();
        assertIsTheImage(image);
        assertThat(image.repoTags()).containsExactly("docker.io/library/busybox:test");
        assertThat(image.repoDigests()).isEmpty();
        assertThat(store.find("busybox:test")).contains(image);

        ToolImages.run("gzip", "-k", archive.toString());
        assertThat(store.load(directory.resolve("archive.tar.gz"))).containsExactly(image);
        ToolImages.run("zstd", "-q", archive.toString());
        assertThat(store.load(directory.resolve("archive.tar.zst"))).containsExactly(image);
        // The manifest that was made for it belongs to an OCI layout that others can read.
        assertThat(
                        ToolImages.run(
                                "skopeo",
                                "inspect",
                                "--config",
                                "oci:"
                                        + directory.resolve("store")
                                        + ":docker.io/library/busybox:test"))
                .contains("daemon");
    }

    @Test
    void layersMayBeLinksToLayersOfOthers() throws Exception {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put("one/layer.tar", LAYERS.get(0));
        TarBytes archive = new TarBytes();
        files.forEach((name, content) -> archive.file(name, 0644, content));
        String config =
                "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\""
                        + ContentHash.of(LAYERS.get(0))
                        + "\",\""
                        + ContentHash.of(LAYERS.get(0))
                        + "\"]}}";
        archive.symbolicLink("two/layer.tar", "../one/layer.tar");
        archive.file(ContentHash.of(config.getBytes(UTF_8)).hex() + ".json", config);
        archive.file(
                "manifest.json",
                "[{\"Config\":\""
                        + ContentHash.of(config.getBytes(UTF_8)).hex()
                        + ".json\",\"RepoTags\":null,\"Layers\":[\"one/layer.tar\","
                        + "\"two/layer.tar\"]}]");
        Path file = directory.resolve("linked.tar");
        Files.write(file, archive.end());
        Image image = store.load(file).getFirst();
        assertThat(image.layerDirectories()).hasSize(2);
        assertThat(image.repoTags()).isEmpty();
        assertThat(store.find(image.id().value())).contains(image);
    }

    // ---- layouts made by hand ----

    /** Blobs by digest, and the index over them. */
    private static final class Layout {
        private final Path directory;

        Layout(Path directory) throws IOException {
            this.directory = directory;
            Files.createDirectories(directory.resolve("blobs/sha256"));
            Files.writeString(
                    directory.resolve("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
        }

        Path blob(Digest digest) {
            return directory.resolve("blobs/sha256").resolve(digest.hex());
        }

        String put(String mediaType, byte[] content, String more) throws IOException {
            Digest digest = ContentHash.of(content);
            Files.write(blob(digest), content);
            return "{\"mediaType\":\""
                    + mediaType
                    + "\",\"digest\":\""
                    + digest
                    + "\",\"size\":"
                    + content.length
                    + more
                    + "}";
        }

        String image(String architecture, String more) throws IOException {
            byte[] tar = new TarBytes().file(architecture, "x").end();
            String layer =
                    put("application/vnd.oci.image.layer.v1.tar+gzip", TarBytes.gzip(tar), "");
            String config =
                    put(
                            "application/vnd.oci.image.config.v1+json",
                            ("{\"os\":\"linux\",\"architecture\":\""
                                            + architecture
                                            + "\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\""
                                            + ContentHash.of(tar)
                                            + "\"]}}")
                                    .getBytes(UTF_8),
                            "");
            return put(
                    "application/vnd.oci.image.manifest.v1+json",
                    ("{\"schemaVersion\":2,\"config\":" + config + ",\"layers\":[" + layer + "]}")
                            .getBytes(UTF_8),
                    ",\"platform\":{\"os\":\"linux\",\"architecture\":\""
                            + architecture
                            + "\"}"
                            + more);
        }

        void index(String... manifests) throws IOException {
            Files.writeString(directory.resolve("index.json"), indexOf(manifests));
        }

        static String indexOf(String... manifests) {
            return "{\"schemaVersion\":2,\"manifests\":[" + String.join(",", manifests) + "]}";
        }
    }

    private static String named(String name) {
        return ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" + name + "\"}";
    }

    private static final String HOST =
            System.getProperty("os.arch").equals("aarch64") ? "arm64" : "amd64";
    private static final String OTHER = HOST.equals("amd64") ? "arm64" : "amd64";

    @Test
    void takesThePlatformOfThisMachine() throws Exception {
        Layout layout = new Layout(directory.resolve("layout"));
        byte[] nested =
                Layout.indexOf(layout.image(OTHER, ""), layout.image(HOST, "")).getBytes(UTF_8);
        String inner =
                layout.put(
                        "application/vnd.oci.image.index.v1+json",
                        nested,
                        named("registry.test/nested:1"));
        layout.index(
                inner,
                layout.image(OTHER, named("registry.test/flat:1")),
                layout.image(HOST, named("registry.test/flat:1")),
                layout.image(OTHER, named("registry.test/foreign:1")));
        List<Image> images = store.load(directory.resolve("layout"));
        assertThat(images).hasSize(2);
        Image image = store.find("registry.test/nested:1").orElseThrow();
        assertThat(image.configuration().architecture()).isEqualTo(HOST);
        assertThat(image.repoTags())
                .containsExactly("registry.test/nested:1", "registry.test/flat:1");
        Digest innerDigest = ContentHash.of(nested);
        assertThat(store.find("registry.test/nested@" + innerDigest)).contains(image);
        assertThat(store.find("registry.test/foreign:1")).isEmpty();

        layout.index(layout.image(OTHER, named("registry.test/foreign:1")));
        assertThatThrownBy(() -> store.load(directory.resolve("layout")))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("only for: linux/" + OTHER);
    }

    @Test
    void refusesBlobsThatAreNotWhatTheirNamesSay() throws Exception {
        Layout layout = new Layout(directory.resolve("layout"));
        layout.index(layout.image(HOST, named("registry.test/app:1")));
        byte[] tar = new TarBytes().file(HOST, "x").end();
        Path layer = layout.blob(ContentHash.of(TarBytes.gzip(tar)));
        byte[] whole = Files.readAllBytes(layer);
        byte[] damaged = whole.clone();
        damaged[whole.length / 2] ^= 1;
        Files.write(layer, damaged);
        assertThatThrownBy(() -> store.load(directory.resolve("layout")))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("is refused");
        Files.delete(layer);
        assertThatThrownBy(() -> store.load(directory.resolve("layout")))
                .hasMessageContaining("it has no file blobs/sha256/");
        // A link in the layout leads nowhere.
        Path elsewhere = directory.resolve("elsewhere");
        Files.write(elsewhere, whole);
        Files.createSymbolicLink(layer, elsewhere);
        assertThatThrownBy(() -> store.load(directory.resolve("layout")))
                .hasMessageContaining("it has no file blobs/sha256/");
        assertThat(store.list()).isEmpty();
    }

    @Test
    void refusesWhatIsNoArchiveOfImages() throws Exception {
        Path text = Files.writeString(directory.resolve("text"), "hello");
        Path empty = Files.createDirectory(directory.resolve("empty"));
        Path tar = Files.write(directory.resolve("tar"), new TarBytes().file("x", "x").end());
        Path escape =
                Files.write(
                        directory.resolve("escape.tar"),
                        new TarBytes()
                                .file(
                                        "manifest.json",
                                        "[{\"Config\":\"../../etc/passwd\",\"Layers\":[]}]")
                                .end());
        Path garbled =
                Files.write(
                        directory.resolve("garbled.tar"),
                        new TarBytes().file("manifest.json", "[{").end());
        Map<Path, String> reasons =
                Map.of(
                        text,
                        "neither an OCI layout nor a tar archive",
                        empty,
                        "neither index.json",
                        tar,
                        "neither index.json",
                        escape,
                        "outside the archive",
                        garbled,
                        "not JSON",
                        directory.resolve("absent"),
                        "no such file");
        reasons.forEach((file, reason) ->
                assertThatThrownBy(() -> store.load(file))
                        .isInstanceOfSatisfying(
                                ImageException.class,
                                e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                        .hasMessageContaining(reason)
                        .hasMessageContaining(file.toString()));
    }
}
