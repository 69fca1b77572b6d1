package io.crema.server.metrics;

import io.crema.base.ErrorKind;
import io.crema.conf.ApiConfiguration;
import io.crema.conf.MetricsConfiguration;
import io.crema.image.Images;
import io.crema.runtime.RuntimeCounters;
import io.crema.server.base.ServerException;
import io.crema.server.base.SocketFile;
import io.crema.server.grpc.CallObserver;
import io.crema.server.http.HttpAnswer;
import io.crema.server.http.HttpConnection;
import io.crema.server.http.HttpRoutes;
import io.crema.server.tls.SelfSignedFiles;
import io.crema.server.tls.ServerTls;
import io.crema.server.tls.TlsSettings;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.DomainSocketChannel;
import io.netty.handler.timeout.ReadTimeoutHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves {@code GET /metrics} on a port and, where one is set, on a unix socket. Made only when
 * {@code enable_metrics} is set: a node that does not want it pays nothing.
 */
public final class MetricsServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(MetricsServer.class);
    private static final int MAX_CONNECTIONS = 64;
    private static final int IDLE_SECONDS = 90;
    private static final long LAST_WORK_MILLIS = 1000;

    private final MetricsConfiguration settings;
    private final Optional<TlsSettings> tlsSettings;
    private final Operations operations = new Operations(System::nanoTime);
    private final ChannelGroup connections =
            new DefaultChannelGroup("metrics", GlobalEventExecutor.INSTANCE);
    private final List<Channel> listening = new ArrayList<>();
    private @Nullable EventLoopGroup eventLoop;
    private @Nullable ServerTls tls;
    private @Nullable SelfSignedFiles selfSigned;

    /** What is ours to remove: a file that was there before us is not. */
    private @Nullable Path boundSocket;

    public MetricsServer(MetricsConfiguration settings, ApiConfiguration api) {
        this.settings = settings;
        this.tlsSettings =
                settings.certificate().isPresent() && settings.key().isPresent()
                        ? Optional.of(
                                TlsSettings.of(
                                        "the metrics server",
                                        "metrics_",
                                        settings.certificate().get(),
                                        settings.key().get(),
                                        Optional.empty(),
                                        api))
                        : Optional.empty();
        if (tlsSettings.isEmpty()
                && (settings.certificate().isPresent() || settings.key().isPresent())) {
            throw new ServerException(
                    ErrorKind.INVALID_ARGUMENT,
                    "metrics_cert and metrics_key belong together; set both or none");
        }
    }

    /** Who is to be told of each call. */
    public CallObserver observer() {
        return operations;
    }

    /**
     * Begins to listen.
     *
     * @throws ServerException when the port, the socket or the certificate cannot be had
     */
    public void start(Images images, RuntimeCounters runtime, String defaultRuntime) {
        PullMetrics pulls = new PullMetrics(images);
        NodeMetrics node = new NodeMetrics(runtime, defaultRuntime);
        HttpRoutes routes =
                new HttpRoutes()
                        .add(
                                "GET",
                                "/metrics",
                                question -> {
                                    Exposition page = new Exposition(settings.collectors());
                                    operations.writeTo(page);
                                    pulls.writeTo(page);
                                    node.writeTo(page);
                                    return new HttpAnswer(
                                            200,
                                            Exposition.CONTENT_TYPE,
                                            page.toString().getBytes(StandardCharsets.UTF_8));
                                });
        tlsSettings.ifPresent(files -> {
            selfSigned = new SelfSignedFiles(files, settings.host(), InstantSource.system());
            tls = new ServerTls(files, System::nanoTime);
        });
        eventLoop =
                new MultiThreadIoEventLoopGroup(
                        1, new DefaultThreadFactory("metrics", true), EpollIoHandler.newFactory());
        listen(address(), EpollServerSocketChannel.class, routes);
        settings.socket()
                .ifPresent(socket -> {
                    SocketFile.makeFree(socket, "metrics_socket");
                    listen(
                            new DomainSocketAddress(socket.toFile()),
                            EpollServerDomainSocketChannel.class,
                            routes);
                    boundSocket = socket;
                    SocketFile.protect(socket);
                });
    }

    private InetSocketAddress address() {
        try {
            return new InetSocketAddress(InetAddress.getByName(settings.host()), settings.port());
        } catch (UnknownHostException e) {
            throw cannotListen(settings.host() + ":" + settings.port(), e);
        }
    }

    private void listen(
            SocketAddress address, Class<? extends ServerChannel> type, HttpRoutes routes) {
        ChannelFuture bound =
                new ServerBootstrap()
                        .group(eventLoop)
                        .channel(type)
                        .option(ChannelOption.SO_BACKLOG, MAX_CONNECTIONS)
                        .childHandler(
                                new ChannelInitializer<Channel>() {
                                    @Override
                                    protected void initChannel(Channel channel) {
                                        accept(channel, routes);
                                    }
                                })
                        .bind(address)
                        .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw cannotListen(address.toString(), bound.cause());
        }
        listening.add(bound.channel());
        LOG.atInfo()
                .addKeyValue("address", bound.channel().localAddress())
                .addKeyValue("tls", tls != null && !(address instanceof DomainSocketAddress))
                .log("metrics server listens");
    }

    private static ServerException cannotListen(String address, Throwable cause) {
        return new ServerException(
                ErrorKind.UNAVAILABLE,
                "metrics cannot be served at "
                        + address
                        + ": "
                        + cause.getMessage()
                        + "; change metrics_host, metrics_port or metrics_socket, or end what"
                        + " listens there",
                cause);
    }

    private void accept(Channel channel, HttpRoutes routes) {
        if (connections.size() >= MAX_CONNECTIONS) {
            LOG.warn("a metrics connection is refused: there are {} already", MAX_CONNECTIONS);
            var _ = channel.close();
            return;
        }
        connections.add(channel);
        ServerTls encryption = tls;
        SelfSignedFiles certificate = selfSigned;
        if (certificate != null) {
            certificate.renewWhenDue();
        }
        // A unix socket is guarded by its mode, and has no name that a certificate could be for.
        if (encryption != null && !(channel instanceof DomainSocketChannel)) {
            channel.pipeline().addLast(encryption.context().newHandler(channel.alloc()));
        }
        channel.pipeline().addLast(new ReadTimeoutHandler(IDLE_SECONDS));
        HttpConnection.addTo(
                channel.pipeline(), routes, task -> Thread.ofVirtual().name("metrics").start(task));
    }

    @Override
    public void close() {
        for (Channel channel : listening) {
            channel.close().awaitUninterruptibly(LAST_WORK_MILLIS);
        }
        Path socket = boundSocket;
        if (socket != null) {
            boundSocket = null;
            SocketFile.remove(socket);
        }
        connections.close().awaitUninterruptibly(LAST_WORK_MILLIS);
        if (eventLoop != null) {
            eventLoop
                    .shutdownGracefully(0, LAST_WORK_MILLIS, TimeUnit.MILLISECONDS)
                    .awaitUninterruptibly(LAST_WORK_MILLIS);
        }
    }
}
