package io.crema.oci.monitor;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ContainerId;
import io.crema.oci.lab.OciLab;
import io.crema.oci.monitor.ContainerMonitor.MonitorRequest;
import io.crema.oci.runtime.OciRuntime;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** conmon's command line and the line it answers. */
class ConmonArgumentsTest {
    private static final ContainerId ID = ContainerId.random();
    private static final Path CONMON = Path.of("/usr/bin/conmon");
    private static final Path BUNDLE = Path.of("/run/lab/b");
    private static final Path PERSIST = Path.of("/var/lab/p");
    private static final Path EXITS = Path.of("/run/lab/exits");

    @TempDir private Path directory;

    private List<String> create(
            boolean syncLog,
            Optional<Path> log,
            long max,
            boolean terminal,
            boolean stdin,
            boolean stdinOnce,
            boolean systemd)
            throws IOException {
        try (OciLab lab = new OciLab(directory, Path.of("/opt/runc"), CONMON)) {
            OciRuntime runtime = lab.runtime();
            return ConmonArguments.create(
                    new ConmonSettings(CONMON, EXITS, syncLog),
                    new MonitorRequest(
                            ID,
                            "n",
                            runtime,
                            BUNDLE,
                            PERSIST,
                            log,
                            max,
                            terminal,
                            stdin,
                            stdinOnce,
                            systemd,
                            "/x",
                            Optional.empty(),
                            List.of(),
                            Optional.empty()),
                    new MonitorFiles(ID, BUNDLE, PERSIST, EXITS));
        }
    }

    @Test
    void plainContainer() throws IOException {
        assertThat(create(false, Optional.of(Path.of("/l/0.log")), 0, false, false, false, false))
                .containsExactly(
                        "/usr/bin/conmon",
                        "--cid",
                        ID.value(),
                        "--cuuid",
                        ID.value(),
                        "--name",
                        "n",
                        "--bundle",
                        "/run/lab/b",
                        "--persist-dir",
                        "/var/lab/p",
                        "--exit-dir",
                        "/run/lab/exits",
                        "--container-pidfile",
                        "/run/lab/b/container.pid",
                        "--conmon-pidfile",
                        "/run/lab/b/conmon.pid",
                        "--log-path",
                        "k8s-file:/l/0.log",
                        "--full-attach",
                        "--syslog",
                        "--no-sync-log",
                        "--runtime",
                        "/opt/runc",
                        "--runtime-arg=--root=" + directory.resolve("state"),
                        "--runtime-arg=--log=/run/lab/b/runtime.log",
                        "--runtime-arg=--log-format=json");
    }

    @Test
    void everyOption() throws IOException {
        List<String> all = create(true, Optional.empty(), 8192, true, true, false, true);
        assertThat(all)
                .containsSequence("--log-path", "none")
                .containsSequence("--log-size-max", "8192")
                .contains("--terminal", "--stdin", "--leave-stdin-open", "--systemd-cgroup")
                .doesNotContain("--no-sync-log");
        assertThat(create(true, Optional.empty(), 0, false, true, true, false))
                .contains("--stdin")
                .doesNotContain("--leave-stdin-open", "--log-size-max", "--terminal");
    }

    @Test
    void aRestoreSaysWhatTheCheckpointKept() throws IOException {
        try (OciLab lab = new OciLab(directory, Path.of("/opt/runc"), CONMON)) {
            MonitorRequest plain =
                    new MonitorRequest(
                            ID,
                            "n",
                            lab.runtime(),
                            BUNDLE,
                            PERSIST,
                            Optional.empty(),
                            0,
                            false,
                            false,
                            false,
                            false,
                            "/x",
                            Optional.empty(),
                            List.of(),
                            Optional.empty());
            assertThat(
                            ConmonArguments.create(
                                    new ConmonSettings(CONMON, EXITS, true),
                                    plain.restoring(Path.of("/var/lab/r/checkpoint")),
                                    new MonitorFiles(ID, BUNDLE, PERSIST, EXITS)))
                    .containsSequence("--restore", "/var/lab/r/checkpoint")
                    .contains("--runtime-opt=--tcp-established", "--runtime-opt=--file-locks");
        }
    }

    @Test
    void environmentOfTheHandlerWins() {
        Map<String, String> environment =
                ConmonArguments.environment(
                        List.of("PATH=/only", "A=b=c", "broken"), BUNDLE, true, true);
        assertThat(environment)
                .containsEntry("PATH", "/only")
                .containsEntry("A", "b=c")
                .containsEntry("TMPDIR", "/run/lab/b")
                .containsEntry("_OCI_SYNCPIPE", "3")
                .containsEntry("_OCI_STARTPIPE", "4")
                .doesNotContainKey("broken")
                .doesNotContainKey("HOME");
        Path longPath = Path.of("/" + "x".repeat(100));
        assertThat(ConmonArguments.environment(List.of(), longPath, true, false))
                .containsKey("PATH")
                .doesNotContainKeys("TMPDIR", "_OCI_STARTPIPE");
    }

    @Test
    void syncLines() {
        assertThat(SyncLine.parse("{\"pid\": 12}")).contains(new SyncLine(12, ""));
        assertThat(SyncLine.parse("{\"exit_code\": 137}")).contains(new SyncLine(137, ""));
        assertThat(SyncLine.parse("{\"data\": -1, \"message\": \"a\\nb\u001fc\"}"))
                .contains(new SyncLine(-1, "a\nb\u001fc"));
        assertThat(SyncLine.parse("{}")).isEmpty();
        assertThat(SyncLine.parse("pid 12")).isEmpty();
        assertThat(SyncLine.parse("{\"pid\": 12345678901}")).isEmpty();
    }
}
