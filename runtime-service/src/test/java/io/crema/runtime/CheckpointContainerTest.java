package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.CheckpointContainerRequest;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.RemoveContainerRequest;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.StartContainerRequest;
import io.crema.cri.v1.UpdateContainerResourcesRequest;
import io.crema.image.Archives;
import io.crema.image.Image;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a checkpoint holds up, and what it leaves; its archive is packed by this test. */
@Tag("root")
@Timeout(60)
class CheckpointContainerTest {
    private static final String RUNTIME =
            """
            #!/bin/bash
            for word in "$@"; do
              case $word in
              checkpoint) : >"$(dirname "$0")/dumped"; exit 0 ;;
              -*) ;;
              *) break ;;
              esac
            done
            exec /usr/sbin/runc "$@"
            """;

    private static final class Packing implements Archives {
        final CountDownLatch begun = new CountDownLatch(1);
        final CountDownLatch goOn = new CountDownLatch(1);

        @Override
        public List<String> saveChanges(Image image, Path upper, Path archive, Deadline deadline) {
            return List.of();
        }

        @Override
        public void pack(Path directory, Path archive, Deadline deadline) {
            try {
                Files.writeString(archive, "begun");
                begun.countDown();
                if (!goOn.await(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
                    throw new DeadlineExceededException("the packing of " + archive);
                }
                Files.writeString(archive, "whole");
            } catch (IOException | InterruptedException e) {
                throw new AssertionError(e);
            }
        }

        @Override
        public void applyChanges(
                Image image, Path archive, List<String> removed, Path upper, Deadline deadline) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void unpack(Path archive, Path directory, Deadline deadline) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Map<String, String> annotations(Image image) {
            return Map.of();
        }
    }

    private final Packing packing = new Packing();
    private final CompletableFuture<String> synced = new CompletableFuture<>();
    private Path directory;
    private Path archive;
    private TestRuntime node;
    private String container;

    @BeforeEach
    void start() throws IOException {
        directory = Files.createTempDirectory("crema-cp");
        archive = Files.createDirectory(directory.resolve("archives")).resolve("it.tar");
        open();
        String pod = node.runPod("pod", NamespaceOption.getDefaultInstance());
        container =
                node.runtime
                        .createContainer(
                                CreateContainerRequest.newBuilder()
                                        .setPodSandboxId(pod)
                                        .setConfig(
                                                ContainerConfig.newBuilder()
                                                        .setMetadata(
                                                                ContainerMetadata.newBuilder()
                                                                        .setName("one"))
                                                        .setImage(
                                                                ImageSpec.newBuilder()
                                                                        .setImage(
                                                                                DirectoryImages
                                                                                        .NAME))
                                                        .addAllCommand(List.of("sleep", "1000")))
                                        .setSandboxConfig(
                                                io.crema.cri.v1.PodSandboxConfig
                                                        .getDefaultInstance())
                                        .build(),
                                TestRuntime.LONG)
                        .getContainerId();
        node.runtime.startContainer(
                StartContainerRequest.newBuilder().setContainerId(container).build(),
                TestRuntime.LONG);
    }

    private void open() throws IOException {
        Path programs = Files.createDirectories(directory.resolve("programs"));
        node =
                new TestRuntime(
                        directory, watched(JnaLinux.load()), script(programs, "runc", RUNTIME));
        script(programs, "criu", "#!/bin/sh\nexit 0\n");
        node.images.archives = packing;
    }

