package io.crema.image.registry;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.ZstdInputStream;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Against the distribution project's registry (Debian's docker-registry) with images made by umoci
 * and pushed by skopeo. Tagged like all tests that need Debian packages; it needs no root.
 */
@Tag("root")
@Timeout(120)
@TestInstance(Lifecycle.PER_CLASS)
class RealRegistryTest {
    private static final int LAYER_BYTES = 5_000_000;

    private final List<Process> started = new ArrayList<>();
    private String host = "";
    private HttpRegistryClient client = Clients.of();
    private byte[] file = new byte[0];

    @BeforeAll
    void startAndPush(@TempDir Path directory) throws Exception {
        host = "127.0.0.1:" + freePort();
        Path configuration = directory.resolve("registry.yml");
        Files.writeString(
                configuration,
                """
                version: 0.1
                log: {level: error}
                storage: {filesystem: {rootdirectory: %s}}
                http: {addr: "%s", secret: test}
                """
                        .formatted(directory.resolve("store"), host));
        started.add(
                new ProcessBuilder("docker-registry", "serve", configuration.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("registry.log").toFile())
                        .start());
        awaitRegistry();
        client = Clients.of(Clients.insecure(host));

        Path tree = Files.createDirectory(directory.resolve("tree"));
        file = new byte[LAYER_BYTES];
        new Random(7).nextBytes(file);
        Files.write(tree.resolve("file"), file);
        String layout = directory.resolve("oci").toString();
        run("umoci", "init", "--layout", layout);
        run("umoci", "new", "--image", layout + ":app");
        run("tar", "-C", tree.toString(), "-cf", directory.resolve("l.tar").toString(), "file");
        run("umoci", "raw", "add-layer", "--image", layout + ":app", directory + "/l.tar");
        run("umoci", "config", "--image", layout + ":app", "--architecture", "amd64");
        push(layout, "lab/gzip:1", "--format", "oci");
        // skopeo compresses anew when it writes a layout, not when it pushes.
        String zstd = directory.resolve("zstd").toString();
        run(
                "skopeo",
                "--insecure-policy",
                "copy",
                "-q",
                "--dest-compress-format",
                "zstd",
                "oci:" + layout + ":app",
                "oci:" + zstd + ":app");
        push(zstd, "lab/zstd:1", "--preserve-digests");
        push(layout, "lab/docker:1", "--format", "v2s2");
    }

