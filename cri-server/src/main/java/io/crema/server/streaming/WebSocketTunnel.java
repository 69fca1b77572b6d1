package io.crema.server.streaming;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.util.ReferenceCountUtil;

/** Carries a byte stream, here a SPDY session, in binary WebSocket messages. */
final class WebSocketTunnel extends ChannelDuplexHandler {
    private boolean isOver;

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (isOver || !(message instanceof WebSocketFrame frame)) {
            ReferenceCountUtil.release(message);
            return;
        }
        isOver =
                WebSocketFrames.read(
                        context,
                        frame,
                        (bytes, isFirst, isText) -> {
                            if (isText) {
                                bytes.release();
                            } else {
                                context.fireChannelRead(bytes);
                            }
                        });
        if (isOver) {
            // What lives inside learns that its client is gone.
            context.fireChannelInactive();
        }
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        if (message instanceof ByteBuf bytes && bytes.isReadable()) {
            var _ = context.write(new BinaryWebSocketFrame(bytes), promise);
        } else {
            var _ = context.write(message, promise);
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
        if (!isOver) {
            WebSocketFrames.stillThere(context, event);
        }
        context.fireUserEventTriggered(event);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        isOver = true;
        WebSocketFrames.failed(context, cause);
        context.fireChannelInactive();
    }
}
