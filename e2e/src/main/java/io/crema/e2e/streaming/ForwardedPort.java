package io.crema.e2e.streaming;

import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.streaming.SpdyConnection.Frame;
import io.crema.e2e.streaming.SpdyConnection.Kind;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** A port-forward session over SPDY and the connections in it. */
public final class ForwardedPort implements AutoCloseable {
    private final SpdyConnection connection;
    private final Map<Integer, ByteArrayOutputStream> received = new HashMap<>();
    private final Set<Integer> ended = new HashSet<>();
    private int requests;

    /**
     * One connection.
     *
     * @param error id of the stream that tells why it failed
     * @param data id of the stream with its bytes
     */
    public record Connection(int error, int data) {}

    private ForwardedPort(SpdyConnection connection) {
        this.connection = connection;
    }

    public static ForwardedPort open(NetworkNamespace network, String url) throws IOException {
        return new ForwardedPort(SpdyConnection.open(network, url, "portforward.k8s.io"));
    }

    public Connection connect(int port) throws IOException {
        String request = Integer.toString(requests++);
        int error = stream("error", port, request);
        connection.end(error);
        return new Connection(error, stream("data", port, request));
    }

    private int stream(String type, int port, String request) throws IOException {
        return connection.open(
                Map.of("streamtype", type, "port", Integer.toString(port), "requestid", request));
    }

    public void send(Connection to, byte[] bytes, int offset, int size) throws IOException {
        connection.data(to.data, bytes, offset, size);
    }

    public void send(Connection to, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        send(to, bytes, 0, bytes.length);
    }

    public void end(Connection one) throws IOException {
        connection.end(one.data);
    }

    public void reset(Connection one) throws IOException {
        connection.reset(one.data);
    }

    /** Receives one frame; empty at the end of the session. */
    public Optional<Frame> next() throws IOException {
        return connection.next();
    }

    /** Receives until both streams of a connection have ended and answers its bytes. */
    public String finish(Connection one) throws IOException {
        while (!(ended.contains(one.data) && ended.contains(one.error))) {
            Frame frame = next().orElseThrow(() -> new IOException("the session ended"));
            if (frame.kind() == Kind.DATA) {
                received.computeIfAbsent(frame.stream(), _ -> new ByteArrayOutputStream())
                        .write(frame.bytes(), 0, frame.size());
            }
            if (frame.isLast()) {
                ended.add(frame.stream());
            }
        }
        return text(one.data);
    }

    /** What the error stream of a finished connection said. */
    public String error(Connection one) {
        return text(one.error);
    }

    private String text(int stream) {
        ByteArrayOutputStream bytes = received.get(stream);
        return bytes == null ? "" : bytes.toString(StandardCharsets.UTF_8);
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }
}
