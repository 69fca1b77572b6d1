package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.CheckpointContainerRequest;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.Mount;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** CheckpointContainer and containers made from its archives, with a scripted CRIU. */
@Tag("e2e")
@Timeout(120)
class CheckpointTest {
    @TempDir private static Path directory;

    private static ScriptedCriu criu;
    private static TestNode node;
    private TestPod pod;
    private Path archive;

    @BeforeAll
    static void startNode() throws IOException {
        criu = ScriptedCriu.in(directory);
        Path policies = Files.createDirectory(directory.resolve("policies"));
        node =
                TestNode.start(
                        NodeSetup.standard()
                                .withOciRuntime(criu.runtime())
                                .withConfiguration(
                                        "[crio.image]\nsignature_policy_dir = \""
                                                + policies
                                                + "\"\n"));
        criu.installOn(node);
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @BeforeEach
    void onlyOurs() {
        Peers.differ(node, "containerd 1.6 has no CheckpointContainer");
    }

    @BeforeEach
    void runPod() throws IOException {
        criu.does("");
        pod = TestPod.run(node);
        archive = directory.resolve("checkpoint-" + pod.id().substring(0, 8) + ".tar");
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
        assertThat(node.leaks()).isEmpty();
    }

    @Test
    void aNodeThatIsNotFitSaysWhatIsMissing() throws IOException {
        criu.does("unfit");
        String container = counting();
        assertThatThrownBy(() -> checkpoint(container, archive.toString(), 0))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isEqualTo(Status.Code.UNIMPLEMENTED))
                .hasMessageContaining("criu check")
                .hasMessageContaining("Version: 4.2")
                .hasMessageContaining("this kernel lacks something")
                .hasMessageContaining("CONFIG_CHECKPOINT_RESTORE");
        assertThat(archive).doesNotExist();
        goesOn("counting.log");
    }

