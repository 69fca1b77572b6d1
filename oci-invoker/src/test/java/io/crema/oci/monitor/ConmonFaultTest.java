package io.crema.oci.monitor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.lab.OciLab;
import io.crema.oci.lab.ScriptedBinary;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.monitor.ContainerMonitor.MonitorRequest;
import io.crema.oci.monitor.ContainerMonitor.Monitored;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import io.crema.oci.runtime.CommandLineRuntime;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A conmon that misbehaves in every way we could think of; needs /bin/sh, not root. */
class ConmonFaultTest {
    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    private final Children children = new Children(linux, loop);
    private final SpawnedCommands commands = new SpawnedCommands(linux, loop);
    private final ContainerId id = ContainerId.random();
    private final List<String> placed = new ArrayList<>();
    @TempDir private Path directory;
    private ScriptedBinary runtime;
    private ScriptedBinary conmon;
    private MonitorPlacement placement;

    @BeforeEach
    void install() throws IOException {
        runtime = ScriptedBinary.runtime(directory.resolve("runtime"));
        conmon = ScriptedBinary.conmon(directory.resolve("conmon"));
        placement =
                new MonitorPlacement() {
                    @Override
                    public Child start(String where, SpawnRequest request, Deadline deadline) {
                        placed.add(where);
                        return children.start(request);
                    }

                    @Override
                    public void remove(String where, Deadline deadline) {
                        placed.remove(where);
                    }
                };
        Files.createDirectories(directory.resolve("bundle"));
        Files.writeString(directory.resolve("bundle/config.json"), "{}");
    }

    @AfterEach
    void close() {
        loop.close();
    }

    private Monitored create(Path executable, Duration limit) {
        MonitorRequest request =
                new MonitorRequest(
                        id,
                        "fault",
                        new CommandLineRuntime(
                                "lab",
                                runtime.executable(),
                                directory.resolve("state"),
                                commands,
                                linux),
                        directory.resolve("bundle"),
                        directory.resolve("persist"),
                        Optional.of(directory.resolve("0.log")),
                        0,
                        false,
                        false,
                        false,
                        true,
                        "lab.scope",
                        Optional.empty(),
                        List.of(),
                        Optional.empty());
        ConmonSettings settings = new ConmonSettings(executable, directory.resolve("exits"), false);
        return new ConmonMonitor(
                        settings,
                        linux,
                        loop,
                        children,
                        new CgroupDirectories(linux, children),
                        placement)
                .create(request, Deadline.after(limit));
    }

    private OciRuntimeException failure(String plan) throws IOException {
        conmon.always("create", plan);
        OciRuntimeException failure =
                catchThrowableOfType(
                        OciRuntimeException.class, () -> create(conmon.executable(), OciLab.LONG));
        assertThat(failure).as(plan).isNotNull().hasMessageContaining(id.value());
        assertNothingLeft(failure);
        return failure;
    }

