package io.crema.e2e.node;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ExecSyncResponse;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.LinuxContainerConfig;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.LinuxPodSandboxConfig;
import io.crema.cri.v1.LinuxSandboxSecurityContext;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.PodSandboxStatus;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.RemoveContainerRequest;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.cri.v1.StopPodSandboxRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;

/**
 * A pod on a test node and the calls that kubelet makes for it. As kubelet asks by default, each
 * container has a PID namespace of its own.
 */
public final class TestPod {
    private static final Duration WAIT = Duration.ofSeconds(30);

    private final TestNode node;
    private final PodSandboxConfig config;
    private final String id;

    private TestPod(TestNode node, PodSandboxConfig config, String id) {
        this.node = node;
        this.config = config;
        this.id = id;
    }

    public static TestPod run(TestNode node) {
        return run(node, pod -> {});
    }

    public static TestPod run(TestNode node, Consumer<PodSandboxConfig.Builder> change) {
        return run(node, "", change);
    }

    /**
     * @param handler the runtime handler; empty for the default one
     */
    public static TestPod run(
            TestNode node, String handler, Consumer<PodSandboxConfig.Builder> change) {
        PodSandboxConfig config = config(node, change);
        return new TestPod(
                node,
                config,
                node.client()
                        .runtime()
                        .runPodSandbox(
                                RunPodSandboxRequest.newBuilder()
                                        .setConfig(config)
                                        .setRuntimeHandler(handler)
                                        .build())
                        .getPodSandboxId());
    }

    /** A configuration with a new name and uid. */
    public static PodSandboxConfig config(
            TestNode node, Consumer<PodSandboxConfig.Builder> change) {
        String uid = UUID.randomUUID().toString();
        PodSandboxConfig.Builder config =
                PodSandboxConfig.newBuilder()
                        .setMetadata(
                                PodSandboxMetadata.newBuilder()
                                        .setName("pod-" + uid.substring(0, 8))
                                        .setNamespace("e2e")
                                        .setUid(uid))
                        .setHostname("host-" + uid.substring(0, 8))
                        .setLogDirectory(node.directory().resolve("podlogs/" + uid).toString())
                        .setLinux(
                                LinuxPodSandboxConfig.newBuilder()
                                        .setCgroupParent("/" + node.name())
                                        .setSecurityContext(
                                                LinuxSandboxSecurityContext.newBuilder()
                                                        .setNamespaceOptions(
                                                                NamespaceOption.newBuilder()
                                                                        .setPid(
                                                                                NamespaceMode
                                                                                        .CONTAINER))));
        change.accept(config);
        return config.build();
    }

    public String id() {
        return id;
    }

    public PodSandboxConfig config() {
        return config;
    }

    public PodSandboxStatus status() {
        return node.client()
                .runtime()
                .podSandboxStatus(PodSandboxStatusRequest.newBuilder().setPodSandboxId(id).build())
                .getStatus();
    }

    public void stop() {
        node.client()
                .runtime()
                .stopPodSandbox(StopPodSandboxRequest.newBuilder().setPodSandboxId(id).build());
    }

    public void remove() {
        node.client()
                .runtime()
                .removePodSandbox(RemovePodSandboxRequest.newBuilder().setPodSandboxId(id).build());
    }

    /** A container of busybox that runs a shell script and logs to {@code <name>.log}. */
    public ContainerConfig.Builder shell(String name, String script) {
        return ContainerConfig.newBuilder()
                .setMetadata(ContainerMetadata.newBuilder().setName(name))
                .setImage(ImageSpec.newBuilder().setImage(TestNode.BUSYBOX))
                .addAllCommand(List.of("sh", "-c", script))
                .setLogPath(name + ".log")
                .setLinux(
                        LinuxContainerConfig.newBuilder()
                                .setSecurityContext(
                                        LinuxContainerSecurityContext.newBuilder()
                                                .setNamespaceOptions(
                                                        config.getLinux()
                                                                .getSecurityContext()
                                                                .getNamespaceOptions())));
    }

    public String create(ContainerConfig container) {
        return node.client()
                .runtime()
                .createContainer(
                        CreateContainerRequest.newBuilder()
                                .setPodSandboxId(id)
                                .setConfig(container)
                                .setSandboxConfig(config)
                                .build())
                .getContainerId();
    }

    public void start(String container) {
        node.client()
                .runtime()
                .startContainer(
                        StartContainerRequest.newBuilder().setContainerId(container).build());
    }

    /** Creates and starts. */
    public String launch(ContainerConfig.Builder container) {
        String created = create(container.build());
        start(created);
        return created;
    }

    public void stop(String container, long graceSeconds) {
        node.client()
                .runtime()
                .stopContainer(
                        StopContainerRequest.newBuilder()
                                .setContainerId(container)
                                .setTimeout(graceSeconds)
                                .build());
    }

    public void remove(String container) {
        node.client()
                .runtime()
                .removeContainer(
                        RemoveContainerRequest.newBuilder().setContainerId(container).build());
    }

    public ContainerStatus status(String container) {
        return node.client()
                .runtime()
                .containerStatus(
                        ContainerStatusRequest.newBuilder().setContainerId(container).build())
                .getStatus();
    }

    public ExecSyncResponse exec(String container, String... command) {
        return node.client()
                .runtime()
                .execSync(
                        ExecSyncRequest.newBuilder()
                                .setContainerId(container)
                                .addAllCmd(List.of(command))
                                .setTimeout(20)
                                .build());
    }

    /** Runs a script in a new container to its end and gives what it wrote to stdout. */
    public String output(ContainerConfig.Builder container) {
        String launched = launch(container);
        ContainerStatus ended = awaitExit(launched);
        String log = log(container.getLogPath());
        if (ended.getExitCode() != 0) {
            throw new AssertionError(
                    "container ended with " + ended.getExitCode() + " and wrote: " + log);
        }
        remove(launched);
        return stdout(log);
    }

    public ContainerStatus awaitExit(String container) {
        long end = System.nanoTime() + WAIT.toNanos();
        while (System.nanoTime() < end) {
            ContainerStatus status = status(container);
            if (status.getState() == ContainerState.CONTAINER_EXITED) {
                return status;
            }
            pause();
        }
        throw new AssertionError("container " + container + " did not end within " + WAIT);
    }

    public Path logFile(String logPath) {
        return Path.of(config.getLogDirectory()).resolve(logPath);
    }

    /** A log file as it is, in CRI format. */
    public String log(String logPath) {
        try {
            return Files.readString(logFile(logPath));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits until a container's log contains a text. */
    public void awaitLog(String logPath, String text) {
        long end = System.nanoTime() + WAIT.toNanos();
        while (System.nanoTime() < end) {
            if (Files.exists(logFile(logPath)) && log(logPath).contains(text)) {
                return;
            }
            pause();
        }
        throw new AssertionError("the log " + logPath + " never contained: " + text);
    }

    /** What a log in CRI format says was written to stdout, its lines' parts put together. */
    public static String stdout(String log) {
        StringBuilder text = new StringBuilder();
        for (String line : log.split("\n", -1)) {
            String[] parts = line.split(" ", 4);
            if (parts.length == 4 && parts[1].equals("stdout")) {
                text.append(parts[3]).append(parts[2].equals("F") ? "\n" : "");
            }
        }
        return text.toString();
    }

    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
