package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.NamespaceMode;
import io.crema.runtime.streaming.ProcessStreams;
import io.crema.runtime.streaming.TerminalSize;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Commands in containers for clients that are connected to their streams. */
@Tag("root")
class ExecStreamTest extends StreamCases {
    private String pod = "";
    private String container = "";

    @BeforeAll
    void runContainer() {
        pod = runPod(NamespaceMode.POD);
        container = run(pod, "exec sleep 100000");
    }

    private static ExecRequest.Builder request(String container, String script) {
        return ExecRequest.newBuilder()
                .setContainerId(container)
                .addAllCmd(List.of("sh", "-c", script))
                .setStdout(true);
    }

    private ProcessStreams exec(String script, Client stdout) {
        return streaming()
                .exec(request(container, script).setStdin(true).build(), stdout, new Client());
    }

    private static ErrorKind kindOf(CompletableFuture<Integer> end) {
        try {
            get(end);
            throw new AssertionError("it succeeded");
        } catch (CompletionException e) {
            return e.getCause() instanceof CremaException failure
                    ? failure.kind()
                    : ErrorKind.UNIMPLEMENTED;
        }
    }

    @Test
    void outputsAreApartAndTheCodeIsExact() {
        Client stdout = new Client();
        Client stderr = new Client();
        ProcessStreams streams =
                streaming()
                        .exec(
                                request(container, "echo out; echo err >&2; exit 255")
                                        .setStderr(true)
                                        .build(),
                                stdout,
                                stderr);
        assertThat(get(streams.end())).isEqualTo(255);
        assertThat(stdout.text()).isEqualTo("out\n");
        assertThat(stderr.text()).isEqualTo("err\n");
        assertThat(stdout.isEnded()).isTrue();
        assertThat(stderr.isEnded()).isTrue();
        assertThat(get(exec("exit 0", new Client()).end())).isZero();
        assertThat(get(exec("exit 7", new Client()).end())).isEqualTo(7);
        assertThat(get(exec("kill -9 $$", new Client()).end())).isEqualTo(137);
        assertThat(get(exec("kill -15 $$", new Client()).end())).isEqualTo(143);
    }

    @Test
    void theEndOfTheInputIsNotTheEndOfTheOutput() {
        Client stdout = new Client();
        ProcessStreams streams = exec("cat; echo end; sleep 0.1; echo later", stdout);
        write(streams.stdin(), "one ");
        stdout.await("one ");
        write(streams.stdin(), "two ");
        streams.stdin().end();
        assertThat(get(streams.end())).isZero();
        assertThat(stdout.text()).isEqualTo("one two end\nlater\n");
    }

    @Test
    void withoutInputItReadsTheEndAtOnceAndBytesAreDropped() {
        Client stdout = new Client();
        ProcessStreams streams =
                streaming().exec(request(container, "cat; echo end").build(), stdout, new Client());
        write(streams.stdin(), "lost");
        assertThat(get(streams.end())).isZero();
        assertThat(stdout.text()).isEqualTo("end\n");
    }

    @Test
    void aTerminalHasASizeBeforeAndWhileItRuns() {
        Client stdout = new Client();
        ProcessStreams streams =
                streaming()
                        .exec(
                                request(
                                                container,
                                                "test -t 0 && test -t 1 && test -t 2 && stty size;"
                                                        + " while read line; do stty size; test"
                                                        + " $line = q && exit 9; done")
                                        .setStdin(true)
                                        .setTty(true)
                                        .build(),
                                stdout,
                                new Client());
        streams.resize(new TerminalSize(132, 43));
        stdout.await("43 132\r\n");
        streams.resize(new TerminalSize(20, 10));
        write(streams.stdin(), "a\n");
        stdout.await("10 20\r\n");
        write(streams.stdin(), "q\n");
        assertThat(get(streams.end())).isEqualTo(9);
        assertThat(stdout.text()).contains("a\r\n"); // what was typed is echoed
        streams.resize(new TerminalSize(1, 1));
    }

    @Test
    void controlCharactersOfATerminalAreSignals() {
        Client stdout = new Client();
        ProcessStreams streams =
                streaming()
                        .exec(
                                request(container, "echo ready; sleep 1000")
                                        .setStdin(true)
                                        .setTty(true)
                                        .build(),
                                stdout,
                                new Client());
        stdout.await("ready");
        write(streams.stdin(), "\u0003");
        assertThat(get(streams.end())).isEqualTo(130);
    }

