package io.crema.oci.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.FakeLinux;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.jna.JnaLinux;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Streams between descriptors and receivers, over the kernel and over the fake. */
class StreamsTest {
    @Nested
    class OverTheKernel extends Cases {
        OverTheKernel() {
            super(JnaLinux.load(), 64 << 20);
        }
    }

    @Nested
    class OverTheFake extends Cases {
        OverTheFake() {
            super(new FakeLinux(), 2 << 20);
        }
    }

    /** Counts and hashes; with a limit it has no room from then on until it is told so. */
    private static final class Sink implements Receiver {
        private final MessageDigest digest;
        private final List<Runnable> waiting = new ArrayList<>();
        private long room;
        private long count;
        private boolean isWriting;

        Sink(long room) throws Exception {
            this.digest = MessageDigest.getInstance("SHA-256");
            this.room = room;
        }

        @Override
        public boolean write(ByteBuffer bytes) {
            synchronized (this) {
                assertThat(isWriting).isFalse();
                isWriting = true;
            }
            count += bytes.remaining();
            digest.update(bytes);
            synchronized (this) {
                isWriting = false;
                return count < room;
            }
        }

        @Override
        public void whenWritable(Runnable resume) {
            synchronized (this) {
                if (count >= room) {
                    waiting.add(resume);
                    return;
                }
            }
            resume.run();
        }

        void makeRoom(long more) {
            List<Runnable> resumed;
            synchronized (this) {
                room += more;
                resumed = List.copyOf(waiting);
                waiting.clear();
            }
            resumed.forEach(Runnable::run);
        }

        synchronized boolean isFull() {
            return !waiting.isEmpty();
        }
    }

    abstract static class Cases {
        private final Linux linux;
        private final int much;
        private final PollLoop loop;

        Cases(Linux linux, int much) {
            this.linux = linux;
            this.much = much;
            this.loop = PollLoop.start(linux);
        }

        @AfterEach
        void close() {
            loop.close();
        }

        private static <T> T get(CompletableFuture<T> future) throws Exception {
            return future.get(20, TimeUnit.SECONDS);
        }

        private static void until(java.util.function.BooleanSupplier condition) throws Exception {
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (!condition.getAsBoolean()) {
                assertThat(System.nanoTime()).isLessThan(end);
                Thread.sleep(1);
            }
        }

        /** Writes random bytes as fast as the writer lets it. */
        private static final class Source {
            private final StreamWriter writer;
            private final MessageDigest digest;
            private final Random random = new Random(1);
            private final byte[] block = new byte[40_000];
            private final CompletableFuture<Void> done = new CompletableFuture<>();
            private int left;

            Source(StreamWriter writer, int count) throws Exception {
                this.writer = writer;
                this.digest = MessageDigest.getInstance("SHA-256");
                this.left = count;
            }

            void run() {
                while (left > 0) {
                    random.nextBytes(block);
                    int size = Math.min(left, 1 + random.nextInt(block.length));
                    left -= size;
                    digest.update(block, 0, size);
                    ByteBuffer bytes = ByteBuffer.wrap(block, 0, size);
                    boolean more = writer.write(bytes);
                    assertThat(bytes.hasRemaining()).isFalse();
                    if (!more) {
                        writer.whenWritable(() -> Thread.startVirtualThread(this::run));
                        return;
                    }
                }
                writer.end();
                done.complete(null);
            }
        }

        @Test
        void allBytesPassThroughAPipeBothEndsOfWhichAreStreams() throws Exception {
            try (Pipe pipe = linux.pipe()) {
                Sink sink = new Sink(Long.MAX_VALUE);
                StreamReader reader = loop.forward(pipe.read(), sink);
                StreamWriter writer = loop.writer();
                Source source = new Source(writer, much);
                source.run();
                assertThat(source.done).isNotDone(); // nothing is open yet, so it was stopped
                writer.open(pipe.write());
                get(source.done);
                get(writer.over());
                pipe.write().close();
                get(reader.over());
                assertThat(sink.count).isEqualTo(much);
                assertThat(sink.digest.digest()).isEqualTo(source.digest.digest());
            }
        }

        @Test
        void aFullReceiverStopsTheReadingUntilItHasRoom() throws Exception {
            try (Pipe pipe = linux.pipe()) {
                Sink sink = new Sink(1);
                StreamReader reader = loop.forward(pipe.read(), sink);
                linux.write(pipe.write(), new byte[10], 0, 10);
                until(sink::isFull);
                linux.write(pipe.write(), new byte[10], 0, 10);
                assertThat(sink.count).isEqualTo(10);
                sink.makeRoom(12);
                until(sink::isFull);
                assertThat(sink.count).isEqualTo(20);
                pipe.write().close();
                sink.makeRoom(100);
                get(reader.over());
            }
        }

