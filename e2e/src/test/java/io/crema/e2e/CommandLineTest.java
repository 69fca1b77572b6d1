package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.image.ImageArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.image.TarWriter;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Crema's own commands: what they print and how they end. */
@Tag("e2e")
class CommandLineTest {
    @TempDir private static Path directory;

    private static TestNode node;

    @BeforeAll
    static void startNode() {
        // Whatever endpoint is asked for: a peer has none of these commands.
        node = TestNode.start(NodeSetup.of(RuntimeUnderTest.CREMA));
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @Test
    void versionTellsVersionAndJava() {
        Shell.Result result = crema("version");
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).containsPattern("\\d+\\.\\d+\\.\\d+").contains("25");
        assertThat(crema("--version").output().lines().findFirst())
                .isEqualTo(result.output().lines().findFirst());
    }

    @Test
    void helpIsThere() {
        Shell.Result result = crema("--help");
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains("serve", "config", "check", "status", "load", "version", "--config");
    }

    @Test
    void configPrintsWhatIsEffectiveAndCanBeReadAgain() throws IOException {
        Shell.Result effective = Shell.result(node.crema("config"));
        assertThat(effective.exitCode()).as(effective.output()).isZero();
        assertThat(effective.output())
                .contains("[crio.runtime]")
                .contains("listen = \"" + node.socket() + "\"");
        Shell.Result standard = crema("config", "--default");
        assertThat(standard.exitCode()).isZero();
        assertThat(standard.output()).contains("/run/crema/crema.sock");
        Path copy = directory.resolve("copy.conf");
        Files.writeString(copy, toml(effective));
        assertThat(crema("config", "--config", copy.toString(), "--config-dir", "").output())
                .isEqualTo(effective.output());
    }

    @Test
    void mistakesInTheConfigurationAreTold() throws IOException {
        Path wrong = directory.resolve("wrong.conf");
        Files.writeString(wrong, "[crio.runtime]\npids_limit = \"many\"\n");
        Shell.Result refused = crema("config", "--config", wrong.toString(), "--config-dir", "");
        assertThat(refused.exitCode()).isNotZero();
        assertThat(refused.output())
                .contains("wrong.conf")
                .contains("pids_limit")
                .doesNotContain("\tat ");
        Path unknown = directory.resolve("unknown.conf");
        Files.writeString(unknown, "[crio.runtime]\ndefault_runtim = \"runc\"\n");
        Shell.Result warned = crema("config", "--config", unknown.toString(), "--config-dir", "");
        assertThat(warned.output()).contains("default_runtim").contains("default_runtime");
        Shell.Result missing = crema("config", "--config", directory.resolve("none").toString());
        assertThat(missing.exitCode()).isNotZero();
        assertThat(missing.output()).contains("none").doesNotContain("\tat ");
    }

    @Test
    void checkTellsWhatTheNodeLacks() throws IOException {
        Shell.Result well = Shell.result(node.network().enter(node.crema("check")));
        assertThat(well.exitCode()).as(well.output()).isZero();
        assertThat(well.output()).contains("runc", "conmon", "overlay", "cgroup");
        Path conf = directory.resolve("lacking.conf");
        Files.writeString(
                conf,
                """
                [crio]
                root = "%1$s/root"
                runroot = "%1$s/run"
                [crio.runtime]
                default_runtime = "gone"
                [crio.runtime.runtimes.gone]
                runtime_path = "/no/such/runc"
                monitor_path = "/no/such/conmon"
                [crio.network]
                network_dir = "%1$s/no-cni"
                plugin_dirs = ["%1$s/no-plugins"]
                """
                        .formatted(directory));
        Shell.Result lacking = crema("check", "--config", conf.toString(), "--config-dir", "");
        assertThat(lacking.exitCode()).isNotZero();
        assertThat(lacking.output())
                .contains("/no/such/runc")
                .contains("/no/such/conmon")
                .contains("no-cni")
                .doesNotContain("\tat ");
    }

    @Test
    void statusAsksTheDaemon() {
        TestPod pod = TestPod.run(node);
        Shell.Result running = Shell.result(node.crema("status"));
        assertThat(running.exitCode()).as(running.output()).isZero();
        assertThat(running.output()).contains("0.1.0").contains(node.directory().toString());
        pod.stop();
        pod.remove();
        Shell.Result nobody = crema("status", "--listen", directory.resolve("no.sock").toString());
        assertThat(nobody.exitCode()).isNotZero();
        assertThat(nobody.output()).contains("no.sock").doesNotContain("\tat ");
    }

