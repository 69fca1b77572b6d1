package io.crema.server.streaming;

import io.crema.base.ErrorKind;
import io.crema.runtime.streaming.Streaming;
import io.crema.server.base.ServerException;
import io.crema.server.tls.ServerTls;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server behind the URLs of Exec, Attach and PortForward. It begins to listen when the first
 * URL is asked for, unless a port or TLS is configured: what is wrong with those shows at start.
 */
public final class StreamingServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StreamingServer.class);
    private static final int THREADS = 2;
    private static final int BACKLOG = 1024;
    private static final int MAX_CONNECTIONS = 2000;
    private static final int KEEP_ALIVE_SECONDS = 30;
    private static final long LAST_WORK_MILLIS = 2000;

    private final StreamingSettings settings;
    private final Upgrade.Shared shared;
    private final ChannelGroup connections =
            new DefaultChannelGroup("streams", GlobalEventExecutor.INSTANCE);
    private @Nullable ServerTls tls;
    private @Nullable EventLoopGroup eventLoops;
    private @Nullable Channel listening;
    private boolean isClosed;

    public StreamingServer(StreamingSettings settings, Streaming streaming) {
        this.settings = settings;
        this.shared =
                new Upgrade.Shared(
                        streaming,
                        settings,
                        new Tickets(System::nanoTime),
                        task -> Thread.ofVirtual().name("stream").start(task),
                        OutputBudget.standard());
    }

    /**
     * To be called at the daemon's start.
     *
     * @throws ServerException when the configured port or certificates cannot be used
     */
    public void start() {
        if (settings.tls().isPresent()) {
            LOG.atInfo()
                    .addKeyValue("address", host())
                    .log(
                            "streams are encrypted: kubelet verifies the certificate by the node's"
                                    + " trust store, so its authority must be installed there and"
                                    + " it must name this address");
        }
        if (settings.tls().isPresent() || settings.port() != 0) {
            port();
        }
    }

    Streaming streaming() {
        return shared.streaming();
    }

    /** A URL at which a client can use the request once within a minute. */
    String url(Ticket ticket) {
        int port = port();
        return (settings.tls().isPresent() ? "https://" : "http://")
                + host()
                + ":"
                + port
                + "/"
                + ticket.word()
                + "/"
                + shared.tickets().issue(ticket);
    }

    /** As it stands in URLs. Only kubelet on this node dials it, so loopback stands for any. */
    private String host() {
        String address = settings.address();
        if (address.equals("0.0.0.0")) {
            return "127.0.0.1";
        }
        if (address.equals("::") || address.equals("[::]")) {
            return "[::1]";
        }
        return address.contains(":") && !address.startsWith("[") ? "[" + address + "]" : address;
    }

    /** The port it listens on; begins to listen if it does not yet. */
    private synchronized int port() {
        if (isClosed) {
            throw new ServerException(ErrorKind.UNAVAILABLE, "the daemon is stopping");
        }
        if (listening == null) {
            listening = listen();
        }
        return ((InetSocketAddress) listening.localAddress()).getPort();
    }

    private Channel listen() {
        settings.tls().ifPresent(files -> tls = new ServerTls(files, System::nanoTime));
        EventLoopGroup group =
                new MultiThreadIoEventLoopGroup(
                        THREADS,
                        new DefaultThreadFactory("streaming", true),
                        EpollIoHandler.newFactory());
        ServerBootstrap bootstrap =
                new ServerBootstrap()
                        .group(group)
                        .channel(EpollServerSocketChannel.class)
                        .option(ChannelOption.SO_BACKLOG, BACKLOG)
                        .option(ChannelOption.SO_REUSEADDR, true)
                        .childOption(ChannelOption.TCP_NODELAY, true)
                        // Ends connections whose client's host vanished without a word.
                        .childOption(ChannelOption.SO_KEEPALIVE, true)
                        .childOption(EpollChannelOption.TCP_KEEPIDLE, KEEP_ALIVE_SECONDS)
                        .childOption(EpollChannelOption.TCP_KEEPINTVL, KEEP_ALIVE_SECONDS)
                        .childHandler(
                                new ChannelInitializer<SocketChannel>() {
                                    @Override
                                    protected void initChannel(SocketChannel channel) {
                                        accept(channel);
                                    }
                                });
        try {
            String address = settings.address();
            InetAddress at =
                    InetAddress.getByName(
                            address.startsWith("[")
                                    ? address.substring(1, address.length() - 1)
                                    : address);
            ChannelFuture bound =
                    bootstrap
                            .bind(new InetSocketAddress(at, settings.port()))
                            .awaitUninterruptibly();
            if (bound.isSuccess()) {
                eventLoops = group;
                LOG.atInfo()
                        .addKeyValue("address", bound.channel().localAddress())
                        .addKeyValue("tls", settings.tls().isPresent())
                        .log("streaming server listens");
                return bound.channel();
            }
            throw cannotListen(group, bound.cause());
        } catch (UnknownHostException e) {
            throw cannotListen(group, e);
        }
    }

    private ServerException cannotListen(EventLoopGroup group, Throwable cause) {
        var _ = group.shutdownGracefully(0, 0, TimeUnit.SECONDS);
        return new ServerException(
                ErrorKind.UNAVAILABLE,
                "the streaming server cannot listen on stream_address = "
                        + settings.address()
                        + ", stream_port = "
                        + settings.port()
                        + ": "
                        + cause,
                cause);
    }

    private void accept(SocketChannel channel) {
        if (connections.size() >= MAX_CONNECTIONS) {
            LOG.warn("a streaming connection is refused: there are {} already", MAX_CONNECTIONS);
            var _ = channel.close();
            return;
        }
        connections.add(channel);
        if (tls != null) {
            channel.pipeline().addLast(tls.context().newHandler(channel.alloc()));
        }
        Upgrade.addTo(channel.pipeline(), shared);
    }

    /** Cuts off all clients: execs are killed, attached containers let go of. */
    @Override
    public synchronized void close() {
        if (isClosed) {
            return;
        }
        isClosed = true;
        if (listening != null) {
            listening.close().awaitUninterruptibly(LAST_WORK_MILLIS);
        }
        connections.close().awaitUninterruptibly(LAST_WORK_MILLIS);
        if (eventLoops != null) {
            eventLoops
                    .shutdownGracefully(0, LAST_WORK_MILLIS, TimeUnit.MILLISECONDS)
                    .awaitUninterruptibly(LAST_WORK_MILLIS);
        }
    }
}
