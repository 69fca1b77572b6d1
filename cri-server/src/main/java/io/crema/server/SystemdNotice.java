package io.crema.server;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainDatagramChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainDatagramPacket;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells systemd that the daemon serves (sd_notify(3)), when systemd asked to be told. */
final class SystemdNotice {
    private static final Logger LOG = LoggerFactory.getLogger(SystemdNotice.class);
    private static final long WAIT_SECONDS = 5;

    private SystemdNotice() {}

    static void ready() {
        String socket = System.getenv("NOTIFY_SOCKET");
        if (socket == null || socket.isEmpty()) {
            return;
        }
        // A leading @ stands for the abstract name space, whose names begin with a zero byte.
        String path = socket.startsWith("@") ? "\0" + socket.substring(1) : socket;
        EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        try {
            var channel =
                    new Bootstrap()
                            .group(loop)
                            .channel(EpollDomainDatagramChannel.class)
                            .handler(new ChannelInboundHandlerAdapter())
                            .register()
                            .awaitUninterruptibly()
                            .channel();
            channel.writeAndFlush(
                            new DomainDatagramPacket(
                                    Unpooled.copiedBuffer("READY=1", StandardCharsets.US_ASCII),
                                    new DomainSocketAddress(path)))
                    .awaitUninterruptibly(WAIT_SECONDS, TimeUnit.SECONDS);
            channel.close().awaitUninterruptibly(WAIT_SECONDS, TimeUnit.SECONDS);
        } catch (RuntimeException e) {
            LOG.warn("cannot tell systemd that the daemon is ready: {}", e.toString());
        } finally {
            var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }
}
