package io.crema.e2e;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.io.InputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What cAdvisor's crio client and handler read of us: HTTP on the socket, names of cgroups. */
@Tag("e2e")
class CadvisorHttpTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @BeforeEach
    void onlyOurs() {
        Peers.differ(node, "containerd has a gRPC service of its own for cAdvisor");
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    private record Answer(int status, String head, String body) {
        JsonNode json() throws IOException {
            return JSON.readTree(body);
        }
    }

    @Test
    void infoTellsWhereImagesAre() throws IOException {
        Answer answer = get("/info");
        assertThat(answer.status).isEqualTo(200);
        assertThat(answer.head.toLowerCase(java.util.Locale.ROOT))
                .contains("content-type: application/json");
        JsonNode info = answer.json();
        assertThat(info.path("storage_driver").asText()).isEqualTo("overlay");
        Path root = node.directory().resolve("root");
        assertThat(info.path("storage_root").asText()).isEqualTo(root.toString());
        assertThat(info.path("storage_image").isTextual()).isTrue();
        assertThat(info.path("cgroup_driver").asText()).isEqualTo("cgroupfs");
        assertThat(info.path("default_id_mappings").path("uids").path(0).path("size").asLong())
                .isEqualTo(4294967295L);
        assertThat(get("/config").body).contains("[crio.runtime]");
    }

    @Test
    void aContainerIsFoundByTheIdInTheNameOfItsCgroup() throws IOException {
        TestPod pod = TestPod.run(node);
        String id =
                pod.launch(
                        pod.shell("one", "echo x >/written; echo up; exec sleep 1000")
                                .putLabels("io.kubernetes.container.name", "one")
                                .putAnnotations("io.kubernetes.container.restartCount", "2"));
        pod.awaitLog("one.log", "up");
        JsonNode container = get("/containers/" + id).json();
        assertThat(container.path("name").asText())
                .isEqualTo("k8s_one_" + podName(pod) + "_e2e_" + uid(pod) + "_0");
        long pid = container.path("pid").asLong();
        assertThat(Files.readString(Path.of("/proc/" + pid + "/cgroup"))).contains("/crio-" + id);
        assertThat(container.path("image").asText()).isEqualTo(TestNode.BUSYBOX);
        assertThat(container.path("image_ref").asText()).isEqualTo(pod.status(id).getImageRef());
        assertThat(container.path("created_time").asLong())
                .isEqualTo(pod.status(id).getCreatedAt());
        assertThat(container.path("labels").path("io.kubernetes.container.name").asText())
                .isEqualTo("one");
        assertThat(
                        container
                                .path("annotations")
                                .path("io.kubernetes.container.restartCount")
                                .asText())
                .isEqualTo("2");
        assertThat(container.path("log_path").asText())
                .isEqualTo(pod.logFile("one.log").toString());
        assertThat(container.path("sandbox").asText()).isEqualTo(pod.id());
        assertThat(container.path("ip_addresses").path(0).asText())
                .isEqualTo(pod.status().getNetwork().getIp());
        assertThat(container.path("host_network").isBoolean()).isTrue();
        String root = container.path("root").asText();
        assertThat(Path.of(root).resolve("written")).hasContent("x\n");
        // CAdvisor measures the writable layer there.
        assertThat(root).endsWith("/merged");
        Path layer = Path.of(root.substring(0, root.length() - "/merged".length()), "diff");
        assertThat(layer).isDirectory();
        assertThat(Files.isSymbolicLink(layer)).isFalse();
        assertThat(layer.resolve("written")).hasContent("x\n");
        pod.stop(id, 0);
        assertThat(get("/containers/" + id).json().path("pid").asLong(-1)).isZero();
        pod.remove(id);
        assertThat(get("/containers/" + id).status).isEqualTo(404);
    }

    @Test
    void aPodIsTheContainerThatIsLabelledPod() throws IOException {
        TestPod pod = TestPod.run(node, config -> config.putLabels("io.kubernetes.pod.name", "p"));
        JsonNode before = get("/containers/" + pod.id()).json();
        assertThat(before.path("pid").asLong(-1)).isZero();
        assertThat(before.path("labels").path("io.kubernetes.container.name").asText())
                .isEqualTo("POD");
        assertThat(before.path("labels").path("io.kubernetes.pod.name").asText()).isEqualTo("p");
        assertThat(before.path("name").asText())
                .isEqualTo("k8s_POD_" + podName(pod) + "_e2e_" + uid(pod) + "_0");
        // CAdvisor fails to measure a pod whose root has no writable layer beside it.
        assertThat(Path.of(before.path("root").asText()).resolveSibling("diff")).isEmptyDirectory();
        // The cgroup that makes cAdvisor ask.
        try (var hierarchies = Files.list(Path.of("/sys/fs/cgroup"))) {
            assertThat(
                            hierarchies.anyMatch(hierarchy ->
                                    Files.isDirectory(
                                            hierarchy
                                                    .resolve(node.name())
                                                    .resolve("crio-" + pod.id()))))
                    .isTrue();
        }
        // It has no process; one of its containers leads cAdvisor to the pod's network.
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        long pid = get("/containers/" + pod.id()).json().path("pid").asLong();
        assertThat(pid).isEqualTo(get("/containers/" + id).json().path("pid").asLong());
        assertThat(Files.readString(Path.of("/proc/" + pid + "/net/dev"))).contains("eth0:");
    }

    @Test
    void whatIsNotThereIsNotFound() throws IOException {
        assertThat(get("/containers/" + "f".repeat(64)).status).isEqualTo(404);
        assertThat(get("/containers/").status).isEqualTo(400);
        assertThat(get("/nothing").status).isEqualTo(404);
    }

    private static String podName(TestPod pod) {
        return pod.config().getMetadata().getName();
    }

    private static String uid(TestPod pod) {
        return pod.config().getMetadata().getUid();
    }

    /** As Go's client asks, with one connection for one request. */
    private static Answer get(String path) throws IOException {
        try (SocketChannel channel =
                SocketChannel.open(UnixDomainSocketAddress.of(node.socket()))) {
            String request =
                    "GET "
                            + path
                            + " HTTP/1.1\r\nHost: c\r\nUser-Agent: Go-http-client/1.1\r\n"
                            + "Connection: close\r\n\r\n";
            channel.write(ByteBuffer.wrap(request.getBytes(StandardCharsets.US_ASCII)));
            InputStream input = Channels.newInputStream(channel);
            String text = new String(input.readAllBytes(), StandardCharsets.UTF_8);
            int body = text.indexOf("\r\n\r\n");
            String head = requireNonNull(text.substring(0, body));
            return new Answer(
                    Integer.parseInt(head.substring("HTTP/1.1 ".length()).substring(0, 3)),
                    head,
                    text.substring(body + 4));
        }
    }
}
