package io.crema.runtime.ttrpc;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxSockets.UnixSocket;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/** The other end of a connection, which writes and reads bytes as they are. */
public final class RawPeer implements AutoCloseable {
    private final SocketChannel channel;
    private final Descriptor ours;

    private RawPeer(SocketChannel channel, Descriptor ours) {
        this.channel = channel;
        this.ours = ours;
    }

    public static RawPeer connect(Linux linux, Path directory) throws IOException {
        Path path = directory.resolve("s");
        try (Descriptor listener = linux.listen(path, UnixSocket.STREAM, 1)) {
            SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path));
            return new RawPeer(channel, linux.accept(listener));
        } finally {
            java.nio.file.Files.deleteIfExists(path);
        }
    }

    /** Our end, for whoever is tested. */
    public Descriptor ours() {
        return ours;
    }

    /** One piece of a logical connection. */
    public void send(int connection, byte[] piece) throws IOException {
        write(
                ByteBuffer.allocate(8 + piece.length)
                        .putInt(connection)
                        .putInt(piece.length)
                        .put(piece)
                        .array());
    }

    public void write(byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    /** One piece with what is in front of it. */
    public record Piece(int connection, byte[] bytes) {}

    public Piece read() throws IOException {
        ByteBuffer header = read(8);
        return new Piece(header.getInt(0), read(header.getInt(4)).array());
    }

    /** A frame, of however many pieces, and the connection it came on. */
    public record Received(int connection, Frame frame) {}

    public Received readFrame() throws IOException {
        Piece first = read();
        ByteBuffer bytes = ByteBuffer.wrap(first.bytes());
        int length = bytes.getInt();
        int stream = bytes.getInt();
        byte type = bytes.get();
        byte flags = bytes.get();
        ByteBuffer payload = ByteBuffer.allocate(length);
        payload.put(bytes);
        while (payload.hasRemaining()) {
            Piece next = read();
            payload.put(next.bytes());
        }
        return new Received(first.connection(), new Frame(stream, type, flags, payload.array()));
    }

    private ByteBuffer read(int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException();
            }
        }
        return buffer;
    }

    /** Whether the other side has hung up; waits for that or for a byte. */
    public boolean isAtEnd() throws IOException {
        return channel.read(ByteBuffer.allocate(1)) < 0;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
