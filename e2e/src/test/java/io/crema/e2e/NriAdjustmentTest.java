package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.ByteString;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What plugins want of containers, seen from inside them and in their status. */
@Tag("e2e")
@Timeout(120)
class NriAdjustmentTest {
    private static final long MIB = 1 << 20;

    @TempDir private static Path directory;
    private static TestNode node;

    @BeforeAll
    static void startNode() throws IOException {
        Path specs = Files.createDirectory(directory.resolve("cdi"));
        Files.writeString(
                specs.resolve("vendor.json"),
                """
                {"cdiVersion": "0.6.0", "kind": "vendor.com/device",
                 "devices": [{"name": "null", "containerEdits": {"env": ["DEVICE=null"]}}]}
                """);
        node =
                TestNode.start(
                        NodeSetup.standard()
                                .withConfiguration(
                                        """
                                        [crio.runtime]
                                        cdi_spec_dirs = ["%s"]
                                        [crio.runtime.runtimes.youki]
                                        runtime_path = "%s"
                                        monitor_path = "/usr/bin/conmon"
                                        [crio.nri.default_validator]
                                        nri_enable_default_validator = true
                                        nri_validator_reject_oci_hook_adjustment = true
                                        nri_validator_required_plugins = ["guard"]
                                        nri_validator_tolerate_missing_plugins_annotation = "lenient"
                                        """
                                                .formatted(
                                                        specs,
                                                        System.getProperty(
                                                                "crema.youki",
                                                                "/var/cache/crema-tools/bin/youki"))));
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

    private static NriPlugin guard(String adjustment) throws IOException {
        return NriPlugin.connect(
                node,
                directory,
                "10",
                "guard",
                "{\"CreateContainer\": {\"adjust\": " + adjustment + "}}",
                new String[0]);
    }

    private static void assertRefused(TestPod pod, String... words) {
        assertThatThrownBy(() -> pod.create(pod.shell("refused", "true").build()))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isEqualTo(Status.Code.FAILED_PRECONDITION))
                .hasMessageContainingAll(words);
        assertThat(
                        node.client()
                                .runtime()
                                .listContainers(ListContainersRequest.getDefaultInstance())
                                .getContainersList())
                .isEmpty();
    }

    @Test
    void whatAContainerIsMadeOfIsTakenAwayAndPutThere() throws IOException {
        Path shared = Files.createDirectory(directory.resolve("shared"));
        Files.writeString(shared.resolve("file"), "of the plugin");
        String adjustment =
                """
                {"args": ["sh", "-c", "echo $OWN,$ADDED,$DEVICE; cat /place/file; echo; ls /gone;
                           grep -c ' /scratch tmpfs rw' /proc/mounts; echo end"],
                 "env": [{"key": "-OWN"}, {"key": "ADDED", "value": "a=b"}],
                 "CDI_devices": [{"name": "vendor.com/device=null"}],
                 "mounts": [
                   {"destination": "-/gone"},
                   {"destination": "/scratch", "type": "tmpfs", "source": "tmpfs",
                    "options": ["size=1m"]},
                   {"destination": "/place", "type": "bind", "source": "%s",
                    "options": ["rbind", "ro", "rprivate"]}]}
                """
                        .formatted(shared)
                        .replace("\n", " ");
        try (NriPlugin plugin = guard(adjustment)) {
            TestPod pod = TestPod.run(node);
            var config = pod.shell("one", "echo the program of the request");
            config.addEnvsBuilder().setKey("OWN").setValue(ByteString.copyFromUtf8("x"));
            config.addMountsBuilder().setContainerPath("/gone").setHostPath(shared.toString());
            config.addMountsBuilder()
                    .setContainerPath("/place")
                    .setHostPath(directory.resolve("cdi").toString());
            String id = pod.launch(config);
            assertThat(pod.awaitExit(id).getExitCode()).isZero();

            assertThat(TestPod.stdout(pod.log("one.log")))
                    .isEqualTo(",a=b,null\nof the plugin\n1\nend\n");
            ContainerStatus status = pod.status(id);
            assertThat(status.getMountsList())
                    .singleElement()
                    .satisfies(mount -> {
                        assertThat(mount.getContainerPath()).isEqualTo("/place");
                        assertThat(mount.getHostPath()).isEqualTo(shared.toString());
                        assertThat(mount.getReadonly()).isTrue();
                    });
            assertThat(plugin.event("PostCreateContainer", id).path("container").path("args"))
                    .hasSize(3);
        }
    }

