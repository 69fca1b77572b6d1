package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.IDMapping;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.StatusRequest;
import io.crema.cri.v1.UserNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Pods with users of their own (userns_options): who their processes and files are to the node, and
 * that volumes keep their owners.
 */
@Tag("e2e")
class UserNamespaceTest {
    /** Unsigned: kubelet gives out ranges from the whole 32 bits. */
    private static final int HOST_ID = (int) 3239444480L;

    private static final IDMapping MAPPING =
            IDMapping.newBuilder().setHostId(HOST_ID).setLength(65536).build();
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
        Peers.differ(node, "containerd 1.6 has no user namespaces");
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    private static TestPod pod(Consumer<PodSandboxConfig.Builder> change) {
        return TestPod.run(
                node,
                config -> {
                    config.getLinuxBuilder()
                            .getSecurityContextBuilder()
                            .getNamespaceOptionsBuilder()
                            .setUsernsOptions(
                                    UserNamespace.newBuilder()
                                            .setMode(NamespaceMode.POD)
                                            .addUids(MAPPING)
                                            .addGids(MAPPING));
                    change.accept(config);
                });
    }

    private static Mount.Builder volume(Path source) {
        return Mount.newBuilder()
                .setContainerPath("/volume")
                .setHostPath(source.toString())
                .addUidMappings(MAPPING)
                .addGidMappings(MAPPING);
    }

    @Test
    void handlersSayThatTheyCan() {
        var status = node.client().runtime().status(StatusRequest.getDefaultInstance());
        assertThat(status.getRuntimeHandlersList())
                .anySatisfy(handler -> {
                    assertThat(handler.getName()).isEqualTo("runc");
                    assertThat(handler.getFeatures().getUserNamespaces()).isTrue();
                    assertThat(handler.getFeatures().getRecursiveReadOnlyMounts()).isTrue();
                });
        assertThat(status.getFeatures().getUserNamespacesHostNetwork()).isTrue();
    }

    @Test
    void rootIsAnotherUserOfTheNode() throws IOException {
        TestPod pod =
                pod(config -> config.getLinuxBuilder().putSysctls("kernel.shm_rmid_forced", "1"));
        String container = pod.launch(pod.shell("main", "touch /made; sleep 1000"));

        assertThat(
                        pod.exec(
                                        container,
                                        "sh",
                                        "-c",
                                        "cat /proc/self/uid_map | tr -s ' '; id -u; stat -c %u"
                                                + " /bin/busybox /made / /etc/hosts /dev/shm"
                                                + " /run/.containerenv;"
                                                + " cat /proc/sys/kernel/shm_rmid_forced;"
                                                + " hostname")
                                .getStdout()
                                .toStringUtf8())
                .isEqualTo(
                        " 0 3239444480 65536\n0\n0\n0\n0\n0\n0\n0\n1\n"
                                + pod.config().getHostname()
                                + "\n");
        Path made = node.directory().resolve("root/containers/" + container + "/diff/made");
        assertThat(Files.getAttribute(made, "unix:uid")).isEqualTo(HOST_ID);
        assertThat(pod.exec(container, "ip", "link", "set", "lo", "down").getExitCode())
                .as("root without NET_ADMIN")
                .isNotZero();

        node.kill();
        node.startDaemon();
        assertThat(pod.exec(container, "id", "-u").getStdout().toStringUtf8()).isEqualTo("0\n");
        pod.stop();
        pod.remove();
    }

    @Test
    void volumesKeepTheirOwners() throws IOException {
        Path source = Files.createDirectory(node.directory().resolve("volume"));
        Path file = Files.writeString(source.resolve("of-33"), "x");
        Files.setAttribute(file, "unix:uid", 33);
        Files.setAttribute(file, "unix:gid", 33);
        TestPod pod = pod(config -> {});

        assertThat(
                        pod.output(
                                pod.shell(
                                                "mapped",
                                                "stat -c %u:%g /volume/of-33 /volume;"
                                                        + " touch /volume/new; chown 5:6 /volume/new")
                                        .addMounts(volume(source))))
                .isEqualTo("33:33\n0:0\n");
        assertThat(Files.getAttribute(source.resolve("new"), "unix:uid")).isEqualTo(5);
        assertThat(
                        pod.output(
                                pod.shell("plain", "stat -c %u /volume/of-33")
                                        .addMounts(
                                                volume(source)
                                                        .clearUidMappings()
                                                        .clearGidMappings())))
                .as("without mappings the owners are nobody")
                .isEqualTo("65534\n");
        assertThat(
                        pod.output(
                                pod.shell("file", "cat /volume; stat -c %u /volume")
                                        .addMounts(volume(file))))
                .isEqualTo("x33\n");
        assertThat(
                        pod.output(
                                pod.shell("image", "stat -c %u /volume/bin/busybox")
                                        .addMounts(
                                                volume(source)
                                                        .clearHostPath()
                                                        .setReadonly(true)
                                                        .setImage(
                                                                ImageSpec.newBuilder()
                                                                        .setImage(
                                                                                TestNode
                                                                                        .BUSYBOX)))))
                .isEqualTo("0\n");
        assertThatThrownBy(() ->
                        pod.create(
                                pod.shell("other", "true")
                                        .addMounts(volume(Path.of("/proc/self")))
                                        .build()))
                .hasMessageContaining("FAILED_PRECONDITION: mounts[0].uidMappings")
                .hasMessageContaining("cannot be shown in a user namespace");
        pod.remove();
    }

