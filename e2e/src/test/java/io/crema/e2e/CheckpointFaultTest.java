package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.CheckpointContainerRequest;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ReopenContainerLogRequest;
import io.crema.cri.v1.RuntimeServiceGrpc.RuntimeServiceBlockingStub;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Checkpoints and restores that something comes between: a crash, a stop, a full or busy place. */
@Tag("e2e")
@Timeout(120)
class CheckpointFaultTest {
    private static final Duration AT_ONCE = Duration.ofMillis(50);

    @TempDir private static Path directory;

    private static ScriptedCriu criu;
    private static TestNode node;
    private Path archives;
    private Path archive;
    private TestPod pod;
    private String container;

    @BeforeAll
    static void startNode() throws IOException {
        criu = ScriptedCriu.in(directory);
        node = TestNode.start(NodeSetup.standard().withOciRuntime(criu.runtime()));
        criu.installOn(node);
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @BeforeEach
    void runContainer() throws IOException {
        Peers.differ(node, "containerd 1.6 has no CheckpointContainer");
        archives = Files.createTempDirectory(directory, "archives");
        archive = archives.resolve("it.tar");
        pod = TestPod.run(node);
        container = pod.launch(pod.shell("counting", "while true; do echo tick; sleep 0.05; done"));
        pod.awaitLog("counting.log", "tick");
    }

    @AfterEach
    void removePods() throws IOException {
        criu.does("");
        for (String mark : List.of("go", "dumping", "dumped", "restoring")) {
            Files.deleteIfExists(criu.file(mark));
        }
        node.removeAllPods();
        assertThat(node.leaks()).isEmpty();
    }

    @Test
    void nothingWaitsForCriu() throws Exception {
        criu.does("slow");
        CompletableFuture<Void> call = begin(() -> checkpoint(30));
        await("CRIU", () -> Files.exists(criu.file("dumping")));
        RuntimeServiceBlockingStub client = node.client().runtime();
        assertSoon(() ->
                client.containerStatus(
                        ContainerStatusRequest.newBuilder().setContainerId(container).build()));
        assertSoon(() -> client.listContainers(ListContainersRequest.getDefaultInstance()));
        assertSoon(() ->
                client.reopenContainerLog(
                        ReopenContainerLogRequest.newBuilder().setContainerId(container).build()));
        long begin = System.nanoTime();
        pod.stop(container, 0);
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
        assertThat(pod.status(container).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(call).isNotDone();
        Files.createFile(criu.file("go"));
        await("the call", call::isDone);
    }

    /** CRIU goes on without us, and leaves the container frozen as it found it. */
    @Test
    void aCrashDuringTheDumpLeavesNothingFrozen() throws Exception {
        criu.does("slow");
        CompletableFuture<Void> call = begin(() -> checkpoint(30));
        await("CRIU", () -> Files.exists(criu.file("dumping")));
        node.kill();
        assertThat(call).failsWithin(Duration.ofSeconds(10));
        node.startDaemon();
        assertThat(pod.status(container).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        Files.createFile(criu.file("go"));
        await("CRIU's end", () -> Files.exists(criu.file("dumped")));
        goesOn();
        await("its files to be deleted", () -> !Files.exists(containerFile("checkpoint")));
        assertThat(archives).isEmptyDirectory();
        criu.does("");
        checkpoint(20);
        assertThat(archive).exists();
        goesOn();
    }

    @Test
    void aCrashDuringTheRestoreLeavesNoProcess() throws Exception {
        checkpoint(20);
        String restored = createRestored();
        criu.does("slow");
        CompletableFuture<Void> call = begin(() -> pod.start(restored));
        await("CRIU", () -> Files.exists(criu.file("restoring")));
        node.kill();
        assertThat(call).failsWithin(Duration.ofSeconds(10));
        node.startDaemon();
        assertThat(pod.status(restored).getState()).isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(pod.status(restored).getReason()).isEqualTo("StartError");
        assertThat(Shell.run("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"))
                .doesNotContain(restored);
        pod.remove(restored);
        assertThat(containerDirectory(restored)).doesNotExist();
        goesOn();
    }

    /** What somebody mounted there cannot be deleted; the archive is as good. */
    @Test
    void filesThatCannotBeDeletedAreDeletedTheNextTime() throws Exception {
        criu.does("busy");
        checkpoint(20);
        assertThat(archive).exists();
        assertThat(Files.readString(node.log())).contains("is left over");
        Path left = containerFile("checkpoint");
        assertThat(left).exists();
        goesOn();
        criu.does("");
        assertThatThrownBy(() -> checkpoint(20))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("cannot delete " + left);
        goesOn();
        Shell.run("umount", left.resolve("files/busy").toString());
        checkpoint(20);
        assertThat(left).doesNotExist();
    }

    /** The end of its processes is not told before that of the restore. */
    @Test
    void anEndDuringTheRestoreDoesNotHideWhyItFailed() throws Exception {
        checkpoint(20);
        String restored = createRestored();
        criu.does("early");
        assertThatThrownBy(() -> pod.start(restored))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("criu failed: too late");
        assertThat(pod.status(restored).getReason()).isEqualTo("StartError");
        assertThat(pod.status(restored).getStartedAt()).isZero();
    }

    private String createRestored() {
        return pod.create(
                pod.shell("restored", "")
                        .clearCommand()
                        .setImage(ImageSpec.newBuilder().setImage(archive.toString()))
                        .build());
    }

    private Path containerFile(String name) {
        return containerDirectory(container).resolve(name);
    }

    private static Path containerDirectory(String id) {
        return node.directory().resolve("root/containers").resolve(id);
    }

    private void checkpoint(long seconds) {
        var _ =
                node.client()
                        .runtime()
                        .checkpointContainer(
                                CheckpointContainerRequest.newBuilder()
                                        .setContainerId(container)
                                        .setLocation(archive.toString())
                                        .setTimeout(seconds)
                                        .build());
    }

    private void goesOn() {
        long lines = lines();
        await("its log to go on", () -> lines() > lines + 2);
    }

    private long lines() {
        try (Stream<String> lines = pod.log("counting.log").lines()) {
            return lines.count();
        }
    }

    private static CompletableFuture<Void> begin(Runnable call) {
        return CompletableFuture.runAsync(call, Thread::startVirtualThread);
    }

    private static void await(String what, BooleanSupplier there) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!there.getAsBoolean()) {
            assertThat(System.nanoTime()).as("waiting for " + what).isLessThan(end);
            LockSupport.parkNanos(5_000_000);
        }
    }

    /** The median of some calls, since a busy machine may hold up any one. */
    private static void assertSoon(Runnable call) {
        List<Duration> times = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            long begin = System.nanoTime();
            call.run();
            times.add(Duration.ofNanos(System.nanoTime() - begin));
        }
        Collections.sort(times);
        assertThat(times.get(times.size() / 2)).isLessThan(AT_ONCE);
    }
}
