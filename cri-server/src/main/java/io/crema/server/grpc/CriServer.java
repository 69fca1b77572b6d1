package io.crema.server.grpc;

import io.crema.base.ErrorKind;
import io.crema.server.base.ServerException;
import io.crema.server.base.SocketFile;
import io.crema.server.http.HttpRoutes;
import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.netty.InternalNettyServerBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The CRI socket: gRPC and HTTP/1.1 on one event loop, every request on a virtual thread of its
 * own.
 */
public final class CriServer implements AutoCloseable {
    /** Far more than kubelet's parallel calls; a bound all the same. */
    private static final int MAX_CALLS_PER_CONNECTION = 1024;

    /** For everything that a closed server's threads still have to do. */
    private static final Duration LAST_WORK = Duration.ofSeconds(2);

    private final Path socket;
    private final EventLoopGroup eventLoop;
    private final ExecutorService calls;
    private final ScheduledThreadPoolExecutor timer;
    private final Server server;
    private volatile boolean listening;

    /**
     * @param maxReceiveBytes limit of one request
     * @param maxSendBytes limit of one answer
     * @param routes what HTTP/1.1 requests are answered with
     */
    public CriServer(
            Path socket,
            int maxReceiveBytes,
            int maxSendBytes,
            List<? extends BindableService> services,
            HttpRoutes routes,
            CallObserver observer) {
        this.socket = socket;
        eventLoop =
                new MultiThreadIoEventLoopGroup(
                        1, new DefaultThreadFactory("cri-socket"), EpollIoHandler.newFactory());
        calls = Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("call-", 0).factory());
        timer =
                new ScheduledThreadPoolExecutor(
                        1, Thread.ofPlatform().daemon().name("call-deadlines").factory());
        timer.setRemoveOnCancelPolicy(true);
        NettyServerBuilder builder =
                NettyServerBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                        .channelType(EpollServerDomainSocketChannel.class)
                        .bossEventLoopGroup(eventLoop)
                        .workerEventLoopGroup(eventLoop)
                        .executor(calls)
                        .protocolNegotiator(new FirstBytes(routes, calls))
                        // An HTTP connection never completes gRPC's handshake; see FirstBytes.
                        .handshakeTimeout(1, TimeUnit.DAYS)
                        .withChildOption(ChannelOption.ALLOCATOR, UnpooledByteBufAllocator.DEFAULT)
                        .maxInboundMessageSize(maxReceiveBytes)
                        .maxConcurrentCallsPerConnection(MAX_CALLS_PER_CONNECTION)
                        .permitKeepAliveTime(5, TimeUnit.SECONDS)
                        .permitKeepAliveWithoutCalls(true)
                        .intercept(new CallGuard(timer, maxSendBytes, observer));
        InternalNettyServerBuilder.setStatsEnabled(builder, false);
        InternalNettyServerBuilder.setTracingEnabled(builder, false);
        for (BindableService service : services) {
            builder.addService(service);
        }
        server = builder.build();
    }

    /**
     * Begins to listen.
     *
     * @throws ServerException when the socket cannot be had
     */
    public void start() {
        SocketFile.makeFree(socket, "--listen");
        try {
            server.start();
        } catch (IOException e) {
            close();
            throw new ServerException(
                    ErrorKind.UNAVAILABLE, "cannot listen on " + socket + ": " + e, e);
        }
        listening = true;
        SocketFile.protect(socket);
    }

    /**
     * Stops listening at once, lets calls in flight finish for as long as given, then cuts them
     * off.
     */
    public void stop(Duration grace) {
        server.shutdown();
        if (listening) {
            listening = false;
            SocketFile.remove(socket);
        }
        try {
            if (!server.awaitTermination(grace.toMillis(), TimeUnit.MILLISECONDS)) {
                server.shutdownNow();
                server.awaitTermination(LAST_WORK.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (InterruptedException e) {
            server.shutdownNow();
            Thread.currentThread().interrupt();
        }
        timer.shutdownNow();
        calls.shutdown();
        eventLoop
                .shutdownGracefully(0, LAST_WORK.toMillis(), TimeUnit.MILLISECONDS)
                .awaitUninterruptibly(LAST_WORK.toMillis());
    }

    @Override
    public void close() {
        stop(Duration.ZERO);
    }
}
