package io.crema.e2e.streaming;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.e2e.node.NetworkNamespace;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** A client of exec or attach. One thread may send while one receives. */
public interface CommandClient extends AutoCloseable {
    ObjectMapper JSON = new ObjectMapper();

    /** The streams; with their channel numbers of WebSocket. */
    enum Stream {
        STDIN(0),
        STDOUT(1),
        STDERR(2),
        ERROR(3),
        RESIZE(4);

        private final int channel;

        Stream(int channel) {
            this.channel = channel;
        }

        int channel() {
            return channel;
        }

        static Stream of(int channel) {
            for (Stream stream : values()) {
                if (stream.channel == channel) {
                    return stream;
                }
            }
            throw new IllegalArgumentException("there is no channel " + channel);
        }

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Takes what comes; the bytes are valid only meanwhile. */
    @FunctionalInterface
    interface Receiver {
        void take(Stream stream, byte[] bytes, int offset, int size) throws IOException;
    }

    /** How clients and servers speak. */
    enum Transport {
        SPDY,
        WEB_SOCKET;

        /** Opens the given streams; the one for errors always is. */
        public CommandClient open(NetworkNamespace network, String url, Set<Stream> streams)
                throws IOException {
            return switch (this) {
                case SPDY -> SpdyCommandClient.open(network, url, streams);
                case WEB_SOCKET -> WebSocketCommandClient.open(network, url);
            };
        }
    }

    void send(Stream stream, byte[] bytes, int offset, int size) throws IOException;

    /** Ends the input of the process. */
    void endInput() throws IOException;

    /** Receives one frame; false when the server is done. */
    boolean receive(Receiver receiver) throws IOException;

    @Override
    void close() throws IOException;

    default void send(String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        send(Stream.STDIN, bytes, 0, bytes.length);
    }

    default void resize(int columns, int rows) throws IOException {
        byte[] bytes =
                ("{\"Width\":" + columns + ",\"Height\":" + rows + "}")
                        .getBytes(StandardCharsets.UTF_8);
        send(Stream.RESIZE, bytes, 0, bytes.length);
    }

    /** Receives until standard output has shown a text. */
    default void await(String text) throws IOException {
        StringBuilder shown = new StringBuilder();
        while (shown.indexOf(text) < 0) {
            boolean more =
                    receive((stream, bytes, offset, size) -> {
                        if (stream == Stream.STDOUT) {
                            shown.append(new String(bytes, offset, size, StandardCharsets.UTF_8));
                        }
                    });
            if (!more) {
                throw new IOException("ended before it showed '" + text + "': " + shown);
            }
        }
    }

    /** Receives everything until the end. */
    default Result finish() throws IOException {
        Map<Stream, ByteArrayOutputStream> all = new EnumMap<>(Stream.class);
        for (Stream stream : Stream.values()) {
            all.put(stream, new ByteArrayOutputStream());
        }
        while (receive(
                (stream, bytes, offset, size) ->
                        all.getOrDefault(stream, new ByteArrayOutputStream())
                                .write(bytes, offset, size))) {
            // Until it is over.
        }
        return new Result(
                text(all, Stream.STDOUT), text(all, Stream.STDERR), text(all, Stream.ERROR));
    }

    private static String text(Map<Stream, ByteArrayOutputStream> all, Stream stream) {
        return all.getOrDefault(stream, new ByteArrayOutputStream())
                .toString(StandardCharsets.UTF_8);
    }

    /**
     * How it ended.
     *
     * @param status the object on the error stream
     */
    record Result(String stdout, String stderr, String status) {
        /** The exit code; -1 for another failure, -2 when nothing was said. */
        public int exitCode() {
            try {
                JsonNode object = JSON.readTree(status);
                if (object.path("status").asText().equals("Success")) {
                    return 0;
                }
                for (JsonNode cause : object.path("details").path("causes")) {
                    if (cause.path("reason").asText().equals("ExitCode")) {
                        return cause.path("message").asInt();
                    }
                }
                return status.isEmpty() ? -2 : -1;
            } catch (IOException e) {
                throw new IllegalStateException("no status object: " + status, e);
            }
        }
    }
}
