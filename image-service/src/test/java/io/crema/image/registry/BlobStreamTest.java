package io.crema.image.registry;

import static io.crema.image.registry.ScriptedRegistry.blob;
import static io.crema.image.registry.ScriptedRegistry.brokenBlob;
import static io.crema.image.registry.ScriptedRegistry.content;
import static io.crema.image.registry.ScriptedRegistry.descriptor;
import static io.crema.image.registry.ScriptedRegistry.status;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.registry.ScriptedRegistry.Answer;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BlobStreamTest {
    private static final byte[] BLOB = random(1_000_000);

    private final ScriptedRegistry registry = ScriptedRegistry.plain();
    private final HttpRegistryClient client = Clients.of(Clients.insecure(registry.host()));
    private final String path = "/v2/lab/app/blobs/" + ScriptedRegistry.digest(BLOB);

    @AfterEach
    void close() {
        client.close();
        registry.close();
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(1).nextBytes(bytes);
        return bytes;
    }

    private BlobStream open(long offset, Deadline deadline) {
        return open(client, offset, deadline);
    }

    private BlobStream open(HttpRegistryClient client, long offset, Deadline deadline) {
        return client.openBlob(
                Clients.source(registry.host(), "lab/app"), descriptor(BLOB), offset, deadline);
    }

    private BlobStream open() {
        return open(0, Clients.soon());
    }

    private List<String> ranges() {
        return registry.requests(path).stream().map(r -> r.header("Range")).toList();
    }

    @Test
    void aBlobIsReadWhole() throws IOException {
        registry.on(path, blob(BLOB));

        try (BlobStream stream = open()) {
            assertThat(stream.lengthBytes()).isEqualTo(BLOB.length);
            assertThat(stream.readAllBytes()).isEqualTo(BLOB);
            assertThat(stream.transferredBytes()).isEqualTo(BLOB.length);
            assertThat(stream.read()).isEqualTo(-1);
        }
        assertThat(ranges()).containsExactly("");
    }

    @Test
    void aPartOfABlobIsReadByRange() throws IOException {
        registry.on(path, blob(BLOB));

        try (BlobStream stream =
                client.openBlob(
                        Clients.source(registry.host(), "lab/app"),
                        descriptor(BLOB),
                        1000,
                        5000,
                        Clients.soon())) {
            assertThat(stream.readAllBytes()).isEqualTo(Arrays.copyOfRange(BLOB, 1000, 5000));
        }
        assertThat(ranges()).containsExactly("bytes=1000-4999");
    }

    @Test
    void anEmptyBlobNeedsNoTransfer() throws IOException {
        try (BlobStream stream =
                client.openBlob(
                        Clients.source(registry.host(), "lab/app"),
                        descriptor(new byte[0]),
                        0,
                        Clients.soon())) {
            assertThat(stream.readAllBytes()).isEmpty();
        }
        assertThat(registry.requests()).isEmpty();
    }

    @Test
    void aBrokenTransferGoesOnWhereItBroke() throws IOException {
        CountDownLatch first = new CountDownLatch(1);
        CountDownLatch second = new CountDownLatch(1);
        registry.on(
                path,
                brokenBlob(BLOB, 300_000, first),
                brokenBlob(BLOB, 1, second),
                status(503, ""),
                blob(BLOB));

        try (BlobStream stream = open()) {
            assertThat(stream.readNBytes(300_000)).isEqualTo(Arrays.copyOf(BLOB, 300_000));
            first.countDown();
            assertThat(stream.read()).isEqualTo(BLOB[300_000] & 0xff);
            second.countDown();
            assertThat(stream.readAllBytes())
                    .isEqualTo(Arrays.copyOfRange(BLOB, 300_001, BLOB.length));
            assertThat(stream.transferredBytes()).isEqualTo(BLOB.length);
        }
        assertThat(ranges()).containsExactly("", "bytes=300000-", "bytes=300001-", "bytes=300001-");
    }

    /** Whatever the break loses of what was under way, the bytes stay right. */
    @Test
    void aTransferThatBreaksOftenStaysRight() throws IOException {
        Answer piece = brokenBlob(BLOB, 600_000);
        registry.on(path, brokenBlob(BLOB, 1), piece, brokenBlob(BLOB, 0), blob(BLOB));

        try (BlobStream stream = open()) {
            assertThat(stream.readAllBytes()).isEqualTo(BLOB);
        }
    }

    @Test
    void progressEarnsNewAttempts() throws IOException {
        CountDownLatch first = new CountDownLatch(1);
        CountDownLatch second = new CountDownLatch(1);
        Answer nothing = status(503, "");
        registry.on(
                path,
                nothing,
                nothing,
                brokenBlob(BLOB, 300_000, first),
                nothing,
                nothing,
                brokenBlob(BLOB, 300_000, second),
                nothing,
                nothing,
                blob(BLOB));

        try (BlobStream stream = open()) {
            assertThat(stream.readNBytes(300_000)).hasSize(300_000);
            first.countDown();
            assertThat(stream.readNBytes(300_000)).hasSize(300_000);
            second.countDown();
            assertThat(stream.readAllBytes())
                    .isEqualTo(Arrays.copyOfRange(BLOB, 600_000, BLOB.length));
        }
        assertThat(registry.requests(path)).hasSize(9);
    }

    @Test
    void attemptsWithoutProgressAreBounded() {
        registry.on(path, brokenBlob(BLOB, 1000), brokenBlob(BLOB, 1));

        assertUnavailable();
        // The JDK may ask once more by itself when a connection it kept turns out to be closed.
        assertThat(registry.requests(path))
                .hasSizeBetween(Clients.PATIENT.attempts(), 2 * Clients.PATIENT.attempts());
    }

    private void assertUnavailable(String... words) {
        assertUnavailable(client, words);
    }

    private void assertUnavailable(HttpRegistryClient client, String... words) {
        try (BlobStream stream = open(client, 0, Clients.soon())) {
            assertThatThrownBy(stream::readAllBytes)
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.CRI_REASON))
                    .hasMessageStartingWith("RegistryUnavailable: ")
                    .hasMessageContaining(registry.host() + "/lab/app:1")
                    .satisfies(e -> {
                        for (String word : words) {
                            assertThat(e).hasMessageContaining(word);
                        }
                    });
        }
    }

    @Test
    void aServerWithoutRangesStartsAgainAndTheBytesStayRight() throws IOException {
        Answer whole = content("application/octet-stream", BLOB);
        CountDownLatch read = new CountDownLatch(1);
        registry.on(path, brokenBlob(BLOB, 400_000, read), whole);

        try (BlobStream stream = open()) {
            assertThat(stream.readNBytes(400_000)).isEqualTo(Arrays.copyOf(BLOB, 400_000));
            read.countDown();
            assertThat(stream.readAllBytes())
                    .isEqualTo(Arrays.copyOfRange(BLOB, 400_000, BLOB.length));
            assertThat(stream.transferredBytes()).isEqualTo(BLOB.length + 400_000);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bytes 0-499999/1000000",
                "bytes 500001-999999/1000000",
                "bytes 500000-999999/1000001",
                "",
                "bytes 5000000-999999/1000000"
            })
    void aRangeThatWasNotAskedForIsRefused(String range) {
        registry.on(path, status(206, "x", "Content-Range", range));

        try (BlobStream stream = open(500_000, Clients.soon())) {
            assertThatThrownBy(stream::readAllBytes)
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.UNAVAILABLE))
                    .hasMessageContaining("from 500000 of 1000000");
        }
        assertThat(registry.requests(path)).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {999_999, 1_000_001})
    void aLengthHeaderThatDiffersFromTheManifestIsRefusedAtOnce(int length) {
        registry.on(path, content("x", random(length)));

        try (BlobStream stream = open()) {
            assertThatThrownBy(stream::read)
                    .isInstanceOf(ImageException.class)
                    .hasMessageContaining(
                            "it sends " + length + " bytes where the manifest says 1000000");
        }
    }

    /** Without a length header only counting helps. */
    private static Answer chunked(byte[] bytes) {
        return exchange -> {
            exchange.sendResponseHeaders(200, 0);
            exchange.getResponseBody().write(bytes);
        };
    }

    @Test
    void moreBytesThanPromisedAreRefused() {
        registry.on(path, chunked(random(BLOB.length + 1)));

        try (BlobStream stream = open()) {
            assertThatThrownBy(stream::readAllBytes)
                    .isInstanceOf(ImageException.class)
                    .hasMessageContaining("more bytes than the 1000000");
        }
    }

    @Test
    void fewerBytesThanPromisedAreAskedForAgainAndThenRefused() {
        registry.on(path, chunked(Arrays.copyOf(BLOB, 1000)));

        assertUnavailable("the transfer ended", "at byte 1000 of 1000000");
    }

    @Test
    void aStalledTransferIsResumed() throws IOException {
        registry.on(path, registry.stalling(BLOB.length, Arrays.copyOf(BLOB, 100_000)), blob(BLOB));

        try (HttpRegistryClient impatient = Clients.impatient(Clients.insecure(registry.host()));
                BlobStream stream = open(impatient, 0, Clients.soon())) {
            assertThat(stream.readAllBytes()).isEqualTo(BLOB);
        }
        assertThat(ranges()).containsExactly("", "bytes=100000-");
    }

    @Test
    void aServerThatTricklesStalls() {
        registry.on(
                path,
                exchange -> {
                    exchange.sendResponseHeaders(200, BLOB.length);
                    OutputStream out = exchange.getResponseBody();
                    while (!registry.isClosing()) {
                        out.write(1);
                        out.flush();
                        pause(Duration.ofMillis(40));
                    }
                });

        try (HttpRegistryClient impatient = Clients.impatient(Clients.insecure(registry.host()))) {
            assertUnavailable(impatient, "the transfer stalled", "at byte ");
        }
    }

    private static void pause(Duration duration) throws IOException {
        try {
            Thread.sleep(duration);
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    @Test
    void timeThatTheReaderSpendsElsewhereIsNoStall() throws Exception {
        registry.on(path, blob(BLOB));

        try (HttpRegistryClient impatient = Clients.impatient(Clients.insecure(registry.host()));
                BlobStream stream = open(impatient, 0, Clients.soon())) {
            byte[] begin = stream.readNBytes(10);
            Thread.sleep(Duration.ofMillis(900));
            assertThat(begin).isEqualTo(Arrays.copyOf(BLOB, 10));
            assertThat(stream.readAllBytes()).hasSize(BLOB.length - 10);
        }
        assertThat(registry.requests(path)).hasSize(1);
    }

    @Test
    void aSlowReaderSlowsTheSender() throws Exception {
        AtomicLong sent = new AtomicLong();
        int size = 256 << 20;
        byte[] piece = new byte[64 << 10];
        registry.on(
                path,
                exchange -> {
                    exchange.sendResponseHeaders(200, size);
                    OutputStream out = exchange.getResponseBody();
                    for (int i = 0; i < size / piece.length; i++) {
                        out.write(piece);
                        sent.addAndGet(piece.length);
                    }
                });
        ContentDescriptor big =
                ContentDescriptor.of(MediaTypes.OCI_LAYER, ScriptedRegistry.digest(BLOB), size);

        try (BlobStream stream =
                client.openBlob(
                        Clients.source(registry.host(), "lab/app"), big, 0, Clients.soon())) {
            assertThat(stream.read()).isEqualTo(0);
            long before = -1;
            while (sent.get() != before) {
                before = sent.get();
                Thread.sleep(200);
            }
            // What is under way fills the kernel's socket buffers and our few reads.
            assertThat(before).isLessThan(32 << 20);
        }
    }

    @Test
    void closingWakesTheReader() throws Exception {
        registry.on(path, registry.stalling(BLOB.length, new byte[10]));
        BlobStream stream = open();
        CountDownLatch started = new CountDownLatch(1);
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread reader =
                Thread.startVirtualThread(() -> {
                    try {
                        stream.readNBytes(10);
                        started.countDown();
                        failure.complete(new AssertionError("read " + stream.read()));
                    } catch (Throwable e) {
                        failure.complete(e);
                    }
                });
        assertThat(started.await(10, TimeUnit.SECONDS)).isTrue();

        stream.close();

        assertThat(failure.get(10, TimeUnit.SECONDS))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.CANCELLED))
                .hasMessageContaining("after 10 bytes");
        reader.join();
    }

    @Test
    void closingWakesAReaderThatWaitsForTheAnswer() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        Answer silent = registry.silent();
        registry.on(
                path,
                exchange -> {
                    asked.countDown();
                    silent.give(exchange);
                });
        BlobStream stream = open();
        List<Object> seen = new ArrayList<>();
        Thread reader =
                Thread.startVirtualThread(() -> {
                    try {
                        seen.add(stream.read());
                    } catch (ImageException e) {
                        seen.add(e.kind());
                        seen.add(Thread.currentThread().isInterrupted());
                    }
                });
        assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();

        stream.close();

        assertThat(reader.join(Duration.ofSeconds(10))).isTrue();
        assertThat(seen).containsExactly(ErrorKind.CANCELLED, false);
    }

    @Test
    void interruptingTheReaderEndsTheTransfer() throws Exception {
        registry.on(path, registry.stalling(BLOB.length, new byte[10]));
        List<Object> seen = new ArrayList<>();
        CountDownLatch started = new CountDownLatch(1);
        Thread reader =
                Thread.startVirtualThread(() -> {
                    try (BlobStream stream = open()) {
                        stream.readNBytes(10);
                        started.countDown();
                        stream.read();
                    } catch (ImageException e) {
                        seen.add(e.kind());
                        seen.add(Thread.currentThread().isInterrupted());
                    } catch (IOException e) {
                        seen.add(e);
                    }
                });
        assertThat(started.await(10, TimeUnit.SECONDS)).isTrue();

        reader.interrupt();

        assertThat(reader.join(Duration.ofSeconds(10))).isTrue();
        assertThat(seen).containsExactly(ErrorKind.CANCELLED, true);
    }

    @Test
    void theDeadlineEndsAWaitingReader() throws IOException {
        registry.on(path, registry.stalling(BLOB.length, new byte[10]));
        long start = System.nanoTime();

        try (BlobStream stream = open(0, Deadline.after(Duration.ofMillis(150)))) {
            stream.readNBytes(10);
            assertThatThrownBy(stream::read)
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining("blob sha256:");
        }
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void aMissingBlobIsToldAtOnce() {
        registry.on(path, status(404, "{\"errors\":[{\"code\":\"BLOB_UNKNOWN\"}]}"));

        try (BlobStream stream = open()) {
            assertThatThrownBy(stream::read)
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.NOT_FOUND))
                    .hasMessageContaining("blob sha256:")
                    .hasMessageContaining("BLOB_UNKNOWN");
        }
        assertThat(registry.requests(path)).hasSize(1);
    }
}
