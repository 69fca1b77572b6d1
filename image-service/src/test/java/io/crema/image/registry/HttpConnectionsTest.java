package io.crema.image.registry;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hc.core5.http.io.support.ClassicRequestBuilder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Against servers that are scripted byte by byte. */
class HttpConnectionsTest {
    private static final String TWO_BYTES = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    /** What a server does with one connection. */
    private interface Script {
        void serve(InputStream in, OutputStream out) throws Exception;
    }

    private final AtomicInteger accepted = new AtomicInteger();
    private final ServerSocket server = listen();
    private final HttpConnections connections =
            connections(Duration.ofSeconds(10), Duration.ofSeconds(10));

    private static ServerSocket listen() {
        try {
            return new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static HttpConnections connections(Duration response, Duration stall) {
        TransferPolicy policy =
                new TransferPolicy(
                        Duration.ofSeconds(5),
                        response,
                        stall,
                        4096,
                        Duration.ofSeconds(10),
                        1,
                        Duration.ofMillis(1),
                        Duration.ofMillis(1));
        return new HttpConnections(policy, new TrustedCertificates(List.of(), Map.of()), Map.of());
    }

    @AfterEach
    void end() throws IOException {
        connections.close();
        server.close();
    }

    private void serve(Script script) {
        Thread.startVirtualThread(() -> {
            while (!server.isClosed()) {
                try {
                    Socket socket = server.accept();
                    accepted.incrementAndGet();
                    Thread.startVirtualThread(() -> {
                        try (socket) {
                            script.serve(socket.getInputStream(), socket.getOutputStream());
                        } catch (Exception e) {
                            // The client went away, as some tests want.
                        }
                    });
                } catch (IOException e) {
                    return;
                }
            }
        });
    }

    /** Reads the head of a request; false at the end of the connection. */
    private static boolean request(InputStream in) throws IOException {
        int inARow = 0;
        while (inARow < 4) {
            int next = in.read();
            if (next < 0) {
                return false;
            }
            inARow = next == '\r' || next == '\n' ? inARow + 1 : 0;
        }
        return true;
    }

    private Answer get(HttpConnections from) throws IOException {
        return from.send(
                ClassicRequestBuilder.get(),
                URI.create("http://127.0.0.1:" + server.getLocalPort() + "/v2/"),
                true,
                Deadline.after(Duration.ofSeconds(20)));
    }

    private static String all(Answer answer) throws IOException {
        try (ResponseBody body = answer.body()) {
            return new String(body.readAllBytes(), US_ASCII);
        }
    }

    @Test
    void aConnectionIsKeptAfterAWholeAnswer() throws IOException {
        serve((in, out) -> {
            while (request(in)) {
                out.write(TWO_BYTES.getBytes(US_ASCII));
            }
        });

        for (int i = 0; i < 3; i++) {
            assertThat(all(get(connections))).isEqualTo("ok");
        }

        assertThat(accepted).hasValue(1);
    }

    @Test
    void aKeptConnectionThatTheServerClosedIsReplaced() throws IOException {
        serve((in, out) -> {
            request(in);
            out.write(TWO_BYTES.getBytes(US_ASCII));
        });

        for (int i = 0; i < 3; i++) {
            assertThat(all(get(connections))).isEqualTo("ok");
        }

        assertThat(accepted).hasValue(3);
    }

    @Test
    void aConnectionIsNotKeptAfterHalfAnAnswer() throws IOException {
        serve((in, out) -> {
            while (request(in)) {
                out.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123".getBytes(US_ASCII));
            }
        });
        try (ResponseBody body = get(connections).body()) {
            assertThat(body.read()).isEqualTo('1');
        }

        try (ResponseBody body = get(connections).body()) {
            assertThat(body.read()).isEqualTo('1');
        }

        assertThat(accepted).hasValue(2);
    }

    @Test
    void closingAnEndedBodyLeavesTheNextExchangeAlone() throws IOException {
        serve((in, out) -> {
            while (request(in)) {
                out.write(TWO_BYTES.getBytes(US_ASCII));
            }
        });
        ResponseBody first = get(connections).body();
        assertThat(first.readAllBytes()).hasSize(2);
        Answer second = get(connections);

        first.close();

        assertThat(all(second)).isEqualTo("ok");
        assertThat(accepted).hasValue(1);
    }

    @Test
    void aHeadThatComesByteByByteEndsInTime() {
        serve((in, out) -> {
            request(in);
            for (byte one : ("HTTP/1.1 200 OK\r\nX: " + "y".repeat(4000)).getBytes(US_ASCII)) {
                out.write(one);
                Thread.sleep(20);
            }
        });
        long begin = System.nanoTime();

        try (HttpConnections hasty = connections(Duration.ofMillis(300), Duration.ofSeconds(10))) {
            assertThatThrownBy(() -> get(hasty))
                    .isInstanceOf(HttpConnections.AnswerTimeoutException.class);
        }

        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(5));
    }

    @Test
    void aBodyThatComesByteByByteIsAStall() throws IOException {
        serve((in, out) -> {
            request(in);
            out.write("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n".getBytes(US_ASCII));
            for (int i = 0; i < 9000; i++) {
                out.write('x');
                Thread.sleep(20);
            }
        });

        try (HttpConnections hasty = connections(Duration.ofSeconds(10), Duration.ofMillis(300));
                ResponseBody body = get(hasty).body()) {
            assertThatThrownBy(body::readAllBytes)
                    .isInstanceOf(ResponseBody.StalledException.class)
                    .hasMessageContaining("stalled");
        }
    }

    @Test
    void anInterruptEndsTheWaitForAnAnswer() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        serve((in, out) -> {
            request(in);
            asked.countDown();
            in.read();
        });
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread waiting =
                Thread.ofPlatform()
                        .start(() -> {
                            try {
                                get(connections);
                                failure.complete(new AssertionError("it answered"));
                            } catch (IOException e) {
                                failure.complete(e);
                            }
                        });
        assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();

        waiting.interrupt();

        assertThat(failure.get(5, TimeUnit.SECONDS)).isInstanceOf(InterruptedIOException.class);
    }

    @Test
    void closingAllEndsAReadThatWaits() throws Exception {
        serve((in, out) -> {
            request(in);
            out.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1".getBytes(US_ASCII));
            in.read();
        });
        ResponseBody body = get(connections).body();
        assertThat(body.read()).isEqualTo('1');
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread.ofPlatform()
                .start(() -> {
                    try {
                        body.read();
                        failure.complete(new AssertionError("it read"));
                    } catch (IOException e) {
                        failure.complete(e);
                    }
                });

        connections.close();

        assertThat(failure.get(5, TimeUnit.SECONDS)).isInstanceOf(IOException.class);
    }

    @Test
    void anAnswerThatIsNotHttpIsToldAsSuch() {
        serve((in, out) -> {
            request(in);
            out.write("220 mail.example ESMTP\r\n\r\n".getBytes(US_ASCII));
        });

        assertThatThrownBy(() -> get(connections))
                .isInstanceOf(IOException.class)
                .hasMessageNotContaining("null");
    }
}
