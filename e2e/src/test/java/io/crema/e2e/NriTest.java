package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.cri.v1.UpdatePodSandboxResourcesRequest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Plugins of the node resource interface, made with the official stub. */
@Tag("e2e")
@Timeout(120)
class NriTest {
    private static final long MIB = 1 << 20;

    @TempDir private static Path directory;
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
        Peers.differ(node, "Debian's containerd knows NRI's first version only");
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    private static NriPlugin connect(String index, String name, String... more) throws IOException {
        return NriPlugin.connect(node, directory, index, name, more);
    }

    private static String sleeper(TestPod pod, String name) {
        return pod.launch(pod.shell(name, "exec sleep 1000"));
    }

    @Test
    void isToldOfTheWholeLifeCycle() throws IOException {
        try (NriPlugin plugin = connect("10", "watcher")) {
            TestPod pod =
                    TestPod.run(
                            node,
                            config ->
                                    config.putLabels("app", "demo")
                                            .putAnnotations("note", "of the pod"));
            var config =
                    pod.shell("one", "trap 'exit 3' TERM; while :; do sleep 0.05; done")
                            .putLabels("role", "web")
                            .putAnnotations("note", "of the container");
            config.getLinuxBuilder()
                    .setResources(
                            LinuxContainerResources.newBuilder()
                                    .setMemoryLimitInBytes(64 * MIB)
                                    .setCpuShares(512));
            String id = pod.launch(config);
            node.client()
                    .runtime()
                    .updateContainerResources(
                            UpdateContainerResourcesRequest.newBuilder()
                                    .setContainerId(id)
                                    .setLinux(
                                            LinuxContainerResources.newBuilder().setCpuShares(256))
                                    .build());
            node.client()
                    .runtime()
                    .updatePodSandboxResources(
                            UpdatePodSandboxResourcesRequest.newBuilder()
                                    .setPodSandboxId(pod.id())
                                    .setOverhead(
                                            LinuxContainerResources.newBuilder().setCpuShares(11))
                                    .setResources(
                                            LinuxContainerResources.newBuilder()
                                                    .setMemoryLimitInBytes(99 * MIB))
                                    .build());
            String address = pod.status().getNetwork().getIp();
            pod.stop(id, 10);
            pod.remove(id);
            pod.stop();
            pod.stop();
            pod.remove();

            assertThat(NriPlugin.names(plugin.eventsOf(id)))
                    .containsExactly(
                            "CreateContainer",
                            "PostCreateContainer",
                            "StartContainer",
                            "PostStartContainer",
                            "UpdateContainer",
                            "PostUpdateContainer",
                            "StopContainer",
                            "RemoveContainer");
            assertThat(NriPlugin.names(plugin.eventsOf(pod.id())))
                    .containsExactly(
                            "RunPodSandbox",
                            "UpdatePodSandbox",
                            "PostUpdatePodSandbox",
                            "StopPodSandbox",
                            "RemovePodSandbox");
            JsonNode told = plugin.event("RunPodSandbox", pod.id()).path("pod");
            assertThat(told.path("name").asText()).isEqualTo(pod.config().getMetadata().getName());
            assertThat(told.path("namespace").asText()).isEqualTo("e2e");
            assertThat(told.path("uid").asText()).isEqualTo(pod.config().getMetadata().getUid());
            assertThat(told.path("labels").path("app").asText()).isEqualTo("demo");
            assertThat(told.path("annotations").path("note").asText()).isEqualTo("of the pod");
            assertThat(told.path("ips").path(0).asText()).isEqualTo(address);
            assertThat(told.path("linux").path("namespaces").findValuesAsText("type"))
                    .contains("network", "ipc", "uts");
            JsonNode container = plugin.event("CreateContainer", id).path("container");
            assertThat(container.path("name").asText()).isEqualTo("one");
            assertThat(container.path("pod_sandbox_id").asText()).isEqualTo(pod.id());
            assertThat(container.path("labels").path("role").asText()).isEqualTo("web");
            assertThat(container.path("annotations").path("note").asText())
                    .isEqualTo("of the container");
            assertThat(container.path("args").path(0).asText()).isEqualTo("sh");
            assertThat(container.path("mounts").findValuesAsText("destination"))
                    .contains("/proc", "/etc/hosts");
            assertThat(
                            container
                                    .path("linux")
                                    .path("resources")
                                    .path("memory")
                                    .path("limit")
                                    .path("value")
                                    .asLong())
                    .isEqualTo(64 * MIB);
            assertThat(plugin.event("PostStartContainer", id).path("container").path("state"))
                    .asString()
                    .contains("CONTAINER_RUNNING");
            assertThat(
                            plugin.event("UpdateContainer", id)
                                    .path("resources")
                                    .path("cpu")
                                    .path("shares")
                                    .path("value")
                                    .asLong())
                    .isEqualTo(256);
            JsonNode stopped = plugin.event("StopContainer", id).path("container");
            assertThat(stopped.path("state").asText()).isEqualTo("CONTAINER_STOPPED");
            assertThat(stopped.path("exit_code").asInt()).isEqualTo(3);
            assertThat(
                            plugin.event("UpdatePodSandbox", pod.id())
                                    .path("overhead")
                                    .path("cpu")
                                    .path("shares")
                                    .path("value")
                                    .asLong())
                    .isEqualTo(11);
        }
    }

