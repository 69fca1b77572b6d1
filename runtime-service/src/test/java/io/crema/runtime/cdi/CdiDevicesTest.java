package io.crema.runtime.cdi;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.CDIDevice;
import io.crema.cri.v1.ContainerConfig;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.oci.spec.RuntimeSpec.Mount;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which files a device name leads to, and what becomes of the specification. */
class CdiDevicesTest {
    @TempDir private Path directory;
    private Path etc;
    private Path run;
    private CdiDevices devices;

    @BeforeEach
    void makeDirectories() throws IOException {
        etc = Files.createDirectory(directory.resolve("etc"));
        run = Files.createDirectory(directory.resolve("run"));
        devices = new CdiDevices(JnaLinux.load(), List.of(etc, run, directory.resolve("absent")));
    }

    private static RuntimeSpec spec() {
        return new RuntimeSpec(
                RuntimeSpec.VERSION,
                new ContainerProcess(
                        false,
                        new ContainerProcess.User(1000, 0, null, List.of(7L)),
                        List.of("sh"),
                        List.of("PATH=/bin", "MODE=slow"),
                        "/",
                        ContainerProcess.Capabilities.none(),
                        List.of(),
                        false,
                        null,
                        null,
                        null),
                new RuntimeSpec.Root("/", true),
                null,
                List.of(Mount.bind("/lib/deep/one", "/x", List.of("bind"))),
                null,
                Map.of(),
                LinuxSpec.none());
    }

    private RuntimeSpec with(String... names) {
        ContainerConfig.Builder config = ContainerConfig.newBuilder();
        Arrays.stream(names)
                .forEach(name -> config.addCDIDevices(CDIDevice.newBuilder().setName(name)));
        return applied(config);
    }

    private RuntimeSpec applied(ContainerConfig.Builder config) {
        return devices.choose(config.build()).applyTo(spec(), false);
    }

    private static String simple(String kind, String name, String value) {
        return """
        cdiVersion: "0.6.0"
        kind: %s
        devices:
        - name: %s
          containerEdits:
            env: [ "FOUND=%s" ]
        """
                .formatted(kind, name, value);
    }

    @Test
    void appliesEveryKindOfEdit() throws IOException {
        Files.writeString(
                etc.resolve("gpu.json"),
                """
                {"cdiVersion": "1.0.0", "kind": "example.com/gpu", "annotations": {"a": "b"},
                 "containerEdits": {
                   "env": ["MODE=fast"],
                   "hooks": [{"hookName": "createContainer", "path": "/bin/hook", "args": ["hook"],
                              "env": ["X=y"], "timeout": 5}],
                   "intelRdt": {"closID": "gold", "enableMBM": true}},
                 "devices": [
                   {"name": "0", "containerEdits": {
                      "env": ["GPU=0"],
                      "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/null"}],
                      "mounts": [{"hostPath": "/lib", "containerPath": "/lib",
                                  "options": ["ro", "bind"]}],
                      "additionalGids": [0, 44, 7]}},
                   {"name": "1", "containerEdits": {
                      "deviceNodes": [{"path": "/dev/gpu1", "type": "b", "major": 8, "minor": 1,
                                       "permissions": "r", "fileMode": 384, "uid": 5, "gid": 6}]}}
                 ]}
                """);

        RuntimeSpec edited = with("example.com/gpu=0", "example.com/gpu=1");

        assertThat(edited.process().env()).containsExactly("PATH=/bin", "MODE=fast", "GPU=0");
        assertThat(edited.process().user().additionalGids()).containsExactly(7L, 44L);
        assertThat(edited.linux().devices())
                .containsExactly(
                        new LinuxSpec.Device("c", "/dev/gpu0", 1L, 3L, null, 1000L, null),
                        new LinuxSpec.Device("b", "/dev/gpu1", 8L, 1L, 0600, 5L, 6L));
        assertThat(edited.linux().resources().devices())
                .containsExactly(
                        new DeviceRule(true, "c", 1L, 3L, "rwm"),
                        new DeviceRule(true, "b", 8L, 1L, "r"));
        assertThat(edited.mounts())
                .as("outer places first")
                .extracting(Mount::destination)
                .containsExactly("/lib", "/lib/deep/one");
        assertThat(requireNonNull(edited.hooks()).createContainer())
                .as("what all devices of a file change is done once")
                .containsExactly(new Hook("/bin/hook", List.of("hook"), List.of("X=y"), 5));
        assertThat(edited.linux().intelRdt())
                .isEqualTo(new LinuxSpec.IntelRdt("gold", List.of(), null, null, null, true, null));
    }

    @Test
    void laterDirectoriesWinAndChangesAreSeen() throws IOException {
        Files.writeString(etc.resolve("a.yaml"), simple("v.com/c", "x", "etc"));
        assertThat(with("v.com/c=x").process().env()).contains("FOUND=etc");

        Files.writeString(run.resolve("b.yaml"), simple("v.com/c", "x", "run"));
        assertThat(with("v.com/c=x").process().env()).contains("FOUND=run");

        Files.writeString(run.resolve("b.yaml"), simple("v.com/c", "other", "changed"));
        assertThat(with("v.com/c=x").process().env()).contains("FOUND=etc");
        assertThat(with("v.com/c=other").process().env()).contains("FOUND=changed");
    }

