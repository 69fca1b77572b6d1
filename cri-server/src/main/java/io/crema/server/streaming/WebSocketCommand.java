package io.crema.server.streaming;

import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.DroppingSink;
import io.crema.runtime.streaming.Streaming;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.http.websocketx.CorruptedWebSocketFrameException;
import io.netty.handler.codec.http.websocketx.WebSocketCloseStatus;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.util.ReferenceCountUtil;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.Executor;

/**
 * Exec and attach over WebSocket: every message begins with the number of its channel. In v5 the
 * message [255, n] ends channel n.
 */
final class WebSocketCommand extends ChannelInboundHandlerAdapter implements RemoteCommand.Client {
    private static final int CLOSE = 255;

    private final CommandProtocol protocol;
    private final OutputBudget budget;
    private final boolean hasStdin;
    private final Map<StreamChannel, ByteSink> outlets = new EnumMap<>(StreamChannel.class);
    private final RemoteCommand command;
    private final WindowSizes sizes;
    private ChannelHandlerContext context;
    private Inlet stdin;
    private Inlet resize;
    // The channel of the message that is being read; -1 where its number is still to come.
    private int current = -1;
    private boolean isOver;

    @SuppressWarnings("NullAway.Init") // the rest is set by handlerAdded
    private WebSocketCommand(
            Streaming streaming,
            Ticket ticket,
            CommandProtocol protocol,
            Executor blocking,
            OutputBudget budget) {
        this.protocol = protocol;
        this.budget = budget;
        this.hasStdin = StreamChannel.wantedBy(ticket).contains(StreamChannel.STDIN);
        for (StreamChannel channel : StreamChannel.wantedBy(ticket)) {
            outlets.put(channel, DroppingSink.INSTANCE);
        }
        this.command = new RemoteCommand(streaming, ticket, protocol, blocking, this);
        this.sizes = new WindowSizes(command::resize);
    }

    /** Makes the rest of the connection an exec or attach. */
    static void begin(
            ChannelPipeline pipeline,
            Streaming streaming,
            Ticket ticket,
            CommandProtocol protocol,
            Executor blocking,
            OutputBudget budget) {
        WebSocketFrames.addCodec(pipeline);
        if (protocol.isBase64()) {
            pipeline.addLast(new WebSocketFrameAggregator(WebSocketFrames.MAX_FRAME_BYTES));
        }
        pipeline.addLast(new WebSocketCommand(streaming, ticket, protocol, blocking, budget));
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) {
        context = added;
        ReadPause reading = new ReadPause(added.channel());
        stdin = new Inlet(added.channel(), reading);
        resize = new Inlet(added.channel(), reading);
        resize.attach(sizes);
        outlets.replaceAll((channel, _) -> outlet(channel));
        outlets.put(StreamChannel.ERROR, outlet(StreamChannel.ERROR));
        // Once the HTTP encoder has left the pipeline; until then it would hold the message back.
        added.executor()
                .execute(() -> {
                    if (!isOver) {
                        hello();
                        command.start(outlets.containsKey(StreamChannel.RESIZE));
                    }
                });
    }

    private Outlet outlet(StreamChannel channel) {
        return new Outlet(
                context, new WebSocketFraming(channel.number(), protocol.isBase64()), budget);
    }

    /** Clients take an empty message on the lowest channel for the sign that all is ready. */
    private void hello() {
        StreamChannel lowest = StreamChannel.ERROR;
        if (outlets.containsKey(StreamChannel.STDOUT)) {
            lowest = StreamChannel.STDOUT;
        } else if (outlets.containsKey(StreamChannel.STDERR)) {
            lowest = StreamChannel.STDERR;
        }
        var _ =
                context.writeAndFlush(
                        new WebSocketFraming(lowest.number(), protocol.isBase64())
                                .data(context.alloc(), ByteBuffer.allocate(0)));
    }

    @Override
    public void channelRead(ChannelHandlerContext unused, Object message) {
        if (isOver || !(message instanceof WebSocketFrame frame)) {
            ReferenceCountUtil.release(message);
            return;
        }
        if (WebSocketFrames.read(context, frame, this::messageCame)) {
            end();
        }
    }

    private void messageCame(ByteBuf bytes, boolean isFirst, boolean isText) {
        if (isFirst) {
            current = -1;
        }
        if (isText != protocol.isBase64() && isFirst) {
            bytes.release();
            throw new CorruptedWebSocketFrameException(
                    WebSocketCloseStatus.INVALID_MESSAGE_TYPE,
                    protocol.isBase64()
                            ? "binary messages do not belong in " + protocol.word()
                            : "text messages do not belong in " + protocol.word());
        }
        if (current < 0) {
            if (!bytes.isReadable()) {
                bytes.release();
                return;
            }
            current = bytes.readUnsignedByte() - (protocol.isBase64() ? '0' : 0);
        }
        channelCame(protocol.isBase64() ? decoded(bytes) : bytes);
    }

    private static ByteBuf decoded(ByteBuf text) {
        try {
            byte[] base64 = new byte[text.readableBytes()];
            text.readBytes(base64);
            return Unpooled.wrappedBuffer(Base64.getDecoder().decode(base64));
        } catch (IllegalArgumentException e) {
            throw new CorruptedWebSocketFrameException(
                    WebSocketCloseStatus.INVALID_PAYLOAD_DATA, "not base64: " + e.getMessage());
        } finally {
            text.release();
        }
    }

    private void channelCame(ByteBuf bytes) {
        if (current == StreamChannel.STDIN.number() && hasStdin) {
            stdin.data(bytes);
        } else if (current == StreamChannel.RESIZE.number()) {
            resize.data(bytes);
        } else {
            if (current == CLOSE
                    && protocol == CommandProtocol.V5
                    && bytes.isReadable()
                    && bytes.getUnsignedByte(bytes.readerIndex()) == StreamChannel.STDIN.number()) {
                stdin.end();
            }
            bytes.release();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext unused) {
        end();
    }

    private void end() {
        if (!isOver) {
            isOver = true;
            stdin.close();
            for (ByteSink sink : outlets.values()) {
                if (sink instanceof Outlet outlet) {
                    outlet.close();
                }
            }
            command.gone();
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext unused, Object event) {
        if (!isOver) {
            WebSocketFrames.stillThere(context, event);
        }
        context.fireUserEventTriggered(event);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext unused, Throwable cause) {
        boolean wasOver = isOver;
        end();
        if (!wasOver) {
            WebSocketFrames.failed(context, cause);
        } else {
            var _ = context.close();
        }
    }

    @Override
    public EventLoop eventLoop() {
        return context.channel().eventLoop();
    }

    @Override
    public Inlet stdin() {
        return stdin;
    }

    @Override
    public ByteSink stdout() {
        return outlets.getOrDefault(StreamChannel.STDOUT, DroppingSink.INSTANCE);
    }

    @Override
    public ByteSink stderr() {
        return outlets.getOrDefault(StreamChannel.STDERR, DroppingSink.INSTANCE);
    }

    @Override
    public ByteSink error() {
        return outlets.getOrDefault(StreamChannel.ERROR, DroppingSink.INSTANCE);
    }

    @Override
    public void finish() {
        if (!isOver) {
            isOver = true;
            WebSocketFrames.end(context, WebSocketCloseStatus.NORMAL_CLOSURE);
        }
    }
}
