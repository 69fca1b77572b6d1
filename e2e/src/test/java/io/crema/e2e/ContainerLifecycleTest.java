package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerFilter;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStateValue;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.KeyValue;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.SecurityProfile;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Containers: create, start, stop, remove, status, lists, exit codes, processes as asked for. */
@Tag("e2e")
class ContainerLifecycleTest {
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    /** As CRI-O: crictl finds the pod of a container by these labels, which only kubelet sends. */
    @Test
    void kubernetesLabelsAreFilledInFromTheMetadataAndKeptWhereSent() {
        TestPod pod =
                TestPod.run(
                        node, config -> config.putLabels("io.kubernetes.pod.name", "of-its-own"));
        String id = pod.create(pod.shell("one", "exec sleep 1000").build());
        Peers.differ(node, "containerd leaves the labels as they were sent");
        PodSandboxMetadata metadata = pod.config().getMetadata();
        assertThat(pod.status().getLabelsMap())
                .containsEntry("io.kubernetes.pod.name", "of-its-own")
                .containsEntry("io.kubernetes.pod.namespace", metadata.getNamespace())
                .containsEntry("io.kubernetes.pod.uid", metadata.getUid());
        assertThat(pod.status(id).getLabelsMap())
                .containsEntry("io.kubernetes.pod.name", metadata.getName())
                .containsEntry("io.kubernetes.pod.namespace", metadata.getNamespace())
                .containsEntry("io.kubernetes.pod.uid", metadata.getUid())
                .containsEntry("io.kubernetes.container.name", "one");
    }