    @Test
    void isToldOfAnEndThatNobodyAskedFor() throws IOException {
        try (NriPlugin plugin = connect("10", "watcher")) {
            TestPod pod = TestPod.run(node);
            String id = pod.launch(pod.shell("short", "exit 7"));
            JsonNode stopped = plugin.await("StopContainer", id);
            assertThat(stopped.path("container").path("exit_code").asInt()).isEqualTo(7);
            pod.remove(id);
            assertThat(NriPlugin.names(plugin.eventsOf(id)))
                    .containsExactly(
                            "CreateContainer",
                            "PostCreateContainer",
                            "StartContainer",
                            "PostStartContainer",
                            "StopContainer",
                            "RemoveContainer");
        }
    }

    @Test
    void adjustsWhatIsMade() throws IOException {
        try (NriPlugin plugin = connect("10", "adjuster")) {
            Path shared = Files.createDirectory(directory.resolve("shared"));
            Files.writeString(shared.resolve("file"), "from the plugin");
            Path trace = directory.resolve("hook.trace");
            Path hook = directory.resolve("hook.sh");
            Files.writeString(hook, "#!/bin/sh\ncat > /dev/null\necho \"$1\" >> " + trace + "\n");
            Files.setPosixFilePermissions(hook, PosixFilePermissions.fromString("rwxr-xr-x"));
            plugin.behave(
                    """
                    {"CreateContainer": {"adjust": {
                      "env": [{"key": "PLUGIN", "value": "was here"}],
                      "annotations": {"plugin": "annotated"},
                      "mounts": [{"destination": "/shared", "type": "bind", "source": "%s",
                                  "options": ["bind", "ro"]}],
                      "hooks": {"createRuntime": [{"path": "%s", "args": ["hook", "created"]}]},
                      "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 321, "soft": 123}],
                      "linux": {
                        "devices": [{"path": "/dev/myzero", "type": "c", "major": 1, "minor": 5,
                                     "file_mode": {"value": 438}}],
                        "oom_score_adj": {"value": 777},
                        "resources": {"memory": {"limit": {"value": 50331648}},
                                      "cpu": {"shares": {"value": 333}},
                                      "pids": {"limit": 44}}}}}}
                    """
                            .formatted(shared, hook));
            TestPod pod = TestPod.run(node);
            String id =
                    pod.launch(
                            pod.shell(
                                    "adjusted",
                                    "echo $PLUGIN; cat /shared/file; echo; ulimit -n;"
                                            + " head -c 3 /dev/myzero | od -An -tx1;"
                                            + " cat /proc/self/oom_score_adj; echo end;"
                                            + " exec sleep 1000"));
            pod.awaitLog("adjusted.log", "end");
            assertThat(TestPod.stdout(pod.log("adjusted.log")).lines().map(String::strip))
                    .containsExactly(
                            "was here", "from the plugin", "123", "00 00 00", "777", "end");
            assertThat(trace).content().isEqualTo("created\n");
            LinuxContainerResources limits = pod.status(id).getResources().getLinux();
            assertThat(limits.getMemoryLimitInBytes()).isEqualTo(48 * MIB);
            assertThat(limits.getCpuShares()).isEqualTo(333);
            assertThat(limits.getOomScoreAdj()).isEqualTo(777);
            JsonNode made = plugin.event("PostCreateContainer", id).path("container");
            assertThat(made.path("annotations").path("plugin").asText()).isEqualTo("annotated");
            assertThat(made.path("linux").path("resources").path("pids").path("limit").asLong())
                    .isEqualTo(44);
            assertThat(pod.status(id).getMountsList())
                    .filteredOn(mount -> mount.getContainerPath().equals("/shared"))
                    .hasSize(1);
        }
    }

