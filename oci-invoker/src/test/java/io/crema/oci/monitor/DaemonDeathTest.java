package io.crema.oci.monitor;

import static io.crema.oci.lab.OciLab.soon;
import static io.crema.oci.lab.OciLab.until;
import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ContainerId;
import io.crema.oci.lab.OciLab;
import io.crema.oci.lab.OciLab.Container;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.Lines;
import io.crema.oci.process.PollLoop;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The daemon and its whole process group are killed; container, log and exit code must not care.
 */
@Tag("root")
class DaemonDeathTest {
    private static final int SIGKILL = 9;
    private static final String RUNC = "/usr/sbin/runc";
    private static final String CONMON = "/usr/bin/conmon";

    @TempDir private Path directory;

    @Test
    void containerOutlivesTheDaemon() throws Exception {
        String cgroup = "/crema-lab-" + ContainerId.random().value().substring(0, 12);
        ContainerId id = ContainerId.random();
        String[] command = {
            "sh",
            "-c",
            "trap 'exit 21' TERM; i=0; while :; do echo $i; i=$((i+1)); usleep 5000; done"
        };
        try (OciLab lab = new OciLab(directory, Path.of(RUNC), Path.of(CONMON), cgroup)) {
            int monitorPid = runAndKillDaemon(lab, cgroup, id, command);
            // Another daemon on the same directories.
            Container container = lab.container(id, command);
            assertThat(Files.exists(Path.of("/proc/" + monitorPid))).isTrue();
            assertThat(container.exit()).isEmpty();
            int before = container.logLines().size();
            until("the log goes on", () -> lineCount(container) > before + 5);
            assertThat(container.exec("sh", "-c", "exit 4").exitCode()).isEqualTo(4);
            Files.move(container.log(), container.log().resolveSibling("old"));
            lab.monitor().reopenLog(id, container.bundle().directory(), container.log(), soon());

            Queue<ContainerId> seen = new ConcurrentLinkedQueue<>();
            try (AutoCloseable watch = lab.monitor().watchExits(seen::add)) {
                assertThat(watch).isNotNull();
                assertThat(lab.runtime().kill(id, 15, false, soon())).isTrue();
                until("the exit is reported", () -> seen.contains(id));
            }
            assertThat(container.awaitExit().code()).isEqualTo(21);
        }
    }

    private static int lineCount(Container container) {
        try {
            return container.logLines().size();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private int runAndKillDaemon(OciLab lab, String cgroup, ContainerId id, String[] command)
            throws Exception {
        List<String> arguments = new ArrayList<>();
        arguments.add(System.getProperty("java.home") + "/bin/java");
        arguments.addAll(
                List.of(
                        "--enable-native-access=ALL-UNNAMED",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty(
                                "surefire.test.class.path", System.getProperty("java.class.path")),
                        DaemonStandIn.class.getName(),
                        directory.toString(),
                        RUNC,
                        CONMON,
                        cgroup,
                        id.value()));
        arguments.addAll(List.of(command));
        try (PollLoop loop = PollLoop.start(lab.linux());
                Pipe output = lab.linux().pipe()) {
            Child daemon =
                    new Children(lab.linux(), loop)
                            .start(
                                    new SpawnRequest(
                                            Path.of(arguments.getFirst()),
                                            arguments,
                                            Map.of("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                                            Map.of(1, output.write(), 2, output.write()),
                                            false));
            output.write().close();
            try {
                // SLF4J has its say first.
                Lines lines = loop.lines(output.read(), 1 << 16);
                StringBuilder said = new StringBuilder();
                String line = "";
                while (!line.startsWith("running ")) {
                    line =
                            lines.next()
                                    .get(OciLab.LONG.toSeconds(), TimeUnit.SECONDS)
                                    .orElseThrow(() -> new AssertionError(said.toString()));
                    said.append(line).append('\n');
                }
                return Integer.parseInt(line.substring("running ".length()));
            } finally {
                daemon.killGroup(SIGKILL);
                daemon.exit().get(30, TimeUnit.SECONDS);
            }
        }
    }
}
