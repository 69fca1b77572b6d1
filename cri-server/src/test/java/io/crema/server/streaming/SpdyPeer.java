package io.crema.server.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.spdy.DefaultSpdyDataFrame;
import io.netty.handler.codec.spdy.DefaultSpdyPingFrame;
import io.netty.handler.codec.spdy.DefaultSpdyRstStreamFrame;
import io.netty.handler.codec.spdy.DefaultSpdySynStreamFrame;
import io.netty.handler.codec.spdy.SpdyDataFrame;
import io.netty.handler.codec.spdy.SpdyFrameCodec;
import io.netty.handler.codec.spdy.SpdyGoAwayFrame;
import io.netty.handler.codec.spdy.SpdyPingFrame;
import io.netty.handler.codec.spdy.SpdyRstStreamFrame;
import io.netty.handler.codec.spdy.SpdyStreamStatus;
import io.netty.handler.codec.spdy.SpdySynReplyFrame;
import io.netty.handler.codec.spdy.SpdySynStreamFrame;
import io.netty.handler.codec.spdy.SpdyVersion;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** A client that speaks SPDY by Netty's codec, over a connection or something that tunnels it. */
final class SpdyPeer implements AutoCloseable {
    /** Carries the bytes. */
    interface Carrier extends AutoCloseable {
        void send(byte[] bytes) throws IOException;

        /** Empty at the end. */
        byte[] receive() throws IOException;

        @Override
        void close() throws IOException;
    }

    private final Carrier carrier;
    private final EmbeddedChannel codec =
            new EmbeddedChannel(new SpdyFrameCodec(SpdyVersion.SPDY_3_1, false));
    private final Map<Integer, ByteArrayOutputStream> received = new HashMap<>();
    final Set<Integer> accepted = new HashSet<>();
    final Set<Integer> ended = new HashSet<>();
    final Set<Integer> reset = new HashSet<>();
    final Set<Integer> pings = new HashSet<>();
    @Nullable Integer goAway;
    boolean isClosed;
    private int nextId = 1;

    SpdyPeer(Carrier carrier) {
        this.carrier = carrier;
    }

    static SpdyPeer connect(String url, String protocols) throws IOException {
        return new SpdyPeer(plain(StreamingPeer.spdy(url, protocols)));
    }

    static Carrier plain(StreamingPeer peer) {
        if (peer.status != 101) {
            throw new IllegalStateException("answered " + peer.status);
        }
        byte[] buffer = new byte[64 * 1024];
        return new Carrier() {
            @Override
            public void send(byte[] bytes) throws IOException {
                peer.send(bytes);
            }

            @Override
            public byte[] receive() throws IOException {
                int size = Math.max(0, peer.in.read(buffer));
                return Arrays.copyOf(buffer, size);
            }

            @Override
            public void close() throws IOException {
                peer.close();
            }
        };
    }

    /** Opens a stream; headers are names and values in turn. */
    int open(String... headers) throws IOException {
        SpdySynStreamFrame frame = new DefaultSpdySynStreamFrame(nextId, 0, (byte) 0, false);
        nextId += 2;
        for (int i = 0; i < headers.length; i += 2) {
            frame.headers().set(headers[i], headers[i + 1]);
        }
        send(frame);
        return frame.streamId();
    }

    void data(int stream, byte[] bytes, boolean last) throws IOException {
        SpdyDataFrame frame = new DefaultSpdyDataFrame(stream, Unpooled.wrappedBuffer(bytes));
        frame.setLast(last);
        send(frame);
    }

    void data(int stream, String text) throws IOException {
        data(stream, text.getBytes(StandardCharsets.UTF_8), false);
    }

    void end(int stream) throws IOException {
        data(stream, new byte[0], true);
    }

    void cancel(int stream) throws IOException {
        send(new DefaultSpdyRstStreamFrame(stream, SpdyStreamStatus.CANCEL));
    }

    void ping(int id) throws IOException {
        send(new DefaultSpdyPingFrame(id));
    }

    private void send(Object frame) throws IOException {
        codec.writeOutbound(frame);
        for (ByteBuf bytes = codec.readOutbound(); bytes != null; bytes = codec.readOutbound()) {
            raw(ByteBufUtil.getBytes(bytes));
            bytes.release();
        }
    }

    void raw(byte[] bytes) throws IOException {
        carrier.send(bytes);
    }

    /** Reads until the condition holds; false when the connection ended before. */
    boolean readUntil(BooleanSupplier condition) throws IOException {
        while (!condition.getAsBoolean()) {
            byte[] bytes = carrier.receive();
            if (bytes.length == 0) {
                isClosed = true;
                return condition.getAsBoolean();
            }
            codec.writeInbound(Unpooled.wrappedBuffer(bytes));
            for (Object frame = codec.readInbound(); frame != null; frame = codec.readInbound()) {
                take(frame);
            }
        }
        return true;
    }

    boolean readToEnd() throws IOException {
        var _ = readUntil(() -> false);
        return isClosed;
    }

    private void take(Object frame) {
        switch (frame) {
            case SpdySynReplyFrame reply -> accepted.add(reply.streamId());
            case SpdyDataFrame data -> {
                if (!accepted.contains(data.streamId())) {
                    throw new IllegalStateException("data before the reply to " + data.streamId());
                }
                byte[] bytes = ByteBufUtil.getBytes(data.content());
                received.computeIfAbsent(data.streamId(), _ -> new ByteArrayOutputStream())
                        .writeBytes(bytes);
                data.release();
                if (data.isLast()) {
                    ended.add(data.streamId());
                }
            }
            case SpdyRstStreamFrame gone -> reset.add(gone.streamId());
            case SpdyPingFrame ping -> pings.add(ping.id());
            case SpdyGoAwayFrame farewell -> goAway = farewell.status().code();
            default -> throw new IllegalStateException("unexpected " + frame);
        }
    }

    byte[] bytes(int stream) {
        ByteArrayOutputStream all = received.get(stream);
        return all == null ? new byte[0] : all.toByteArray();
    }

    String text(int stream) {
        return new String(bytes(stream), StandardCharsets.UTF_8);
    }

    @Override
    public void close() throws IOException {
        codec.finishAndReleaseAll();
        carrier.close();
    }
}
