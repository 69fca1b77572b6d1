package io.crema.oci.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.FakeLinux;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.linux.jna.JnaLinux;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The poll loop over the kernel and over the fake. */
class PollLoopTest {
    @Nested
    class OverTheKernel extends Cases {
        OverTheKernel() {
            super(JnaLinux.load(), Path.of("/bin/sleep"));
        }
    }

    @Nested
    class OverTheFake extends Cases {
        OverTheFake() {
            super(fake(), Path.of("/bin/sleep"));
        }

        private static FakeLinux fake() {
            FakeLinux fake = new FakeLinux();
            fake.install(
                    Path.of("/bin/sleep"),
                    process -> {
                        process.awaitSignal(9);
                        return 0;
                    });
            return fake;
        }
    }

    abstract static class Cases {
        private final Linux linux;
        private final Path sleep;
        private final PollLoop loop;

        Cases(Linux linux, Path sleep) {
            this.linux = linux;
            this.sleep = sleep;
            this.loop = PollLoop.start(linux);
        }

        @AfterEach
        void close() {
            loop.close();
        }

        private void write(Pipe pipe, String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            linux.write(pipe.write(), bytes, 0, bytes.length);
        }

        private static <T> T get(CompletableFuture<T> future) throws Exception {
            return future.get(10, TimeUnit.SECONDS);
        }

        @Test
        void readsToTheEnd() throws Exception {
            try (Pipe pipe = linux.pipe()) {
                Collected collected = loop.readAll(pipe.read(), 5);
                write(pipe, "abc");
                write(pipe, "defg");
                assertThat(collected.end()).isNotDone();
                pipe.write().close();
                assertThat(get(collected.end())).isEqualTo(7);
                assertThat(collected.bytes()).asString().isEqualTo("abcde");
                assertThat(collected.isTruncated()).isTrue();
            }
        }

        @Test
        void readsLines() throws Exception {
            try (Pipe pipe = linux.pipe()) {
                Lines lines = loop.lines(pipe.read(), 20);
                CompletableFuture<Optional<String>> first = lines.next();
                write(pipe, "{\"pid\":");
                write(pipe, "12}\nsecond\n\nlast");
                assertThat(get(first)).hasValue("{\"pid\":12}");
                assertThat(get(lines.next())).hasValue("second");
                assertThat(get(lines.next())).hasValue("");
                CompletableFuture<Optional<String>> last = lines.next();
                assertThat(last).isNotDone();
                pipe.write().close();
                assertThat(get(last)).hasValue("last");
                assertThat(get(lines.next())).isEmpty();
                assertThat(get(lines.next())).isEmpty();
            }
        }

        @Test
        void endlessLineFails() {
            try (Pipe pipe = linux.pipe()) {
                Lines lines = loop.lines(pipe.read(), 20);
                write(pipe, "x".repeat(21));
                assertThatThrownBy(() -> get(lines.next()))
                        .isInstanceOf(ExecutionException.class)
                        .hasMessageContaining("longer than 20 bytes");
            }
        }

        @Test
        void writesMoreThanAPipeHolds() throws Exception {
            byte[] bytes = "0123456789".repeat(100_000).getBytes(StandardCharsets.UTF_8);
            try (Pipe pipe = linux.pipe()) {
                CompletableFuture<Integer> written = loop.writeAll(pipe.write(), bytes);
                Collected collected = loop.readAll(pipe.read(), bytes.length);
                assertThat(get(written)).isEqualTo(bytes.length);
                pipe.write().close();
                get(collected.end());
                assertThat(collected.bytes()).isEqualTo(bytes);
                assertThat(collected.isTruncated()).isFalse();
            }
        }

        @Test
        void writingToNobodyFails() {
            try (Pipe pipe = linux.pipe()) {
                CompletableFuture<Integer> written = loop.writeAll(pipe.write(), new byte[1 << 20]);
                pipe.read().close();
                assertThatThrownBy(() -> get(written))
                        .hasCauseInstanceOf(LinuxException.class)
                        .hasMessageContaining(Errno.EPIPE.name());
            }
        }

        @Test
        void cancelLetsGoOfTheDescriptor() throws Exception {
            try (Pipe pipe = linux.pipe()) {
                assertThat(loop.readable(pipe.read()).cancel(false)).isTrue();
                Collected collected = loop.readAll(pipe.read(), 10);
                write(pipe, "kept");
                pipe.write().close();
                get(collected.end());
                assertThat(collected.bytes()).asString().isEqualTo("kept");
            }
        }

        @Test
        void descriptorCanBeClosedAsSoonAsTheFutureIsDone() throws Exception {
            for (int i = 0; i < 300; i++) {
                Pipe pipe = linux.pipe();
                CompletableFuture<Descriptor> ready = loop.readable(pipe.read());
                // Chained steps run before anybody who waits: the descriptor must be free already.
                CompletableFuture<Void> closed = ready.thenAccept(Descriptor::close);
                write(pipe, "x");
                get(closed);
                pipe.close();
            }
        }

        @Test
        void childIsFollowedAndReaped() throws Exception {
            Children children = new Children(linux, loop);
            Child child =
                    children.start(
                            new SpawnRequest(
                                    sleep, List.of("sleep", "1000"), Map.of(), Map.of(), true));
            assertThat(child.exit()).isNotDone();
            assertThat(child.exit().cancel(true)).isTrue();
            assertThat(child.kill(0)).isTrue();
            assertThat(child.killGroup(9)).isTrue();
            assertThat(get(child.exit())).isEqualTo(new ExitStatus(0, 9));
            assertThat(child.kill(9)).isFalse();
            assertThat(child.killGroup(9)).isFalse();
            assertThat(linux.openProcess(child.pid())).isEmpty();
        }

        @Test
        void closingFailsWhatIsStillAwaited() {
            try (Pipe pipe = linux.pipe()) {
                CompletableFuture<Descriptor> ready = loop.readable(pipe.read());
                loop.close();
                assertThatThrownBy(() -> get(ready)).hasMessageContaining("closed");
                assertThatThrownBy(() -> get(loop.readable(pipe.read())))
                        .isInstanceOfAny(IllegalStateException.class, ExecutionException.class);
            }
        }
    }
}
