package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.CDIDevice;
import io.crema.cri.v1.ContainerConfig;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Devices that vendors describe in files (CDI): by field, by annotation, and when they change. */
@Tag("e2e")
class CdiTest {
    @TempDir private static Path directory;
    private static Path specs;
    private static TestNode node;
    private static TestPod pod;

    @BeforeAll
    static void startNode() throws IOException {
        specs = Files.createDirectory(directory.resolve("cdi"));
        Path shared = Files.createDirectory(directory.resolve("shared"));
        Files.writeString(shared.resolve("driver"), "driver files");
        Files.writeString(
                specs.resolve("vendor.json"),
                """
                {"cdiVersion": "0.6.0", "kind": "vendor.com/device",
                 "containerEdits": {"mounts": [{"hostPath": "%s", "containerPath": "/driver",
                     "options": ["ro", "bind"]}]},
                 "devices": [
                   {"name": "null", "containerEdits": {
                      "env": ["DEVICE=null"],
                      "deviceNodes": [{"path": "/dev/vendor0", "hostPath": "/dev/null"}],
                      "additionalGids": [4242]}}]}
                """
                        .formatted(shared));
        node =
                TestNode.start(
                        NodeSetup.standard()
                                .withConfiguration(
                                        "[crio.runtime]\ncdi_spec_dirs = [\"" + specs + "\"]\n"));
        Peers.differ(node, "containerd 1.6 has no CDI");
        pod = TestPod.run(node);
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    private static ContainerConfig.Builder container(String name, String script) {
        return pod.shell(name, script);
    }

    @Test
    void givesWhatADeviceBrings() {
        assertThat(
                        pod.output(
                                container(
                                                "field",
                                                "echo $DEVICE; cat /driver/driver; echo;"
                                                        + " echo x > /dev/vendor0 && echo writable;"
                                                        + " id -G")
                                        .addCDIDevices(
                                                CDIDevice.newBuilder()
                                                        .setName("vendor.com/device=null"))))
                .isEqualTo("null\ndriver files\nwritable\n0 4242\n");
    }

    @Test
    void readsAnnotationsAndFilesThatCameLater() throws IOException {
        Path yaml = specs.resolve("late.yaml");
        ContainerConfig.Builder late =
                container("late", "echo $LATE $DEVICE")
                        .putAnnotations(
                                "cdi.k8s.io/test", "other.org/thing=a:1,vendor.com/device=null");
        assertThatThrownBy(() -> pod.create(late.build()))
                .hasMessageContaining("FAILED_PRECONDITION")
                .hasMessageContaining("there is no device other.org/thing=a:1; looked in " + specs);

        Files.writeString(
                yaml,
                """
                cdiVersion: "1.0.0"
                kind: other.org/thing
                devices:
                - name: "a:1"
                  containerEdits:
                    env: ["LATE=came"]
                """);
        assertThat(pod.output(late)).isEqualTo("came null\n");
        Files.delete(yaml);
        assertThatThrownBy(() -> pod.create(late.build())).hasMessageContaining("no device");
    }
}
