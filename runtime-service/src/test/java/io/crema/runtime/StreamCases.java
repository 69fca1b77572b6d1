package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.LinuxContainerConfig;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.Streaming;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;

/** A node with real runc and conmon for tests of streams, shared by the cases of one class. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class StreamCases {
    private int number;
    Path directory = Path.of("");
    TestRuntime node;

    StreamCases() {
        try {
            directory = Files.createTempDirectory("crema-st");
            node = new TestRuntime(directory);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** What a client receives; with a limit it has no room for more until it is given. */
    static final class Client implements ByteSink {
        private final ByteArrayOutputStream received = new ByteArrayOutputStream();
        private final CompletableFuture<Void> ended = new CompletableFuture<>();
        private @Nullable Runnable resume;
        private long room = Long.MAX_VALUE;
        private int writersAtOnce;

        static Client withRoomFor(long bytes) {
            Client client = new Client();
            client.room = bytes;
            return client;
        }

        @Override
        public boolean write(ByteBuffer bytes) {
            synchronized (this) {
                assertThat(writersAtOnce++).isZero();
                assertThat(ended).isNotDone();
            }
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            synchronized (this) {
                received.writeBytes(copy);
                writersAtOnce--;
                return received.size() < room;
            }
        }

        @Override
        public void whenWritable(Runnable action) {
            synchronized (this) {
                if (received.size() >= room) {
                    resume = action;
                    return;
                }
            }
            action.run();
        }

        @Override
        public void end() {
            ended.complete(null);
        }

        void giveRoom() {
            Runnable action;
            synchronized (this) {
                room = Long.MAX_VALUE;
                action = resume;
                resume = null;
            }
            if (action != null) {
                action.run();
            }
        }

        synchronized byte[] bytes() {
            return received.toByteArray();
        }

        synchronized int size() {
            return received.size();
        }

        String text() {
            return new String(bytes(), StandardCharsets.UTF_8);
        }

        boolean isEnded() {
            return ended.isDone();
        }

        void await(String part) {
            until("'" + part + "' in '" + text() + "'", () -> text().contains(part));
        }
    }

    Streaming streaming() {
        return node.runtime.streaming();
    }

    static void until(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("never happened: " + what);
            }
            try {
                Thread.sleep(2);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    static <T> T get(CompletableFuture<T> future) {
        return future.orTimeout(30, TimeUnit.SECONDS).join();
    }

    static void write(ByteSink sink, String text) {
        sink.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }

    @AfterAll
    void removeAll() throws IOException {
        node.runtime
                .listPodSandbox(ListPodSandboxRequest.getDefaultInstance(), TestRuntime.LONG)
                .getItemsList()
                .forEach(pod ->
                        node.runtime.removePodSandbox(
                                RemovePodSandboxRequest.newBuilder()
                                        .setPodSandboxId(pod.getId())
                                        .build(),
                                TestRuntime.LONG));
        node.close();
        TestRuntime.removePodCgroups(directory);
        Trees.deleteTree(directory);
    }

    @BeforeAll
    void checkIsRoot() {
        assertThat(System.getProperty("user.name")).isEqualTo("root");
    }

    String runPod(NamespaceMode network) {
        return node.runPod(
                "pod" + number++,
                NamespaceOption.newBuilder()
                        .setPid(NamespaceMode.CONTAINER)
                        .setNetwork(network)
                        .build());
    }

    String create(String pod, String script, UnaryOperator<ContainerConfig.Builder> change) {
        String name = "c" + number++;
        ContainerConfig.Builder config =
                ContainerConfig.newBuilder()
                        .setMetadata(ContainerMetadata.newBuilder().setName(name))
                        .setImage(ImageSpec.newBuilder().setImage(DirectoryImages.NAME))
                        .addAllCommand(List.of("sh", "-c", script))
                        .setLogPath(name + ".log")
                        .setLinux(
                                LinuxContainerConfig.newBuilder()
                                        .setSecurityContext(
                                                LinuxContainerSecurityContext.newBuilder()
                                                        .setNamespaceOptions(
                                                                NamespaceOption.newBuilder()
                                                                        .setPid(
                                                                                NamespaceMode
                                                                                        .CONTAINER))));
        return node.runtime
                .createContainer(
                        CreateContainerRequest.newBuilder()
                                .setPodSandboxId(pod)
                                .setConfig(change.apply(config))
                                .setSandboxConfig(PodSandboxConfig.getDefaultInstance())
                                .build(),
                        TestRuntime.LONG)
                .getContainerId();
    }

    String run(String pod, String script) {
        String id = create(pod, script, config -> config);
        start(id);
        return id;
    }

    void start(String id) {
        node.runtime.startContainer(
                StartContainerRequest.newBuilder().setContainerId(id).build(), TestRuntime.LONG);
    }

    void stop(String id, long graceSeconds) {
        node.runtime.stopContainer(
                StopContainerRequest.newBuilder()
                        .setContainerId(id)
                        .setTimeout(graceSeconds)
                        .build(),
                TestRuntime.LONG);
    }

    String execSync(String id, String script) {
        return node.runtime
                .execSync(
                        ExecSyncRequest.newBuilder()
                                .setContainerId(id)
                                .addAllCmd(List.of("sh", "-c", script))
                                .build(),
                        TestRuntime.LONG)
                .getStdout()
                .toStringUtf8();
    }
}
