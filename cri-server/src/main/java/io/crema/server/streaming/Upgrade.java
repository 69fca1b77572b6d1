package io.crema.server.streaming;

import io.crema.runtime.streaming.Streaming;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one HTTP request of a streaming connection: finds what its token stands for and turns the
 * connection into SPDY or WebSocket.
 */
final class Upgrade extends SimpleChannelInboundHandler<FullHttpRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(Upgrade.class);

    private static final int MAX_BODY_BYTES = 4096;
    private static final String SPDY = "SPDY/3.1";
    private static final String TUNNEL = "SPDY/3.1+portforward.k8s.io";
    private static final String PROTOCOL_HEADER = "X-Stream-Protocol-Version";
    private static final String ACCEPTED_HEADER = "X-Accepted-Stream-Protocol-Versions";

    /** What all connections of the server share. */
    record Shared(
            Streaming streaming,
            StreamingSettings settings,
            Tickets tickets,
            Executor blocking,
            OutputBudget budget) {}

    /** What to do once the answer 101 was written. */
    private interface Next {
        void begin(ChannelPipeline pipeline);
    }

    private final Shared shared;
    private @Nullable ScheduledFuture<?> waiting;

    private Upgrade(Shared shared) {
        this.shared = shared;
    }

    static void addTo(ChannelPipeline pipeline, Shared shared) {
        pipeline.addLast(new HttpServerCodec());
        pipeline.addLast(new HttpObjectAggregator(MAX_BODY_BYTES));
        pipeline.addLast(new Upgrade(shared));
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        waiting =
                context.executor()
                        .schedule(
                                () -> {
                                    var _ = context.close();
                                },
                                shared.settings.creationTimeout().toMillis(),
                                TimeUnit.MILLISECONDS);
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        if (waiting != null) {
            waiting.cancel(false);
        }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
        if (!request.decoderResult().isSuccess()) {
            refuse(context, HttpResponseStatus.BAD_REQUEST, "not an HTTP request");
            return;
        }
        HttpMethod method = request.method();
        if (!method.equals(HttpMethod.GET) && !method.equals(HttpMethod.POST)) {
            refuse(context, HttpResponseStatus.METHOD_NOT_ALLOWED, "use GET or POST");
            return;
        }
        Optional<Ticket> ticket = ticket(request.uri());
        if (ticket.isEmpty()) {
            refuse(
                    context,
                    HttpResponseStatus.NOT_FOUND,
                    "this URL is unknown, was used or has expired; ask the runtime for a new one");
            return;
        }
        HttpHeaders headers = request.headers();
        if (!headers.containsValue(HttpHeaderNames.CONNECTION, HttpHeaderValues.UPGRADE, true)) {
            refuse(context, HttpResponseStatus.BAD_REQUEST, "the connection is not to be upgraded");
        } else if (headers.containsValue(
                HttpHeaderNames.UPGRADE, HttpHeaderValues.WEBSOCKET, true)) {
            webSocket(context, request, ticket.get());
        } else if (headers.containsValue(HttpHeaderNames.UPGRADE, SPDY, true)) {
            spdy(context, request, ticket.get());
        } else {
            refuse(
                    context,
                    HttpResponseStatus.BAD_REQUEST,
                    "upgrade to " + SPDY + " or to websocket");
        }
    }

    private Optional<Ticket> ticket(String uri) {
        int query = uri.indexOf('?');
        String path = query < 0 ? uri : uri.substring(0, query);
        int slash = path.indexOf('/', 1);
        if (slash < 0) {
            return Optional.empty();
        }
        String word = path.substring(1, slash);
        return shared.tickets
                .use(path.substring(slash + 1))
                .filter(ticket -> ticket.word().equals(word));
    }

    private void spdy(ChannelHandlerContext context, FullHttpRequest request, Ticket ticket) {
        List<String> offered = values(request.headers().getAll(PROTOCOL_HEADER));
        if (offered.isEmpty()) {
            refuse(context, HttpResponseStatus.BAD_REQUEST, PROTOCOL_HEADER + " is missing");
            return;
        }
        if (ticket instanceof Ticket.ForPortForward(var forward)) {
            if (offered.contains(SpdyPortForward.PROTOCOL)) {
                upgrade(
                        context,
                        switching(SPDY).set(PROTOCOL_HEADER, SpdyPortForward.PROTOCOL),
                        pipeline ->
                                SpdySession.begin(
                                        pipeline,
                                        new SpdyPortForward(
                                                shared.streaming,
                                                forward,
                                                shared.blocking,
                                                shared.settings.creationTimeout()),
                                        shared.budget));
            } else {
                forbid(context, offered, List.of(SpdyPortForward.PROTOCOL));
            }
            return;
        }
        CommandProtocol.choose(CommandProtocol.OF_SPDY, offered)
                .ifPresentOrElse(
                        protocol ->
                                upgrade(
                                        context,
                                        switching(SPDY).set(PROTOCOL_HEADER, protocol.word()),
                                        pipeline ->
                                                SpdySession.begin(
                                                        pipeline,
                                                        new SpdyCommand(
                                                                shared.streaming,
                                                                ticket,
                                                                protocol,
                                                                shared.blocking,
                                                                shared.settings.creationTimeout()),
                                                        shared.budget)),
                        () -> forbid(context, offered, words(CommandProtocol.OF_SPDY)));
    }

    private void webSocket(ChannelHandlerContext context, FullHttpRequest request, Ticket ticket) {
        HttpHeaders headers = request.headers();
        String key = headers.get(HttpHeaderNames.SEC_WEBSOCKET_KEY);
        String version = headers.get(HttpHeaderNames.SEC_WEBSOCKET_VERSION);
        if (key == null || !WebSocketHandshake.VERSION.equals(version)) {
            FullHttpResponse response =
                    text(
                            HttpResponseStatus.UPGRADE_REQUIRED,
                            "WebSocket version 13 with a key is needed");
            response.headers()
                    .set(HttpHeaderNames.SEC_WEBSOCKET_VERSION, WebSocketHandshake.VERSION);
            answer(context, response);
            return;
        }
        HttpHeaders answer = switching("websocket");
        answer.set(HttpHeaderNames.SEC_WEBSOCKET_ACCEPT, WebSocketHandshake.accept(key));
        List<String> offered = values(headers.getAll(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL));
        if (ticket instanceof Ticket.ForPortForward(var forward)) {
            if (!offered.contains(TUNNEL)) {
                forbid(context, offered, List.of(TUNNEL));
                return;
            }
            answer.set(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL, TUNNEL);
            upgrade(
                    context,
                    answer,
                    pipeline -> {
                        WebSocketFrames.addCodec(pipeline);
                        pipeline.addLast(new WebSocketTunnel());
                        SpdySession.begin(
                                pipeline,
                                new SpdyPortForward(
                                        shared.streaming,
                                        forward,
                                        shared.blocking,
                                        shared.settings.creationTimeout()),
                                shared.budget);
                    });
            return;
        }
        Optional<CommandProtocol> chosen =
                offered.isEmpty()
                        ? Optional.of(CommandProtocol.UNNAMED)
                        : CommandProtocol.choose(CommandProtocol.OF_WEB_SOCKET, offered);
        if (chosen.isEmpty()) {
            forbid(context, offered, words(CommandProtocol.OF_WEB_SOCKET));
            return;
        }
        if (chosen.get() != CommandProtocol.UNNAMED) {
            answer.set(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL, chosen.get().word());
        }
        upgrade(
                context,
                answer,
                pipeline ->
                        WebSocketCommand.begin(
                                pipeline,
                                shared.streaming,
                                ticket,
                                chosen.get(),
                                shared.blocking,
                                shared.budget));
    }

    private static HttpHeaders switching(String to) {
        return new DefaultHttpHeaders()
                .set(HttpHeaderNames.UPGRADE, to)
                .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.UPGRADE);
    }

    /** What the client sent behind its request is kept by the HTTP decoder and comes next. */
    private void upgrade(ChannelHandlerContext context, HttpHeaders headers, Next next) {
        ChannelPipeline pipeline = context.pipeline();
        FullHttpResponse response =
                new DefaultFullHttpResponse(
                        HttpVersion.HTTP_1_1, HttpResponseStatus.SWITCHING_PROTOCOLS);
        response.headers().set(headers);
        var _ = context.writeAndFlush(response);
        pipeline.addLast(
                new IdleStateHandler(
                        0, 0, shared.settings.idleTimeout().toMillis(), TimeUnit.MILLISECONDS) {
                    @Override
                    protected void channelIdle(ChannelHandlerContext idle, IdleStateEvent event) {
                        LOG.atInfo()
                                .addKeyValue("client", idle.channel().remoteAddress())
                                .log("a stream was silent for stream_idle_timeout; it is closed");
                        var _ = idle.close();
                    }
                });
        pipeline.addLast(new ReadGate());
        next.begin(pipeline);
        pipeline.remove(this);
        pipeline.remove(HttpObjectAggregator.class);
        pipeline.remove(HttpServerCodec.class);
    }

    private static List<String> values(List<String> headers) {
        List<String> all = new ArrayList<>();
        for (String header : headers) {
            for (String value : header.split(",", -1)) {
                if (!value.isBlank()) {
                    all.add(value.strip());
                }
            }
        }
        return all;
    }

    private static List<String> words(List<CommandProtocol> protocols) {
        List<String> words = new ArrayList<>();
        for (CommandProtocol protocol : protocols) {
            words.add(protocol.word());
        }
        return words;
    }

    private static void forbid(
            ChannelHandlerContext context, List<String> offered, List<String> accepted) {
        FullHttpResponse response =
                text(
                        HttpResponseStatus.FORBIDDEN,
                        String.format(
                                Locale.ROOT,
                                "no protocol in common: the client offers %s, accepted are %s",
                                offered,
                                accepted));
        response.headers().add(ACCEPTED_HEADER, accepted);
        answer(context, response);
    }

    private static void refuse(
            ChannelHandlerContext context, HttpResponseStatus status, String why) {
        answer(context, text(status, why));
    }

    private static FullHttpResponse text(HttpResponseStatus status, String text) {
        FullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status);
        ByteBufUtil.writeUtf8(response.content(), text + "\n");
        response.headers().set(HttpHeaderNames.CONTENT_TYPE, "text/plain; charset=utf-8");
        HttpUtil.setContentLength(response, response.content().readableBytes());
        return response;
    }

    private static void answer(ChannelHandlerContext context, FullHttpResponse response) {
        response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        var _ = context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        LOG.debug("streaming connection failed before its upgrade: {}", cause.toString());
        var _ = context.close();
    }
}
