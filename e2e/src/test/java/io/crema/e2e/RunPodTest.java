package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The demonstration command: what it shows, and what it says when it cannot. */
@Tag("e2e")
class RunPodTest {
    private static final Path SCRIPTS = Path.of("").toAbsolutePath();

    @TempDir private static Path directory;

    private static Path script;

    /** A copy that everybody may read, wherever the repository is. */
    @BeforeAll
    static void copyScripts() throws IOException {
        Path copy = Files.createDirectories(directory.resolve("repository/e2e"));
        for (String name : List.of("run-pod", "lib.sh")) {
            Files.copy(
                    SCRIPTS.resolve(name), copy.resolve(name), StandardCopyOption.COPY_ATTRIBUTES);
        }
        for (Path path : List.of(directory, directory.resolve("repository"), copy)) {
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        script = copy.resolve("run-pod");
    }

    @AfterAll
    static void removeDemonstration() {
        Shell.result(List.of("rm", "-rf", "--one-file-system", directory.toString()));
    }

    @Test
    void aPodRunsStaysAndIsCleanedUp() {
        String name = "crema-e2e-" + ProcessHandle.current().pid() + "-demo";
        NetworkNamespace network = NetworkNamespace.create(name);
        // Not below the temporary directory: a socket's path is short.
        Path state = Path.of("/var/lib", name);
        Path run = Path.of("/run", name);
        List<String> line =
                network.enter(
                        List.of(
                                "env",
                                "CREMA_DEMO=" + state,
                                "CREMA_DEMO_RUN=" + run,
                                SCRIPTS.resolve("run-pod").toString(),
                                "--no-build"));
        try {
            String first = Shell.run(line);
            assertThat(first)
                    .contains("Hello from a pod that Crema runs")
                    .contains("--- log of client")
                    .contains("--- log of server")
                    .contains("--- exec in server")
                    .contains("crictl -r unix://" + run + "/crema.sock");
            assertThat(run.resolve("crema.sock")).exists();
            assertThat(Shell.run(line)).contains("Hello from a pod that Crema runs");
            List<String> clean = new ArrayList<>(line);
            clean.add("--clean");
            assertThat(Shell.run(clean)).contains("nothing is left");
            assertThat(state).doesNotExist();
            assertThat(run).doesNotExist();
            assertThat(Shell.run("cat", "/proc/mounts")).doesNotContain(run.toString());
        } finally {
            removeWhatIsLeft(state, run);
            network.delete();
        }
    }

    @Test
    void whoIsNotRootIsTold() {
        Shell.Result result =
                Shell.result(
                        List.of(
                                "setpriv",
                                "--reuid=65534",
                                "--regid=65534",
                                "--clear-groups",
                                script.toString()));
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.output()).contains("must run as root").contains("sudo");
    }

    @Test
    void aMissingJdkIsTold() {
        Shell.Result result =
                isolated(
                        "mount -t tmpfs none /usr/lib/jvm; mount -t tmpfs none /opt;"
                                + " unset JAVA_HOME; HOME=/nonexistent");
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.output()).contains("no JDK 25").contains("JAVA_HOME");
    }

    @Test
    void aMissingKernelFeatureIsTold() throws IOException {
        Path fileSystems = directory.resolve("filesystems");
        Files.writeString(fileSystems, "nodev\tproc\n\text4\n");
        Path noModules = Files.createDirectories(directory.resolve("bin")).resolve("modprobe");
        Files.writeString(noModules, "#!/bin/sh\nexit 1\n");
        Files.setPosixFilePermissions(noModules, PosixFilePermissions.fromString("rwxr-xr-x"));
        Shell.Result result =
                isolated(
                        "mount --bind "
                                + fileSystems
                                + " /proc/filesystems; PATH="
                                + directory.resolve("bin")
                                + ":$PATH");
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.output()).contains("this kernel").contains("overlay");
    }

    @Test
    void aWrongOptionIsTold() {
        Shell.Result result = Shell.result(List.of(script.toString(), "--nonsense"));
        assertThat(result.exitCode()).isEqualTo(2);
        assertThat(result.output()).contains("Usage: run-pod");
    }

    /** Only after a failure there is anything to do. */
    private static void removeWhatIsLeft(Path state, Path run) {
        Shell.result(
                List.of(
                        "sh",
                        "-c",
                        """
                        [ ! -s $1/crema.pid ] || kill -9 $(cat $1/crema.pid)
                        grep -o " $1/[^ ]*" /proc/mounts | sort -r | while read m; do umount -l $m; done
                        rm -rf --one-file-system $0 $1
                        """,
                        state.toString(),
                        run.toString()));
    }

    /** Runs the script in a mount namespace of its own, prepared by shell commands. */
    private static Shell.Result isolated(String preparation) {
        return Shell.result(
                List.of(
                        "unshare",
                        "--mount",
                        "sh",
                        "-c",
                        "export PATH HOME; " + preparation + "; exec " + script + " --no-build"));
    }
}
