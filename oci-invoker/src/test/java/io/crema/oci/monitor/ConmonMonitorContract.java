package io.crema.oci.monitor;

import static io.crema.oci.lab.OciLab.soon;
import static io.crema.oci.lab.OciLab.until;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.lab.OciLab;
import io.crema.oci.lab.OciLab.Container;
import io.crema.oci.monitor.ContainerMonitor.ExecResult;
import io.crema.oci.monitor.ContainerMonitor.Exit;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Debian's conmon together with a real OCI runtime must do; run once per runtime. */
abstract class ConmonMonitorContract {
    private static final Path CONMON = Path.of("/usr/bin/conmon");
    private static final int SIGTERM = 15;
    private static final int SIGKILL = 9;

    @TempDir private Path directory;
    private OciLab lab;

    abstract Path runtimeExecutable();

    @BeforeEach
    void open() {
        lab = new OciLab(directory, runtimeExecutable(), CONMON);
    }

    @AfterEach
    void close() throws IOException {
        lab.close();
        until("no process of the lab is left", () -> uncheckedProcesses().isEmpty());
    }

    private List<String> uncheckedProcesses() {
        try {
            return lab.processes();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void containerLivesFromCreateToDelete() throws IOException {
        Container container = lab.container("sh", "-c", "exit 0").create();
        OciRuntime runtime = lab.runtime();
        OciRuntime.State created = runtime.state(container.id(), soon()).orElseThrow();
        assertThat(created.status()).isEqualTo("created");
        assertThat(created.pid()).isEqualTo(container.monitored().pid());
        assertThat(lab.linux().startTimeTicks(created.pid()))
                .contains(container.monitored().pidStartTicks());
        assertThat(container.exit()).isEmpty();

        Instant before = Instant.now();
        runtime.start(container.id(), soon());
        Exit exit = container.awaitExit();
        assertThat(exit.code()).isZero();
        assertThat(exit.oomKilled()).isFalse();
        assertThat(exit.finishedAt()).isBetween(before.minusSeconds(1), Instant.now());
        assertThat(runtime.state(container.id(), soon()).orElseThrow().status())
                .isEqualTo("stopped");

        container.remove();
        assertThat(runtime.state(container.id(), soon())).isEmpty();
        runtime.delete(container.id(), true, soon());
        runtime.delete(container.id(), false, soon());
        assertThat(lab.exitsDirectory()).isEmptyDirectory();
        assertThat(lab.cgroupDirectories()).noneMatch(path -> path.toString().contains("monitor-"));
    }

    @Test
    void exitCodeIsExact() throws IOException {
        assertThat(lab.container("sh", "-c", "exit 7").start().awaitExit().code()).isEqualTo(7);
        assertThat(lab.container("sh", "-c", "exit 255").start().awaitExit().code()).isEqualTo(255);
    }

    @Test
    void manyContainersAtOnce() throws Exception {
        Queue<String> wrong = new ConcurrentLinkedQueue<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            String code = Integer.toString(i);
            Container container = lab.container("sh", "-c", "echo " + code + "; exit " + code);
            threads.add(
                    Thread.ofVirtual()
                            .start(() -> {
                                try {
                                    int exit = container.start().awaitExit().code();
                                    List<String> log = container.logLines();
                                    if (exit != Integer.parseInt(code)
                                            || !log.equals(List.of("stdout F " + code))) {
                                        wrong.add(code + ": " + exit + " " + log);
                                    }
                                } catch (IOException | RuntimeException e) {
                                    wrong.add(code + ": " + e);
                                }
                            }));
        }
        for (Thread thread : threads) {
            assertThat(thread.join(OciLab.LONG)).isTrue();
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void killedBySignal() throws IOException {
        Container container = lab.container("sleep", "1000").start();
        assertThat(lab.runtime().kill(container.id(), SIGKILL, false, soon())).isTrue();
        assertThat(container.awaitExit().code()).isEqualTo(128 + SIGKILL);
        assertThat(lab.runtime().kill(container.id(), SIGKILL, false, soon())).isFalse();
        assertThat(lab.runtime().kill(ContainerId.random(), SIGKILL, false, soon())).isFalse();
    }

    @Test
    void killAllReachesChildren() throws IOException {
        Container container =
                lab.container("sh", "-c", "trap '' TERM; sleep 1000 & wait; wait").start();
        until("the child runs", () -> lab.runtime().state(container.id(), soon()).isPresent());
        assertThat(lab.runtime().kill(container.id(), SIGKILL, true, soon())).isTrue();
        assertThat(container.awaitExit().code()).isEqualTo(128 + SIGKILL);
    }

    @Test
    void stopSignalIsHandledByTheContainer() throws IOException {
        Container container =
                lab.container(
                                "sh",
                                "-c",
                                "trap 'exit 3' TERM; echo on; while :; do usleep 20000; done")
                        .start();
        awaitLog(container, "stdout F on");
        assertThat(lab.runtime().kill(container.id(), SIGTERM, false, soon())).isTrue();
        assertThat(container.awaitExit().code()).isEqualTo(3);
    }

    @Test
    void realTimeStopSignalArrives() throws IOException {
        Container container =
                lab.container(
                                "sh",
                                "-c",
                                "trap 'exit 5' 37; echo on; while :; do usleep 20000; done")
                        .start();
        awaitLog(container, "stdout F on");
        assertThat(lab.runtime().kill(container.id(), 37, false, soon())).isTrue();
        assertThat(container.awaitExit().code()).isEqualTo(5);
        assertThat(lab.runtime().kill(container.id(), 37, false, soon())).isFalse();
    }

    @Test
    void memoryLimitKillIsTold() throws IOException {
        Container container = lab.container("dd", "if=/dev/zero", "of=/dev/null", "bs=200M");
        container.bundle().memoryLimit(24 << 20);
        Exit exit = container.start().awaitExit();
        assertThat(exit.code()).isEqualTo(128 + SIGKILL);
        assertThat(exit.oomKilled()).isTrue();
        assertThat(Path.of("oom")).doesNotExist();
    }

    @Test
    void limitsChange() throws IOException {
        Container container = lab.container("sleep", "1000");
        container.bundle().memoryLimit(64 << 20);
        container.start();
        byte[] resources =
                "{\"memory\":{\"limit\":33554432,\"swap\":33554432}}"
                        .getBytes(StandardCharsets.UTF_8);
        lab.runtime().update(container.id(), resources, soon());
        assertThat(memoryLimit(container)).isEqualTo("33554432");
        OciRuntimeException failure =
                catchThrowableOfType(
                        OciRuntimeException.class,
                        () -> lab.runtime().update(ContainerId.random(), resources, soon()));
        assertThat(failure.kind()).isEqualTo(ErrorKind.NOT_FOUND);
        assertThat(failure).hasMessageContaining("update of container");
    }

    private String memoryLimit(Container container) throws IOException {
        for (Path directory : lab.cgroupDirectories()) {
            if (directory.endsWith(container.id().value())) {
                for (String file : List.of("memory.limit_in_bytes", "memory.max")) {
                    if (Files.exists(directory.resolve(file))) {
                        return Files.readString(directory.resolve(file)).strip();
                    }
                }
            }
        }
        throw new AssertionError("no memory cgroup");
    }

    @Test
    void logIsInCriFormat() throws IOException {
        Container container = lab.container("sh", "-c", "echo out; echo err >&2; echo -n part");
        container.start().awaitExit();
        assertThat(container.logLines())
                .containsExactlyInAnyOrder("stdout F out", "stderr F err", "stdout P part");
        String first = Files.readAllLines(container.log()).getFirst();
        OffsetDateTime written = OffsetDateTime.parse(first.substring(0, first.indexOf(' ')));
        assertThat(written.toInstant()).isBetween(Instant.now().minusSeconds(60), Instant.now());
    }

    @Test
    void logPathThatConmonWouldCutIsRefused() throws IOException {
        Container container = lab.container("true").withLog(directory.resolve("a:b/0.log"));
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, container::create);
        assertThat(failure.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT);
        assertThat(failure).hasMessageContaining("a:b/0.log");
    }

    @Test
    void noLogWhenNoneIsWanted() throws IOException {
        Container container = lab.container("echo", "out").withoutLog();
        assertThat(container.start().awaitExit().code()).isZero();
        Path watched = lab.exitsDirectory().resolve(container.id().value());
        until("the exit is in the watched directory too", () -> Files.exists(watched));
        assertThat(watched).hasContent("0");
    }

    @Test
    void terminalContainerLogsAndLeavesNoSocket() throws IOException {
        Container container = lab.container("sh", "-c", "tty; echo err >&2; exit 4").withTerminal();
        assertThat(container.start().awaitExit().code()).isEqualTo(4);
        assertThat(container.logLines()).hasSize(2).anyMatch(line -> line.endsWith("err"));
        assertThat(container.logLines().getFirst()).startsWith("stdout F /dev/pts/");
        try (var files = Files.list(container.bundle().directory())) {
            assertThat(files.map(Path::getFileName).map(Path::toString))
                    .noneMatch(name -> name.startsWith("conmon-term"));
        }
    }

    @Test
    void reopenedLogLosesNoLine() throws IOException {
        String script =
                "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1));"
                        + " [ $((i % 50)) = 0 ] && usleep 2000; done; echo end; sleep 1000";
        Container container = lab.container("sh", "-c", script).start();
        List<Path> rotated = new ArrayList<>();
        while (!lines(container, rotated).contains("stdout F end")) {
            Path old = container.log().resolveSibling("0.log." + rotated.size());
            Files.move(container.log(), old);
            rotated.add(old);
            reopenLog(container);
            assertThat(container.log()).exists();
            assertThat(rotated).as("rotations").hasSizeLessThan(2000);
        }
        // Not rotated: nothing may be lost by asking again.
        reopenLog(container);
        rotated.add(container.log());
        assertThat(rotated).as("rotations while lines were written").hasSizeGreaterThan(5);
        assertThat(joined(lines(container, rotated)))
                .isEqualTo(IntStream.range(0, 3000).mapToObj(Integer::toString).toList());
    }

    private void reopenLog(Container container) {
        lab.monitor()
                .reopenLog(container.id(), container.bundle().directory(), container.log(), soon());
    }

    /** What was written before "end", with the parts put together that conmon read apart. */
    private static List<String> joined(List<String> logLines) {
        List<String> joined = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String part : logLines.subList(0, logLines.indexOf("stdout F end"))) {
            line.append(part.substring("stdout F ".length()));
            if (part.startsWith("stdout F ")) {
                joined.add(line.toString());
                line.setLength(0);
            }
        }
        return joined;
    }

    private static List<String> lines(Container container, List<Path> files) {
        try {
            List<String> lines = new ArrayList<>();
            for (Path file : files) {
                lines.addAll(container.lines(file));
            }
            return lines;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void awaitLog(Container container, String line) {
        until("log line " + line, () -> lines(container, List.of(container.log())).contains(line));
    }

    @Test
    void logOfEndedContainerCannotBeReopened() throws IOException {
        Container container = lab.container("true").start();
        container.awaitExit();
        until("conmon has ended", () -> uncheckedProcesses().isEmpty());
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, () -> reopenLog(container));
        assertThat(failure.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION);
        assertThat(failure).hasMessageContaining(container.id().value());
    }

    @Test
    void exitsAreWatched() throws Exception {
        Container early = lab.container("true").start();
        early.awaitExit();
        until(
                "early exit file",
                () -> Files.exists(lab.exitsDirectory().resolve(early.id().value())));
        Queue<ContainerId> seen = new ConcurrentLinkedQueue<>();
        try (AutoCloseable watch = lab.monitor().watchExits(seen::add)) {
            until("the earlier exit is reported", () -> seen.contains(early.id()));
            Container late = lab.container("true").start();
            until("the later exit is reported", () -> seen.contains(late.id()));
            assertThat(late.exit()).isPresent();
            assertThat(watch).isNotNull();
        }
    }

    @Test
    void monitorIsOutOfOurCgroupsAndGroup() throws IOException {
        Container container = lab.container("sleep", "1000").start();
        int monitor = container.monitored().monitorPid();
        List<String> ours = Files.readAllLines(Path.of("/proc/self/cgroup"));
        for (String line : Files.readAllLines(Path.of("/proc/" + monitor + "/cgroup"))) {
            // In the root of v2 beside v1 there is nobody to be stopped with.
            if (!line.equals("0::/") || !ours.contains("0::/") || ours.size() == 1) {
                assertThat(line).endsWith(container.monitorCgroup());
            }
        }
        String[] stat =
                Files.readString(Path.of("/proc/" + monitor + "/stat"))
                        .split("\\) ", 2)[1]
                        .split(" ", 5);
        assertThat(stat[2]).as("process group").isEqualTo(Integer.toString(monitor));
        assertThat(stat[3]).as("session").isEqualTo(Integer.toString(monitor));
        assertThat(Files.readSymbolicLink(Path.of("/proc/" + monitor + "/cwd")))
                .isEqualTo(container.bundle().directory().toRealPath());
    }

    @Test
    void execKeepsStreamsApartAndCodesExact() throws IOException {
        Container container = lab.container("sleep", "1000").start();
        ExecResult result = container.exec("sh", "-c", "echo out; echo err >&2; exit 42");
        assertThat(text(result.stdout())).isEqualTo("out\n");
        assertThat(text(result.stderr())).isEqualTo("err\n");
        assertThat(result.exitCode()).isEqualTo(42);
        assertThat(container.exec("true").exitCode()).isZero();
        assertThat(container.exec("sh", "-c", "kill -9 $$").exitCode()).isEqualTo(128 + SIGKILL);
        try (var files = Files.list(container.bundle().directory())) {
            assertThat(files.map(Path::getFileName).map(Path::toString))
                    .noneMatch(name -> name.startsWith("exec-"));
        }
    }

    @Test
    void execOutputIsBounded() throws IOException {
        Container container = lab.container("sleep", "1000").start();
        ExecResult result =
                container.exec(
                        Optional.empty(),
                        1000,
                        "sh",
                        "-c",
                        "yes | head -c 5000000; yes n | head -c 3000000 >&2");
        assertThat(result.stdout()).hasSize(1000);
        assertThat(result.stderr()).hasSize(1000);
        assertThat(result.exitCode()).isZero();
    }

    @Test
    void manyExecsAtOnceEachGetTheirOwn() throws Exception {
        Container container = lab.container("sleep", "1000").start();
        List<Thread> threads = new ArrayList<>();
        Queue<String> wrong = new ConcurrentLinkedQueue<>();
        for (int i = 0; i < 12; i++) {
            int code = i;
            threads.add(
                    Thread.ofVirtual()
                            .start(() -> {
                                try {
                                    ExecResult result =
                                            container.exec(
                                                    "sh", "-c", "echo " + code + "; exit " + code);
                                    if (result.exitCode() != code
                                            || !text(result.stdout()).equals(code + "\n")) {
                                        wrong.add(code + ": " + result);
                                    }
                                } catch (IOException | RuntimeException e) {
                                    wrong.add(code + ": " + e);
                                }
                            }));
        }
        for (Thread thread : threads) {
            assertThat(thread.join(OciLab.LONG)).isTrue();
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void backgroundChildDoesNotHoldTheExec() throws IOException {
        Container container = lab.container("sleep", "1000").start();
        long start = System.nanoTime();
        String seconds = unusedSeconds();
        ExecResult result = container.exec("sh", "-c", "sleep " + seconds + " & echo started");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
        assertThat(text(result.stdout())).isEqualTo("started\n");
        assertThat(result.exitCode()).isZero();
        assertThat(sleeping(seconds)).as("the background child lives on").hasSize(1);
    }

    @Test
    void timeoutKillsTheWholeTree() throws IOException {
        Container container = lab.container("sleep", "1000").start();
        // A child, an orphan whose parent is now the container's first process, and a session.
        String seconds = unusedSeconds();
        String script = "sleep X & (sleep X &) ; setsid sleep X & sleep X".replace("X", seconds);
        long start = System.nanoTime();
        assertThatThrownBy(() ->
                        container.exec(
                                Optional.of(Duration.ofMillis(700)), 100, "sh", "-c", script))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining(container.id().value());
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
        assertThat(sleeping(seconds)).isEmpty();
        assertThat(lab.runtime().state(container.id(), soon()).orElseThrow().status())
                .isEqualTo("running");
        assertThat(container.exec("true").exitCode()).isZero();
    }

    /** Tells the processes of this test from those of others. */
    private static String unusedSeconds() {
        return Integer.toString(new SecureRandom().nextInt(100_000, 1_000_000));
    }

    /** The processes that run busybox's sleep with this argument. */
    private static List<Path> sleeping(String seconds) throws IOException {
        List<Path> found = new ArrayList<>();
        try (var all = Files.list(Path.of("/proc"))) {
            for (Path process : (Iterable<Path>) all::iterator) {
                Path commandLine = process.resolve("cmdline");
                try {
                    if (Files.isReadable(commandLine)
                            && Files.readString(commandLine, StandardCharsets.ISO_8859_1)
                                    .equals("sleep\0" + seconds + "\0")) {
                        found.add(process);
                    }
                } catch (IOException e) {
                    assertThat(process).doesNotExist(); // ended meanwhile
                }
            }
        }
        return found;
    }

    @Test
    void execInContainerWithTerminalIsMerged() throws IOException {
        Container container = lab.container("sleep", "1000").withTerminal().start();
        ExecResult result = container.exec("sh", "-c", "echo 1; echo 2 >&2; echo 3; exit 6");
        assertThat(text(result.stdout())).isEqualTo("1\n2\n3\n");
        assertThat(result.stderr()).isEmpty();
        assertThat(result.exitCode()).isEqualTo(6);
    }

    @Test
    void unknownCommandOfExecIsTold() throws IOException {
        Container container = lab.container("sleep", "1000").start();
        OciRuntimeException absolute =
                catchThrowableOfType(OciRuntimeException.class, () -> container.exec("/no/such"));
        assertThat(absolute.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT);
        assertThat(absolute)
                .hasMessageContaining("exec in container " + container.id())
                .hasMessageContaining("\"/no/such\" does not exist");
        OciRuntimeException named =
                catchThrowableOfType(OciRuntimeException.class, () -> container.exec("nosuch"));
        assertThat(named).hasMessageContaining("\"nosuch\" was not found in the container's PATH");
    }

    @Test
    void execNeedsARunningContainer() throws IOException {
        Container ended = lab.container("true").start();
        ended.awaitExit();
        OciRuntimeException stopped =
                catchThrowableOfType(OciRuntimeException.class, () -> ended.exec("true"));
        assertThat(stopped).hasMessageContaining(ended.id().value());
        assertThat(stopped.kind())
                .as(stopped.getMessage())
                .isEqualTo(ErrorKind.FAILED_PRECONDITION);
        ended.remove();
        OciRuntimeException gone =
                catchThrowableOfType(OciRuntimeException.class, () -> ended.exec("true"));
        assertThat(gone.kind()).isEqualTo(ErrorKind.NOT_FOUND);
    }

    @Test
    void startOfUnknownContainerIsNotFound() {
        OciRuntimeException failure =
                catchThrowableOfType(
                        OciRuntimeException.class,
                        () -> lab.runtime().start(ContainerId.random(), soon()));
        assertThat(failure.kind()).isEqualTo(ErrorKind.NOT_FOUND);
        assertThat(lab.runtime().state(ContainerId.random(), soon())).isEmpty();
    }

    @Test
    void secondStartIsRefused() throws IOException {
        Container container = lab.container("sleep", "1000").start();
        assertThatThrownBy(() -> lab.runtime().start(container.id(), soon()))
                .isInstanceOf(OciRuntimeException.class)
                .hasMessageContaining("start of container " + container.id());
    }

    @Test
    void wrongCommandFailsReadablyAndLeavesNothing() throws IOException {
        Container container = lab.container("nosuch");
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, container::create);
        assertThat(failure.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT);
        assertThat(failure)
                .hasMessageContaining("create of container " + container.id())
                .hasMessageContaining("\"nosuch\" was not found in the container's PATH");
        assertNothingLeft(container, failure);
    }

    @Test
    void terminalDoesNotHideTheError() throws IOException {
        Container container = lab.container("/etc").withTerminal();
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, container::create);
        assertThat(failure.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT);
        assertThat(failure).hasMessageContaining("\"/etc\" is not an executable file");
        assertNothingLeft(container, failure);
    }

    @Test
    void missingRootLeavesNothing() throws IOException {
        Container container = lab.container("true");
        container.bundle().write();
        Path root = container.bundle().directory().resolve("rootfs");
        Files.createDirectories(container.log().getParent());
        Files.move(root, root.resolveSibling("elsewhere"));
        OciRuntimeException failure =
                catchThrowableOfType(
                        OciRuntimeException.class,
                        () -> lab.monitor().create(container.request(), soon()));
        assertThat(failure).hasMessageContaining("create of container " + container.id());
        assertNothingLeft(container, failure);
    }

    @Test
    void passedDeadlineStartsNothing() {
        Container container = lab.container("true");
        assertThatThrownBy(() -> container.create(Deadline.after(Duration.ZERO)))
                .isInstanceOf(DeadlineExceededException.class);
    }

    private void assertNothingLeft(Container container, Throwable failure) throws IOException {
        assertThat(failure.getSuppressed()).isEmpty();
        assertThat(lab.cgroupDirectories())
                .noneMatch(path -> path.toString().contains(container.id().value()));
        assertThat(lab.processes()).isEmpty();
        assertThat(lab.runtime().state(container.id(), soon())).isEmpty();
        assertThat(container.log()).doesNotExist();
        assertThat(lab.exitsDirectory()).isEmptyDirectory();
        assertThat(container.persistDirectory()).isEmptyDirectory();
        try (var files = Files.list(container.bundle().directory())) {
            assertThat(files.map(Path::getFileName).map(Path::toString))
                    .isSubsetOf("config.json", "rootfs", "elsewhere");
        }
    }
}
