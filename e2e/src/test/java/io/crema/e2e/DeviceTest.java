package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.Device;
import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Devices of the request, of the configuration and of annotations, and what may be done to them.
 */
@Tag("e2e")
class DeviceTest {
    private static TestNode node;
    private static TestPod pod;
    private static Path devices;

    @BeforeAll
    static void startNode() throws IOException {
        node =
                TestNode.start(
                        NodeSetup.standard()
                                .withConfiguration(
                                        """
                                        [crio.runtime]
                                        additional_devices = ["/dev/full:/dev/extra:r"]
                                        allowed_devices = ["/dev/zero"]
                                        device_ownership_from_security_context = true
                                        [crio.runtime.runtimes.runc]
                                        allowed_annotations = ["io.kubernetes.cri-o.Devices",
                                          "umask.crio.io", "io.kubernetes.cri-o.ShmSize"]
                                        """));
        devices = node.directory().resolve("devices");
        Files.createDirectories(devices.resolve("inner"));
        Shell.run("mknod", devices.resolve("inner/one").toString(), "c", "1", "5");
        Shell.run("mknod", devices.resolve("two").toString(), "c", "1", "3");
        pod = TestPod.run(node);
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    private static ContainerConfig.Builder with(
            String name, String script, String host, String place, String permissions) {
        return pod.shell(name, script)
                .addDevices(
                        Device.newBuilder()
                                .setHostPath(host)
                                .setContainerPath(place)
                                .setPermissions(permissions));
    }

    @Test
    void givesADeviceUnderAnotherNameAndOnlyAsMuchAsAsked() {
        assertThat(
                        pod.output(
                                with(
                                        "one",
                                        "head -c 1 /dev/mine | wc -c;"
                                                + " echo x > /dev/mine 2>/dev/null || echo read-only",
                                        "/dev/full",
                                        "/dev/mine",
                                        "r")))
                .isEqualTo("1\nread-only\n");
    }

    @Test
    void givesAWholeDirectory() {
        Peers.differ(node, "containerd 1.6 takes single devices only");
        assertThat(
                        pod.output(
                                with(
                                        "directory",
                                        "head -c 1 /dev/some/inner/one | wc -c;"
                                                + " echo x > /dev/some/two && echo written",
                                        devices.toString(),
                                        "/dev/some",
                                        "rw")))
                .isEqualTo("1\nwritten\n");
    }

    @Test
    void belongsToTheUserOfTheContainer() {
        Peers.differ(node, "an option of Crema and CRI-O");
        ContainerConfig.Builder container =
                with("owner", "stat -c %u:%g /dev/mine", "/dev/full", "/dev/mine", "rw");
        container
                .getLinuxBuilder()
                .getSecurityContextBuilder()
                .setRunAsUser(Int64Value.newBuilder().setValue(1000))
                .setRunAsGroup(Int64Value.newBuilder().setValue(2000));

        assertThat(pod.output(container)).isEqualTo("1000:2000\n");
    }

    @Test
    void theConfigurationsDevicesAreEverywhere() {
        Peers.differ(node, "additional_devices is CRI-O's");
        assertThat(pod.output(pod.shell("extra", "head -c 1 /dev/extra | wc -c"))).isEqualTo("1\n");
    }

    @Test
    void refusesWhatIsNoDeviceAndUnknownPermissions() {
        for (ContainerConfig.Builder wrong :
                new ContainerConfig.Builder[] {
                    with("wrong", "true", "/dev/no-such", "/dev/x", "rw"),
                    with("wrong", "true", "/etc/passwd", "/dev/x", "rw"),
                    with("wrong", "true", "/dev/null", "/dev/x", "rwx"),
                    with("wrong", "true", "/dev/null", "dev/x", "rw")
                }) {
            Peers.differ(node, "containerd checks at the start only");
            assertThatThrownBy(() -> pod.create(wrong.build()))
                    .hasMessageContaining("INVALID_ARGUMENT: devices[0]");
        }
    }

    private static TestPod annotated(String name, String value) {
        Consumer<PodSandboxConfig.Builder> change = config -> config.putAnnotations(name, value);
        return TestPod.run(node, change);
    }

    @Test
    void anAnnotationNamesAllowedDevicesOnly() {
        Peers.differ(node, "an annotation of CRI-O");
        TestPod good = annotated("io.kubernetes.cri-o.Devices", "/dev/zero:/dev/noughts:r");
        assertThat(good.output(good.shell("main", "head -c 1 /dev/noughts | wc -c")))
                .isEqualTo("1\n");
        good.remove();

        TestPod bad = annotated("devices.crio.io", "/dev/full");
        assertThatThrownBy(() -> bad.create(bad.shell("main", "true").build()))
                .hasMessageContaining("/dev/full is not in allowed_devices");
        bad.remove();
    }

    @Test
    void annotationsSetTheUmaskAndTheSharedMemory() {
        Peers.differ(node, "annotations of CRI-O");
        TestPod masked = annotated("umask.crio.io", "0077");
        assertThat(masked.output(masked.shell("main", "touch /f; stat -c %a /f")))
                .isEqualTo("600\n");
        masked.remove();

        TestPod large = annotated("io.kubernetes.cri-o.ShmSize", "96Mi");
        assertThat(large.output(large.shell("main", "df -k /dev/shm | awk 'END{print $2}'")))
                .isEqualTo(96 * 1024 + "\n");
        large.remove();
        assertThatThrownBy(() -> annotated("io.kubernetes.cri-o.ShmSize", "much"))
                .hasMessageContaining("'much' is not a quantity");
    }
}
