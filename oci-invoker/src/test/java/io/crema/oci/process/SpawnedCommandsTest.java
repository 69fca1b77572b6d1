package io.crema.oci.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real commands; needs /bin/sh but not root. */
class SpawnedCommandsTest {
    private static final Duration LONG = Duration.ofSeconds(20);

    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    private final SpawnedCommands commands = new SpawnedCommands(linux, loop);
    @TempDir private Path directory;

    @AfterEach
    void close() {
        loop.close();
    }

    private static Command shell(String script, byte[] input, int maxOutputBytes) {
        return new Command(
                Path.of("/bin/sh"),
                List.of("-c", script),
                Map.of("PATH", "/usr/bin:/bin"),
                input,
                maxOutputBytes);
    }

    private Outcome run(String script, String input) {
        byte[] bytes = input.getBytes(StandardCharsets.UTF_8);
        return commands.run(shell(script, bytes, 1 << 16), Deadline.after(LONG));
    }

    @Test
    void givesInputAndTakesOutputAndExit() {
        Outcome outcome = run("cat; echo problem >&2; exit 3", "hello\n");
        assertThat(outcome.stdoutText()).isEqualTo("hello\n");
        assertThat(outcome.stderrText()).isEqualTo("problem\n");
        assertThat(outcome.exit()).isEqualTo(new ExitStatus(3, 0));
    }

    @Test
    void signalIsTold() {
        assertThat(run("kill -TERM $$", "").exit()).isEqualTo(new ExitStatus(0, 15));
    }

    @Test
    void environmentIsExactlyTheGivenOne() {
        Outcome outcome =
                commands.run(
                        new Command(
                                Path.of("/usr/bin/env"),
                                List.of(),
                                Map.of("A", "1", "ö", "ü=ü"),
                                new byte[0],
                                1000),
                        Deadline.after(LONG));
        assertThat(outcome.stdoutText().lines()).containsExactlyInAnyOrder("A=1", "ö=ü=ü");
    }

    @Test
    void absentInputIsEmpty() {
        assertThat(run("readlink /proc/self/fd/0; cat", "").stdoutText()).isEqualTo("/dev/null\n");
    }

    @Test
    void hugeOutputIsReadAndBounded() {
        // Only when everything is read does the writer get to its end.
        Outcome outcome =
                commands.run(
                        shell(
                                "head -c 50000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 4",
                                new byte[0],
                                100_000),
                        Deadline.after(LONG));
        assertThat(outcome.exit()).isEqualTo(new ExitStatus(4, 0));
        assertThat(outcome.stdout()).hasSize(100_000);
        assertThat(outcome.stderr()).hasSize(100_000);
    }

    @Test
    void hugeInputArrivesWhole() {
        byte[] input = new byte[10_000_000];
        Outcome outcome = commands.run(shell("wc -c", input, 100), Deadline.after(LONG));
        assertThat(outcome.stdoutText().strip()).isEqualTo("10000000");
    }

    @Test
    void unreadInputNeitherBlocksNorFails() {
        byte[] input = new byte[10_000_000];
        Outcome outcome =
                commands.run(shell("exec <&-; echo fine", input, 100), Deadline.after(LONG));
        assertThat(outcome.stdoutText()).isEqualTo("fine\n");
        assertThat(outcome.exit().isSuccess()).isTrue();
    }

    @Test
    void missingExecutableIsReported() {
        Command command =
                new Command(directory.resolve("absent"), List.of(), Map.of(), new byte[9], 100);
        int before = ownDescriptors();
        assertThatThrownBy(() -> commands.run(command, Deadline.after(LONG)))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("absent")
                .hasMessageContaining("ENOENT");
        assertThat(ownDescriptors()).isEqualTo(before);
    }

    @Test
    void passedDeadlineStartsNothing() {
        Path trace = directory.resolve("trace");
        assertThatThrownBy(() ->
                        commands.run(
                                shell("touch " + trace, new byte[0], 100),
                                Deadline.after(Duration.ZERO)))
                .isInstanceOf(DeadlineExceededException.class);
        assertThat(trace).doesNotExist();
    }

