package io.crema.e2e.streaming;

import io.crema.e2e.node.NetworkNamespace;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;

/** Exec and attach over WebSocket v5, as crictl speaks it. */
final class WebSocketCommandClient implements CommandClient {
    private static final int FINAL_BINARY = 0x82;
    private static final int CLOSE = 8;
    private static final int END_OF_CHANNEL = 255;

    private final UpgradedConnection connection;
    private byte[] buffer = new byte[1 << 17];

    private WebSocketCommandClient(UpgradedConnection connection) {
        this.connection = connection;
    }

    static WebSocketCommandClient open(NetworkNamespace network, String url) throws IOException {
        return new WebSocketCommandClient(
                UpgradedConnection.open(
                        network,
                        url,
                        String.join(
                                "\r\n",
                                "Connection: Upgrade",
                                "Upgrade: websocket",
                                "Sec-WebSocket-Version: 13",
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                                "Sec-WebSocket-Protocol: v5.channel.k8s.io",
                                "")));
    }

    @Override
    public void send(Stream stream, byte[] bytes, int offset, int size) throws IOException {
        message(stream.channel(), bytes, offset, size);
    }

    @Override
    public void endInput() throws IOException {
        message(END_OF_CHANNEL, new byte[] {0}, 0, 1);
    }

    /** The mask is zero, which leaves the bytes as they are. */
    private synchronized void message(int channel, byte[] bytes, int offset, int size)
            throws IOException {
        DataOutputStream out = connection.out();
        out.write(FINAL_BINARY);
        int length = size + 1;
        if (length < 126) {
            out.write(0x80 | length);
        } else if (length <= 0xffff) {
            out.write(0x80 | 126);
            out.writeShort(length);
        } else {
            out.write(0x80 | 127);
            out.writeLong(length);
        }
        out.writeInt(0);
        out.write(channel);
        out.write(bytes, offset, size);
        out.flush();
    }

    @Override
    public boolean receive(Receiver receiver) throws IOException {
        DataInputStream in = connection.in();
        int opcode;
        try {
            opcode = in.readUnsignedByte() & 0x0f;
        } catch (EOFException | SocketException e) {
            return false;
        }
        int size = in.readUnsignedByte();
        if (size == 126) {
            size = in.readUnsignedShort();
        } else if (size == 127) {
            size = Math.toIntExact(in.readLong());
        }
        if (size > buffer.length) {
            buffer = new byte[size];
        }
        in.readFully(buffer, 0, size);
        if (opcode == CLOSE) {
            return false;
        }
        if (size > 1) {
            receiver.take(Stream.of(buffer[0]), buffer, 1, size - 1);
        }
        return true;
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }
}
