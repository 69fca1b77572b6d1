package io.crema.e2e.demo;

import com.google.protobuf.ByteString;
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
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandbox;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.cri.v1.VersionRequest;
import io.crema.cri.v1.VersionResponse;
import io.crema.e2e.client.CriClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

/**
 * Runs one pod with two containers over the CRI socket, as kubelet would: one serves HTTP on the
 * pod's address, the other fetches it. Prints both logs and an exec's output; fails when the
 * fetched page is not the served one.
 *
 * <p>Usage: {@code RunPod run SOCKET IMAGE LOGDIR} or {@code RunPod remove SOCKET}.
 */
public final class RunPod {
    private static final String NAME = "hello";
    private static final String NAMESPACE = "demo";
    private static final String PAGE = "Hello from a pod that Crema runs";
    private static final int PORT = 8080;
    private static final Duration WAIT = Duration.ofSeconds(30);

    private final CriClient client;

    private RunPod(CriClient client) {
        this.client = client;
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        try (CriClient client = new CriClient(Path.of(arguments[1]))) {
            RunPod demo = new RunPod(client);
            demo.removeOld();
            if (arguments[0].equals("run")) {
                demo.run(arguments[2], Path.of(arguments[3]));
            }
        }
    }

    private void removeOld() {
        for (PodSandbox pod :
                client.runtime()
                        .listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                        .getItemsList()) {
            if (pod.getMetadata().getNamespace().equals(NAMESPACE)
                    && pod.getMetadata().getName().equals(NAME)) {
                client.runtime()
                        .stopPodSandbox(
                                StopPodSandboxRequest.newBuilder()
                                        .setPodSandboxId(pod.getId())
                                        .build());
                client.runtime()
                        .removePodSandbox(
                                RemovePodSandboxRequest.newBuilder()
                                        .setPodSandboxId(pod.getId())
                                        .build());
                System.out.println("removed pod " + pod.getId().substring(0, 13));
            }
        }
    }

    private void run(String image, Path logs) throws IOException, InterruptedException {
        VersionResponse version = client.runtime().version(VersionRequest.getDefaultInstance());
        System.out.printf(
                "%s %s answers, CRI %s%n",
                version.getRuntimeName(),
                version.getRuntimeVersion(),
                version.getRuntimeApiVersion());
        String uid = UUID.randomUUID().toString();
        PodSandboxConfig config =
                PodSandboxConfig.newBuilder()
                        .setMetadata(
                                PodSandboxMetadata.newBuilder()
                                        .setName(NAME)
                                        .setNamespace(NAMESPACE)
                                        .setUid(uid))
                        .setHostname(NAME)
                        .setLogDirectory(logs.resolve(uid).toString())
                        .setLinux(
                                LinuxPodSandboxConfig.newBuilder()
                                        .setSecurityContext(
                                                LinuxSandboxSecurityContext.newBuilder()
                                                        .setNamespaceOptions(namespaces())))
                        .build();
        long begin = System.nanoTime();
        String pod =
                client.runtime()
                        .runPodSandbox(RunPodSandboxRequest.newBuilder().setConfig(config).build())
                        .getPodSandboxId();
        String server =
                start(
                        pod,
                        config,
                        "server",
                        image,
                        "mkdir -p /www && echo '"
                                + PAGE
                                + "' >/www/index.html && echo serving on port "
                                + PORT
                                + " && exec httpd -f -v -p "
                                + PORT
                                + " -h /www");
        System.out.printf(
                "pod %s with its first container runs after %d ms%n",
                pod.substring(0, 13), (System.nanoTime() - begin) / 1_000_000);
        String address =
                client.runtime()
                        .podSandboxStatus(
                                PodSandboxStatusRequest.newBuilder().setPodSandboxId(pod).build())
                        .getStatus()
                        .getNetwork()
                        .getIp();
        System.out.println("pod address " + address);
        String fetcher =
                start(
                        pod,
                        config,
                        "client",
                        image,
                        "for i in $(seq 50); do wget -q -O - http://"
                                + address
                                + ":"
                                + PORT
                                + "/ && exit 0; sleep 0.1; done; exit 1");
        ContainerStatus ended = awaitExit(fetcher);
        if (ended.getExitCode() != 0) {
            throw new IllegalStateException(
                    "the client could not fetch the page: exit code " + ended.getExitCode());
        }
        String fetched = printLog("client", ended.getLogPath());
        if (!fetched.contains(PAGE)) {
            throw new IllegalStateException(
                    "the client fetched something else than the served page");
        }
        printLog("server", status(server).getLogPath());
        ExecSyncResponse exec =
                client.runtime()
                        .execSync(
                                ExecSyncRequest.newBuilder()
                                        .setContainerId(server)
                                        .addAllCmd(List.of("sh", "-c", "hostname; id; ps"))
                                        .setTimeout(10)
                                        .build());
        System.out.println("--- exec in server: hostname; id; ps");
        System.out.print(exec.getStdout().toStringUtf8());
        if (exec.getExitCode() != 0) {
            throw new IllegalStateException("exec failed: " + exec.getStderr().toStringUtf8());
        }
    }

    private String start(
            String pod, PodSandboxConfig podConfig, String name, String image, String script) {
        ContainerConfig config =
                ContainerConfig.newBuilder()
                        .setMetadata(ContainerMetadata.newBuilder().setName(name))
                        .setImage(ImageSpec.newBuilder().setImage(image))
                        .addAllCommand(List.of("sh", "-c", script))
                        .addEnvs(
                                io.crema.cri.v1.KeyValue.newBuilder()
                                        .setKey("DEMO")
                                        .setValue(ByteString.copyFromUtf8("yes")))
                        .setLogPath(name + ".log")
                        .setLinux(
                                LinuxContainerConfig.newBuilder()
                                        .setSecurityContext(
                                                LinuxContainerSecurityContext.newBuilder()
                                                        .setNamespaceOptions(namespaces())))
                        .build();
        String id =
                client.runtime()
                        .createContainer(
                                CreateContainerRequest.newBuilder()
                                        .setPodSandboxId(pod)
                                        .setConfig(config)
                                        .setSandboxConfig(podConfig)
                                        .build())
                        .getContainerId();
        client.runtime()
                .startContainer(StartContainerRequest.newBuilder().setContainerId(id).build());
        return id;
    }

    private static NamespaceOption namespaces() {
        return NamespaceOption.newBuilder().setPid(NamespaceMode.CONTAINER).build();
    }

    private ContainerStatus status(String container) {
        return client.runtime()
                .containerStatus(
                        ContainerStatusRequest.newBuilder().setContainerId(container).build())
                .getStatus();
    }

    private ContainerStatus awaitExit(String container) throws InterruptedException {
        long end = System.nanoTime() + WAIT.toNanos();
        while (System.nanoTime() < end) {
            ContainerStatus status = status(container);
            if (status.getState() == ContainerState.CONTAINER_EXITED) {
                return status;
            }
            Thread.sleep(50);
        }
        throw new IllegalStateException("container " + container + " did not end within " + WAIT);
    }

    private static String printLog(String name, String path) throws IOException {
        String text = Files.readString(Path.of(path));
        System.out.println("--- log of " + name + " (" + path + ")");
        System.out.print(text);
        return text;
    }
}
