package io.crema.e2e.streaming;

import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.streaming.SpdyConnection.Frame;
import io.crema.e2e.streaming.SpdyConnection.Kind;
import java.io.IOException;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Exec and attach over SPDY, as kubelet speaks it. */
final class SpdyCommandClient implements CommandClient {
    private final SpdyConnection connection;
    private final Map<Stream, Integer> ids;
    private int open;

    private SpdyCommandClient(SpdyConnection connection, Map<Stream, Integer> ids) {
        this.connection = connection;
        this.ids = ids;
    }

    static SpdyCommandClient open(NetworkNamespace network, String url, Set<Stream> streams)
            throws IOException {
        SpdyConnection connection =
                SpdyConnection.open(
                        network, url, "v5.channel.k8s.io, v4.channel.k8s.io, v3.channel.k8s.io");
        try {
            Map<Stream, Integer> ids = new EnumMap<>(Stream.class);
            ids.put(Stream.ERROR, connection.open(Map.of("streamtype", Stream.ERROR.word())));
            for (Stream stream : streams) {
                if (stream != Stream.ERROR) {
                    ids.put(stream, connection.open(Map.of("streamtype", stream.word())));
                }
            }
            return new SpdyCommandClient(connection, ids);
        } catch (IOException e) {
            connection.close();
            throw e;
        }
    }

    @Override
    public void send(Stream stream, byte[] bytes, int offset, int size) throws IOException {
        connection.data(id(stream), bytes, offset, size);
    }

    private int id(Stream stream) {
        Integer id = ids.get(stream);
        if (id == null) {
            throw new IllegalStateException(stream + " was not opened");
        }
        return id;
    }

    @Override
    public void endInput() throws IOException {
        connection.end(id(Stream.STDIN));
    }

    @Override
    public boolean receive(Receiver receiver) throws IOException {
        Optional<Frame> next = connection.next();
        if (next.isEmpty()) {
            return false;
        }
        Frame frame = next.get();
        if (frame.kind() == Kind.ACCEPTED) {
            open++;
        }
        if (frame.kind() != Kind.DATA) {
            return true;
        }
        for (Map.Entry<Stream, Integer> entry : ids.entrySet()) {
            if (entry.getValue() == frame.stream()) {
                if (frame.size() > 0) {
                    receiver.take(entry.getKey(), frame.bytes(), 0, frame.size());
                }
                // kubectl is done once the error stream ended and leaves then.
                return !(frame.isLast() && entry.getKey() == Stream.ERROR && open == ids.size());
            }
        }
        return true;
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }
}
