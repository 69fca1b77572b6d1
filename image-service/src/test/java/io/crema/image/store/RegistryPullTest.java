package io.crema.image.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.image.Image;
import io.crema.image.Images.Credentials;
import io.crema.image.layer.TarBytes;
import io.crema.image.registry.HttpRegistryClient;
import io.crema.image.registry.Platform;
import io.crema.image.registry.RegistriesConfiguration;
import io.crema.image.registry.RegistriesConfiguration.Registry;
import io.crema.image.registry.RegistriesConfiguration.ShortNameMode;
import io.crema.image.registry.TransferPolicy;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The whole way from a real registry (Debian's docker-registry) to files on disk. */
@Tag("root")
@Timeout(120)
final class RegistryPullTest {
    private static final Linux LINUX = JnaLinux.load();

    @TempDir Path directory;
    private Process registry;
    private String host;
    private HttpRegistryClient client;
    private ImageStore store;
    private byte[] content;

    @BeforeEach
    void start() throws Exception {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            host = "127.0.0.1:" + socket.getLocalPort();
        }
        Path configuration = directory.resolve("registry.yml");
        Files.writeString(
                configuration,
                """
                version: 0.1
                log: {level: error}
                storage: {filesystem: {rootdirectory: %s}}
                http: {addr: "%s", secret: test}
                """
                        .formatted(directory.resolve("registry"), host));
        registry =
                new ProcessBuilder("docker-registry", "serve", configuration.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("registry.log").toFile())
                        .start();
        awaitRegistry();
        client =
                new HttpRegistryClient(
                        new RegistriesConfiguration(
                                List.of(),
                                List.of(new Registry(host, host, true, false, false, List.of())),
                                Map.of(),
                                ShortNameMode.ENFORCING,
                                List.of()),
                        Optional.empty(),
                        List.of(),
                        Map.of("HOME", "/nonexistent"),
                        Optional.empty(),
                        ImageStore.manifests(directory.resolve("store")),
                        Platform.host(),
                        TransferPolicy.standard());
        store =
                new ImageStore(
                        StoreOptions.at(directory.resolve("store"), List.of()), LINUX, client);
        content = new byte[4_000_000];
        new Random(3).nextBytes(content);
    }

    @AfterEach
    void stop() throws InterruptedException {
        store.close();
        client.close();
        registry.destroy();
        if (!registry.waitFor(10, TimeUnit.SECONDS)) {
            registry.destroyForcibly().waitFor();
        }
    }

    private void awaitRegistry() throws IOException, InterruptedException {
        int port = Integer.parseInt(host.substring(host.indexOf(':') + 1));
        Deadline deadline = Deadline.after(Duration.ofSeconds(20));
        while (true) {
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
                return;
            } catch (IOException e) {
                deadline.check("docker-registry");
                Thread.sleep(20);
            }
        }
    }

    private Path layout(String name, String marker) throws Exception {
        return ToolImages.layout(
                directory.resolve(name),
                "app",
                List.of(
                        new TarBytes().directory("bin", 0755).file("bin/" + marker, "x").end(),
                        new TarBytes().file("large", 0644, content).end(),
                        new TarBytes().directory("bin", 0755).file("bin/top", "x").end()));
    }

    private Image pull(String name) {
        return store.pull(
                host + "/" + name, Credentials.none(), Deadline.after(Duration.ofMinutes(1)));
    }

    private void assertIsWhole(Image image, String marker) {
        assertThat(image.layerDirectories()).hasSize(3);
        assertThat(image.layerDirectories().get(0).resolve("bin/" + marker)).hasContent("x");
        assertThat(image.layerDirectories().get(1).resolve("large")).hasBinaryContent(content);
        assertThat(image.layerDirectories().get(2).resolve("bin/top")).hasContent("x");
    }

    @Test
    void gzipAndZstdOfOneImageShareTheirLayers() throws Exception {
        Path gzip = layout("gzip", "plain");
        ToolImages.copy(
                "oci:" + gzip + ":app",
                "docker://" + host + "/lab/gzip:1",
                "--dest-tls-verify=false");
        Path zstd = directory.resolve("zstd");
        ToolImages.copy(
                "oci:" + gzip + ":app", "oci:" + zstd + ":app", "--dest-compress-format", "zstd");
        ToolImages.copy(
                "oci:" + zstd + ":app",
                "docker://" + host + "/lab/zstd:1",
                "--dest-tls-verify=false",
                "--preserve-digests");

        Image fromZstd = pull("lab/zstd:1");
        assertIsWhole(fromZstd, "plain");
        long before = store.imageUsage().usedBytes();
        Image fromGzip = pull("lab/gzip:1");
        assertThat(fromGzip.id()).isEqualTo(fromZstd.id());
        assertThat(fromGzip.repoTags()).containsExactly(host + "/lab/zstd:1", host + "/lab/gzip:1");
        assertThat(fromGzip.repoDigests()).hasSize(2);
        assertThat(store.imageUsage().usedBytes()).isEqualTo(before);
        assertThat(pull("lab/gzip:1")).isEqualTo(fromGzip);
    }

    @Test
    void anIndexGivesTheImageOfThisPlatform() throws Exception {
        Path layout = directory.resolve("both");
        layout("both", "mine");
        ToolImages.copy(
                "oci:" + layout + ":app",
                "docker://" + host + "/lab/mine:1",
                "--dest-tls-verify=false");
        String mine = rawManifest("lab/mine:1");
        String other = mine.replace("\"config\"", "\"annotations\":{\"other\":\"y\"},\"config\"");
        Digest mineDigest = push(mine, "lab/mine", "mine");
        Digest otherDigest = push(other, "lab/mine", "other");
        String arm = Platform.host().architecture().equals("arm64") ? "amd64" : "arm64";
        String index =
                "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
                        + "\"manifests\":["
                        + entry(otherDigest, other, arm)
                        + ","
                        + entry(mineDigest, mine, Platform.host().architecture())
                        + "]}";
        Digest indexDigest = push(index, "lab/mine", "both");

        Image image = pull("lab/mine:both");
        assertIsWhole(image, "mine");
        assertThat(image.manifestDigest()).isEqualTo(mineDigest);
        assertThat(image.repoDigests()).containsExactly(host + "/lab/mine@" + indexDigest);
        assertThat(store.find(host + "/lab/mine@" + indexDigest)).contains(image);
        assertThat(store.find(host + "/lab/mine@" + mineDigest)).contains(image);
        Image byDigest = pull("lab/mine@" + indexDigest);
        assertThat(byDigest).isEqualTo(image);
        store.remove(host + "/lab/mine@" + indexDigest);
        assertThat(store.list()).isEmpty();
    }

    private static String entry(Digest digest, String manifest, String architecture) {
        return "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\""
                + digest
                + "\",\"size\":"
                + manifest.getBytes(StandardCharsets.UTF_8).length
                + ",\"platform\":{\"os\":\"linux\",\"architecture\":\""
                + architecture
                + "\"}}";
    }

    private String rawManifest(String name) throws Exception {
        return ToolImages.run(
                "skopeo",
                "inspect",
                "--raw",
                "--tls-verify=false",
                "docker://" + host + "/" + name);
    }

    /** Puts a manifest or index into the registry and returns its digest. */
    private Digest push(String manifest, String repository, String tag) throws Exception {
        String type =
                manifest.contains("\"manifests\"")
                        ? "application/vnd.oci.image.index.v1+json"
                        : "application/vnd.oci.image.manifest.v1+json";
        try (var http = HttpClient.newHttpClient()) {
            var answer =
                    http.send(
                            HttpRequest.newBuilder(
                                            URI.create(
                                                    "http://"
                                                            + host
                                                            + "/v2/"
                                                            + repository
                                                            + "/manifests/"
                                                            + tag))
                                    .header("Content-Type", type)
                                    .PUT(HttpRequest.BodyPublishers.ofString(manifest))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString());
            assertThat(answer.statusCode()).as(answer.body()).isEqualTo(201);
            return Digest.parse(answer.headers().firstValue("Docker-Content-Digest").orElseThrow());
        }
    }
}