    @Test
    void namespacesKernelParametersAndTheFilterOfSystemCallsAreSet() throws IOException {
        String adjustment =
                """
                {"linux": {
                  "namespaces": [{"type": "ipc"}, {"type": "-uts"}],
                  "sysctl": {"kernel.msgmax": "4242", "net.ipv4.ip_default_ttl": "77"},
                  "seccomp_policy": {
                    "default_action": "SCMP_ACT_ALLOW",
                    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO",
                                  "errno_ret": {"value": 28}}]}}}
                """;
        try (NriPlugin _ = guard(adjustment)) {
            TestPod pod = TestPod.run(node);
            String output =
                    pod.output(
                            pod.shell(
                                    "one",
                                    "cat /proc/sys/kernel/msgmax"
                                            + " /proc/sys/net/ipv4/ip_default_ttl;"
                                            + " readlink /proc/self/ns/uts;"
                                            + " mkdir /x 2>&1 | sed 's/.*: //'"));

            assertThat(output.lines())
                    .containsExactly(
                            "4242",
                            "77",
                            Files.readSymbolicLink(Path.of("/proc/self/ns/uts")).toString(),
                            "No space left on device");
        }
    }

    @Test
    void limitsReachTheCgroupTheStatusAndLaterUpdates() throws IOException {
        String adjustment =
                """
                {"linux": {"resources": {
                  "memory": {"limit": {"value": 67108864}, "reservation": {"value": 8388608}},
                  "cpu": {"shares": {"value": 300}, "quota": {"value": 20000},
                          "period": {"value": 100000}, "cpus": "0"},
                  "pids": {"limit": 55}}}}
                """;
        try (NriPlugin plugin = guard(adjustment)) {
            TestPod pod = TestPod.run(node);
            String id = pod.launch(pod.shell("one", "exec sleep 1000"));
            LinuxContainerResources limits = pod.status(id).getResources().getLinux();
            assertThat(limits.getMemoryLimitInBytes()).isEqualTo(64 * MIB);
            assertThat(limits.getCpuShares()).isEqualTo(300);
            assertThat(limits.getCpuQuota()).isEqualTo(20_000);
            assertThat(limits.getCpusetCpus()).isEqualTo("0");
            assertThat(cgroupFile(id, "pids", "pids.max")).isEqualTo("55");
            assertThat(
                            cgroupFile(
                                    id,
                                    "memory",
                                    isUnified() ? "memory.low" : "memory.soft_limit_in_bytes"))
                    .isEqualTo(Long.toString(8 * MIB));

            plugin.behave(
                    """
                    {"UpdateContainer": {"update": [{"container_id": "%s", "linux": {"resources": {
                      "memory": {"reservation": {"value": 4194304}}, "pids": {"limit": 66}}}}]}}
                    """
                            .formatted(id));
            node.client()
                    .runtime()
                    .updateContainerResources(
                            UpdateContainerResourcesRequest.newBuilder()
                                    .setContainerId(id)
                                    .setLinux(
                                            LinuxContainerResources.newBuilder().setCpuShares(400))
                                    .build());

            assertThat(pod.status(id).getResources().getLinux().getCpuShares()).isEqualTo(400);
            assertThat(pod.status(id).getResources().getLinux().getMemoryLimitInBytes())
                    .isEqualTo(64 * MIB);
            assertThat(cgroupFile(id, "pids", "pids.max")).isEqualTo("66");
            assertThat(
                            cgroupFile(
                                    id,
                                    "memory",
                                    isUnified() ? "memory.low" : "memory.soft_limit_in_bytes"))
                    .isEqualTo(Long.toString(4 * MIB));
            JsonNode resources = spec(id).path("linux").path("resources");
            assertThat(resources.path("memory").path("reservation").asLong()).isEqualTo(4 * MIB);
            assertThat(resources.path("pids").path("limit").asLong()).isEqualTo(66);
        }
    }

