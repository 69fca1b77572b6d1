package io.crema.server.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.ContinuationWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CorruptedWebSocketFrameException;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocket13FrameDecoder;
import io.netty.handler.codec.http.websocketx.WebSocket13FrameEncoder;
import io.netty.handler.codec.http.websocketx.WebSocketCloseStatus;
import io.netty.handler.codec.http.websocketx.WebSocketDecoderConfig;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.timeout.IdleStateHandler;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What both uses of WebSocket share: its frames, pings, and its ways to end. */
final class WebSocketFrames {
    private static final Logger LOG = LoggerFactory.getLogger(WebSocketFrames.class);

    /** Go's clients send 32 KiB, browsers more; a frame is held as a whole until it is complete. */
    static final int MAX_FRAME_BYTES = 256 * 1024;

    /** Takes the parts of messages; a message may come in several. */
    interface Receiver {
        /**
         * Takes over the bytes.
         *
         * @param isFirst whether a message begins here
         */
        void data(ByteBuf bytes, boolean isFirst, boolean isText);
    }

    private static final byte[] EMPTY_PONG = {(byte) 0x8a, 0};

    private WebSocketFrames() {}

    static void addCodec(ChannelPipeline pipeline) {
        pipeline.addLast(
                new WebSocket13FrameDecoder(
                        WebSocketDecoderConfig.newBuilder()
                                .expectMaskedFrames(true)
                                .allowExtensions(false)
                                .maxFramePayloadLength(MAX_FRAME_BYTES)
                                .closeOnProtocolViolation(false)
                                .withUTF8Validator(false)
                                .build()));
        pipeline.addLast(new WebSocket13FrameEncoder(false));
    }

    /**
     * Handles one frame.
     *
     * @return whether the client said goodbye, which was answered
     */
    static boolean read(ChannelHandlerContext context, WebSocketFrame frame, Receiver receiver) {
        switch (frame) {
            case BinaryWebSocketFrame binary -> receiver.data(binary.content(), true, false);
            case TextWebSocketFrame text -> receiver.data(text.content(), true, true);
            case ContinuationWebSocketFrame more -> receiver.data(more.content(), false, false);
            case PingWebSocketFrame ping -> {
                var _ = context.writeAndFlush(new PongWebSocketFrame(ping.content()));
            }
            case CloseWebSocketFrame close -> {
                close.release();
                end(context, WebSocketCloseStatus.NORMAL_CLOSURE);
                return true;
            }
            default -> frame.release();
        }
        return false;
    }

    /**
     * A client's ping may lie behind input that nobody takes yet. Pongs that were not asked for are
     * allowed (RFC 6455, 5.5.3), and clients that close a silent connection take any for a sign of
     * life. They are no traffic to stream_idle_timeout, so they pass by its handler.
     */
    static void stillThere(ChannelHandlerContext context, Object event) {
        if (event == ReadPause.Event.STILL_PAUSED && context.channel().isWritable()) {
            ChannelHandlerContext idle = context.pipeline().context(IdleStateHandler.class);
            var _ =
                    (idle == null ? context.pipeline().firstContext() : idle)
                            .writeAndFlush(Unpooled.wrappedBuffer(EMPTY_PONG));
        }
    }

    static void end(ChannelHandlerContext context, WebSocketCloseStatus status) {
        Farewell.after(context.writeAndFlush(new CloseWebSocketFrame(status)));
    }

    /** Ends a connection whose client broke the protocol or was reset. */
    static void failed(ChannelHandlerContext context, Throwable cause) {
        if (!context.channel().isActive() || cause instanceof IOException) {
            var _ = context.close();
            return;
        }
        LOG.atInfo()
                .addKeyValue("client", context.channel().remoteAddress())
                .addKeyValue("error", String.valueOf(cause.getMessage()))
                .log("streaming connection failed");
        end(
                context,
                cause instanceof CorruptedWebSocketFrameException corrupted
                        ? corrupted.closeStatus()
                        : WebSocketCloseStatus.PROTOCOL_ERROR);
    }
}