    private void assertNothingLeft(Throwable failure) throws IOException {
        assertThat(failure.getSuppressed()).isEmpty();
        assertThat(placed).isEmpty();
        assertThat(runtime.calls("delete")).last().asString().contains("--force " + id);
        assertThat(directory.resolve("persist")).isEmptyDirectory();
        assertThat(directory.resolve("exits")).isEmptyDirectory();
        assertThat(directory.resolve("0.log")).doesNotExist();
        try (var files = Files.list(directory.resolve("bundle"))) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactly("config.json");
        }
        try (var all = Files.list(Path.of("/proc"))) {
            assertThat(
                            all.map(process -> process.resolve("cmdline"))
                                    .filter(this::speaksOfContainer))
                    .isEmpty();
        }
    }

    private boolean speaksOfContainer(Path commandLine) {
        try {
            return Files.isReadable(commandLine)
                    && Files.readString(commandLine).contains(id.value());
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void endsBeforeItIsLetOn() throws IOException {
        assertThat(failure("echo 'unknown option' >&2; exit 3"))
                .hasMessageContaining("exit code 3")
                .hasMessageContaining("unknown option");
    }

    @Test
    void endsWithoutASyncLine() throws IOException {
        assertThat(failure("await_start; exit 0"))
                .hasMessageContaining("without reporting a container");
    }

    @Test
    void reportsGarbage() throws IOException {
        for (String line : List.of("hello", "{", "[]", "{\\\"pid\\\": \\\"x\\\"}")) {
            assertThat(failure("await_start; report \"" + line + "\"; exit 0"))
                    .as(line)
                    .hasMessageContaining("unknown");
        }
    }

    @Test
    void reportsAnEndlessLine() throws IOException {
        failure("await_start; report \"$(head -c 100000 /dev/zero | tr '\\\\0' x)\"; exit 0");
    }

    @Test
    void reportsTheRuntimesFailure() throws IOException {
        String message =
                "{\\\"pid\\\": -1, \\\"message\\\": \\\"exec: \\\\\\\"/x\\\\\\\": no such file or"
                        + " directory\\\\n\\\"}";
        OciRuntimeException failure = failure("await_start; report \"" + message + "\"; exit 0");
        assertThat(failure.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT);
        assertThat(failure).hasMessageContaining("\"/x\" does not exist");
    }

    @Test
    void reportsAProcessThatIsGone() throws IOException {
        // No pid goes that far (PID_MAX_LIMIT is 2^22).
        assertThat(
                        failure(
                                "await_start; echo $$ > $pid_file; report '{\"pid\": 99999999}'; exit 0"))
                .hasMessageContaining("ended right after");
    }

    @Test
    void tellsNoPidOfItsOwn() throws IOException {
        assertThat(failure("await_start; report \"{\\\"pid\\\": $PPID}\"; exit 0"))
                .hasMessageContaining("the monitor");
    }

    @Test
    void hangsBeforeAndAfterItIsLetOn() throws IOException {
        for (String plan :
                List.of(
                        "hang",
                        "await_start; hang",
                        // As the real one: a child of its own session that outlives its parent.
                        "await_start; setsid sh -c 'while :; do sleep 0.1; done' "
                                + id
                                + " & echo $! > $pid_file; exit 0")) {
            conmon.always("create", plan);
            long start = System.nanoTime();
            Throwable failure =
                    catchThrowable(() -> create(conmon.executable(), Duration.ofMillis(400)));
            assertThat(failure)
                    .as(plan)
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining(id.value());
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(OciLab.LONG);
            assertNothingLeft(failure);
        }
    }

    @Test
    void cannotBePlaced() throws IOException {
        placement =
                new MonitorPlacement() {
                    @Override
                    public Child start(String where, SpawnRequest request, Deadline deadline) {
                        children.start(request).killGroup(9);
                        throw new OciRuntimeException(
                                ErrorKind.UNAVAILABLE, "no scope for container " + id);
                    }

                    @Override
                    public void remove(String where, Deadline deadline) {}
                };
        // It must never go on to make a container that nobody knows of.
        Path trace = directory.resolve("trace");
        assertThat(failure("await_start; echo on > " + trace).kind())
                .isEqualTo(ErrorKind.UNAVAILABLE);
        assertThat(trace).doesNotExist();
    }

    @Test
    void isMissing() throws IOException {
        OciRuntimeException failure =
                catchThrowableOfType(
                        OciRuntimeException.class,
                        () -> create(directory.resolve("none"), OciLab.LONG));
        assertThat(failure.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION);
        assertThat(failure).hasMessageContaining("install conmon");
        assertNothingLeft(failure);
    }

    @Test
    void worksOnTheNextCall() throws IOException {
        conmon.onCall(1, "create", "exit 1");
        // The shell is the container, and its own monitor.
        conmon.onCall(
                2,
                "create",
                "await_start; sleep 100000 & echo $! > $pid_file; report \"{\\\"pid\\\": $!}\"; exit 0");
        assertThat(catchThrowable(() -> create(conmon.executable(), OciLab.LONG)))
                .isInstanceOf(OciRuntimeException.class);
        Monitored monitored = create(conmon.executable(), OciLab.LONG);
        assertThat(linux.startTimeTicks(monitored.pid())).contains(monitored.pidStartTicks());
        assertThat(linux.kill(monitored.pid(), 9)).isTrue();
    }
}