    private static Path script(Path programs, String name, String text) throws IOException {
        Path file = programs.resolve(name);
        Files.writeString(file, text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        return file;
    }

    /** Tells which file is forced to the disk, and whether the archive has its name then. */
    private Linux watched(Linux real) {
        return (Linux)
                Proxy.newProxyInstance(
                        Linux.class.getClassLoader(),
                        new Class<?>[] {Linux.class},
                        (proxy, method, arguments) -> {
                            if (method.getName().equals("sync")) {
                                Path file =
                                        Path.of(
                                                "/proc/self/fd/"
                                                        + ((Descriptor) arguments[0]).number());
                                synced.complete(
                                        Files.readString(file)
                                                + (Files.exists(archive) ? " too late" : ""));
                            }
                            try {
                                return method.invoke(real, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getTargetException();
                            }
                        });
    }

    @AfterEach
    void stop() throws IOException {
        packing.goOn.countDown();
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
        assertThat(directory.resolve("root/containers")).isEmptyDirectory();
        Trees.deleteTree(directory);
    }

    @Test
    void theArchiveIsOnTheDiskBeforeItHasItsName() {
        packing.goOn.countDown();
        checkpoint(20);
        assertThat(synced).isCompletedWithValue("whole");
        assertThat(archive).hasContent("whole");
        assertNothingLeft();
    }

    @Test
    void nothingIsHeldUpWhileTheArchiveIsPacked() throws Exception {
        CompletableFuture<Void> call = begin();
        var exec =
                node.runtime.execSync(
                        ExecSyncRequest.newBuilder()
                                .setContainerId(container)
                                .addAllCmd(List.of("echo", "hi"))
                                .build(),
                        TestRuntime.LONG);
        assertThat(exec.getStdout().toStringUtf8()).as("it is not frozen").isEqualTo("hi\n");
        node.runtime.updateContainerResources(
                UpdateContainerResourcesRequest.newBuilder()
                        .setContainerId(container)
                        .setLinux(LinuxContainerResources.newBuilder().setCpuShares(512))
                        .build(),
                Deadline.after(Duration.ofSeconds(10)));
        assertThat(call).isNotDone();
        packing.goOn.countDown();
        call.get(20, TimeUnit.SECONDS);
        assertThat(archive).hasContent("whole");
        assertNothingLeft();
    }

    @Test
    void aContainerCanBeRemovedWhileItsArchiveIsPacked() throws Exception {
        CompletableFuture<Void> call = begin();
        node.runtime.removeContainer(
                RemoveContainerRequest.newBuilder().setContainerId(container).build(),
                Deadline.after(Duration.ofSeconds(20)));
        packing.goOn.countDown();
        assertThatThrownBy(() -> call.get(20, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION))
                .hasMessageContaining("was removed");
        assertThat(archive.getParent()).isEmptyDirectory();
    }

    @Test
    void theDeadlineEndsThePacking() {
        long begin = System.nanoTime();
        assertThatThrownBy(() -> checkpoint(2)).isInstanceOf(DeadlineExceededException.class);
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isBetween(Duration.ofMillis(1900), Duration.ofMillis(2600));
        // The work itself has ended, too, or else this request would be refused.
        packing.goOn.countDown();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!Files.exists(archive)) {
            assertThat(System.nanoTime()).isLessThan(end);
            try {
                checkpoint(20);
            } catch (PodException e) {
                assertThat(e.kind()).isEqualTo(ErrorKind.ALREADY_EXISTS);
            }
        }
        assertNothingLeft();
    }

    /** As a daemon leaves it that dies while it packs, or while the container is frozen. */
    @Test
    void theNextStartEndsWhatWasBeingTaken() throws Exception {
        Path unfinished = Files.writeString(archive.resolveSibling(".it.tar-1"), "begun");
        CheckpointDirectory left =
                new CheckpointDirectory(node.services, new ContainerId(container));
        left.make(unfinished);
        Files.writeString(left.images().resolve("pages-1.img"), "x");
        Files.writeString(unfinished, "begun");
        node.services.handlers().named("").pause(new ContainerId(container), TestRuntime.LONG);
        node.close();
        open();
        assertThat(
                        node.runtime
                                .containerStatus(
                                        ContainerStatusRequest.newBuilder()
                                                .setContainerId(container)
                                                .build(),
                                        TestRuntime.LONG)
                                .getStatus()
                                .getState())
                .isEqualTo(ContainerState.CONTAINER_RUNNING);
        assertThat(
                        node.services
                                .handlers()
                                .named("")
                                .state(new ContainerId(container), TestRuntime.LONG)
                                .orElseThrow()
                                .status())
                .isEqualTo("running");
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (Files.exists(unfinished) || left.exists()) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread.onSpinWait();
        }
    }

    private CompletableFuture<Void> begin() throws InterruptedException {
        CompletableFuture<Void> call =
                CompletableFuture.runAsync(() -> checkpoint(30), Thread::startVirtualThread);
        assertThat(packing.begun.await(20, TimeUnit.SECONDS)).isTrue();
        return call;
    }

    private void checkpoint(long seconds) {
        var _ =
                node.runtime.checkpointContainer(
                        CheckpointContainerRequest.newBuilder()
                                .setContainerId(container)
                                .setLocation(archive.toString())
                                .setTimeout(seconds)
                                .build(),
                        TestRuntime.LONG);
        assertThat(directory.resolve("programs/dumped")).exists();
    }

    private void assertNothingLeft() {
        assertThat(directory.resolve("root/containers/" + container + "/checkpoint"))
                .doesNotExist();
        try (Stream<Path> files = Files.list(archive.getParent())) {
            assertThat(files.toList()).containsExactly(archive);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