    @Test
    void twoThatWantDifferentThingsMakeNothing() throws IOException {
        try (NriPlugin first = connect("10", "first");
                NriPlugin second = connect("20", "second")) {
            first.behave(env("KEY", "one"));
            second.behave(env("KEY", "two"));
            TestPod pod = TestPod.run(node);
            StatusRuntimeException refused = refused(() -> pod.create(shell(pod)));
            assertThat(refused.getStatus().getDescription())
                    .contains("10-first")
                    .contains("20-second")
                    .contains("KEY");
            assertThat(containers()).isEmpty();
            second.behave(env("OTHER", "two"));
            assertThat(pod.output(pod.shell("both", "echo $KEY $OTHER"))).isEqualTo("one two\n");
        }
    }

    private static String env(String key, String value) {
        return "{\"CreateContainer\": {\"adjust\": {\"env\": [{\"key\": \""
                + key
                + "\", \"value\": \""
                + value
                + "\"}]}}}";
    }

    private static io.crema.cri.v1.ContainerConfig shell(TestPod pod) {
        return pod.shell("one", "exec sleep 1000").build();
    }

    private static StatusRuntimeException refused(Runnable call) {
        return catchThrowableOfType(StatusRuntimeException.class, call::run);
    }

    private static List<String> containers() {
        return node
                .client()
                .runtime()
                .listContainers(ListContainersRequest.getDefaultInstance())
                .getContainersList()
                .stream()
                .map(io.crema.cri.v1.Container::getId)
                .toList();
    }

    @Test
    void refusesAndNothingIsLeft() throws IOException {
        try (NriPlugin plugin = connect("10", "refuser")) {
            plugin.behave("{\"RunPodSandbox\": {\"fail\": \"no pod today\"}}");
            assertThat(refused(() -> TestPod.run(node)).getStatus().getDescription())
                    .contains("10-refuser")
                    .contains("no pod today");
            assertThat(
                            node.client()
                                    .runtime()
                                    .listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                                    .getItemsList())
                    .isEmpty();
            assertThat(node.leaks()).allMatch(leak -> leak.contains("nri-plugin"));
            String failed = plugin.await("RunPodSandbox").path("pod").path("id").asText();
            assertThat(NriPlugin.names(plugin.eventsOf(failed)))
                    .containsExactly("RunPodSandbox", "StopPodSandbox", "RemovePodSandbox");

            plugin.behave(
                    "{\"CreateContainer\": {\"fail\": \"no container today\"},"
                            + " \"StartContainer\": {\"fail\": \"no start today\"},"
                            + " \"StopPodSandbox\": {\"fail\": \"no stop today\"}}");
            TestPod pod = TestPod.run(node);
            assertThat(refused(() -> pod.create(shell(pod))).getStatus().getDescription())
                    .contains("no container today");
            assertThat(containers()).isEmpty();
            String unmade = plugin.await("CreateContainer").path("container").path("id").asText();
            assertThat(NriPlugin.names(plugin.eventsOf(unmade)))
                    .containsExactly("CreateContainer", "StopContainer", "RemoveContainer");

            plugin.behave(
                    "{\"StartContainer\": {\"fail\": \"no start today\"},"
                            + " \"StopPodSandbox\": {\"fail\": \"no stop today\"}}");
            String id = pod.create(shell(pod));
            assertThat(refused(() -> pod.start(id)).getStatus().getDescription())
                    .contains("no start today");
            assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
            plugin.behave("{\"StopPodSandbox\": {\"fail\": \"no stop today\"}}");
            pod.start(id);
            // Nobody keeps a pod from being stopped.
            pod.stop();
            pod.remove();
        }
    }

    @Test
    void whoHangsIsGivenUp() throws Exception {
        try (NriPlugin hanging = connect("10", "hanging");
                NriPlugin other = connect("20", "other")) {
            other.behave(env("OTHER", "asked"));
            TestPod pod = TestPod.run(node);
            hanging.behave("{\"CreateContainer\": {\"hang\": true}}");
            long begin = System.nanoTime();
            assertThat(pod.output(pod.shell("one", "echo $OTHER"))).isEqualTo("asked\n");
            assertThat((System.nanoTime() - begin) / 1_000_000L).isBetween(2000L, 15_000L);
            // Told by the end of its connection, and not asked again.
            String next = sleeper(pod, "two");
            assertThat(hanging.eventsOf(next)).isEmpty();
            assertThat(other.event("CreateContainer", next)).isNotNull();
            assertThat(Files.readString(node.log()))
                    .contains("10-hanging is gone: it has not answered CreateContainer");
        }
    }

