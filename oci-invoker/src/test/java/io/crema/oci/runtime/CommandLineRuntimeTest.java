package io.crema.oci.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.lab.ScriptedBinary;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.Commands;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command lines, and what a scripted runtime's answers become; needs /bin/sh, not root. */
class CommandLineRuntimeTest {
    private static final ContainerId ID = ContainerId.random();
    private static final Path ROOT = Path.of("/run/lab");

    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    private final SpawnedCommands spawned = new SpawnedCommands(linux, loop);
    @TempDir private Path directory;
    private ScriptedBinary script;
    private OciRuntime runtime;

    @BeforeEach
    void install() throws IOException {
        script = ScriptedBinary.runtime(directory.resolve("bin"));
        runtime = runtime(script.executable());
    }

    @AfterEach
    void close() {
        loop.close();
    }

    private CommandLineRuntime runtime(Path executable) {
        return new CommandLineRuntime(
                "lab", executable, directory.resolve("state"), spawned, linux);
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(20));
    }

    /** Notes the command lines and answers each with success. */
    private static final class Notes implements Commands {
        private final List<Command> commands = new ArrayList<>();

        @Override
        public Outcome run(Command command, Deadline deadline) {
            commands.add(command);
            return new Outcome(new ExitStatus(0, 0), new byte[0], new byte[0]);
        }
    }

    @Test
    void commandLinesAreTheSameForAllDialects() {
        for (String name : List.of("runc", "crun", "youki")) {
            Notes notes = new Notes();
            OciRuntime noted =
                    new CommandLineRuntime("h", Path.of("/usr/bin/" + name), ROOT, notes, linux);
            byte[] resources = "{}".getBytes(StandardCharsets.UTF_8);
            noted.start(ID, soon());
            noted.kill(ID, 15, false, soon());
            noted.kill(ID, 9, true, soon());
            noted.delete(ID, false, soon());
            noted.delete(ID, true, soon());
            noted.update(ID, resources, soon());
            assertThat(notes.commands)
                    .allSatisfy(command ->
                            assertThat(command.executable()).isEqualTo(noted.executable()));
            String id = ID.value();
            assertThat(
                            notes.commands.stream()
                                    .map(c -> c.arguments().subList(2, c.arguments().size())))
                    .containsExactly(
                            List.of("start", id),
                            List.of("kill", id, "15"),
                            List.of("kill", "--all", id, "9"),
                            List.of("delete", id),
                            List.of("delete", "--force", id),
                            List.of("update", "--resources", "-", id));
            assertThat(notes.commands)
                    .allSatisfy(command ->
                            assertThat(command.arguments())
                                    .startsWith("--root=" + ROOT, "--log-format=json"));
            assertThat(notes.commands.getLast().input()).isEqualTo(resources);
            assertThat(noted.globalArguments(Path.of("/b/log")))
                    .containsExactly("--root=" + ROOT, "--log=/b/log", "--log-format=json");
        }
    }

    @Test
    void environmentIsSmall() {
        Notes notes = new Notes();
        new CommandLineRuntime("h", Path.of("/r"), ROOT, notes, linux).start(ID, soon());
        Map<String, String> environment = notes.commands.getFirst().environment();
        assertThat(environment).containsKey("PATH");
        assertThat(environment.keySet())
                .isSubsetOf(Set.of("PATH", "XDG_RUNTIME_DIR", "GOMAXPROCS", "GOGC"));
    }

    @Test
    void dialectIsToldByTheFileName() {
        assertThat(RuntimeDialect.of(Path.of("/usr/bin/crun-wasm"))).isEqualTo(RuntimeDialect.CRUN);
        assertThat(RuntimeDialect.of(Path.of("/opt/youki"))).isEqualTo(RuntimeDialect.YOUKI);
        assertThat(RuntimeDialect.of(Path.of("/opt/runsc"))).isEqualTo(RuntimeDialect.RUNC);
    }

    @Test
    void signalIsInRange() {
        assertThatThrownBy(() -> runtime.kill(ID, 0, false, soon()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> runtime.kill(ID, 65, false, soon()))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void unknownContainer() {
        assertThat(runtime.state(ID, soon())).isEmpty();
        assertThat(runtime.kill(ID, 9, false, soon())).isFalse();
        runtime.delete(ID, false, soon());
        OciRuntimeException failure =
                catchThrowableOfType(OciRuntimeException.class, () -> runtime.start(ID, soon()));
        assertThat(failure.kind()).isEqualTo(ErrorKind.NOT_FOUND);
        assertThat(failure)
                .hasMessageContaining("'lab'")
                .hasMessageContaining("start of container " + ID)
                .hasMessageContaining("container does not exist");
    }

    @Test
    void failsOnTheSecondCallOnly() throws IOException {
        script.onCall(2, "features", "exit 1").onCall(2, "start", "fail 'boom at start'");
        script.onCall(1, "start", "exit 0").onCall(3, "start", "exit 0");
        runtime.start(ID, soon());
        assertThatThrownBy(() -> runtime.start(ID, soon()))
                .isInstanceOf(OciRuntimeException.class)
                .hasMessageEndingWith("failed: boom at start");
        runtime.start(ID, soon());
        assertThat(script.calls("start")).hasSize(3);
    }

    @Test
    void silentFailureTellsTheCode() throws IOException {
        script.always("start", "exit 9");
        assertThatThrownBy(() -> runtime.start(ID, soon()))
                .isInstanceOf(OciRuntimeException.class)
                .hasMessageContaining("exit code 9");
    }

    @Test
    void garbageIsNoState() throws IOException {
        for (String garbage :
                List.of("echo 'not json'", "echo '[]'", "true", "echo '{\"pid\":1}'")) {
            script.always("state", garbage + "; exit 0");
            assertThatThrownBy(() -> runtime.state(ID, soon()))
                    .as(garbage)
                    .isInstanceOf(OciRuntimeException.class)
                    .hasMessageContaining("state of container " + ID);
        }
    }

    /** It was killed when the call returned; it is reaped in the background. */
    private void awaitGone(int pid) {
        Deadline deadline = Deadline.after(Duration.ofSeconds(10));
        while (linux.kill(pid, 0)) {
            assertThat(deadline.hasPassed()).as("process %s is still there", pid).isFalse();
            Thread.onSpinWait();
        }
    }

    @Test
    void hangingRuntimeIsKilledAtTheDeadline() throws IOException {
        script.always("kill", "echo $$ > " + directory.resolve("pid") + "; hang");
        assertThatThrownBy(() -> runtime.kill(ID, 9, false, Deadline.after(Duration.ofMillis(500))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("kill " + ID);
        int pid = Integer.parseInt(Files.readString(directory.resolve("pid")).strip());
        awaitGone(pid);
    }

    @Test
    void busyDeletionIsAskedAgain() throws IOException {
        script.onCall(1, "delete", "fail 'io error: at /sys/fs/cgroup/x: could not delete'");
        script.onCall(
                2, "delete", "fail 'unable to remove /sys/fs/cgroup/x: device or resource busy'");
        runtime.delete(ID, true, soon());
        assertThat(script.calls("delete")).hasSize(3);
        script.always("delete", "fail 'could not delete'");
        assertThatThrownBy(() -> runtime.delete(ID, true, soon()))
                .isInstanceOf(OciRuntimeException.class)
                .hasMessageContaining("could not delete");
    }

    @Test
    void realTimeSignalGoesAroundYouki() throws IOException {
        Path youki = script.executable().resolveSibling("youki");
        Files.move(script.executable(), youki);
        script.always("kill", "fail 'invalid signal'");
        script.always("state", "fail 'container does not exist'");
        assertThat(runtime(youki).kill(ID, 37, false, soon())).isFalse();
        OciRuntimeException all =
                catchThrowableOfType(
                        OciRuntimeException.class, () -> runtime(youki).kill(ID, 37, true, soon()));
        assertThat(all.kind()).isEqualTo(ErrorKind.UNIMPLEMENTED);
        assertThat(script.calls("kill")).isEmpty();
    }

    @Test
    void missingBinaryIsNamed() {
        OciRuntimeException failure =
                catchThrowableOfType(
                        OciRuntimeException.class,
                        () -> runtime(directory.resolve("none")).start(ID, soon()));
        assertThat(failure.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION);
        assertThat(failure)
                .hasMessageContaining(directory.resolve("none").toString())
                .hasMessageContaining("install it");
    }

    @Test
    void featuresAreAskedOnce() throws IOException {
        RuntimeFeatures features = runtime.features();
        assertThat(features.known()).isTrue();
        assertThat(features.version()).isEqualTo("scripted version 1.0");
        assertThat(features.recursiveReadOnlyMounts()).isTrue();
        assertThat(features.idMappedMounts()).isFalse();
        assertThat(runtime.features()).isEqualTo(features);
        assertThat(script.calls("features")).hasSize(1);
    }

    @Test
    void runtimeWithoutFeaturesCanDoNothingOptional() throws IOException {
        for (String plan :
                List.of("fail 'unknown command features'", "echo garbage; exit 0", "exit 0")) {
            script.always("features", plan);
            RuntimeFeatures features = runtime(script.executable()).features();
            assertThat(features.known()).as(plan).isFalse();
            assertThat(features.version()).isEqualTo("scripted version 1.0");
            assertThat(features.mountOptions()).isEmpty();
        }
    }

    @Test
    void idMappedMountsAreRead() {
        RuntimeFeatures features =
                RuntimeFeatures.parse(
                                """
                                {"ociVersionMin":"1.0.0","mountOptions":["ro"],
                                 "linux":{"mountExtensions":{"idmap":{"enabled":true}}}}
                                """,
                                "v")
                        .orElseThrow();
        assertThat(features.idMappedMounts()).isTrue();
        assertThat(features.recursiveReadOnlyMounts()).isFalse();
    }

    @Test
    void whatOnlyFewContainersAreGivenIsRead() {
        RuntimeFeatures.Tuning tuning =
                RuntimeFeatures.parse(
                                """
                                {"ociVersionMin":"1.0.0","ociVersionMax":"1.3.0",
                                 "linux":{"namespaces":["time","user"],
                                   "intelRdt":{"enabled":true,"schemata":true,"monitoring":true},
                                   "memoryPolicy":{"modes":["MPOL_BIND"],
                                                   "flags":["MPOL_F_STATIC_NODES"]}}}
                                """,
                                "v")
                        .orElseThrow()
                        .tuning();

        assertThat(tuning)
                .isEqualTo(
                        new RuntimeFeatures.Tuning(
                                Set.of("time", "user"),
                                true,
                                Set.of("MPOL_BIND"),
                                Set.of("MPOL_F_STATIC_NODES"),
                                true,
                                true));
        for (String version : List.of("1.0.2-dev", "", "x", "0.9")) {
            assertThat(
                            RuntimeFeatures.parse(
                                            "{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\""
                                                    + version
                                                    + "\"}",
                                            "v")
                                    .orElseThrow()
                                    .tuning())
                    .as(version)
                    .isEqualTo(RuntimeFeatures.Tuning.NONE);
        }
    }
}
