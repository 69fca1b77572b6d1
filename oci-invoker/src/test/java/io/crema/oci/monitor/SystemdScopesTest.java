package io.crema.oci.monitor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.Children;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The call to systemd, against a scripted busctl and a made-up /proc. */
class SystemdScopesTest {
    private static final int PID = 1234;

    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    @TempDir private Path directory;

    @AfterEach
    void close() {
        loop.close();
    }

    private SystemdScopes scopes(String script) throws IOException {
        Path busctl = directory.resolve("busctl");
        Files.writeString(busctl, "#!/bin/sh\ncd " + directory + "\n" + script + "\n");
        Files.setPosixFilePermissions(busctl, PosixFilePermissions.fromString("rwx------"));
        Files.createDirectories(directory.resolve("proc/" + PID));
        Files.writeString(directory.resolve("proc/" + PID + "/cgroup"), "0::/system.slice/us\n");
        return new SystemdScopes(
                new Children(linux, loop),
                new SpawnedCommands(linux, loop),
                busctl,
                directory.resolve("proc"));
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(20));
    }

    @Test
    void waitsForTheMove() throws IOException {
        // systemd answers before it moves.
        scopes(
                        "echo \"$@\" > call; (sleep 0.2; echo 0::/pods.slice/m.scope >"
                                + " proc/1234/cgroup) > /dev/null 2>&1 &")
                .place(PID, "pods.slice/m.scope", soon());
        assertThat(Files.readString(directory.resolve("proc/1234/cgroup"))).contains("m.scope");
        assertThat(Files.readString(directory.resolve("call")))
                .contains(
                        "StartTransientUnit ssa(sv)a(sa(sv)) m.scope fail 6 PIDs au 1 1234 Slice s pods.slice")
                .contains("KillSignal i 13");
    }

    @Test
    void systemSliceIsTheDefault() throws IOException {
        scopes("echo \"$@\" > call; echo 0::/system.slice/m.scope > proc/1234/cgroup")
                .place(PID, "m", soon());
        assertThat(Files.readString(directory.resolve("call")))
                .contains(" m.scope fail ")
                .contains("Slice s system.slice");
    }

    @Test
    void refusalIsTold() throws IOException {
        SystemdScopes scopes =
                scopes("echo 'Call failed: Unit m.scope already exists' >&2; exit 1");
        assertThatThrownBy(() -> scopes.place(PID, "m.scope", soon()))
                .isInstanceOf(OciRuntimeException.class)
                .hasMessageContaining("m.scope already exists")
                .hasMessageContaining("1234");
    }

    @Test
    void silenceEndsAtTheDeadline() throws IOException {
        SystemdScopes hanging = scopes("exec sleep 1000");
        assertThatThrownBy(
                        () -> hanging.place(PID, "m.scope", Deadline.after(Duration.ofMillis(200))))
                .isInstanceOf(DeadlineExceededException.class);
        SystemdScopes idle = scopes("exit 0");
        assertThatThrownBy(() -> idle.place(PID, "m.scope", Deadline.after(Duration.ofMillis(200))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("m.scope");
    }

    @Test
    void missingBusctlIsNamed() {
        SystemdScopes scopes =
                new SystemdScopes(
                        new Children(linux, loop),
                        new SpawnedCommands(linux, loop),
                        directory.resolve("none"),
                        directory);
        OciRuntimeException failure =
                catchThrowableOfType(
                        OciRuntimeException.class, () -> scopes.place(PID, "m.scope", soon()));
        assertThat(failure.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION);
        assertThat(failure).hasMessageContaining("cgroup_manager");
    }
}