    @Test
    void archivesOfBothKindsAreLoaded() throws IOException {
        byte[] busybox = BusyboxArchive.tar(Path.of("/bin/busybox"));
        byte[] second = TarWriter.archive(tar -> tar.file("kind", "loaded"));
        OciImage image = OciImage.of(List.of("sh"), Layer.of(busybox), Layer.of(second));
        Path oci = directory.resolve("oci.tar");
        ImageArchive.writeOci(image, "localhost/loaded/oci:1", oci);
        Path docker = directory.resolve("docker.tar");
        ImageArchive.writeDocker(
                image,
                List.of(busybox, second),
                List.of("localhost/loaded/docker:1", "localhost/loaded/docker:2"),
                docker);
        Path skopeo = directory.resolve("skopeo.tar");
        Shell.run(
                "skopeo",
                "--insecure-policy",
                "copy",
                "--quiet",
                "oci-archive:" + oci,
                "docker-archive:" + skopeo + ":localhost/loaded/skopeo:1");
        for (Path archive : List.of(oci, docker, skopeo)) {
            Shell.Result loaded = Shell.result(node.crema("load", archive.toString()));
            assertThat(loaded.exitCode()).as(loaded.output()).isZero();
            assertThat(loaded.output()).contains("localhost/loaded/");
        }
        var found = node.images().find("localhost/loaded/oci:1").orElseThrow();
        assertThat(found.getId()).endsWith(image.config().hex());
        assertThat(found.getRepoTagsList())
                .contains(
                        "localhost/loaded/oci:1",
                        "localhost/loaded/docker:1",
                        "localhost/loaded/docker:2");
        TestPod pod = TestPod.run(node);
        for (String name : List.of("oci:1", "docker:2", "skopeo:1")) {
            assertThat(
                            pod.output(
                                    pod.shell("reader-" + name.replace(":", "-"), "cat /kind")
                                            .setImage(
                                                    io.crema.cri.v1.ImageSpec.newBuilder()
                                                            .setImage("localhost/loaded/" + name))))
                    .isEqualTo("loaded");
        }
        pod.stop();
        pod.remove();
    }

    @Test
    void whatIsNoArchiveIsRefused() throws IOException {
        Shell.Result missing = Shell.result(node.crema("load", directory + "/none.tar"));
        assertThat(missing.exitCode()).isNotZero();
        assertThat(missing.output()).contains("none.tar").doesNotContain("\tat ");
        Path text = directory.resolve("text.tar");
        Files.writeString(text, "no archive".repeat(1000));
        Shell.Result refused = Shell.result(node.crema("load", text.toString()));
        assertThat(refused.exitCode()).isNotZero();
        assertThat(refused.output()).contains("text.tar").doesNotContain("\tat ");
    }

    @Test
    void unknownCommandsAndFlagsAreTold() {
        Shell.Result command = crema("serv");
        assertThat(command.exitCode()).isNotZero();
        assertThat(command.output()).contains("serv");
        Shell.Result flag = crema("--lisen", "/x");
        assertThat(flag.exitCode()).isNotZero();
        assertThat(flag.output()).contains("--lisen").contains("--listen");
    }

    @Test
    void aSecondDaemonOverTheSameStateIsRefused() {
        Shell.Result second =
                Shell.result(
                        node.network()
                                .enter(node.crema("serve", "--listen", directory + "/2.sock")));
        assertThat(second.exitCode()).isNotZero();
        assertThat(second.output())
                .containsPattern("(?i)(already|another|in use|lock)")
                .doesNotContain("\tat ");
    }

    /** Without the warnings, which go to stderr. */
    private static String toml(Shell.Result result) {
        return result.output()
                .lines()
                .filter(line -> !line.startsWith("crema: warning:"))
                .collect(Collectors.joining("\n"));
    }

    private static Shell.Result crema(String... arguments) {
        List<String> line = new ArrayList<>();
        line.add(System.getProperty("crema.binary", "../cri-server/target/crema/bin/crema"));
        line.addAll(Arrays.asList(arguments));
        return Shell.result(line);
    }
}