    @Test
    void annotationsNameDevicesToo() throws IOException {
        Files.writeString(etc.resolve("a.yaml"), simple("v.com/c", "x", "x"));
        Files.writeString(etc.resolve("b.yaml"), simple("v.com/d", "y", "y"));

        RuntimeSpec edited =
                applied(
                        ContainerConfig.newBuilder()
                                .addCDIDevices(CDIDevice.newBuilder().setName("v.com/c=x"))
                                .putAnnotations("cdi.k8s.io/plugin_1", "v.com/c=x,v.com/d=y"));

        assertThat(edited.process().env())
                .as("the duplicate is dropped")
                .containsExactly("PATH=/bin", "MODE=slow", "FOUND=y");
    }

    @Test
    void saysWhereItLookedForAnUnknownDevice() throws IOException {
        Files.writeString(etc.resolve("a.yaml"), simple("v.com/c", "x", "x"));
        Files.writeString(run.resolve("broken.json"), "{");

        assertThatThrownBy(() -> with("v.com/c=y"))
                .hasMessageContaining(
                        "CDI_devices[0].name: there is no device v.com/c=y; looked in")
                .hasMessageContaining(etc + " (files: 1)")
                .hasMessageContaining(directory.resolve("absent") + " (not there)")
                .hasMessageContaining("known of this kind are x")
                .hasMessageContaining(run.resolve("broken.json").toString())
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(ErrorKind.FAILED_PRECONDITION);
        assertThat(with("v.com/c=x").process().env())
                .as("a broken file does not matter to others")
                .contains("FOUND=x");
    }

    @Test
    void refusesADeviceOfTwoFiles() throws IOException {
        Files.writeString(etc.resolve("a.yaml"), simple("v.com/c", "x", "a"));
        Files.writeString(etc.resolve("b.yaml"), simple("v.com/c", "x", "b"));

        assertThatThrownBy(() -> with("v.com/c=x"))
                .hasMessageContaining("is in more than one file")
                .hasMessageContaining("a.yaml")
                .hasMessageContaining("b.yaml");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "x", "v.com/c", "v.com/c=", "v.com=x", "/c=x", "v.com/c=-x", "1/c=x"})
    void refusesWhatIsNoName(String name) {
        assertThatThrownBy(() -> with(name))
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(ErrorKind.INVALID_ARGUMENT);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cdiVersion: \"9.0.0\"",
                "unknown: 1",
                "devices: []",
                "containerEdits: {env: [novalue]}",
                "containerEdits: {deviceNodes: [{path: relative}]}",
                "containerEdits: {deviceNodes: [{path: /dev/x, permissions: rx}]}",
                "containerEdits: {hooks: [{hookName: never, path: /bin/true}]}",
                "containerEdits: {surprise: []}"
            })
    void leavesOutAFileThatItDoesNotWhollyKnow(String change) throws IOException {
        String name = change.substring(0, change.indexOf(':'));
        String rest =
                simple("v.com/c", "x", "a")
                        .lines()
                        .filter(line -> !line.startsWith(name + ":"))
                        .filter(line -> !name.equals("devices") || !line.startsWith("-"))
                        .filter(line -> !name.equals("devices") || !line.startsWith(" "))
                        .reduce("", (all, line) -> all + line + "\n");
        Files.writeString(etc.resolve("a.yaml"), rest + change + "\n");

        assertThatThrownBy(() -> with("v.com/c=x"))
                .hasMessageContaining("could not be read: " + etc.resolve("a.yaml"));
    }

    @Test
    void tellsWhatTheNodeLacks() throws IOException {
        Files.writeString(
                etc.resolve("a.yaml"),
                """
                cdiVersion: 1.1.0
                kind: v.com/c
                devices:
                - name: gone
                  containerEdits: {deviceNodes: [{path: /dev/no-such-device}]}
                - name: file
                  containerEdits: {deviceNodes: [{path: /dev/x, hostPath: /etc/passwd}]}
                - name: net
                  containerEdits: {netDevices: [{hostInterfaceName: eth7, name: net1}]}
                """);

        assertThatThrownBy(() -> with("v.com/c=gone"))
                .hasMessageContaining("/dev/no-such-device, which is not on this node");
        assertThatThrownBy(() -> with("v.com/c=file"))
                .hasMessageContaining("/etc/passwd, which is not a device");
        assertThatThrownBy(() -> with("v.com/c=net"))
                .hasMessageContaining("interface eth7, which this OCI runtime cannot move");
        ContainerConfig request =
                ContainerConfig.newBuilder()
                        .addCDIDevices(CDIDevice.newBuilder().setName("v.com/c=net"))
                        .build();
        assertThat(devices.choose(request).applyTo(spec(), true).linux().netDevices())
                .containsExactly(Map.entry("eth7", new LinuxSpec.NetDevice("net1")));
    }
}
