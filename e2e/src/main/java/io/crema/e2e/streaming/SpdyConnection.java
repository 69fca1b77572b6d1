package io.crema.e2e.streaming;

import io.crema.e2e.node.NetworkNamespace;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.zip.Deflater;

/** SPDY/3.1 as Kubernetes speaks it, the client's side. One thread may send while one receives. */
public final class SpdyConnection implements AutoCloseable {
    private static final int SYN_STREAM = 1;
    private static final int SYN_REPLY = 2;
    private static final int RST_STREAM = 3;
    private static final int PING = 6;
    private static final int FIN = 1;
    private static final int CANCEL = 5;
    private static final int MAX_DATA_BYTES = 1 << 16;

    /** What a frame is. */
    public enum Kind {
        ACCEPTED,
        DATA,
        RESET,
        OTHER
    }

    /**
     * A received frame; its bytes are valid until the next one is received.
     *
     * @param isLast whether the server ends the stream
     */
    @SuppressWarnings("ArrayRecordComponent")
    public record Frame(Kind kind, int stream, boolean isLast, byte[] bytes, int size) {}

    private final UpgradedConnection connection;
    private final Deflater deflater = new Deflater();
    private byte[] buffer = new byte[MAX_DATA_BYTES];
    private int nextStream = 1;

    private SpdyConnection(UpgradedConnection connection) {
        this.connection = connection;
    }

    /**
     * @param protocols as they stand in X-Stream-Protocol-Version
     */
    public static SpdyConnection open(NetworkNamespace network, String url, String protocols)
            throws IOException {
        return new SpdyConnection(
                UpgradedConnection.open(
                        network,
                        url,
                        "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: "
                                + protocols
                                + "\r\n"));
    }

    public String protocol() {
        return connection.header("x-stream-protocol-version");
    }

    /** Opens a stream and answers its id. */
    public synchronized int open(Map<String, String> headers) throws IOException {
        int stream = nextStream;
        nextStream += 2;
        byte[] block = headerBlock(headers);
        DataOutputStream out = connection.out();
        out.writeInt(0x80030000 | SYN_STREAM);
        out.writeInt(10 + block.length);
        out.writeInt(stream);
        out.writeInt(0);
        out.writeShort(0);
        out.write(block);
        out.flush();
        return stream;
    }

    private byte[] headerBlock(Map<String, String> headers) throws IOException {
        ByteArrayOutputStream plain = new ByteArrayOutputStream();
        DataOutputStream block = new DataOutputStream(plain);
        block.writeInt(headers.size());
        for (Map.Entry<String, String> header : headers.entrySet()) {
            for (String text : new String[] {header.getKey(), header.getValue()}) {
                byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                block.writeInt(bytes.length);
                block.write(bytes);
            }
        }
        deflater.setInput(plain.toByteArray());
        byte[] compressed = new byte[1024];
        int size = deflater.deflate(compressed, 0, compressed.length, Deflater.SYNC_FLUSH);
        return Arrays.copyOf(compressed, size);
    }

    public synchronized void data(int stream, byte[] bytes, int offset, int size)
            throws IOException {
        data(stream, bytes, offset, size, false);
    }

    /** Ends our direction of a stream. */
    public synchronized void end(int stream) throws IOException {
        data(stream, new byte[0], 0, 0, true);
    }

    private void data(int stream, byte[] bytes, int offset, int size, boolean isLast)
            throws IOException {
        DataOutputStream out = connection.out();
        out.writeInt(stream);
        out.writeInt((isLast ? FIN << 24 : 0) | size);
        out.write(bytes, offset, size);
        out.flush();
    }

    public synchronized void reset(int stream) throws IOException {
        DataOutputStream out = connection.out();
        out.writeInt(0x80030000 | RST_STREAM);
        out.writeInt(8);
        out.writeInt(stream);
        out.writeInt(CANCEL);
        out.flush();
    }

    /** The next frame; empty when the server has closed the connection. */
    public Optional<Frame> next() throws IOException {
        DataInputStream in = connection.in();
        int first;
        int second;
        try {
            first = in.readInt();
            second = in.readInt();
        } catch (EOFException | SocketException e) {
            return Optional.empty();
        }
        int size = second & 0xffffff;
        if (size > buffer.length) {
            buffer = new byte[size];
        }
        in.readFully(buffer, 0, size);
        boolean isLast = ((second >>> 24) & FIN) != 0;
        if (first >= 0) {
            return Optional.of(new Frame(Kind.DATA, first, isLast, buffer, size));
        }
        int stream = size >= 4 ? number(buffer) : 0;
        return switch (first & 0xffff) {
            case SYN_REPLY -> Optional.of(new Frame(Kind.ACCEPTED, stream, isLast, buffer, 0));
            case RST_STREAM -> Optional.of(new Frame(Kind.RESET, stream, true, buffer, 0));
            case PING -> {
                pong(stream);
                yield Optional.of(new Frame(Kind.OTHER, 0, false, buffer, 0));
            }
            default -> Optional.of(new Frame(Kind.OTHER, 0, false, buffer, 0));
        };
    }

    private synchronized void pong(int id) throws IOException {
        DataOutputStream out = connection.out();
        out.writeInt(0x80030000 | PING);
        out.writeInt(4);
        out.writeInt(id);
        out.flush();
    }

    private static int number(byte[] bytes) {
        return ByteBuffer.wrap(bytes).getInt();
    }

    @Override
    public void close() throws IOException {
        deflater.end();
        connection.close();
    }
}