    private static boolean isUnified() {
        return Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers"));
    }

    private static String cgroupFile(String container, String controller, String file)
            throws IOException {
        Path root = Path.of("/sys/fs/cgroup");
        Path controlled = isUnified() ? root : root.resolve(controller);
        return Files.readString(
                        controlled.resolve(node.name()).resolve("crio-" + container).resolve(file))
                .strip();
    }

    private static JsonNode spec(String container) throws IOException {
        return new ObjectMapper()
                .readTree(
                        node.client()
                                .runtime()
                                .containerStatus(
                                        ContainerStatusRequest.newBuilder()
                                                .setContainerId(container)
                                                .setVerbose(true)
                                                .build())
                                .getInfoOrThrow("info"))
                .path("runtimeSpec");
    }

    @Test
    void theSchedulerIsSetByARuntimeThatDoesSoAndRefusedWithOneThatDoesNot() throws IOException {
        String adjustment =
                """
                {"linux": {"scheduler": {"policy": "SCHED_BATCH", "nice": 5},
                           "io_priority": {"class": "IOPRIO_CLASS_IDLE"}}}
                """;
        try (NriPlugin _ = guard(adjustment)) {
            assertRefused(
                    TestPod.run(node),
                    "NRI plugin 10-guard",
                    "linux.io_priority of container",
                    "it needs one that knows version 1.1");
            TestPod pod = TestPod.run(node, "youki", config -> {});
            String output = pod.output(pod.shell("one", "cut -d ' ' -f 19,41 /proc/self/stat"));

            // The nice value, and 3 for SCHED_BATCH.
            assertThat(output).isEqualTo("5 3\n");
        }
    }

    @Test
    void whatTheNodeCannotDoIsRefusedByPluginAndField() throws IOException {
        try (NriPlugin plugin = guard("{\"linux\": {\"cgroups_path\": \"/elsewhere\"}}")) {
            TestPod pod = TestPod.run(node);
            assertRefused(pod, "NRI plugin 10-guard", "linux.cgroups_path of container");
            plugin.behave(
                    "{\"CreateContainer\": {\"adjust\":"
                            + " {\"linux\": {\"sysctl\": {\"vm.swappiness\": \"1\"}}}}}");
            assertRefused(pod, "linux.sysctl[vm.swappiness] of container", "of the whole node");
            plugin.behave(
                    "{\"CreateContainer\": {\"adjust\":"
                            + " {\"mounts\": [{\"destination\": \"/m\", \"type\": \"bind\","
                            + " \"source\": \"/no/such\"}]}}}");
            assertRefused(pod, "mounts[/m] of container", "there is no '/no/such' on this node");
        }
    }

    @Test
    void theDefaultValidatorHoldsPluginsToTheConfiguration() throws IOException {
        TestPod pod = TestPod.run(node);
        assertRefused(pod, "NRI plugins that are not connected: guard");
        TestPod lenient = TestPod.run(node, config -> config.putAnnotations("lenient", "true"));
        assertThat(lenient.output(lenient.shell("lenient", "echo ok"))).isEqualTo("ok\n");
        try (NriPlugin plugin =
                guard("{\"hooks\": {\"createRuntime\": [{\"path\": \"/bin/true\"}]}}")) {
            assertRefused(
                    pod,
                    "NRI plugin 10-guard may not change hooks",
                    "nri_validator_reject_oci_hook_adjustment");
            plugin.behave("{}");
            assertThat(pod.output(pod.shell("one", "echo ok"))).isEqualTo("ok\n");
        }
    }
}
