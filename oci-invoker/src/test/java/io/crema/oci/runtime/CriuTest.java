package io.crema.oci.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is said where checkpoints cannot be had; needs /bin/sh, not root. */
class CriuTest {
    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    private final SpawnedCommands commands = new SpawnedCommands(linux, loop);
    @TempDir private Path directory;

    @AfterEach
    void close() {
        loop.close();
    }

    private void script(String name, String text) throws IOException {
        Path file = directory.resolve(name);
        Files.writeString(file, "#!/bin/sh\n" + text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private void require(Criu criu, String runtime) {
        criu.require(
                new CommandLineRuntime(
                        "lab",
                        directory.resolve(runtime),
                        directory.resolve("state"),
                        commands,
                        linux),
                Deadline.after(Duration.ofSeconds(20)));
    }

    private static void assertMissing(ThrowingCallable call, String... words) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        OciRuntimeException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.UNIMPLEMENTED))
                .hasMessageContainingAll(words);
    }

    @Test
    void eachThingThatIsMissingIsNamedWithWhatToDo() throws IOException {
        script(
                "runc",
                """
                case $* in *features*) echo '{"ociVersionMin":"1.0.0","annotations":{}}' ;; esac
                """);
        script(
                "crun",
                """
                case $* in *features*)
                  echo '{"ociVersionMin":"1.0.0","annotations":{"run.oci.crun.checkpoint.enabled":"false"}}' ;;
                esac
                """);
        script("youki", "");
        Criu criu = new Criu(commands, Map.of("PATH", directory + ":/nowhere"));
        assertMissing(() -> require(criu, "crun"), "crun", "cannot checkpoint", "use a handler");
        assertMissing(() -> require(criu, "youki"), "youki", "cannot checkpoint");
        assertMissing(() -> require(criu, "runc"), "criu is not in", "install");
        script(
                "criu",
                """
                [ $1 = --version ] && { echo 'Version: 3.17.1'; exit; }
                echo "Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds" >&2
                exit 1
                """);
        assertMissing(
                () -> require(criu, "runc"),
                "Version: 3.17.1",
                "Unexpected rt vDSO area bounds",
                "a criu that knows this kernel");
        // What was missing has been installed since.
        script("criu", "exit 0");
        assertThatCode(() -> require(criu, "runc")).doesNotThrowAnyException();
        Files.delete(directory.resolve("criu"));
        assertThatCode(() -> require(criu, "runc")).as("asked once").doesNotThrowAnyException();
    }

    @Test
    void theLastErrorsOfALogAreFound() throws IOException {
        Path log = directory.resolve("dump.log");
        assertThat(CriuLog.lastErrors(log)).isEmpty();
        Files.writeString(
                log,
                """
                (00.000001) Warn  (criu/log.c:203): early
                (00.01) Error (a): one
                (00.02) Error (b): two
                (00.03) something
                (00.04) Error (c): three
                (00.05) Error (d): four
                """);
        assertThat(CriuLog.lastErrors(log))
                .isEqualTo("; CRIU: Error (b): two; Error (c): three; Error (d): four");
    }
}