    @Test
    void aClientThatLeavesTakesTheWholeTreeWithIt() {
        Client stdout = new Client();
        ProcessStreams streams =
                exec("sleep 77771 & (sleep 77772 & sleep 77773) & echo up; wait", stdout);
        stdout.await("up");
        until("all run", () -> sleeps("7777") == 3);
        streams.cancel();
        assertThat(kindOf(streams.end())).isEqualTo(ErrorKind.CANCELLED);
        assertThat(sleeps("7777")).isZero();
        assertThat(stdout.isEnded()).isTrue();
    }

    /** How many processes of this name there are in the container. */
    private long sleeps(String number) {
        return execSync(container, "ps")
                .lines()
                .filter(line -> line.strip().matches("\\d+ root +sleep " + number + "\\d"))
                .count();
    }

    @Test
    void aClientMayLeaveWhileItsCommandIsStarting() {
        for (int i = 0; i < 8; i++) {
            ProcessStreams streams = exec("sleep 66661", new Client());
            if (i > 0) {
                long end = System.nanoTime() + i * 5_000_000L;
                while (System.nanoTime() < end) {
                    Thread.onSpinWait();
                }
            }
            streams.cancel();
            streams.cancel();
            assertThat(kindOf(streams.end())).isEqualTo(ErrorKind.CANCELLED);
        }
        assertThat(sleeps("6666")).isZero();
    }

    @Test
    void aSlowClientHoldsUpItsOwnCommandOnlyAndGetsEveryByte() throws Exception {
        Client slow = Client.withRoomFor(100_000);
        ProcessStreams streams =
                exec("dd if=/dev/zero bs=64k count=64 2>/dev/null; echo end", slow);
        until("it is full", () -> slow.size() >= 100_000);
        Client other = new Client();
        assertThat(get(exec("echo other", other).end())).isZero();
        assertThat(other.text()).isEqualTo("other\n");
        assertThat(streams.end()).isNotDone();
        assertThat(slow.size()).isLessThan(100_000 + (256 << 10));
        slow.giveRoom();
        assertThat(get(streams.end())).isZero();
        assertThat(slow.size()).isEqualTo(64 * 65536 + 4);
    }

    @Test
    void everyByteArrivesBothWays() throws Exception {
        int size = 32 << 20;
        Client stdout = new Client();
        ProcessStreams streams = exec("tee /dev/stderr 2>/dev/null | cat", stdout);
        MessageDigest sent = MessageDigest.getInstance("SHA-256");
        new Sender(streams, sent, size).run();
        assertThat(get(streams.end())).isZero();
        byte[] received = stdout.bytes();
        assertThat(received).hasSize(size);
        HexFormat hex = HexFormat.of();
        assertThat(hex.formatHex(MessageDigest.getInstance("SHA-256").digest(received)))
                .isEqualTo(hex.formatHex(sent.digest()));
    }

    /** Sends as the server does: no more while it was told to wait. */
    private static final class Sender {
        private final ProcessStreams streams;
        private final MessageDigest digest;
        private final Random random = new Random(2);
        private final byte[] block = new byte[32 << 10];
        private int left;

        Sender(ProcessStreams streams, MessageDigest digest, int size) {
            this.streams = streams;
            this.digest = digest;
            this.left = size;
        }

        void run() {
            while (left > 0) {
                random.nextBytes(block);
                int count = Math.min(left, 1 + random.nextInt(block.length));
                left -= count;
                digest.update(block, 0, count);
                if (!streams.stdin().write(ByteBuffer.wrap(block, 0, count))) {
                    streams.stdin().whenWritable(() -> Thread.startVirtualThread(this::run));
                    return;
                }
            }
            streams.stdin().end();
        }
    }

    @Test
    void aBackgroundChildThatKeepsTheOutputIsNotWaitedFor() {
        Client stdout = new Client();
        ProcessStreams streams = exec("sleep 55551 & echo main", stdout);
        assertThat(get(streams.end())).isZero();
        assertThat(stdout.text()).isEqualTo("main\n");
        assertThat(execSync(container, "pkill -f 'sleep 5555[1]'; echo killed"))
                .isEqualTo("killed\n");
    }