    @AfterAll
    void stop() throws InterruptedException {
        client.close();
        for (Process process : started) {
            process.destroy();
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private void awaitRegistry() throws IOException, InterruptedException {
        long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (true) {
            try {
                if (get("/v2/") == 200) {
                    return;
                }
            } catch (IOException e) {
                if (System.nanoTime() > end || !started.getFirst().isAlive()) {
                    throw e;
                }
            }
            Thread.sleep(20);
        }
    }

    private int get(String path) throws IOException, InterruptedException {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                            HttpRequest.newBuilder(URI.create("http://" + host + path)).build(),
                            BodyHandlers.discarding())
                    .statusCode();
        }
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), UTF_8);
        if (process.waitFor() != 0) {
            throw new IllegalStateException(String.join(" ", command) + ": " + said);
        }
    }

    private void push(String layout, String name, String... flags) throws Exception {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                "skopeo",
                                "--insecure-policy",
                                "copy",
                                "-q",
                                "--dest-tls-verify=false"));
        command.addAll(List.of(flags));
        command.add("oci:" + layout + ":app");
        command.add("docker://" + host + "/" + name);
        run(command.toArray(String[]::new));
    }

    /** The layer is a tar of one file: its bytes begin after one header block. */
    private void assertHoldsTheFile(InputStream tar) throws IOException {
        tar.skipNBytes(512);
        assertThat(tar.readNBytes(LAYER_BYTES)).isEqualTo(file);
    }

    private BlobStream layer(ResolvedImage image, long offset) {
        return client.openBlob(
                image.source(), image.image().layers().getFirst(), offset, Clients.soon());
    }

    @Test
    void gzipLayersAreFetched() throws IOException {
        ResolvedImage image = Clients.resolve(client, host + "/lab/gzip:1");

        assertThat(image.manifest().mediaType()).isEqualTo(MediaTypes.OCI_MANIFEST);
        assertThat(image.image().layers().getFirst().mediaType())
                .isEqualTo(MediaTypes.OCI_LAYER_GZIP);
        try (BlobStream stream = layer(image, 0)) {
            assertHoldsTheFile(new GZIPInputStream(stream));
        }
    }

    @Test
    void zstdLayersAreFetched() throws IOException {
        ResolvedImage image = Clients.resolve(client, host + "/lab/zstd:1");

        assertThat(image.image().layers().getFirst().mediaType())
                .isEqualTo(MediaTypes.OCI_LAYER_ZSTD);
        try (BlobStream stream = layer(image, 0);
                ZstdInputStream tar = new ZstdInputStream(stream)) {
            assertHoldsTheFile(tar);
        }
    }

    @Test
    void dockersSchema2IsFetched() throws IOException {
        ResolvedImage image = Clients.resolve(client, host + "/lab/docker:1");

        assertThat(image.manifest().mediaType()).isEqualTo(MediaTypes.DOCKER_MANIFEST);
        assertThat(image.image().config().mediaType()).isEqualTo(MediaTypes.DOCKER_CONFIG);
        try (BlobStream stream = layer(image, 0)) {
            assertHoldsTheFile(new GZIPInputStream(stream));
        }
    }

    @Test
    void theConfigurationIsFetchedAndVerified() {
        ResolvedImage image = Clients.resolve(client, host + "/lab/gzip:1");

        byte[] configuration =
                client.fetchBlob(image.source(), image.image().config(), 1 << 20, Clients.soon());
        assertThat(new String(configuration, UTF_8)).contains("\"architecture\":\"amd64\"");
    }

    @Test
    void rangesAreServed() throws IOException {
        ResolvedImage image = Clients.resolve(client, host + "/lab/gzip:1");
        byte[] whole;
        try (BlobStream stream = layer(image, 0)) {
            whole = stream.readAllBytes();
        }

        try (BlobStream stream = layer(image, 1_000_000)) {
            assertThat(stream.readAllBytes())
                    .isEqualTo(Arrays.copyOfRange(whole, 1_000_000, whole.length));
            assertThat(stream.transferredBytes()).isEqualTo(whole.length - 1_000_000);
        }
    }

    @Test
    void anIndexOfSeveralPlatformsIsResolved() throws Exception {
        ResolvedImage amd64 = Clients.resolve(client, host + "/lab/gzip:1");
        String manifest =
                "{\"mediaType\":\""
                        + MediaTypes.OCI_MANIFEST
                        + "\",\"digest\":\""
                        + amd64.digest()
                        + "\",\"size\":"
                        + amd64.manifest().content().length
                        + ",\"platform\":{\"os\":\"%s\",\"architecture\":\"%s\"}}";
        String index =
                "{\"schemaVersion\":2,\"mediaType\":\""
                        + MediaTypes.OCI_INDEX
                        + "\",\"manifests\":["
                        + manifest.formatted("unknown", "unknown")
                        + ","
                        + manifest.formatted("linux", "amd64")
                        + "]}";
        try (HttpClient http = HttpClient.newHttpClient()) {
            int status =
                    http.send(
                                    HttpRequest.newBuilder(
                                                    URI.create(
                                                            "http://"
                                                                    + host
                                                                    + "/v2/lab/gzip/manifests/all"))
                                            .header("Content-Type", MediaTypes.OCI_INDEX)
                                            .PUT(BodyPublishers.ofString(index))
                                            .build(),
                                    BodyHandlers.discarding())
                            .statusCode();
            assertThat(status).isEqualTo(201);
        }

        ResolvedImage image = Clients.resolve(client, host + "/lab/gzip:all");

        assertThat(image.indexes()).hasSize(1);
        assertThat(image.digest()).isEqualTo(ScriptedRegistry.digest(index.getBytes(UTF_8)));
        assertThat(image.manifest().digest()).isEqualTo(amd64.digest());
        assertThat(
                        Clients.resolve(client, host + "/lab/gzip@" + image.digest())
                                .manifest()
                                .digest())
                .isEqualTo(amd64.digest());
    }

    @Test
    void whatIsNotThereIsTold() {
        for (String name : List.of("/lab/gzip:2", "/no/such:1")) {
            assertThatThrownBy(() -> Clients.resolve(client, host + name))
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.NOT_FOUND))
                    .hasMessageStartingWith("manifest unknown: " + host + name + " at " + host)
                    .hasMessageContaining("MANIFEST_UNKNOWN: manifest unknown");
        }
    }

    @Test
    void tlsToItsPlainPortIsExplained() {
        try (HttpRegistryClient strict = Clients.of()) {
            assertThatThrownBy(() -> Clients.resolve(strict, host + "/lab/gzip:1"))
                    .hasMessageStartingWith("RegistryUnavailable: ")
                    .hasMessageContaining("does not speak TLS");
        }
    }
}
