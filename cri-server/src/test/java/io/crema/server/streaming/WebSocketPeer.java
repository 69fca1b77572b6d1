package io.crema.server.streaming;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** A client that speaks WebSocket, byte by byte. */
final class WebSocketPeer implements SpdyPeer.Carrier {
    static final int CONTINUATION = 0;
    static final int TEXT = 1;
    static final int BINARY = 2;
    static final int CLOSE = 8;
    static final int PING = 9;
    static final int PONG = 10;

    /** One frame. */
    @SuppressWarnings("ArrayRecordComponent")
    record Frame(int opcode, byte[] payload) {
        String text() {
            return new String(payload, StandardCharsets.UTF_8);
        }

        int closeCode() {
            return ((payload[0] & 0xff) << 8) | (payload[1] & 0xff);
        }
    }

    private final StreamingPeer peer;

    WebSocketPeer(StreamingPeer peer) {
        if (peer.status != 101) {
            throw new IllegalStateException("answered " + peer.status);
        }
        this.peer = peer;
    }

    static WebSocketPeer connect(String url, String protocols) throws IOException {
        return new WebSocketPeer(StreamingPeer.webSocket(url, protocols));
    }

    void frame(int opcode, boolean isFinal, byte[] payload) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(out);
        data.write((isFinal ? 0x80 : 0) | opcode);
        if (payload.length < 126) {
            data.write(0x80 | payload.length);
        } else if (payload.length < 65536) {
            data.write(0x80 | 126);
            data.writeShort(payload.length);
        } else {
            data.write(0x80 | 127);
            data.writeLong(payload.length);
        }
        byte[] mask = {1, 2, 3, 4};
        data.write(mask);
        for (int i = 0; i < payload.length; i++) {
            data.write(payload[i] ^ mask[i % 4]);
        }
        peer.send(out.toByteArray());
    }

    void channel(int channel, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        byte[] payload = new byte[bytes.length + 1];
        payload[0] = (byte) channel;
        System.arraycopy(bytes, 0, payload, 1, bytes.length);
        frame(BINARY, true, payload);
    }

    /** The next frame; a fragment counts as one. */
    Frame next() throws IOException {
        int opcode = peer.in.readUnsignedByte() & 0x0f;
        long size = peer.in.readUnsignedByte();
        if (size == 126) {
            size = peer.in.readUnsignedShort();
        } else if (size == 127) {
            size = peer.in.readLong();
        }
        byte[] payload = new byte[(int) size];
        peer.in.readFully(payload);
        return new Frame(opcode, payload);
    }

    void raw(byte[] bytes) throws IOException {
        peer.send(bytes);
    }

    @Override
    public void send(byte[] bytes) throws IOException {
        frame(BINARY, true, bytes);
    }

    @Override
    public byte[] receive() throws IOException {
        try {
            for (Frame frame = next(); ; frame = next()) {
                if (frame.opcode == CLOSE) {
                    return new byte[0];
                }
                if (frame.payload.length > 0) {
                    return frame.payload;
                }
            }
        } catch (EOFException e) {
            return new byte[0];
        }
    }

    @Override
    public void close() throws IOException {
        peer.close();
    }
}