    @Test
    void aRunningContainerIsWrittenDownAndGoesOn() throws IOException {
        String container = counting();
        checkpoint(container, archive.toString(), 0);
        assertThat(Files.readAllLines(directory.resolve("checkpoint.arguments")))
                .contains("--image-path", "--work-path", "--leave-running")
                .contains("--tcp-established", "--file-locks", container);
        assertThat(directory.resolve("state")).content().contains("\"paused\"");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(archive)))
                .isEqualTo("rw-------");
        assertThat(tar("t").lines())
                .contains(
                        "config.dump",
                        "spec.dump",
                        "bind.mounts",
                        "checkpoint/",
                        "checkpoint/inventory.img",
                        "dump.log",
                        "rootfs-diff.tar",
                        "deleted.files",
                        "io.kubernetes.cri-o.LogPath");
        assertThat(tar("xO", "config.dump"))
                .contains(container, "k8s_counting_", "checkpointedTime");
        assertThat(tar("xO", "deleted.files")).contains("\"/bin/hostname\"");
        assertThat(tar("xO", "spec.dump")).contains("io.kubernetes.cri-o.Annotations");
        assertThat(tar("xO", "io.kubernetes.cri-o.LogPath")).contains("stdout F ");
        assertThat(pod.status(container).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        goesOn("counting.log");
        try (Stream<Path> left = Files.list(archive.getParent())) {
            assertThat(left.map(path -> path.getFileName().toString()))
                    .noneMatch(name -> name.startsWith("." + archive.getFileName()));
        }
        assertThat(node.directory().resolve("root/containers/" + container + "/checkpoint"))
                .doesNotExist();
    }

    @Test
    void aFailureTellsWhatCriuSaidAndTheContainerGoesOn() throws IOException {
        String container = counting();
        criu.does("fail");
        assertThatThrownBy(() -> checkpoint(container, archive.toString(), 0))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("criu failed")
                .hasMessageContaining("CRIU: Error (criu/mem.c:1): cannot dump this");
        assertThat(archive).doesNotExist();
        goesOn("counting.log");
    }

    @Test
    void theTimeoutEndsACheckpointAndTheContainerGoesOn() throws IOException {
        String container = counting();
        criu.does("hang");
        long begin = System.nanoTime();
        assertRefused(
                Status.Code.DEADLINE_EXCEEDED,
                () -> checkpoint(container, archive.toString(), 1),
                "CheckpointContainer");
        assertThat(System.nanoTime() - begin).isBetween(900_000_000L, 1_500_000_000L);
        criu.does("");
        goesOn("counting.log");
        assertThat(archive).doesNotExist();
        // The next one waits for no more than what is left of the first.
        awaitCheckpoint(container);
        assertThat(archive).exists();
    }

    @Test
    void aRequestThatCannotBeMetIsRefused() {
        String container = counting();
        assertRefused(Status.Code.INVALID_ARGUMENT, () -> checkpoint(container, "", 0), "location");
        assertRefused(
                Status.Code.INVALID_ARGUMENT, () -> checkpoint(container, "ck.tar", 0), "location");
        assertRefused(
                Status.Code.INVALID_ARGUMENT,
                () -> checkpoint(container, directory.toString(), 0),
                "location");
        assertRefused(
                Status.Code.INVALID_ARGUMENT,
                () -> checkpoint(container, directory.resolve("no/ck.tar").toString(), 0),
                "location");
        assertRefused(
                Status.Code.INVALID_ARGUMENT,
                () -> checkpoint(container, archive.toString(), -1),
                "timeout");
        assertRefused(
                Status.Code.NOT_FOUND,
                () -> checkpoint("0123456789ab", archive.toString(), 0),
                "0123456789ab");
        pod.stop(container, 0);
        assertRefused(
                Status.Code.FAILED_PRECONDITION,
                () -> checkpoint(container, archive.toString(), 0),
                "does not run");
    }

    @Test
    void anArchiveAsTheImageMakesTheContainerAgain() throws IOException {
        checkpoint(counting(), archive.toString(), 0);
        pod.remove();
        TestPod other = TestPod.run(node);
        String restored = other.create(restoring(other).build());
        assertThat(other.status(restored).getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
        assertThat(other.log("restored.log")).contains("stdout F ");
        node.restart();
        assertThat(other.status(restored).getState()).isEqualTo(ContainerState.CONTAINER_CREATED);
        other.start(restored);
        assertThat(Files.readAllLines(directory.resolve("restore.arguments")))
                .contains("--detach", "--tcp-established", "--file-locks", restored);
        assertThat(directory.resolve("restored.images"))
                .content()
                .contains("inventory.img", "pages-1.img");
        assertThat(
                        other.exec(restored, "sh", "-c", "cat /tmp/kept; ls /bin/hostname")
                                .getStdout()
                                .toStringUtf8())
                .isEqualTo("kept\n");
        assertThat(
                        other.exec(restored, "cat", "/proc/sys/kernel/hostname")
                                .getStdout()
                                .toStringUtf8())
                .isEqualTo(other.exec(restored, "cat", "/etc/hostname").getStdout().toStringUtf8());
        goesOn(other, "restored.log");
        String info =
                node.client()
                        .runtime()
                        .containerStatus(
                                ContainerStatusRequest.newBuilder()
                                        .setContainerId(restored)
                                        .setVerbose(true)
                                        .build())
                        .getInfoOrThrow("info");
        assertThat(info).contains("\"restored\":true", "\"checkpointedAt\":\"20");
        assertThat(node.directory().resolve("root/containers/" + restored + "/restore/checkpoint"))
                .doesNotExist();
        other.stop(restored, 0);
        assertThat(other.status(restored).getExitCode()).isEqualTo(137);
    }

    @Test
    void aRestoreThatFailsTellsWhatCriuSaid() throws IOException {
        checkpoint(counting(), archive.toString(), 0);
        String restored = pod.create(restoring(pod).build());
        criu.does("fail");
        assertThatThrownBy(() -> pod.start(restored))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("restore of container")
                .hasMessageContaining("CRIU: Error (criu/cr-restore.c:1): cannot restore this");
        assertThat(pod.status(restored).getReason()).isEqualTo("StartError");
        assertThat(pod.status(restored).getExitCode()).isEqualTo(128);
    }

    @Test
    void aRestoreHasTheMountsThatTheContainerHad() throws IOException {
        Path volume = Files.createDirectories(directory.resolve("volume"));
        Mount mount =
                Mount.newBuilder().setContainerPath("/data").setHostPath(volume.toString()).build();
        checkpoint(counting(mount), archive.toString(), 0);
        assertRefused(
                Status.Code.INVALID_ARGUMENT, () -> pod.create(restoring(pod).build()), "/data");
        assertRefused(
                Status.Code.INVALID_ARGUMENT,
                () ->
                        pod.create(
                                restoring(pod)
                                        .addMounts(mount)
                                        .addMounts(mount.toBuilder().setContainerPath("/more"))
                                        .build()),
                "mounts[1].container_path");
        String restored = pod.create(restoring(pod).addMounts(mount).build());
        pod.start(restored);
        pod.remove(restored);
        Path junk = directory.resolve("junk.tar");
        Shell.run("tar", "cf", junk.toString(), "-C", "/etc", "hostname");
        assertRefused(
                Status.Code.INVALID_ARGUMENT,
                () ->
                        pod.create(
                                restoring(pod)
                                        .setImage(ImageSpec.newBuilder().setImage(junk.toString()))
                                        .build()),
                "not a whole checkpoint");
    }

    /** As Kubernetes has it made by buildah: a layer of the archive's files, and an annotation. */
    @Test
    void anImageThatHoldsAnArchiveMakesTheContainerAgain() throws IOException {
        checkpoint(counting(), archive.toString(), 0);
        Path layout = directory.resolve("layout");
        String image = layout + ":made";
        Shell.run("umoci", "init", "--layout", layout.toString());
        Shell.run("umoci", "new", "--image", image);
        Shell.run("umoci", "raw", "add-layer", "--image", image, archive.toString());
        Shell.run(
                "umoci",
                "config",
                "--image",
                image,
                "--manifest.annotation",
                "io.kubernetes.cri-o.annotations.checkpoint.name=counting");
        String name = "localhost/test/checkpoint:latest";
        Path saved = directory.resolve("checkpoint-image.tar");
        Shell.run("skopeo", "copy", "-q", "oci:" + image, "oci-archive:" + saved + ":" + name);
        node.load(saved);
        String restored =
                pod.create(restoring(pod).setImage(ImageSpec.newBuilder().setImage(name)).build());
        assertThat(pod.log("restored.log")).contains("stdout F ");
        pod.start(restored);
        assertThat(directory.resolve("restored.images"))
                .content()
                .contains("inventory.img", "pages-1.img");
        assertThat(
                        pod.exec(restored, "sh", "-c", "cat /tmp/kept; ls /bin/hostname")
                                .getStdout()
                                .toStringUtf8())
                .isEqualTo("kept\n");
        goesOn("restored.log");
        Path left = node.directory().resolve("root/containers/" + restored);
        assertThat(left.resolve("view")).doesNotExist();
        assertThat(left.resolve("view.tar")).doesNotExist();
        pod.remove(restored);
        node.images().remove(name);
    }

    /** Nobody can sign an archive of a running container. */
    @Test
    void anArchiveIsAcceptedOnlyWhereThePolicyAsksForNoSignature() throws IOException {
        checkpoint(counting(), archive.toString(), 0);
        Path policy = directory.resolve("policies/" + namespace() + ".json");
        try {
            Files.writeString(policy, policy("docker", "oci-archive"));
            assertThatThrownBy(() -> pod.create(restoring(pod).build()))
                    .hasMessageContaining("SignatureValidationFailed")
                    .hasMessageContaining("rejects " + archive + " (transport tarball)");
            Files.writeString(policy, policy("docker", "oci-archive", "tarball"));
            pod.remove(pod.create(restoring(pod).build()));
        } finally {
            Files.delete(policy);
        }
    }

    /** Rejects all but what comes by some transports. */
    private static String policy(String... accepted) {
        return "{\"default\": [{\"type\": \"reject\"}], \"transports\": {"
                + Stream.of(accepted)
                        .map(transport ->
                                "\""
                                        + transport
                                        + "\": {\"\": [{\"type\": \"insecureAcceptAnything\"}]}")
                        .collect(Collectors.joining(", "))
                + "}}";
    }

    private String namespace() {
        return pod.config().getMetadata().getNamespace();
    }

    @Test
    void checkpointsCanBeSwitchedOff() {
        try (TestNode off =
                TestNode.start(
                        NodeSetup.standard()
                                .withConfiguration(
                                        """
                                        [crio.checkpoint_restore]
                                        container_level_enabled = "none"
                                        """))) {
            TestPod there = TestPod.run(off);
            String container = there.launch(there.shell("one", "exec sleep 1000"));
            assertRefused(
                    Status.Code.UNIMPLEMENTED,
                    () ->
                            off.client()
                                    .runtime()
                                    .checkpointContainer(
                                            CheckpointContainerRequest.newBuilder()
                                                    .setContainerId(container)
                                                    .setLocation(archive.toString())
                                                    .build()),
                    "container_level_enabled");
        }
    }

    private static void assertRefused(Status.Code code, ThrowingCallable call, String text) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).as(e.toString()).isEqualTo(code))
                .hasMessageContaining(text);
    }

    private String counting(Mount... mounts) {
        String container =
                pod.launch(
                        pod.shell(
                                        "counting",
                                        "[ -e /tmp/kept ] || echo kept >/tmp/kept; i=0; while true; do"
                                                + " i=$((i+1)); echo $i; sleep 0.05; done")
                                .addAllMounts(List.of(mounts)));
        pod.awaitLog("counting.log", "stdout F 2");
        // A name of the image that is taken away.
        assertThat(pod.exec(container, "rm", "/bin/hostname").getExitCode()).isZero();
        return container;
    }

    private ContainerConfig.Builder restoring(TestPod into) {
        return into.shell("restored", "")
                .clearCommand()
                .setImage(ImageSpec.newBuilder().setImage(archive.toString()));
    }

    private void goesOn(String log) {
        goesOn(pod, log);
    }

    private static void goesOn(TestPod in, String log) {
        long lines = in.log(log).lines().count();
        long end = System.nanoTime() + 10_000_000_000L;
        while (in.log(log).lines().count() < lines + 2) {
            assertThat(System.nanoTime()).as("its log goes on").isLessThan(end);
            Thread.onSpinWait();
        }
    }

    private void checkpoint(String container, String location, long timeout) {
        var _ =
                node.client()
                        .runtime()
                        .checkpointContainer(
                                CheckpointContainerRequest.newBuilder()
                                        .setContainerId(container)
                                        .setLocation(location)
                                        .setTimeout(timeout)
                                        .build());
    }

    /** The one that timed out may still be at its cleaning up. */
    private void awaitCheckpoint(String container) {
        long end = System.nanoTime() + 10_000_000_000L;
        while (true) {
            try {
                checkpoint(container, archive.toString(), 20);
                return;
            } catch (StatusRuntimeException e) {
                assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.ALREADY_EXISTS);
                assertThat(System.nanoTime()).isLessThan(end);
            }
        }
    }

    private String tar(String what, String... names) {
        return Shell.run(
                Stream.concat(Stream.of("tar", what + "f", archive.toString()), Stream.of(names))
                        .toList());
    }
}