    @Test
    void manyRunAtOnceAndLeaveNothing() throws Exception {
        Path bundle = node.layout.bundles().resolve(container);
        long descriptors = descriptors();
        List<ProcessStreams> all = new ArrayList<>();
        List<Client> clients = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            Client client = new Client();
            clients.add(client);
            all.add(exec("read line; echo $line; exit " + i, client));
        }
        for (int i = 0; i < 40; i++) {
            write(all.get(i).stdin(), "hello " + i + "\n");
        }
        for (int i = 0; i < 40; i++) {
            assertThat(get(all.get(i).end())).isEqualTo(i);
            assertThat(clients.get(i).text()).isEqualTo("hello " + i + "\n");
        }
        until("descriptors are closed", () -> descriptors() <= descriptors);
        try (Stream<Path> files = Files.list(bundle)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .noneMatch(name -> name.startsWith("stream-"));
        }
    }

    private static long descriptors() {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void whatCannotRunIsToldInWords() {
        ExecRequest missing =
                ExecRequest.newBuilder()
                        .setContainerId(container)
                        .addCmd("/no/such/program")
                        .setStdout(true)
                        .build();
        ProcessStreams streams = streaming().exec(missing, new Client(), new Client());
        assertThatThrownBy(() -> get(streams.end()))
                .hasMessageContaining("/no/such/program")
                .hasMessageContaining("does not exist");
        ProcessStreams withTerminal =
                streaming()
                        .exec(missing.toBuilder().setTty(true).build(), new Client(), new Client());
        assertThatThrownBy(() -> get(withTerminal.end())).hasMessageContaining("does not exist");
        assertThatThrownBy(() -> streaming().checkExec(missing.toBuilder().clearCmd().build()))
                .hasMessageContaining("cmd is empty");
        assertThatThrownBy(() ->
                        streaming().checkExec(missing.toBuilder().setContainerId("abc").build()))
                .hasMessageContaining("no container with id abc");
    }

    @Test
    void onlyARunningContainerTakesCommands() {
        String created = create(pod, "true", config -> config);
        assertThatThrownBy(() -> streaming().checkExec(request(created, "true").build()))
                .hasMessageContaining("it is not running");
        start(created);
        until(
                "its end",
                () -> {
                    try {
                        streaming().checkExec(request(created, "true").build());
                        return false;
                    } catch (CremaException e) {
                        return e.toString().contains("it is not running");
                    }
                });
    }

    @Test
    void aPausedContainerIsToldSo() throws Exception {
        String paused = run(pod, "exec sleep 100000");
        runc("pause", paused);
        try {
            ProcessStreams streams =
                    streaming().exec(request(paused, "true").build(), new Client(), new Client());
            assertThat(kindOf(streams.end())).isEqualTo(ErrorKind.FAILED_PRECONDITION);
            assertThatThrownBy(() -> get(streams.end())).hasMessageContaining("paused");
        } finally {
            runc("resume", paused);
        }
    }

    private void runc(String verb, String id) throws Exception {
        Process process =
                new ProcessBuilder(
                                "/usr/sbin/runc",
                                "--root=" + directory.resolve("run/runc"),
                                verb,
                                id)
                        .inheritIO()
                        .start();
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void aStopLetsCommandsRunDuringItsGraceAndKillsThemWithTheContainer() {
        String stopping = run(pod, "trap '' TERM; while :; do sleep 1; done");
        Client stdout = new Client();
        ProcessStreams streams =
                streaming()
                        .exec(
                                request(stopping, "trap '' TERM; while read x; do echo $x; done")
                                        .setStdin(true)
                                        .build(),
                                stdout,
                                new Client());
        write(streams.stdin(), "before\n");
        stdout.await("before");
        Thread stop = Thread.ofVirtual().start(() -> stop(stopping, 1));
        write(streams.stdin(), "during\n");
        stdout.await("during");
        assertThat(get(streams.end())).isEqualTo(137);
        assertThatThrownBy(() -> streaming().checkExec(request(stopping, "true").build()))
                .isInstanceOf(CremaException.class);
        until("the stop is over", () -> !stop.isAlive());
    }
}
