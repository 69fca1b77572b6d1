package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ContainerId;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.LinuxContainerConfig;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxState;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.oci.linux.LinuxMounts.MountFlag;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The life cycles with real runc and conmon, in this process. */
@Tag("root")
class NodePodRuntimeTest {
    private static final NamespaceOption OWN_PIDS =
            NamespaceOption.newBuilder().setPid(NamespaceMode.CONTAINER).build();

    private Path directory;
    private TestRuntime node;

    @BeforeEach
    void start() throws IOException {
        // Not a @TempDir: sockets of conmon need short paths, and mounts must go before files.
        directory = Files.createTempDirectory("crema-rt");
        node = new TestRuntime(directory);
    }

    @AfterEach
    void stop() throws IOException {
        node.runtime
                .listPodSandbox(
                        io.crema.cri.v1.ListPodSandboxRequest.getDefaultInstance(),
                        TestRuntime.LONG)
                .getItemsList()
                .forEach(pod ->
                        node.runtime.removePodSandbox(
                                RemovePodSandboxRequest.newBuilder()
                                        .setPodSandboxId(pod.getId())
                                        .build(),
                                TestRuntime.LONG));
        node.close();
        TestRuntime.removePodCgroups(directory);
        assertThat(Files.readString(Path.of("/proc/self/mounts"))).doesNotContain(directory + "/");
        for (String place :
                List.of(
                        "run/containers",
                        "run/ns",
                        "run/shm",
                        "run/exits",
                        "root/sandboxes",
                        "root/containers")) {
            if (Files.exists(directory.resolve(place))) {
                try (Stream<Path> left = Files.list(directory.resolve(place))) {
                    assertThat(left).as(place).isEmpty();
                }
            }
        }
        Trees.deleteTree(directory);
    }

