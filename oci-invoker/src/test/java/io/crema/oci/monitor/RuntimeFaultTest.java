package io.crema.oci.monitor;

import static io.crema.oci.lab.OciLab.until;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.lab.OciLab;
import io.crema.oci.lab.OciLab.Container;
import io.crema.oci.lab.ScriptedBinary;
import io.crema.oci.monitor.ContainerMonitor.ExecResult;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real conmon over an OCI runtime that misbehaves. */
@Tag("root")
class RuntimeFaultTest {
    @TempDir private Path directory;
    private ScriptedBinary runtime;
    private OciLab lab;

    @BeforeEach
    void open() throws IOException {
        runtime = ScriptedBinary.runtime(directory.resolve("runtime"));
        lab = new OciLab(directory, runtime.executable(), Path.of("/usr/bin/conmon"));
    }

    @AfterEach
    void close() throws IOException {
        lab.close();
        until("no process of the lab is left", this::isWithoutProcesses);
    }

    private boolean isWithoutProcesses() {
        try {
            return lab.processes().isEmpty();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void assertNothingLeft(Container container, Throwable failure) throws IOException {
        assertThat(failure.getSuppressed()).isEmpty();
        assertThat(lab.cgroupDirectories())
                .noneMatch(path -> path.toString().contains(container.id().value()));
        assertThat(lab.processes()).noneMatch(line -> line.contains(container.id().value()));
        assertThat(runtime.calls("delete")).last().asString().contains("--force");
        assertThat(lab.exitsDirectory().resolve(container.id().value())).doesNotExist();
    }

    @Test
    void hangingCreateEndsAtTheDeadline() throws IOException {
        runtime.always("create", "hang");
        Container container = lab.container("true");
        Throwable failure =
                catchThrowable(() -> container.create(Deadline.after(Duration.ofMillis(500))));
        assertThat(failure)
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("create container " + container.id());
        assertNothingLeft(container, failure);
    }

    @Test
    void hangAfterTheContainerWasMade() throws IOException {
        runtime.onCall(
                1,
                "create",
                "mkdir -p $state; sleep 99999 & echo $! > $state/pid; printf %s $! > $pid_file; hang");
        Container container = lab.container("true");
        Throwable failure =
                catchThrowable(() -> container.create(Deadline.after(Duration.ofMillis(500))));
        assertThat(failure).isInstanceOf(DeadlineExceededException.class);
        assertNothingLeft(container, failure);
        // The identical request works once the runtime does.
        assertThat(container.start().exit()).isEmpty();
    }

    @Test
    void secondCreateFails() throws IOException {
        runtime.onCall(2, "create", "fail 'no more containers today'");
        assertThat(lab.container("true").start().exit()).isEmpty();
        Container second = lab.container("true");
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, second::create);
        assertThat(failure).hasMessageEndingWith("failed: no more containers today");
        assertNothingLeft(second, failure);
    }

    @Test
    void errorWithoutALogIsTakenFromStandardError() throws IOException {
        runtime.always("create", "echo 'first words' >&2; echo 'last words' >&2; exit 4");
        Container container = lab.container("true");
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, container::create);
        assertThat(failure).hasMessageEndingWith("failed: last words");
        assertNothingLeft(container, failure);
    }

    @Test
    void aHandlersOwnMonitorIsTaken() throws IOException {
        Container container = lab.container("true").withMonitor(Path.of("/no/such/conmon"));
        assertThat(catchThrowableOfType(OciRuntimeException.class, container::create))
                .hasMessageContaining("/no/such/conmon");
        Path link = directory.resolve("my-conmon");
        Files.createSymbolicLink(link, Path.of("/usr/bin/conmon"));
        Container other = lab.container("true").withMonitor(link).create();
        assertThat(lab.processes()).anyMatch(line -> line.contains(link.toString()));
        assertThat(other.monitored().monitorPid()).isPositive();
    }

