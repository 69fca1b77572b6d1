package io.crema.server.streaming;

import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.spdy.DefaultSpdyGoAwayFrame;
import io.netty.handler.codec.spdy.DefaultSpdyRstStreamFrame;
import io.netty.handler.codec.spdy.DefaultSpdySynReplyFrame;
import io.netty.handler.codec.spdy.SpdyDataFrame;
import io.netty.handler.codec.spdy.SpdyFrameCodec;
import io.netty.handler.codec.spdy.SpdyPingFrame;
import io.netty.handler.codec.spdy.SpdyRstStreamFrame;
import io.netty.handler.codec.spdy.SpdySessionStatus;
import io.netty.handler.codec.spdy.SpdyStreamStatus;
import io.netty.handler.codec.spdy.SpdySynReplyFrame;
import io.netty.handler.codec.spdy.SpdySynStreamFrame;
import io.netty.handler.codec.spdy.SpdyVersion;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A SPDY/3.1 session as Kubernetes speaks it: no SETTINGS, no flow control, streams are opened by
 * the client alone and tell their purpose in free headers. Netty's codec reads and writes the
 * frames; DATA is framed by {@link SpdyFraming}, to copy it once only.
 */
final class SpdySession extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(SpdySession.class);

    /** Larger DATA frames come in pieces of this size; SYN_STREAM has a few short headers. */
    private static final int MAX_CHUNK_BYTES = 32 * 1024;

    private static final int MAX_HEADER_BYTES = 16 * 1024;
    private static final int MAX_STREAMS = 2048;

    /** What the streams of a session are for. */
    interface Purpose {
        /** The session stands. */
        void begin(SpdySession session);

        /** The client opened a stream; it is to be accepted or refused at once. */
        void opened(SpdyStream stream);

        /** The client is gone. */
        void gone();
    }

    private final Purpose purpose;
    private final OutputBudget budget;
    private final Map<Integer, SpdyStream> streams = new HashMap<>();
    private ChannelHandlerContext context;
    private ChannelHandlerContext wire;
    private ReadPause reading;
    private int lastStreamId;
    private boolean isOver;

    @SuppressWarnings("NullAway.Init") // the rest is set by handlerAdded
    private SpdySession(Purpose purpose, OutputBudget budget) {
        this.purpose = purpose;
        this.budget = budget;
    }

    /** Makes the rest of the connection a SPDY session. */
    static void begin(ChannelPipeline pipeline, Purpose purpose, OutputBudget budget) {
        pipeline.addLast(
                new SpdyFrameCodec(
                        SpdyVersion.SPDY_3_1,
                        MAX_CHUNK_BYTES,
                        MAX_HEADER_BYTES,
                        6,
                        15,
                        8,
                        false,
                        false));
        pipeline.addLast(new SpdySession(purpose, budget));
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) {
        context = added;
        wire = added.pipeline().context(SpdyFrameCodec.class);
        reading = new ReadPause(added.channel());
        purpose.begin(this);
    }

    ChannelHandlerContext context() {
        return context;
    }

    /** Stands for a stream that the client did not open. */
    Inlet noInlet() {
        return new Inlet(context.channel(), reading);
    }

    @Override
    public void channelRead(ChannelHandlerContext unused, Object message) {
        if (isOver) {
            ReferenceCountUtil.release(message);
            return;
        }
        switch (message) {
            case SpdyDataFrame data -> dataCame(data);
            case SpdySynStreamFrame opening -> openingCame(opening);
            case SpdyRstStreamFrame reset -> {
                SpdyStream stream = streams.get(reset.streamId());
                if (stream != null) {
                    stream.resetByClient();
                }
            }
            case SpdyPingFrame ping -> {
                var _ = context.writeAndFlush(ping);
            }
            // SETTINGS, WINDOW_UPDATE, GOAWAY, HEADERS and SYN_REPLY change nothing here.
            default -> ReferenceCountUtil.release(message);
        }
    }

    private void dataCame(SpdyDataFrame data) {
        SpdyStream stream = streams.get(data.streamId());
        if (stream == null || stream.isEndedByClient()) {
            data.release();
            return;
        }
        if (data.content().isReadable()) {
            stream.inlet().data(data.content());
        } else {
            data.release();
        }
        if (data.isLast()) {
            stream.endedByClient();
        }
    }

    private void openingCame(SpdySynStreamFrame opening) {
        int id = opening.streamId();
        if (id % 2 == 0 || id <= lastStreamId || opening.isInvalid() || opening.isTruncated()) {
            fail("SYN_STREAM " + id + " is wrong, repeated or too large");
            return;
        }
        lastStreamId = id;
        SpdyStream stream =
                new SpdyStream(
                        this,
                        id,
                        opening.headers(),
                        new Inlet(context.channel(), reading),
                        new Outlet(wire, new SpdyFraming(id), budget));
        if (streams.size() >= MAX_STREAMS) {
            refuse(stream, "a session has at most " + MAX_STREAMS + " streams");
            return;
        }
        streams.put(id, stream);
        purpose.opened(stream);
        if (opening.isLast()) {
            stream.endedByClient();
        }
    }

    /** Answers SYN_REPLY; before that nothing may be sent on the stream. */
    void accept(SpdyStream stream) {
        SpdySynReplyFrame reply = new DefaultSpdySynReplyFrame(stream.id(), false);
        // Clients read no headers here, but Netty writes none as an empty block, and Go's reader
        // takes that for a broken one.
        reply.headers().set("accepted", "true");
        var _ = context.writeAndFlush(reply);
    }

    void refuse(SpdyStream stream, String why) {
        LOG.debug("stream {} of a SPDY session is refused: {}", stream.id(), why);
        forget(stream);
        stream.drop();
        var _ =
                context.writeAndFlush(
                        new DefaultSpdyRstStreamFrame(
                                stream.id(), SpdyStreamStatus.REFUSED_STREAM));
    }

    void forget(SpdyStream stream) {
        streams.remove(stream.id(), stream);
    }

    /** All that is to be sent was written: says goodbye. */
    void finish() {
        if (!isOver) {
            isOver = true;
            dropStreams();
            ChannelFuture last =
                    context.writeAndFlush(
                            new DefaultSpdyGoAwayFrame(lastStreamId, SpdySessionStatus.OK));
            Farewell.after(last);
        }
    }

    /** The client broke the protocol. */
    void fail(String why) {
        LOG.atInfo()
                .addKeyValue("client", context.channel().remoteAddress())
                .addKeyValue("error", why)
                .log("streaming connection failed");
        end();
        Farewell.after(
                context.writeAndFlush(
                        new DefaultSpdyGoAwayFrame(
                                lastStreamId, SpdySessionStatus.PROTOCOL_ERROR)));
    }

    private void end() {
        if (!isOver) {
            isOver = true;
            dropStreams();
            purpose.gone();
        }
    }

    private void dropStreams() {
        for (SpdyStream stream : List.copyOf(streams.values())) {
            stream.inlet().close();
        }
        streams.clear();
    }

    @Override
    public void channelInactive(ChannelHandlerContext unused) {
        for (SpdyStream stream : List.copyOf(streams.values())) {
            stream.drop();
        }
        end();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext unused, Throwable cause) {
        if (isOver || !context.channel().isActive()) {
            var _ = context.close();
        } else if (cause instanceof IOException) {
            // Reset by the client.
            var _ = context.close();
        } else {
            fail(String.valueOf(cause));
        }
    }
}
