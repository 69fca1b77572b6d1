package io.crema.server.grpc;

import io.crema.server.http.HttpConnection;
import io.crema.server.http.HttpRoutes;
import io.grpc.ChannelLogger;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.ProtocolNegotiationEvent;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.AsciiString;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Lets one socket speak gRPC and HTTP/1.1: a connection that begins with the HTTP/2 preface goes to
 * gRPC, any other one to the HTTP routes. It poses as gRPC's protocol negotiation, which is made to
 * hold a connection back until its protocol is known.
 */
final class FirstBytes implements InternalProtocolNegotiator.ProtocolNegotiator {
    /** Enough of {@code PRI * HTTP/2.0} to tell it from every method of HTTP/1.1. */
    private static final byte[] PREFACE = "PRI * HTTP/2".getBytes(StandardCharsets.US_ASCII);

    /** A connection that says nothing for that long is closed. */
    private static final long SILENCE_SECONDS = 60;

    private final HttpRoutes routes;
    private final Executor executor;

    FirstBytes(HttpRoutes routes, Executor executor) {
        this.routes = routes;
        this.executor = executor;
    }

    @Override
    public AsciiString scheme() {
        return AsciiString.cached("http");
    }

    @Override
    public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
        return new Detector(grpc);
    }

    @Override
    public void close() {
        // Nothing is held.
    }

    private final class Detector extends ChannelInboundHandlerAdapter {
        private final GrpcHttp2ConnectionHandler grpc;
        private @Nullable ProtocolNegotiationEvent negotiation;
        private @Nullable ByteBuf seen;
        private @Nullable Future<?> silence;

        Detector(GrpcHttp2ConnectionHandler grpc) {
            this.grpc = grpc;
        }

        @Override
        public void handlerAdded(ChannelHandlerContext context) {
            Runnable close =
                    () -> {
                        var _ = context.close();
                    };
            silence = context.executor().schedule(close, SILENCE_SECONDS, TimeUnit.SECONDS);
        }

        @Override
        public void handlerRemoved(ChannelHandlerContext context) {
            if (silence != null) {
                silence.cancel(false);
            }
            ReferenceCountUtil.release(seen);
            seen = null;
        }

        /** gRPC's own event starts its negotiation; it is kept until the protocol is known. */
        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event instanceof ProtocolNegotiationEvent start) {
                negotiation = start;
            } else {
                context.fireUserEventTriggered(event);
            }
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            ByteBuf bytes = (ByteBuf) message;
            if (seen != null) {
                bytes = context.alloc().buffer().writeBytes(seen).writeBytes(bytes);
                ReferenceCountUtil.release(message);
                seen.release();
            }
            seen = bytes;
            int length = Math.min(bytes.readableBytes(), PREFACE.length);
            boolean matches = true;
            for (int i = 0; i < length && matches; i++) {
                matches = bytes.getByte(bytes.readerIndex() + i) == PREFACE[i];
            }
            if (!matches) {
                seen = null;
                becomeHttp(context, bytes);
            } else if (length == PREFACE.length) {
                seen = null;
                becomeGrpc(context, bytes);
            }
        }

        private void becomeGrpc(ChannelHandlerContext context, ByteBuf bytes) {
            ChannelHandler next =
                    InternalProtocolNegotiators.waitUntilActiveHandler(
                            InternalProtocolNegotiators.grpcNegotiationHandler(grpc),
                            Silent.LOGGER);
            context.pipeline().replace(this, null, next);
            if (negotiation != null) {
                context.fireUserEventTriggered(negotiation);
            }
            context.fireChannelRead(bytes);
        }

        private void becomeHttp(ChannelHandlerContext context, ByteBuf bytes) {
            // Added in front, so that answers pass gRPC's handler by, which holds writes back.
            // What was read enters at the head again.
            HttpConnection.addBefore(context.pipeline(), context.name(), routes, executor);
            context.pipeline().remove(this);
            context.pipeline().fireChannelRead(bytes);
        }
    }

    /** gRPC's negotiation steps are of no interest to anybody. */
    private static final class Silent extends ChannelLogger {
        static final Silent LOGGER = new Silent();

        @Override
        public void log(ChannelLogLevel level, String message) {
            // Nothing.
        }

        @Override
        public void log(ChannelLogLevel level, String messageFormat, Object... args) {
            // Nothing.
        }
    }
}
