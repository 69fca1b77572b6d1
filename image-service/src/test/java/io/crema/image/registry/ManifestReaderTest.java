package io.crema.image.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ManifestReaderTest {
    private static final String HEX =
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private static String descriptor(String mediaType, String more) {
        return "{\"mediaType\":\""
                + mediaType
                + "\",\"digest\":\"sha256:"
                + HEX
                + "\",\"size\":12"
                + more
                + "}";
    }

    private static String manifest(String config, String... layers) {
        return "{\"schemaVersion\":2,\"config\":"
                + config
                + ",\"layers\":["
                + String.join(",", layers)
                + "]}";
    }

    private static ResolvedManifest accept(String text, String type) {
        return ManifestReader.accept(
                text.getBytes(StandardCharsets.UTF_8), type, Optional.empty(), "a.b/c:1");
    }

    private static ImageManifest read(String text) {
        return ManifestReader.manifest(accept(text, MediaTypes.OCI_MANIFEST), "a.b/c:1");
    }

    @Test
    void anOciManifestIsRead() {
        ImageManifest manifest =
                read(
                        manifest(
                                descriptor(MediaTypes.OCI_CONFIG, ""),
                                descriptor(MediaTypes.OCI_LAYER_GZIP, ""),
                                descriptor(
                                        MediaTypes.OCI_LAYER_ZSTD,
                                        ",\"annotations\":{\"k\":\"v\"}")));

        assertThat(manifest.config())
                .isEqualTo(ContentDescriptor.of(MediaTypes.OCI_CONFIG, Digest.sha256(HEX), 12));
        assertThat(manifest.layers())
                .extracting(ContentDescriptor::mediaType)
                .containsExactly(MediaTypes.OCI_LAYER_GZIP, MediaTypes.OCI_LAYER_ZSTD);
        assertThat(manifest.layers().get(1).annotations()).isEqualTo(Map.of("k", "v"));
    }

    @Test
    void theTypeComesFromTheContentElseFromTheHeaderElseFromTheShape() {
        String config = descriptor(MediaTypes.DOCKER_CONFIG, "");
        String typed =
                "{\"mediaType\":\"" + MediaTypes.DOCKER_MANIFEST + "\",\"config\":" + config + "}";

        assertThat(accept(typed, "").mediaType()).isEqualTo(MediaTypes.DOCKER_MANIFEST);
        assertThat(accept(typed, "application/json").mediaType())
                .isEqualTo(MediaTypes.DOCKER_MANIFEST);
        assertThat(accept("{\"manifests\":[]}", MediaTypes.DOCKER_INDEX + "; charset=utf-8"))
                .extracting(ResolvedManifest::mediaType)
                .isEqualTo(MediaTypes.DOCKER_INDEX);
        assertThat(accept("{\"manifests\":[]}", "").isIndex()).isTrue();
        assertThat(accept("{\"layers\":[]}", "text/plain").mediaType())
                .isEqualTo(MediaTypes.OCI_MANIFEST);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"manifests\":[],\"layers\":[]} | '' | at the same time",
                "{\"config\":{},\"manifests\":[]} | application/vnd.oci.image.manifest.v1+json | at the same time",
                "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]} | application/vnd.oci.image.manifest.v1+json | while the registry calls it",
                "{\"mediaType\":\"text/x\"} | '' | neither an image manifest nor an index",
                "{\"schemaVersion\":1,\"name\":\"x\"} | '' | manifest schema 1",
                "{} | application/vnd.docker.distribution.manifest.v1+prettyjws | manifest schema 1",
                "[] | '' | not a JSON object",
                "{\"a\":1,\"a\":2} | '' | is not JSON",
                "{\"a\":1} x | '' | is not JSON",
                "{\"a\": | '' | is not JSON",
            })
    void whatIsNoManifestOrTwoThingsIsRefused(String text, String type, String words) {
        assertThatThrownBy(() -> accept(text, type))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                .hasMessageContaining("a.b/c:1")
                .hasMessageContaining(words);
    }

    @Test
    void depthAndSizeAreBounded() {
        assertThatThrownBy(() -> accept("{\"a\":" + "[".repeat(100) + "]".repeat(100) + "}", ""))
                .hasMessageContaining("is not JSON");
        assertThatThrownBy(() ->
                        ManifestReader.accept(
                                new byte[ManifestReader.MAX_BYTES + 1], "", Optional.empty(), "x"))
                .hasMessageContaining("larger than");
        String[] layers = new String[ManifestReader.MAX_LAYERS + 1];
        Arrays.fill(layers, descriptor(MediaTypes.OCI_LAYER, ""));
        assertThatThrownBy(() -> read(manifest(descriptor(MediaTypes.OCI_CONFIG, ""), layers)))
                .hasMessageContaining("501 layers");
        String many = "{\"manifests\":[" + "{},".repeat(1000) + "{}]}";
        assertThatThrownBy(() -> ManifestReader.index(accept(many, MediaTypes.OCI_INDEX), "x"))
                .hasMessageContaining("1001 entries");
    }

    @Test
    void aWrongDigestIsRefused() {
        assertThatThrownBy(() ->
                        ManifestReader.accept(
                                "{}".getBytes(StandardCharsets.UTF_8),
                                "",
                                Optional.of(Digest.sha256(HEX)),
                                "a.b/c:1"))
                .hasMessageContaining("a.b/c:1 has digest sha256:44136fa3")
                .hasMessageContaining(HEX);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip | '' | foreign URL",
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip | '' | foreign URL",
                "application/vnd.oci.image.layer.v1.tar+gzip | ,\"urls\":[\"http://x\"] | foreign URL",
                "application/vnd.oci.image.layer.v1.tar+gzip+encrypted | '' | encrypted",
                "application/x-lzma | '' | cannot be unpacked",
            })
    void layersWeCannotVerifyOrUnpackAreRefused(String type, String more, String words) {
        assertThatThrownBy(() ->
                        read(
                                manifest(
                                        descriptor(MediaTypes.OCI_CONFIG, ""),
                                        descriptor(type, more))))
                .hasMessageContaining("layer 1")
                .hasMessageContaining(words);
    }

    @Test
    void artifactsAreKnownByTheTypeOfTheirConfiguration() {
        assertThat(
                        read(manifest(descriptor("application/vnd.cncf.helm.config.v1+json", "")))
                                .artifactType())
                .contains("application/vnd.cncf.helm.config.v1+json");
        assertThat(read(manifest(descriptor(MediaTypes.OCI_CONFIG, ""))).artifactType()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"mediaType\":\"x\",\"digest\":\"sha256:zz\",\"size\":1}",
                "{\"mediaType\":\"x\",\"size\":1}",
                "{\"mediaType\":\"x\",\"digest\":\"sha256:" + HEX + "\",\"size\":-1}",
                "{\"mediaType\":\"x\",\"digest\":\"sha256:"
                        + HEX
                        + "\",\"size\":99999999999999999999}",
                "{\"mediaType\":\"x\",\"digest\":\"sha256:" + HEX + "\",\"size\":\"1\"}",
                "{\"mediaType\":\"x\",\"digest\":\"sha256:" + HEX + "\"}",
                "5",
            })
    void badDescriptorsAreRefused(String config) {
        assertThatThrownBy(() -> read(manifest(config)))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("the configuration");
    }

    private static ContentDescriptor entry(String digit, String platform) {
        String[] parts = (platform + "//").split("/", -1);
        return new ContentDescriptor(
                MediaTypes.OCI_MANIFEST,
                Digest.sha256(digit.repeat(64)),
                1,
                List.of(),
                platform.isEmpty()
                        ? Optional.empty()
                        : Optional.of(new Platform(parts[0], parts[1], parts[2])),
                Map.of());
    }

    private static String choose(String machine, String... offered) {
        List<ContentDescriptor> entries = new ArrayList<>();
        for (int i = 0; i < offered.length; i++) {
            entries.add(entry(Integer.toString(i), offered[i]));
        }
        ContentDescriptor chosen =
                ManifestReader.choose(
                        new ImageIndex(entries, Map.of()), Platform.ofMachine(machine), "img");
        return offered[Integer.parseInt(chosen.digest().hex().substring(0, 1))];
    }

    @Test
    void thePlatformOfThisMachineIsChosen() {
        assertThat(choose("amd64", "linux/arm64/v8", "unknown/unknown", "linux/amd64"))
                .isEqualTo("linux/amd64");
        assertThat(choose("amd64", "linux/amd64/v3", "linux/amd64")).isEqualTo("linux/amd64");
        assertThat(choose("amd64", "linux/amd64/v3", "linux/amd64/v1")).isEqualTo("linux/amd64/v1");
        assertThat(choose("aarch64", "linux/arm64", "linux/amd64")).isEqualTo("linux/arm64");
        assertThat(choose("aarch64", "linux/arm64/v9", "linux/arm64/v8"))
                .isEqualTo("linux/arm64/v8");
        assertThat(choose("arm", "linux/arm/v5", "linux/arm/v6", "linux/arm64/v8"))
                .isEqualTo("linux/arm/v6");
        assertThat(choose("arm", "linux/arm/v6", "linux/arm/v7")).isEqualTo("linux/arm/v7");
        assertThat(choose("arm", "linux/arm/v6", "linux/arm")).isEqualTo("linux/arm");
        assertThat(choose("s390x", "linux/s390x")).isEqualTo("linux/s390x");
        assertThat(choose("amd64", "windows/amd64", "")).isEmpty();
        assertThat(Platform.host().os()).isEqualTo("linux");
    }

    @Test
    void aMissingPlatformListsTheOthers() {
        assertThatThrownBy(
                        () -> choose("amd64", "linux/arm64/v8", "windows/amd64", "unknown/unknown"))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.NOT_FOUND))
                .hasMessage(
                        "img has no image for linux/amd64, only for: linux/arm64/v8,"
                                + " windows/amd64");
        assertThatThrownBy(() -> choose("amd64", "linux/amd64/v3"))
                .hasMessageContaining("only for: linux/amd64/v3");
        assertThatThrownBy(() -> choose("amd64")).hasMessageContaining("no platform at all");
    }
}
