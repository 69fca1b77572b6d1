package io.crema.server;

import io.crema.base.ErrorKind;
import io.crema.server.base.ServerException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/** Asks a running daemon over the HTTP side of its socket, for crema's own commands. */
final class SocketClient {
    private static final int MAX_ANSWER_BYTES = 16 << 20;

    private final Path socket;

    SocketClient(Path socket) {
        this.socket = socket;
    }

    /** An HTTP status and body. */
    record Answer(int status, String body) {}

    /**
     * @param limit after this the daemon counts as hanging
     * @throws ServerException UNAVAILABLE when nobody answers
     */
    Answer ask(String method, String pathAndQuery, Duration limit) {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            closeAfter(channel, limit);
            String request =
                    method
                            + " "
                            + pathAndQuery
                            + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                            + "Connection: close\r\n\r\n";
            ByteBuffer out = ByteBuffer.wrap(request.getBytes(StandardCharsets.UTF_8));
            while (out.hasRemaining()) {
                channel.write(out);
            }
            return parse(readAll(channel));
        } catch (AsynchronousCloseException e) {
            throw new ServerException(
                    ErrorKind.DEADLINE_EXCEEDED,
                    "the crema daemon on "
                            + socket
                            + " does not answer "
                            // Not the query, which may hold credentials.
                            + pathAndQuery.replaceFirst("\\?.*", "")
                            + " within "
                            + limit.toSeconds()
                            + " s; look at its log",
                    e);
        } catch (IOException e) {
            throw new ServerException(
                    ErrorKind.UNAVAILABLE,
                    "no crema daemon answers on "
                            + socket
                            + " ("
                            + e.getMessage()
                            + "); start it, or name its socket with --listen",
                    e);
        }
    }

    /** A blocked read of this channel has no time limit of its own. */
    private static void closeAfter(SocketChannel channel, Duration limit) {
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        Thread.sleep(limit);
                        channel.close();
                    } catch (InterruptedException | IOException e) {
                        // Nobody waits for it any more.
                    }
                });
    }

    private static String readAll(SocketChannel channel) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer buffer = ByteBuffer.allocate(8192);
        while (channel.read(buffer) >= 0 && all.size() < MAX_ANSWER_BYTES) {
            all.write(buffer.array(), 0, buffer.position());
            buffer.clear();
        }
        return all.toString(StandardCharsets.UTF_8);
    }

    private static Answer parse(String text) throws IOException {
        int end = text.indexOf("\r\n\r\n");
        if (!text.startsWith("HTTP/1.1 ") || end < 0) {
            throw new IOException("the answer is not HTTP/1.1");
        }
        return new Answer(Integer.parseInt(text.substring(9, 12)), text.substring(end + 4));
    }
}
