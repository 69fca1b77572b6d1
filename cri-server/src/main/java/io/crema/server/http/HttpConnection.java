package io.crema.server.http;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One HTTP/1.1 connection: hands whole requests to the routes, off the event loop. */
public final class HttpConnection extends SimpleChannelInboundHandler<FullHttpRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(HttpConnection.class);

    /** No endpoint takes a body worth mentioning; parameters stand in the query. */
    private static final int MAX_BODY_BYTES = 64 * 1024;

    private final HttpRoutes routes;
    private final Executor executor;

    private HttpConnection(HttpRoutes routes, Executor executor) {
        this.routes = routes;
        this.executor = executor;
    }

    /**
     * Adds the handlers of an HTTP/1.1 connection in front of the given one, which is then to be
     * removed.
     */
    public static void addBefore(
            ChannelPipeline pipeline, String name, HttpRoutes routes, Executor executor) {
        pipeline.addBefore(name, null, new HttpServerCodec());
        pipeline.addBefore(name, null, new HttpServerKeepAliveHandler());
        pipeline.addBefore(name, null, new HttpObjectAggregator(MAX_BODY_BYTES));
        pipeline.addBefore(name, null, new HttpConnection(routes, executor));
    }

    /** Makes a new connection an HTTP/1.1 one. */
    public static void addTo(ChannelPipeline pipeline, HttpRoutes routes, Executor executor) {
        pipeline.addLast(
                new HttpServerCodec(),
                new HttpServerKeepAliveHandler(),
                new HttpObjectAggregator(MAX_BODY_BYTES),
                new HttpConnection(routes, executor));
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
        QueryStringDecoder uri = new QueryStringDecoder(request.uri());
        HttpQuestion question =
                new HttpQuestion(request.method().name(), uri.path(), uri.parameters());
        executor.execute(() -> {
            HttpAnswer answer = routes.answer(question);
            FullHttpResponse response =
                    new DefaultFullHttpResponse(
                            HttpVersion.HTTP_1_1,
                            HttpResponseStatus.valueOf(answer.status()),
                            Unpooled.wrappedBuffer(answer.body()));
            response.headers().set(HttpHeaderNames.CONTENT_TYPE, answer.contentType());
            HttpUtil.setContentLength(response, answer.body().length);
            var _ = context.writeAndFlush(response);
        });
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        LOG.debug("HTTP connection failed: {}", cause.toString());
        var _ =
                context.writeAndFlush(
                                new DefaultFullHttpResponse(
                                        HttpVersion.HTTP_1_1, HttpResponseStatus.BAD_REQUEST))
                        .addListener(ChannelFutureListener.CLOSE);
    }
}