    @Test
    void sharesAPidNamespaceAndRunsAsAnyMappedUser() {
        TestPod pod =
                pod(config ->
                        config.getLinuxBuilder()
                                .getSecurityContextBuilder()
                                .getNamespaceOptionsBuilder()
                                .setPid(NamespaceMode.POD));
        ContainerConfig.Builder container =
                pod.shell("user", "id -u; echo x > /dev/shm/x; cat /proc/1/comm");
        container
                .getLinuxBuilder()
                .getSecurityContextBuilder()
                .setRunAsUser(Int64Value.newBuilder().setValue(1000));
        assertThat(pod.output(container)).isEqualTo("1000\ninit\n");

        container
                .getLinuxBuilder()
                .getSecurityContextBuilder()
                .setRunAsUser(Int64Value.newBuilder().setValue(70000));
        assertThatThrownBy(() -> pod.create(container.build()))
                .hasMessageContaining("INVALID_ARGUMENT: the user 70000:0 is not among the 65536");
        pod.remove();
    }

    @Test
    void canUseTheNodesNetwork() {
        TestPod pod =
                pod(config ->
                        config.getLinuxBuilder()
                                .getSecurityContextBuilder()
                                .getNamespaceOptionsBuilder()
                                .setNetwork(NamespaceMode.NODE));
        assertThat(
                        pod.output(
                                pod.shell(
                                        "main",
                                        "ls /sys/class/net | grep -x lo;"
                                                + " grep ' /sys' /proc/mounts | grep -v '^tmpfs' | grep -vc ' ro'; true")))
                .as("the node's own /sys, with nothing writable in it")
                .isEqualTo("lo\n0\n");
        pod.remove();
    }

    @Test
    void refusesWhereTheRuntimeSaysThatItCannot() throws IOException {
        Path unable = node.directory().resolve("unable-runtime");
        Files.writeString(
                unable,
                "#!/bin/sh\ncase \"$*\" in *features*) exit 1;; esac\nexec /usr/sbin/runc \"$@\"\n");
        Files.setPosixFilePermissions(unable, PosixFilePermissions.fromString("rwxr-xr-x"));
        try (TestNode other = TestNode.start(NodeSetup.standard().withOciRuntime(unable))) {
            PodSandboxConfig config =
                    TestPod.config(
                            other,
                            pod ->
                                    pod.getLinuxBuilder()
                                            .getSecurityContextBuilder()
                                            .getNamespaceOptionsBuilder()
                                            .setUsernsOptions(
                                                    UserNamespace.newBuilder()
                                                            .setMode(NamespaceMode.POD)
                                                            .addUids(MAPPING)
                                                            .addGids(MAPPING)));
            assertThatThrownBy(() -> TestPod.run(other, pod -> pod.mergeFrom(config)))
                    .hasMessageContaining("FAILED_PRECONDITION: namespace_options.userns_options")
                    .hasMessageContaining("cannot say what it supports");
        }
    }

    /** Overlays themselves cannot be shown with other owners. */
    @Test
    void refusesThePodWhereTheImagesCannotBeShownToOtherUsers(@TempDir Path directory)
            throws IOException {
        Path images = Files.createDirectory(directory.resolve("images"));
        Path below = Files.createDirectory(directory.resolve("below"));
        Shell.run("mount", "-t", "tmpfs", "crema-e2e", below.toString());
        for (String part : List.of("lower", "upper", "work")) {
            Files.createDirectory(below.resolve(part));
        }
        Shell.run(
                "mount",
                "-t",
                "overlay",
                "-o",
                "lowerdir=%1$s/lower,upperdir=%1$s/upper,workdir=%1$s/work".formatted(below),
                "crema-e2e",
                images.toString());
        try (TestNode other =
                TestNode.start(
                        NodeSetup.standard()
                                .withConfiguration("[crio]\nimagestore = \"" + images + "\"\n"))) {
            assertThat(
                            other.client()
                                    .runtime()
                                    .status(StatusRequest.getDefaultInstance())
                                    .getRuntimeHandlersList())
                    .isNotEmpty()
                    .noneMatch(handler -> handler.getFeatures().getUserNamespaces());
            PodSandboxConfig config =
                    TestPod.config(
                            other,
                            pod ->
                                    pod.getLinuxBuilder()
                                            .getSecurityContextBuilder()
                                            .getNamespaceOptionsBuilder()
                                            .setUsernsOptions(
                                                    UserNamespace.newBuilder()
                                                            .setMode(NamespaceMode.POD)
                                                            .addUids(MAPPING)
                                                            .addGids(MAPPING)));
            assertThatThrownBy(() -> TestPod.run(other, pod -> pod.mergeFrom(config)))
                    .hasMessageContaining("FAILED_PRECONDITION: namespace_options.userns_options")
                    .hasMessageContaining(images + " has no idmapped mounts");
            assertThat(other.leaks()).isEmpty();
        } finally {
            Shell.run("umount", "-l", images.toString());
            Shell.run("umount", "-l", below.toString());
        }
    }
}