    @Test
    void silentFailure() throws IOException {
        runtime.always("create", "exit 4");
        Container container = lab.container("true");
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, container::create);
        assertThat(failure).hasMessageContaining("without reporting a container");
        assertNothingLeft(container, failure);
    }

    @Test
    void createWithoutAPidFile() throws IOException {
        runtime.always("create", "exit 0");
        Container container = lab.container("true");
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, container::create);
        assertThat(failure).hasMessageContaining(container.id().value());
        assertNothingLeft(container, failure);
    }

    @Test
    void failingUndoIsAddedToTheFailure() throws IOException {
        runtime.always("create", "exit 4").onCall(1, "delete", "fail 'cannot delete either'");
        Container container = lab.container("true");
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, container::create);
        assertThat(failure.getSuppressed()).hasSize(1);
        assertThat(failure.getSuppressed()[0]).hasMessageContaining("cannot delete either");
    }

    @Test
    void execOfAScriptedProcess() throws IOException {
        runtime.process("echo out; echo err >&2; exit 11");
        Container container = lab.container("true").start();
        ExecResult result = container.exec("any");
        assertThat(new String(result.stdout(), StandardCharsets.UTF_8)).isEqualTo("out\n");
        assertThat(new String(result.stderr(), StandardCharsets.UTF_8)).isEqualTo("err\n");
        assertThat(result.exitCode()).isEqualTo(11);
    }

    @Test
    void execThatNeverStartsIsKilledWithTheRuntime() throws IOException {
        runtime.always("exec", "hang");
        Container container = lab.container("true").start();
        assertThatThrownBy(() -> container.exec(Optional.of(Duration.ofMillis(300)), 100, "any"))
                .isInstanceOf(DeadlineExceededException.class);
        assertThat(lab.processes()).noneMatch(line -> line.contains(" exec "));
        assertThat(container.exit()).isEmpty();
    }

    @Test
    void execThatFailsTellsWhy() throws IOException {
        runtime.onCall(1, "exec", "fail 'exec failed: no way in'");
        runtime.onCall(2, "exec", "echo 'only on stderr' >&2; exit 1");
        runtime.onCall(3, "exec", "exit 1");
        Container container = lab.container("true").start();
        for (String words : new String[] {"no way in", "only on stderr", "without a word"}) {
            OciRuntimeException failure =
                    catchThrowableOfType(OciRuntimeException.class, () -> container.exec("any"));
            assertThat(failure)
                    .hasMessageContaining("exec in container " + container.id())
                    .hasMessageContaining(words);
        }
    }

    @Test
    void interruptedExecIsKilled() throws Exception {
        Path running = directory.resolve("running");
        runtime.process("echo $$ > " + running + "; exec sleep 99999");
        Container container = lab.container("true").start();
        Throwable[] thrown = new Throwable[1];
        Thread caller =
                Thread.ofVirtual()
                        .start(() -> thrown[0] = catchThrowable(() -> container.exec("any")));
        until("the exec runs", () -> pid(running) > 0);
        caller.interrupt();
        assertThat(caller.join(OciLab.LONG)).isTrue();
        assertThat(thrown[0]).isInstanceOf(OciRuntimeException.class);
        assertThat(((OciRuntimeException) thrown[0]).kind()).isEqualTo(ErrorKind.CANCELLED);
        assertThat(lab.linux().startTimeTicks(pid(running))).isEmpty();
    }

    private static int pid(Path file) {
        try {
            String text = Files.readString(file);
            return text.endsWith("\n") ? Integer.parseInt(text.strip()) : 0;
        } catch (IOException e) {
            return 0;
        }
    }

    @Test
    void crunRefusesThisLayoutOrWorks() throws IOException {
        try (OciLab crun =
                new OciLab(
                        directory.resolve("crun"),
                        Path.of("/usr/bin/crun"),
                        Path.of("/usr/bin/conmon"))) {
            Container container = crun.container("sh", "-c", "exit 3");
            boolean isHybrid =
                    Files.isDirectory(Path.of("/sys/fs/cgroup/memory"))
                            && Files.isDirectory(Path.of("/sys/fs/cgroup/unified"));
            if (!isHybrid) {
                assertThat(container.start().awaitExit().code()).isEqualTo(3);
                return;
            }
            OciRuntimeException failure =
                    catchThrowableOfType(OciRuntimeException.class, container::create);
            assertThat(failure.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION);
            assertThat(failure)
                    .hasMessageContaining("use runc for this handler")
                    .hasMessageContaining("cgroups in hybrid mode not supported");
            assertThat(failure.getSuppressed()).isEmpty();
            assertThat(crun.processes()).isEmpty();
            assertThat(crun.runtime().features().known()).isFalse();
            assertThat(crun.runtime().features().version()).startsWith("crun version");
        }
    }
}