    @Test
    void aContainerLivesItsWholeLife() {
        String pod = runPod(OWN_PIDS);
        String id = create(pod, "one", "echo hello; exec sleep 1000");
        assertThat(status(id).getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
        start(id);
        assertThat(status(id).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        assertThat(
                        node.runtime
                                .execSync(
                                        ExecSyncRequest.newBuilder()
                                                .setContainerId(id.substring(0, 10))
                                                .addAllCmd(List.of("echo", "hi"))
                                                .build(),
                                        TestRuntime.LONG)
                                .getStdout()
                                .toStringUtf8())
                .isEqualTo("hi\n");
        node.runtime.stopContainer(
                StopContainerRequest.newBuilder().setContainerId(id).setTimeout(0).build(),
                TestRuntime.LONG);
        assertThat(status(id).getExitCode()).isEqualTo(137);
        node.runtime.stopPodSandbox(
                StopPodSandboxRequest.newBuilder().setPodSandboxId(pod).build(), TestRuntime.LONG);
        assertThat(podState(pod)).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        assertThat(directory.resolve("cni.log"))
                .content()
                .contains("ADD " + pod)
                .contains("DEL " + pod);
    }

    @Test
    void aPodWithASharedPidNamespaceHasAnInit() {
        String pod = runPod(NamespaceOption.newBuilder().setPid(NamespaceMode.POD).build());
        String id = create(pod, "one", "exec sleep 1000", NamespaceMode.POD);
        start(id);
        assertThat(
                        node.runtime
                                .execSync(
                                        ExecSyncRequest.newBuilder()
                                                .setContainerId(id)
                                                .addAllCmd(List.of("ps"))
                                                .build(),
                                        TestRuntime.LONG)
                                .getStdout()
                                .toStringUtf8())
                .contains("sleep 1000")
                .contains("init");
    }

    @Test
    void aNewRuntimeTakesOverWhatTheOldOneLeft() throws IOException {
        String pod = runPod(OWN_PIDS);
        String running = create(pod, "running", "exec sleep 1000");
        start(running);
        String created = create(pod, "created", "exec sleep 1000");
        node.close();
        node = new TestRuntime(directory);
        assertThat(podState(pod)).isEqualTo(PodSandboxState.SANDBOX_READY);
        assertThat(status(running).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        assertThat(status(created).getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
        start(created);
        assertThat(status(created).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
    }

    @Test
    void aFailedCreationLeavesNothing() {
        String pod = runPod(OWN_PIDS);
        assertThatThrownBy(() -> node.runtime.createContainer(notToBeMade(pod), TestRuntime.LONG))
                .hasMessageContaining("/no/such/binary");
        assertThat(
                        node.runtime
                                .listContainers(
                                        ListContainersRequest.getDefaultInstance(),
                                        TestRuntime.LONG)
                                .getContainersCount())
                .isZero();
    }

    @Test
    void whatAFailedUndoLeavesIsUndoneByTheNextStart() throws IOException {
        String pod = runPod(OWN_PIDS);
        node.images.failsToRelease = true;
        assertThatThrownBy(() -> node.runtime.createContainer(notToBeMade(pod), TestRuntime.LONG))
                .satisfies(e -> assertThat(e.getSuppressed()).isNotEmpty());
        try (Stream<Path> left = Files.list(node.layout.containers())) {
            assertThat(left.toList())
                    .singleElement()
                    .satisfies(one -> assertThat(one.resolve("record.json")).exists());
        }
        node.close();
        node = new TestRuntime(directory);
        assertThat(node.layout.containers()).isEmptyDirectory();
    }

    @Test
    void aMountInADirectoryWithoutARecordDoesNotKeepTheDaemonDown() throws IOException {
        runPod(OWN_PIDS);
        Path left = node.layout.container(ContainerId.random());
        Path below = Files.createDirectories(directory.resolve("below"));
        Path kept = Files.writeString(below.resolve("kept"), "kept");
        for (Path place : List.of(left.resolve("view"), left.resolve("checkpoint/files/lower"))) {
            Files.createDirectories(place);
            node.linux.mount(below.toString(), place, "", Set.of(MountFlag.BIND), "");
        }
        node.close();
        node = new TestRuntime(directory);
        assertThat(left).doesNotExist();
        assertThat(kept).exists();
    }

    private static CreateContainerRequest notToBeMade(String pod) {
        return request(pod, "bad", "true", NamespaceMode.CONTAINER).toBuilder()
                .setConfig(
                        config("bad", "true", NamespaceMode.CONTAINER).toBuilder()
                                .clearCommand()
                                .addCommand("/no/such/binary"))
                .build();
    }

    private String runPod(NamespaceOption namespaces) {
        return node.runPod("pod", namespaces);
    }

    private String create(String pod, String name, String script) {
        return create(pod, name, script, NamespaceMode.CONTAINER);
    }

    private String create(String pod, String name, String script, NamespaceMode pids) {
        return node.runtime
                .createContainer(request(pod, name, script, pids), TestRuntime.LONG)
                .getContainerId();
    }

    private static CreateContainerRequest request(
            String pod, String name, String script, NamespaceMode pids) {
        return CreateContainerRequest.newBuilder()
                .setPodSandboxId(pod)
                .setConfig(config(name, script, pids))
                .setSandboxConfig(PodSandboxConfig.getDefaultInstance())
                .build();
    }

    private static ContainerConfig config(String name, String script, NamespaceMode pids) {
        return ContainerConfig.newBuilder()
                .setMetadata(ContainerMetadata.newBuilder().setName(name))
                .setImage(ImageSpec.newBuilder().setImage(DirectoryImages.NAME))
                .addAllCommand(List.of("sh", "-c", script))
                .setLogPath(name + ".log")
                .setLinux(
                        LinuxContainerConfig.newBuilder()
                                .setSecurityContext(
                                        LinuxContainerSecurityContext.newBuilder()
                                                .setNamespaceOptions(
                                                        NamespaceOption.newBuilder().setPid(pids))))
                .build();
    }

    private void start(String id) {
        node.runtime.startContainer(
                StartContainerRequest.newBuilder().setContainerId(id).build(), TestRuntime.LONG);
    }

    private ContainerStatus status(String id) {
        return node.runtime
                .containerStatus(
                        ContainerStatusRequest.newBuilder().setContainerId(id).build(),
                        TestRuntime.LONG)
                .getStatus();
    }

    private PodSandboxState podState(String pod) {
        return node.runtime
                .podSandboxStatus(
                        PodSandboxStatusRequest.newBuilder().setPodSandboxId(pod).build(),
                        TestRuntime.LONG)
                .getStatus()
                .getState();
    }
}