    @Test
    void whoDiesWhileAskedHarmsNobody() throws Exception {
        try (NriPlugin dying = connect("10", "dying");
                NriPlugin other = connect("20", "other")) {
            TestPod pod = TestPod.run(node);
            dying.behave("{\"CreateContainer\": {\"die\": true}}");
            String id = sleeper(pod, "one");
            dying.awaitEnd();
            assertThat(NriPlugin.names(other.eventsOf(id)))
                    .containsExactly(
                            "CreateContainer",
                            "PostCreateContainer",
                            "StartContainer",
                            "PostStartContainer");
        }
    }

    @Test
    void changesWhatIsThere() throws IOException {
        try (NriPlugin plugin = connect("10", "balancer")) {
            TestPod pod = TestPod.run(node);
            String one = sleeper(pod, "one");
            // Of its own accord.
            JsonNode answer =
                    plugin.request(
                            "[" + shares(one, 700) + ", " + shares("0".repeat(64), 700) + "]");
            assertThat(answer.path("failed").path(0).asText()).isEqualTo("0".repeat(64));
            assertThat(answer.path("failed")).hasSize(1);
            assertThat(pod.status(one).getResources().getLinux().getCpuShares()).isEqualTo(700);
            // While another is made.
            plugin.behave("{\"CreateContainer\": {\"update\": [" + shares(one, 600) + "]}}");
            String two = sleeper(pod, "two");
            assertThat(pod.status(one).getResources().getLinux().getCpuShares()).isEqualTo(600);
            // In place of what was asked for, and of another.
            plugin.behave(
                    "{\"UpdateContainer\": {\"update\": ["
                            + shares(two, 222)
                            + ", "
                            + shares(one, 500)
                            + "]}}");
            node.client()
                    .runtime()
                    .updateContainerResources(
                            UpdateContainerResourcesRequest.newBuilder()
                                    .setContainerId(two)
                                    .setLinux(
                                            LinuxContainerResources.newBuilder().setCpuShares(111))
                                    .build());
            assertThat(pod.status(two).getResources().getLinux().getCpuShares()).isEqualTo(222);
            assertThat(pod.status(one).getResources().getLinux().getCpuShares()).isEqualTo(500);
            // When another ends.
            plugin.behave("{\"StopContainer\": {\"update\": [" + shares(one, 1000) + "]}}");
            pod.stop(two, 0);
            assertThat(pod.status(one).getResources().getLinux().getCpuShares()).isEqualTo(1000);
            // One that is gone harms nobody.
            plugin.behave(
                    "{\"CreateContainer\": {\"update\": [" + shares("f".repeat(64), 9) + "]}}");
            String three = sleeper(pod, "three");
            // What cannot be done fails what it belongs to, unless it may fail.
            String impossible =
                    shares(one, 9).replace("\"shares\": {\"value\": 9}", "\"cpus\": \"9999\"");
            plugin.behave("{\"CreateContainer\": {\"update\": [" + impossible + "]}}");
            assertThatThrownBy(() -> sleeper(pod, "refused")).hasMessageContaining(one);
            assertThat(containers()).containsExactlyInAnyOrder(one, two, three);
            plugin.behave(
                    "{\"CreateContainer\": {\"update\": ["
                            + impossible.replaceFirst("\\{", "{\"ignore_failure\": true, ")
                            + "]}}");
            sleeper(pod, "four");
        }
    }

    private static String shares(String container, int shares) {
        return "{\"container_id\": \""
                + container
                + "\", \"linux\": {\"resources\": {\"cpu\": {\"shares\": {\"value\": "
                + shares
                + "}}}}}";
    }

    @Test
    void validatesWhatOthersAdjust() throws IOException {
        try (NriPlugin adjuster = connect("10", "adjuster");
                NriPlugin guard =
                        connect("90", "guard", "-events", "ValidateContainerAdjustment")) {
            adjuster.behave(env("KEY", "value"));
            TestPod pod = TestPod.run(node);
            sleeper(pod, "one");
            JsonNode asked = guard.await("ValidateContainerAdjustment").path("request");
            assertThat(asked.path("adjust").path("env").path(0).path("key").asText())
                    .isEqualTo("KEY");
            assertThat(asked.path("plugins").findValuesAsText("name"))
                    .containsExactly("adjuster", "guard");
            guard.behave("{\"ValidateContainerAdjustment\": {\"fail\": \"not that\"}}");
            assertThatThrownBy(() -> sleeper(pod, "two")).hasMessageContaining("not that");
            assertThat(containers()).hasSize(1);
        }
    }