    @Test
    void deadlineKillsChildAndGrandchildren() throws Exception {
        Path pids = directory.resolve("pids");
        long start = System.nanoTime();
        Duration time = Duration.ofSeconds(1);
        assertThatThrownBy(() ->
                        commands.run(
                                shell(
                                        "trap '' TERM HUP; sleep 1000 & echo $! >"
                                                + pids
                                                + "; echo $$ >>"
                                                + pids
                                                + "; sleep 1000",
                                        new byte[1 << 20],
                                        100),
                                Deadline.after(time)))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("sh -c");
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        assertThat(took).isBetween(time, time.plusMillis(500));
        List<String> started = Files.readAllLines(pids);
        assertThat(started).hasSize(2);
        for (String pid : started) {
            awaitEnd(Integer.parseInt(pid));
        }
    }

    /** Ended, or a zombie that waits for init. */
    private void awaitEnd(int pid) throws IOException {
        Optional<Descriptor> process = linux.openProcess(pid);
        if (process.isPresent()) {
            try (Descriptor descriptor = process.get()) {
                assertThat(linux.awaitEnd(descriptor, LONG)).isTrue();
            }
        }
    }

    @Test
    void interruptKillsTheCommand() throws Exception {
        Path trace = directory.resolve("pid");
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread caller =
                Thread.ofVirtual()
                        .start(() -> {
                            try {
                                run(
                                        "echo $$ >"
                                                + trace
                                                + ".tmp; mv "
                                                + trace
                                                + ".tmp "
                                                + trace
                                                + "; sleep 1000",
                                        "");
                            } catch (RuntimeException e) {
                                failure.complete(e);
                            }
                        });
        while (!Files.exists(trace)) {
            Thread.onSpinWait();
        }
        caller.interrupt();
        assertThat(failure.get(10, TimeUnit.SECONDS))
                .isInstanceOfSatisfying(
                        CommandCancelledException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.CANCELLED));
        awaitEnd(Integer.parseInt(Files.readString(trace).strip()));
    }

    @Test
    void grandchildThatKeepsThePipeOpenDoesNotHoldUs() throws Exception {
        Path pid = directory.resolve("pid");
        long start = System.nanoTime();
        Outcome outcome = run("sleep 1000 & echo $! >" + pid + "; echo done", "");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(2));
        assertThat(outcome.stdoutText()).isEqualTo("done\n");
        assertThat(outcome.exit().isSuccess()).isTrue();
        linux.kill(Integer.parseInt(Files.readString(pid).strip()), 9);
    }

    @Test
    void nothingIsLeftAfterManyCommandsAtOnce() throws Exception {
        run("true", "");
        int before = ownDescriptors();
        List<CompletableFuture<String>> outputs = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            int number = i;
            CompletableFuture<String> output = new CompletableFuture<>();
            outputs.add(output);
            Thread.ofVirtual()
                    .start(() -> {
                        try {
                            output.complete(run("cat; echo err >&2", "n" + number).stdoutText());
                        } catch (RuntimeException e) {
                            output.completeExceptionally(e);
                        }
                    });
        }
        for (int i = 0; i < 100; i++) {
            assertThat(outputs.get(i).get(60, TimeUnit.SECONDS)).isEqualTo("n" + i);
        }
        assertThat(ownDescriptors()).isEqualTo(before);
        // Commands that other tests had killed at their deadline are reaped in the background.
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!zombies().isEmpty() && System.nanoTime() < end) {
            Thread.sleep(10);
        }
        assertThat(zombies()).isEmpty();
    }

    private static int ownDescriptors() {
        String[] names = Path.of("/proc/self/fd").toFile().list();
        return names == null ? -1 : names.length;
    }

    private static List<String> zombies() throws IOException {
        List<String> zombies = new ArrayList<>();
        String parent = " " + ProcessHandle.current().pid() + " ";
        try (var all = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : all) {
                String stat;
                try {
                    stat = Files.readString(process.resolve("stat"));
                } catch (IOException e) {
                    continue; // gone meanwhile
                }
                if (stat.contains(") Z" + parent)) {
                    zombies.add(stat);
                }
            }
        }
        return zombies;
    }
}
