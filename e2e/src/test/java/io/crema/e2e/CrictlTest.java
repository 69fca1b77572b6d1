package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.TestRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an operator does by hand with the real crictl ({@code -Dcrema.crictl=PATH}). */
@Tag("e2e")
class CrictlTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static TestNode node;
    private static String image;

    @BeforeAll
    static void startNode() throws IOException {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        node = TestNode.start(registry.node());
        Files.writeString(directory.resolve("crictl.yaml"), "");
        image = registry.address() + "/e2e/crictl:1";
        registry.push(
                "e2e/crictl:1",
                List.of(
                        OciImage.of(
                                List.of("sh"),
                                Layer.of(BusyboxArchive.tar(Path.of("/bin/busybox"))))));
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, registry, () -> TestRegistry.release(network));
    }

    @Test
    void aPodsWholeLifeByHand() throws IOException, InterruptedException {
        assertThat(crictl("version")).contains("RuntimeName:").contains("RuntimeApiVersion:  v1");
        JsonNode info = JSON.readTree(crictl("info"));
        for (JsonNode condition : info.path("status").path("conditions")) {
            if (condition.path("type").asText().endsWith("Ready")) {
                assertThat(condition.path("status").asBoolean()).as(condition.toString()).isTrue();
            }
        }
        assertThat(info.path("config").isObject()).as("kubeadm reads info.config").isTrue();

        assertThat(crictl("pull", image)).contains("Image is up to date for");
        assertThat(crictl("images")).contains("/e2e/crictl");
        JsonNode inspected = JSON.readTree(crictl("inspecti", image));
        String imageId = inspected.path("status").path("id").asText();
        assertThat(inspected.path("status").path("repoTags").get(0).asText()).isEqualTo(image);
        assertThat(crictl("images", "-q").lines()).contains(imageId);

        Path logs = directory.resolve("logs");
        Path pod = json("pod.json", podConfig(logs));
        Path container = json("container.json", containerConfig());
        String podId = crictl("runp", pod.toString()).strip();
        assertThat(podId).matches("[0-9a-f]{64}");
        String id = crictl("create", podId, container.toString(), pod.toString()).strip();
        assertThat(id).matches("[0-9a-f]{64}");
        assertThat(crictl("ps", "-a")).contains(id.substring(0, 13)).contains("Created");
        assertThat(crictl("start", id).strip()).isEqualTo(id);
        assertThat(crictl("ps")).contains(id.substring(0, 13)).contains("Running").contains("c1");
        if (node.runtime().isOurs()) { // crictl goes by labels that clients of containerd must set
            assertThat(crictl("ps")).contains("p1");
        }
        assertThat(crictl("pods"))
                .contains(podId.substring(0, 13))
                .contains("Ready")
                .contains("p1");
        assertThat(crictl("pods", "--name", "p1", "-q").strip()).isEqualTo(podId);
        assertThat(crictl("pods", "--label", "app=none", "-q").strip()).isEmpty();

        JsonNode status = JSON.readTree(crictl("inspect", id));
        assertThat(status.path("status").path("state").asText()).isEqualTo("CONTAINER_RUNNING");
        assertThat(status.path("info").path("pid").asLong()).isPositive();
        JsonNode sandbox = JSON.readTree(crictl("inspectp", podId));
        assertThat(sandbox.path("status").path("network").path("ip").asText()).startsWith("10.87.");
        // Short ids, as people type them.
        assertThat(JSON.readTree(crictl("inspect", id.substring(0, 8))).path("status").path("id"))
                .isEqualTo(status.path("status").path("id"));

        awaitLine(id, "serving");
        assertThat(crictl("logs", "--tail", "1", id)).isEqualTo("serving\n");
        assertThat(crictl("exec", "-s", id, "sh", "-c", "echo from $0; hostname"))
                .startsWith("from sh\nhost1\n");
        Shell.Result failed = result("exec", "-s", id, "sh", "-c", "echo broken >&2; exit 3");
        assertThat(failed.exitCode()).isNotZero();
        assertThat(failed.output()).contains("broken").contains("3");

        crictl("stop", "--timeout", "1", id);
        assertThat(crictl("ps", "-a")).contains("Exited");
        assertThat(JSON.readTree(crictl("inspect", id)).path("status").path("exitCode").asInt())
                .isEqualTo(137);
        assertThat(crictl("logs", id)).contains("serving");
        crictl("rm", id);
        assertThat(crictl("ps", "-a", "-q")).isEmpty();
        crictl("stopp", podId);
        assertThat(crictl("pods")).contains("NotReady");
        crictl("rmp", podId);
        assertThat(crictl("pods", "-q")).isEmpty();
        crictl("rmi", image);
        assertThat(crictl("images", "-q").lines()).doesNotContain(imageId);
        assertThat(result("inspecti", image).exitCode()).isNotZero();
        assertThat(crictl("imagefsinfo")).contains("usedBytes");
        Peers.differ(node, "containerd 1.6 has no RuntimeConfig");
        assertThat(crictl("runtime-config")).containsIgnoringCase("cgroup");
    }

    /** {@code kill -9} at every step of the same life; crictl sees the truth each time. */
    @Test
    void aPodsLifeGoesOnWhateverDies() throws IOException, InterruptedException {
        Peers.differ(node, "containerd's containers lose their logs with it");
        crictl("pull", image);
        node.kill();
        node.startDaemon();
        assertThat(crictl("images")).contains("/e2e/crictl");
        Path logs = directory.resolve("logs-of-survivors");
        Path pod = json("survivor.json", podConfig(logs));
        Path container = json("counter.json", containerConfig());
        String podId = crictl("runp", pod.toString()).strip();
        node.kill();
        node.startDaemon();
        assertThat(crictl("pods", "--state", "ready", "-q").strip()).isEqualTo(podId);
        String id = crictl("create", podId, container.toString(), pod.toString()).strip();
        node.kill();
        node.startDaemon();
        assertThat(crictl("ps", "-a", "--state", "created", "-q").strip()).isEqualTo(id);
        crictl("start", id);
        node.kill();
        node.startDaemon();
        assertThat(crictl("ps", "-q").strip()).isEqualTo(id);
        awaitLine(id, "serving");
        assertThat(crictl("exec", "-s", id, "hostname")).startsWith("host1\n");
        String pid = JSON.readTree(crictl("inspect", id)).path("info").path("pid").asText();
        node.kill();
        Shell.run("kill", "-9", pid);
        node.startDaemon();
        JsonNode status = JSON.readTree(crictl("inspect", id)).path("status");
        assertThat(status.path("state").asText()).isEqualTo("CONTAINER_EXITED");
        assertThat(status.path("exitCode").asInt()).isEqualTo(137);
        crictl("stop", id);
        node.kill();
        node.startDaemon();
        crictl("rm", id);
        node.kill();
        node.startDaemon();
        assertThat(crictl("ps", "-a", "-q")).isEmpty();
        crictl("stopp", podId);
        node.kill();
        node.startDaemon();
        assertThat(crictl("pods", "--state", "notready", "-q").strip()).isEqualTo(podId);
        crictl("rmp", podId);
        crictl("rmi", image);
        node.kill();
        node.startDaemon();
        assertThat(crictl("pods", "-q")).isEmpty();
        assertThat(crictl("images")).doesNotContain("/e2e/crictl");
    }

    private static void awaitLine(String id, String line) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!crictl("logs", id).contains(line)) {
            if (System.nanoTime() > end) {
                throw new AssertionError("never logged: " + line);
            }
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    private static String podConfig(Path logs) {
        return """
        { "metadata": { "name": "p1", "namespace": "default", "uid": "uid-%s", "attempt": 1 },
          "hostname": "host1", "log_directory": "%s", "labels": { "app": "crictl" },
          "linux": { "cgroup_parent": "/%s" } }
        """
                .formatted(logs.getFileName(), logs, node.name());
    }

    private static String containerConfig() {
        return """
        { "metadata": { "name": "c1", "attempt": 1 }, "image": { "image": "%s" },
          "command": ["sh", "-c", "echo starting; echo serving; exec sleep 86399"],
          "envs": [ { "key": "A", "value": "b" } ],
          "log_path": "c1.log", "linux": { "security_context": { "namespace_options": { "pid": 1 } } } }
        """
                .formatted(image);
    }

    private static Path json(String name, String content) throws IOException {
        return Files.writeString(directory.resolve(name), content);
    }

    private static String crictl(String... arguments) {
        return Shell.run(command(arguments));
    }

    private static Shell.Result result(String... arguments) {
        return Shell.result(command(arguments));
    }

    private static List<String> command(String... arguments) {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                System.getProperty("crema.crictl", "crictl"),
                                "--config",
                                directory.resolve("crictl.yaml").toString(),
                                "--timeout",
                                "60s",
                                "-r",
                                "unix://" + node.socket(),
                                "-i",
                                "unix://" + node.socket()));
        command.addAll(Arrays.asList(arguments));
        return command;
    }
}