        @Test
        void aCancelledReaderLeavesTheDescriptor() throws Exception {
            try (Pipe pipe = linux.pipe()) {
                Sink sink = new Sink(0);
                StreamReader waiting = loop.forward(pipe.read(), sink);
                waiting.cancel();
                get(waiting.over());
                StreamReader paused = loop.forward(pipe.read(), sink);
                linux.write(pipe.write(), new byte[10], 0, 10);
                until(sink::isFull);
                paused.cancel();
                get(paused.over());
                sink.makeRoom(100);
                linux.write(pipe.write(), new byte[10], 0, 10);
                assertThat(linux.read(pipe.read(), ByteBuffer.allocate(100))).isEqualTo(10);
                assertThat(sink.count).isEqualTo(10);
            }
        }

        @Test
        void whatIsThereIsReadAndTheEndOfABackgroundWriterIsNotWaitedFor() throws Exception {
            try (Pipe pipe = linux.pipe()) {
                Sink sink = new Sink(1);
                StreamReader reader = loop.forward(pipe.read(), sink);
                linux.write(pipe.write(), new byte[10], 0, 10);
                until(sink::isFull);
                linux.write(pipe.write(), new byte[50_000], 0, 50_000);
                reader.endWithin(Duration.ofMillis(1));
                Thread.sleep(20);
                assertThat(reader.over()).isNotDone(); // a slow receiver is waited for
                sink.makeRoom(1 << 20);
                get(reader.over());
                assertThat(sink.count).isEqualTo(50_010);
            }
            try (Pipe silent = linux.pipe()) {
                StreamReader reader = loop.forward(silent.read(), new Sink(1));
                reader.endWithin(Duration.ofMillis(1));
                get(reader.over());
            }
        }

        @Test
        void aWriterWhoseReaderIsGoneFailsAndDropsTheRest() throws Exception {
            try (Pipe pipe = linux.pipe()) {
                StreamWriter writer = loop.writer();
                writer.open(pipe.write());
                byte[] much = new byte[200_000];
                assertThat(writer.write(ByteBuffer.wrap(much))).isFalse();
                CompletableFuture<Void> resumed = new CompletableFuture<>();
                writer.whenWritable(() -> resumed.complete(null));
                assertThat(resumed).isNotDone();
                pipe.read().close();
                assertThatThrownBy(() -> get(writer.over()))
                        .isInstanceOf(ExecutionException.class)
                        .hasCauseInstanceOf(LinuxException.class)
                        .hasMessageContaining("EPIPE");
                get(resumed);
                ByteBuffer late = ByteBuffer.wrap(much);
                assertThat(writer.write(late)).isTrue();
                assertThat(late.hasRemaining()).isFalse();
            }
        }

        @Test
        void aSenderThatDoesNotWaitIsCutOff() throws Exception {
            StreamWriter writer = loop.writer();
            for (int i = 0; i < 16; i++) {
                assertThat(writer.write(ByteBuffer.allocate(32 << 10))).isFalse();
            }
            assertThat(writer.over()).isNotDone();
            writer.write(ByteBuffer.allocate(1));
            assertThatThrownBy(() -> get(writer.over())).hasMessageContaining("EOVERFLOW");
        }

        @Test
        void endWaitsForWhatWasWrittenAndCancelDoesNot() throws Exception {
            try (Pipe pipe = linux.pipe();
                    Pipe other = linux.pipe()) {
                StreamWriter writer = loop.writer();
                writer.open(pipe.write());
                writer.write(ByteBuffer.allocate(100_000));
                writer.end();
                assertThat(writer.over()).isNotDone();
                ByteBuffer read = ByteBuffer.allocate(100_000);
                linux.setNonBlocking(pipe.read());
                until(() -> {
                    readSome(pipe.read(), read);
                    return !read.hasRemaining();
                });
                get(writer.over());

                StreamWriter cancelled = loop.writer();
                cancelled.open(other.write());
                cancelled.write(ByteBuffer.allocate(100_000));
                cancelled.cancel();
                get(cancelled.over());
                // The loop has let go of it, so it can be watched again.
                @Nullable Descriptor descriptor = other.write();
                StreamWriter second = loop.writer();
                second.open(descriptor);
                second.write(ByteBuffer.allocate(1));
                second.cancel();
                get(second.over());
            }
        }

        private void readSome(Descriptor descriptor, ByteBuffer buffer) {
            try {
                if (buffer.hasRemaining()) {
                    linux.read(descriptor, buffer);
                }
            } catch (LinuxException e) {
                assertThat(e.errno()).isEqualTo(Errno.EAGAIN);
            }
        }
    }
}
