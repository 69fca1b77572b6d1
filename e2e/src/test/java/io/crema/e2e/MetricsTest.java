package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
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
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The Prometheus endpoint: CRI-O's names, and how far a pull is while it runs. */
@Tag("e2e")
@Timeout(120)
class MetricsTest {
    private static final String CRIO = "container_runtime_crio_";
    private static final String LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static FaultyRegistry faulty;
    private static TestNode node;
    private static TestImages images;
    private static int port;
    private static Path socket;

    @BeforeAll
    static void startNode() {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        faulty = new FaultyRegistry(registry, network);
        port = network.freePort();
        socket = directory.resolve("metrics.sock");
        // Whatever endpoint is asked for: a peer has other metrics.
        node =
                TestNode.start(
                        NodeSetup.of(RuntimeUnderTest.CREMA)
                                .in(network)
                                .withRegistry(registry.address())
                                .withRegistry(faulty.address())
                                .withConfiguration(
                                        """
                                        [crio.metrics]
                                        enable_metrics = true
                                        metrics_port = %d
                                        metrics_socket = "%s"
                                        """
                                                .formatted(port, socket)));
        images = node.images();
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, faulty, registry, () -> TestRegistry.release(network));
    }

    @Test
    void callsAreCounted() throws IOException {
        Map<String, Double> before = scrape();
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .containerStatus(
                                        ContainerStatusRequest.newBuilder()
                                                .setContainerId("ab".repeat(32))
                                                .build()))
                .isInstanceOf(StatusRuntimeException.class);
        images.list();
        Map<String, Double> after = scrape();
        String status = "{operation=\"ContainerStatus\"}";
        String list = "{operation=\"ListImages\"}";
        assertGrown(before, after, CRIO + "operations_total" + status, 1);
        assertGrown(before, after, CRIO + "operations_errors_total" + status, 1);
        assertGrown(before, after, CRIO + "operations_total" + list, 1);
        assertThat(after).doesNotContainKey(CRIO + "operations_errors_total" + list);
        assertThat(after.get(CRIO + "operations_latency_seconds" + list)).isBetween(0.0, 5.0);
        String summary = CRIO + "operations_latency_seconds_total";
        assertThat(after.get(summary + "_count" + list))
                .isEqualTo(after.get(CRIO + "operations_total" + list));
        assertThat(after.get(summary + "{operation=\"ListImages\",quantile=\"0.99\"}"))
                .isPositive()
                .isLessThanOrEqualTo(after.get(summary + "_sum" + list));
        assertThat(after.get(CRIO + "default_runtime{runtime=\"runc\"}")).isEqualTo(1);
        assertThat(after.get(CRIO + "processes_defunct")).isNotNegative();
        assertThat(after.get("process_resident_memory_bytes")).isGreaterThan(10e6);
        assertThat(after.get("process_cpu_seconds_total")).isPositive();
    }

    @Test
    void pullsAreCounted() throws IOException {
        OciImage image = image("counted", 2_000_000);
        registry.push("metrics/counted:1", List.of(image));
        Map<String, Double> before = scrape();
        images.pull(registry.address() + "/metrics/counted:1");
        Map<String, Double> pulled = scrape();
        double bytes = layerBytes(image);
        String label = "size=\">1 MiB\"";
        assertGrown(before, pulled, CRIO + "image_pulls_success_total", 1);
        assertGrown(
                before,
                pulled,
                CRIO + "image_pulls_bytes_total{mediatype=\"" + LAYER + "\"," + label + "}",
                bytes);
        String sizes = CRIO + "image_pulls_layer_size";
        assertGrown(before, pulled, sizes + "_bucket{le=\"1000000.0\"}", 0);
        assertGrown(before, pulled, sizes + "_bucket{le=\"1.0E7\"}", 1);
        assertGrown(before, pulled, sizes + "_bucket{le=\"+Inf\"}", 1);
        assertGrown(before, pulled, sizes + "_count", 1);
        assertGrown(before, pulled, sizes + "_sum", bytes);
        images.pull(registry.address() + "/metrics/counted:1");
        Map<String, Double> again = scrape();
        assertGrown(pulled, again, CRIO + "image_layer_reuse_total", 1);
        assertGrown(pulled, again, CRIO + "image_pulls_skipped_bytes_total{" + label + "}", bytes);
        assertThatThrownBy(() -> images.pull(registry.address() + "/metrics/none:1"))
                .isInstanceOf(StatusRuntimeException.class);
        assertGrown(
                again, scrape(), CRIO + "image_pulls_failure_total{error=\"MANIFEST_UNKNOWN\"}", 1);
        images.removePulled();
    }

    @Test
    void aPullUnderWayTellsHowFarItIs() throws Exception {
        OciImage image = image("slow", 3_000_000);
        registry.push("metrics/slow:1", List.of(image));
        String blob = "/blobs/" + image.layers().getFirst().blob().digest();
        faulty.script(request ->
                request.endsWith(blob)
                        ? new FaultyRegistry.Drip(2_000_000, 50)
                        : new FaultyRegistry.None());
        String reference = faulty.address() + "/metrics/slow:1";
        CompletableFuture<String> pull = new CompletableFuture<>();
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        pull.complete(images.pull(reference));
                    } catch (StatusRuntimeException e) {
                        pull.completeExceptionally(e);
                    }
                });
        Map<String, Double> seen = scrape();
        while (value(seen, "crema_image_pull_received_bytes", reference) < 1_900_000) {
            assertThat(pull).isNotDone();
            Thread.sleep(50);
            seen = scrape();
        }
        assertThat(seen.get("crema_image_pulls_running")).isEqualTo(1);
        assertThat(value(seen, "crema_image_pull_size_bytes", reference))
                .isEqualTo(layerBytes(image));
        assertThat(value(seen, "crema_image_pull_done_bytes", reference))
                .isBetween(1.0, layerBytes(image) - 1);
        assertThat(value(seen, "crema_image_pull_bytes_per_second", reference)).isNotNegative();
        assertThat(
                        seen.entrySet().stream()
                                .filter(entry ->
                                        entry.getKey().startsWith("crema_image_pull_layers{")
                                                && entry.getKey().contains("state=\"fetching\""))
                                .mapToDouble(Map.Entry::getValue)
                                .sum())
                .isEqualTo(1);
        faulty.behave();
        pull.get(20, TimeUnit.SECONDS);
        assertThat(scrape().get("crema_image_pulls_running")).isZero();
        images.removePulled();
    }

    @Test
    void theSocketServesTheSame() throws IOException {
        assertThat(Files.getPosixFilePermissions(socket))
                .isEqualTo(PosixFilePermissions.fromString("rw-rw----"));
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            channel.write(
                    ByteBuffer.wrap(
                            "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                                    .getBytes(StandardCharsets.US_ASCII)));
            String answer =
                    new String(
                            Channels.newInputStream(channel).readAllBytes(),
                            StandardCharsets.UTF_8);
            assertThat(answer)
                    .startsWith("HTTP/1.1 200 OK")
                    .contains("text/plain; version=0.0.4")
                    .contains("\n# TYPE " + CRIO + "operations_total counter\n");
        }
    }

    /** Everything, by name and labels; what breaks the format fails here. */
    private static Map<String, Double> scrape() throws IOException {
        String text =
                network.call(() -> {
                    HttpURLConnection connection =
                            (HttpURLConnection)
                                    URI.create("http://127.0.0.1:" + port + "/metrics")
                                            .toURL()
                                            .openConnection();
                    return new String(
                            connection.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                });
        Map<String, Double> values = new HashMap<>();
        Set<String> types = new HashSet<>();
        String current = "";
        for (String line : text.lines().toList()) {
            if (line.startsWith("# HELP ")) {
                current = line.split(" ", 4)[2];
                assertThat(line.split(" ", 4)[3]).isNotBlank();
            } else if (line.startsWith("# TYPE ")) {
                assertThat(line)
                        .matches("# TYPE " + current + " (counter|gauge|summary|histogram)");
                assertThat(types.add(current)).as(line).isTrue();
            } else {
                assertThat(line)
                        .matches("[a-z_]+(\\{([a-z]+=\"[^\"]*\",?)+})? [-+0-9.EeInfNa]+")
                        .startsWith(current);
                int space = line.lastIndexOf(' ');
                assertThat(
                                values.put(
                                        line.substring(0, space),
                                        Double.parseDouble(line.substring(space + 1))))
                        .as(line)
                        .isNull();
            }
        }
        return values;
    }

    private static double value(Map<String, Double> values, String name, String reference) {
        return values.entrySet().stream()
                .filter(entry ->
                        entry.getKey().startsWith(name + "{reference=\"" + reference + "\""))
                .mapToDouble(Map.Entry::getValue)
                .findFirst()
                .orElse(0);
    }

    private static void assertGrown(
            Map<String, Double> before, Map<String, Double> after, String name, double by) {
        assertThat(after.getOrDefault(name, 0.0) - before.getOrDefault(name, 0.0))
                .as(name)
                .isEqualTo(by);
    }

    private static double layerBytes(OciImage image) {
        return image.layers().stream().mapToLong(layer -> layer.blob().content().length).sum();
    }

    /** One layer that does not compress. */
    private static OciImage image(String name, int bytes) {
        byte[] noise = new byte[bytes];
        new Random(name.hashCode()).nextBytes(noise);
        return OciImage.of(List.of("sh"), Layer.of(tar -> tar.file(name, noise, 0644)));
    }
}
