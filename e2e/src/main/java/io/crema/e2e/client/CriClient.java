package io.crema.e2e.client;

import io.crema.cri.v1.ImageServiceGrpc;
import io.crema.cri.v1.RuntimeServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A connection to a CRI endpoint, ours or a peer's, as kubelet makes it. */
public final class CriClient implements AutoCloseable {
    private static final int MAX_MESSAGE_BYTES = 16 << 20;

    // Netty warns that a unix socket has no SO_KEEPALIVE, which gRPC sets whatever the transport.
    private static final Logger NETTY = Logger.getLogger("io.netty.bootstrap");

    static {
        NETTY.setLevel(Level.SEVERE);
    }

    private final EventLoopGroup eventLoop =
            new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final ManagedChannel channel;

    public CriClient(Path socket) {
        this.channel =
                NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                        .eventLoopGroup(eventLoop)
                        .channelType(EpollDomainSocketChannel.class)
                        .overrideAuthority("localhost")
                        .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                        .usePlaintext()
                        .build();
    }

    /** RuntimeService with a deadline for each call. */
    public RuntimeServiceGrpc.RuntimeServiceBlockingStub runtime(Duration deadline) {
        return RuntimeServiceGrpc.newBlockingStub(channel)
                .withDeadlineAfter(deadline.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** RuntimeService with kubelet's deadline of two minutes. */
    public RuntimeServiceGrpc.RuntimeServiceBlockingStub runtime() {
        return runtime(Duration.ofMinutes(2));
    }

    /**
     * RuntimeService with a deadline that only the daemon knows, so that its own words at the
     * deadline arrive. The caller must bound the wait.
     */
    public RuntimeServiceGrpc.RuntimeServiceBlockingStub runtimeWithTheirDeadline(
            Duration deadline) {
        Metadata headers = new Metadata();
        headers.put(
                Metadata.Key.of("grpc-timeout", Metadata.ASCII_STRING_MARSHALLER),
                deadline.toMillis() + "m");
        return RuntimeServiceGrpc.newBlockingStub(channel)
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
    }

    public ImageServiceGrpc.ImageServiceBlockingStub images() {
        return ImageServiceGrpc.newBlockingStub(channel)
                .withDeadlineAfter(Duration.ofMinutes(5).toNanos(), TimeUnit.NANOSECONDS);
    }

    @Override
    public void close() {
        channel.shutdownNow();
        try {
            channel.awaitTermination(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        eventLoop
                .shutdownGracefully(0, 1, TimeUnit.SECONDS)
                .awaitUninterruptibly(2, TimeUnit.SECONDS);
    }
}