    @Test
    void comesBackAfterACrashAndIsToldWhatIsThere() throws Exception {
        try (NriPlugin plugin = connect("10", "faithful", "-reconnect")) {
            TestPod pod = TestPod.run(node);
            String one = sleeper(pod, "one");
            String ended = pod.launch(pod.shell("ended", "exit 0"));
            plugin.await("StopContainer", ended);
            node.kill();
            // What a runtime that was killed leaves does not keep the next from listening.
            assertThat(NriPlugin.socket(node)).exists();
            node.startDaemon();
            NriPlugin.awaitTrue(
                    () ->
                            NriPlugin.names(plugin.events()).stream()
                                            .filter("Synchronize"::equals)
                                            .count()
                                    == 2,
                    () -> "not synchronized again: " + NriPlugin.names(plugin.events()));
            JsonNode told =
                    plugin.events().stream()
                            .filter(event -> event.path("event").asText().equals("Synchronize"))
                            .toList()
                            .getLast();
            assertThat(told.path("pods")).extracting(JsonNode::asText).containsExactly(pod.id());
            assertThat(told.path("containers")).extracting(JsonNode::asText).containsExactly(one);
            pod.stop(one, 0);
            assertThat(plugin.event("StopContainer", one)).isNotNull();
        }
    }

    @Test
    void isStartedByTheDaemonWhenItIsInstalled() throws Exception {
        Path home = Files.createDirectory(directory.resolve("installed"));
        Path plugins = Files.createDirectories(node.directory().resolve("nri"));
        Path configuration = Files.createDirectories(node.directory().resolve("etc/nri"));
        Path program = plugins.resolve("15-installed");
        Files.copy(NriPlugin.program(), program);
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(plugins.resolve("README"), "no plugin");
        Files.copy(NriPlugin.program(), plugins.resolve("nameless"));
        Files.writeString(configuration.resolve("installed.conf"), home.toString());
        try {
            node.restart();
            // The daemon does not serve before it is ready.
            List<JsonNode> events = NriPlugin.events(home);
            assertThat(NriPlugin.names(events)).containsExactly("Configure", "Synchronize");
            assertThat(events.getFirst().path("runtime").asText()).isEqualTo("crema");
            assertThat(events.getFirst().path("timeout").asInt()).isEqualTo(2000);
            assertThat(events.getFirst().path("env"))
                    .extracting(JsonNode::asText)
                    .containsExactlyInAnyOrder(
                            "NRI_PLUGIN_NAME=installed",
                            "NRI_PLUGIN_IDX=15",
                            "NRI_PLUGIN_SOCKET=3");
            TestPod pod = TestPod.run(node);
            assertThat(NriPlugin.names(NriPlugin.events(home))).contains("RunPodSandbox");
            pod.remove();
            assertThat(Files.readString(node.log())).contains("nameless is not started");
        } finally {
            Files.delete(program);
            Files.delete(plugins.resolve("nameless"));
            node.restart();
        }
        assertThat(NriPlugin.names(NriPlugin.events(home))).endsWith("Shutdown");
        assertThat(
                        ProcessHandle.allProcesses()
                                .filter(process ->
                                        process.info()
                                                .command()
                                                .orElse("")
                                                .startsWith(program.toString())))
                .isEmpty();
    }

    @Test
    void whoHasNoProperNameIsTurnedAway() throws Exception {
        Path home = Files.createDirectory(directory.resolve("misnamed"));
        Process process =
                new ProcessBuilder(
                                NriPlugin.program().toString(),
                                "-idx",
                                "7",
                                "-name",
                                "misnamed",
                                "-socket",
                                NriPlugin.socket(node).toString(),
                                "-dir",
                                home.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(home.resolve("log").toFile())
                        .start();
        try {
            NriPlugin.awaitTrue(
                    () -> !process.isAlive(), () -> "it was let in: " + NriPlugin.events(home));
            assertThat(NriPlugin.events(home)).isEmpty();
        } finally {
            process.destroyForcibly();
        }
    }
}