    @Test
    void aContainerIsCreatedRunsAndExits() {
        TestPod pod = TestPod.run(node);
        ContainerConfig config =
                pod.shell("one", "exec sleep 1000")
                        .putLabels("l", "v")
                        .putAnnotations("a", "b")
                        .build();
        String id = pod.create(config);
        ContainerStatus created = pod.status(id);
        assertThat(created.getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
        assertThat(created.getCreatedAt()).isPositive();
        assertThat(created.getStartedAt()).isZero();
        assertThat(created.getLabelsMap()).containsEntry("l", "v");
        assertThat(created.getAnnotationsMap()).containsEntry("a", "b");
        assertThat(created.getImage().getImage()).isNotEmpty();
        assertThat(created.getImageRef()).isNotEmpty();
        pod.start(id);
        assertThat(pod.status(id).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        assertThat(pod.status(id).getStartedAt()).isPositive();
        assertThat(pod.logFile("one.log")).exists();
        pod.stop(id, 0);
        ContainerStatus exited = pod.status(id);
        assertThat(exited.getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(exited.getExitCode()).isEqualTo(137);
        assertThat(exited.getReason()).isEqualTo("Error");
        assertThat(exited.getFinishedAt()).isGreaterThanOrEqualTo(exited.getStartedAt());
        pod.stop(id, 0);
        pod.remove(id);
        pod.remove(id);
        assertCode(Status.Code.NOT_FOUND, () -> pod.status(id));
    }

    /** As kubelet restarts a container whose last attempt it keeps for its log. */
    @Test
    void eachAttemptIsAContainerOfItsOwn() {
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config = pod.shell("one", "exit 3");
        String first = pod.launch(config);
        pod.awaitExit(first);
        config.getMetadataBuilder().setAttempt(1);
        String second = pod.create(config.build());
        assertThat(second).isNotEqualTo(first);
        assertThat(pod.status(first).getMetadata().getAttempt()).isZero();
        assertThat(pod.status(second).getMetadata().getAttempt()).isEqualTo(1);
        config.putLabels("changed", "yes");
        assertThatThrownBy(() -> pod.create(config.build()))
                .as("an attempt's name is its own")
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("one");
        pod.remove(first);
        config.getMetadataBuilder().setAttempt(0);
        pod.remove(pod.create(config.build()));
    }

    @Test
    void exitCodesAndReasonsAreTold() {
        TestPod pod = TestPod.run(node);
        ContainerStatus zero = pod.awaitExit(pod.launch(pod.shell("zero", "exit 0")));
        assertThat(zero.getExitCode()).isZero();
        assertThat(zero.getReason()).isEqualTo("Completed");
        ContainerStatus seven = pod.awaitExit(pod.launch(pod.shell("seven", "exit 7")));
        assertThat(seven.getExitCode()).isEqualTo(7);
        assertThat(seven.getReason()).isEqualTo("Error");
    }

    @Test
    void anOutOfMemoryKillIsTold() {
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config =
                pod.shell(
                        "hog",
                        "head -c 200m /dev/zero | tail -c 100m >/dev/null; echo $?; exit 137");
        config.getLinuxBuilder().getResourcesBuilder().setMemoryLimitInBytes(16 << 20);
        ContainerStatus ended = pod.awaitExit(pod.launch(config));
        assertThat(ended.getReason()).isEqualTo("OOMKilled");
    }

    @Test
    void stopSendsTheStopSignalAndWaitsForTheGrace() {
        TestPod pod = TestPod.run(node);
        String polite =
                pod.launch(
                        pod.shell(
                                "polite",
                                "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"));
        pod.awaitLog("polite.log", "up");
        pod.stop(polite, 20);
        assertThat(pod.status(polite).getExitCode()).isEqualTo(3);
        assertThat(pod.log("polite.log")).contains("bye");
        String stubborn =
                pod.launch(
                        pod.shell(
                                "stubborn", "trap '' TERM; echo up; while :; do sleep 0.1; done"));
        pod.awaitLog("stubborn.log", "up");
        long begin = System.nanoTime();
        pod.stop(stubborn, 1);
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isBetween(Duration.ofMillis(900), Duration.ofSeconds(15));
        assertThat(pod.status(stubborn).getExitCode()).isEqualTo(137);
    }

    @Test
    void listsFilter() {
        TestPod pod = TestPod.run(node);
        String one = pod.launch(pod.shell("one", "exec sleep 1000").putLabels("n", "1"));
        String two = pod.create(pod.shell("two", "exec sleep 1000").putLabels("n", "2").build());
        assertThat(ids(ContainerFilter.newBuilder().setPodSandboxId(pod.id()).build()))
                .containsExactlyInAnyOrder(one, two);
        assertThat(ids(ContainerFilter.newBuilder().setId(one).build())).containsExactly(one);
        assertThat(ids(ContainerFilter.newBuilder().putLabelSelector("n", "2").build()))
                .containsExactly(two);
        assertThat(
                        ids(
                                ContainerFilter.newBuilder()
                                        .setState(
                                                ContainerStateValue.newBuilder()
                                                        .setState(ContainerState.CONTAINER_RUNNING))
                                        .build()))
                .containsExactly(one);
        assertThat(ids(ContainerFilter.newBuilder().setId("f".repeat(64)).build())).isEmpty();
    }

    @Test
    void removingARunningContainerKillsIt() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("running", "exec sleep 1000"));
        pod.remove(id);
        assertCode(Status.Code.NOT_FOUND, () -> pod.status(id));
        assertThat(pod.logFile("running.log")).exists();
    }

    @Test
    void onlyACreatedContainerStarts() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("once", "exit 0"));
        pod.awaitExit(id);
        assertThatThrownBy(() -> pod.start(id)).isInstanceOf(StatusRuntimeException.class);
    }

    @Test
    void aMissingCommandFailsClearlyAndLeavesAnExitedOrNoContainer() {
        TestPod pod = TestPod.run(node);
        ContainerConfig config =
                pod.shell("missing", "").clearCommand().addCommand("/no/such/command").build();
        assertThatThrownBy(() -> pod.start(pod.create(config)))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("/no/such/command")
                .hasMessageContaining("no such file");
    }

    @Test
    void aMissingImageIsRefused() {
        TestPod pod = TestPod.run(node);
        ContainerConfig config =
                pod.shell("noimage", "true")
                        .setImage(ImageSpec.newBuilder().setImage("localhost/none/none:1"))
                        .build();
        assertCode(Status.Code.NOT_FOUND, () -> pod.create(config));
    }

    @Test
    void theProcessIsAsAskedFor() {
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config =
                pod.shell("env", "echo $GREETING; pwd; id -u; id -g; id -G; cat /proc/self/status")
                        .addEnvs(
                                KeyValue.newBuilder()
                                        .setKey("GREETING")
                                        .setValue(ByteString.copyFromUtf8("good day")))
                        .setWorkingDir("/var/www");
        config.getLinuxBuilder()
                .getSecurityContextBuilder()
                .setRunAsUser(Int64Value.newBuilder().setValue(33))
                .setRunAsGroup(Int64Value.newBuilder().setValue(33))
                .addSupplementalGroups(4242)
                .setNoNewPrivs(true)
                .setSeccomp(
                        SecurityProfile.newBuilder()
                                .setProfileType(SecurityProfile.ProfileType.RuntimeDefault));
        String output = pod.output(config);
        assertThat(output).startsWith("good day\n/var/www\n33\n33\n");
        assertThat(output.lines().toList().get(4).split(" ")).contains("33", "4242");
        assertThat(output).containsPattern("NoNewPrivs:\\s1").containsPattern("Seccomp:\\s2");
    }

    @Test
    void aReadOnlyRootAndCapabilitiesHold() {
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder readOnly = pod.shell("ro", "touch /x 2>&1; exit 0");
        readOnly.getLinuxBuilder().getSecurityContextBuilder().setReadonlyRootfs(true);
        assertThat(pod.output(readOnly)).contains("Read-only file system");
        ContainerConfig.Builder dropped = pod.shell("caps", "chown 1 /tmp 2>&1; exit 0");
        dropped.getLinuxBuilder()
                .getSecurityContextBuilder()
                .getCapabilitiesBuilder()
                .addDropCapabilities("ALL");
        assertThat(pod.output(dropped)).contains("Operation not permitted");
        ContainerConfig.Builder added =
                pod.shell("net", "ip link set lo down && ip link set lo up && echo ok");
        added.getLinuxBuilder()
                .getSecurityContextBuilder()
                .getCapabilitiesBuilder()
                .addAddCapabilities("NET_ADMIN");
        assertThat(pod.output(added)).isEqualTo("ok\n");
    }

    @Test
    void maskedAndReadOnlyPathsHold() {
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config =
                pod.shell(
                        "paths",
                        "cat /proc/keys | wc -c; echo 1 >/proc/sys/kernel/shmmni; echo $?");
        config.getLinuxBuilder()
                .getSecurityContextBuilder()
                .addMaskedPaths("/proc/keys")
                .addReadonlyPaths("/proc/sys");
        assertThat(pod.output(config)).startsWith("0\n").doesNotEndWith("\n0\n");
    }

    @Test
    void hostDirectoriesAreMounted() throws IOException {
        TestPod pod = TestPod.run(node);
        Path shared = Files.createDirectories(node.directory().resolve("volume"));
        Files.writeString(shared.resolve("in"), "from the host\n");
        ContainerConfig.Builder config =
                pod.shell("mounts", "cat /data/in; echo back >/data/out; touch /ro/x 2>&1; exit 0")
                        .addMounts(
                                Mount.newBuilder()
                                        .setContainerPath("/data")
                                        .setHostPath(shared.toString()))
                        .addMounts(
                                Mount.newBuilder()
                                        .setContainerPath("/ro")
                                        .setHostPath(shared.toString())
                                        .setReadonly(true));
        assertThat(pod.output(config)).contains("from the host").contains("Read-only file system");
        assertThat(shared.resolve("out")).hasContent("back\n");
    }

    @Test
    void resourceLimitsReachTheCgroup() {
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config = pod.shell("limited", "exec sleep 1000");
        config.getLinuxBuilder()
                .getResourcesBuilder()
                .setMemoryLimitInBytes(64 << 20)
                .setCpuShares(512)
                .setCpuPeriod(100_000)
                .setCpuQuota(50_000);
        String id = pod.launch(config);
        String find =
                "find /sys/fs/cgroup/%s/"
                        + node.name()
                        + " -path '*"
                        + id
                        + "*' -not -path '*conmon*' -name %s";
        String found =
                Shell.run(
                        "sh",
                        "-c",
                        "cat $("
                                + find.formatted("memory", "memory.limit_in_bytes")
                                + ") $("
                                + find.formatted("cpu", "cpu.cfs_quota_us")
                                + ") $("
                                + find.formatted("cpu", "cpu.shares")
                                + ")");
        assertThat(found.lines().toList()).containsExactly("67108864", "50000", "512");
        assertThat(pod.status(id).getResources().getLinux().getMemoryLimitInBytes())
                .as("effective limit in the status")
                .isIn(64L << 20, 0L);
    }

    @Test
    void aContainerInTheHostsPidNamespaceSeesTheHost() {
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.getLinuxBuilder()
                                        .getSecurityContextBuilder()
                                        .getNamespaceOptionsBuilder()
                                        .setPid(NamespaceMode.NODE));
        assertThat(pod.output(pod.shell("pids", "readlink /proc/self/ns/pid")))
                .isEqualTo(Shell.run("readlink", "/proc/self/ns/pid"));
    }

    @Test
    void emptyAndUnknownIdsAreTold() {
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .containerStatus(ContainerStatusRequest.getDefaultInstance()))
                .isInstanceOf(StatusRuntimeException.class);
        assertCode(
                Status.Code.NOT_FOUND,
                () ->
                        node.client()
                                .runtime()
                                .containerStatus(
                                        ContainerStatusRequest.newBuilder()
                                                .setContainerId("f".repeat(64))
                                                .build()));
    }

    private static List<String> ids(ContainerFilter filter) {
        return node
                .client()
                .runtime()
                .listContainers(ListContainersRequest.newBuilder().setFilter(filter).build())
                .getContainersList()
                .stream()
                .map(io.crema.cri.v1.Container::getId)
                .toList();
    }

    static void assertCode(
            Status.Code code, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).isEqualTo(code));
    }
}
