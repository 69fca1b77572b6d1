package io.crema.server.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.Container;
import io.crema.cri.v1.RuntimeServiceGrpc;
import io.crema.cri.v1.StreamContainersRequest;
import io.crema.cri.v1.StreamContainersResponse;
import io.crema.server.base.ServerException;
import io.crema.server.http.HttpRoutes;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Streamed lists over a real socket, to callers that take what they like. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class PacedStreamTest {
    private static final int MESSAGES = 200;
    private static final String FILLER = "x".repeat(100_000);

    @TempDir private Path directory;
    private final AtomicInteger made = new AtomicInteger();
    private Optional<Integer> failsAt = Optional.empty();
    private EventLoopGroup clientLoop;
    private CriServer server;
    private ManagedChannel channel;

    PacedStreamTest() {
        clientLoop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    }

    @BeforeEach
    void serve() {
        Path socket = directory.resolve("s");
        server =
                new CriServer(
                        socket,
                        1 << 20,
                        16 << 20,
                        List.of(service()),
                        new HttpRoutes(),
                        (method, code, duration) -> {});
        server.start();
        channel =
                NettyChannelBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                        .channelType(EpollDomainSocketChannel.class)
                        .eventLoopGroup(clientLoop)
                        .usePlaintext()
                        .build();
    }

    @AfterEach
    void stop() {
        channel.shutdownNow();
        server.close();
        clientLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(2000);
    }

    private RuntimeServiceGrpc.RuntimeServiceImplBase service() {
        return new RuntimeServiceGrpc.RuntimeServiceImplBase() {
            @Override
            public void streamContainers(
                    StreamContainersRequest request,
                    StreamObserver<StreamContainersResponse> observer) {
                PacedStream.send(observer, messages());
            }
        };
    }

    private Iterator<StreamContainersResponse> messages() {
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return made.get() < MESSAGES;
            }

            @Override
            public StreamContainersResponse next() {
                int number = made.incrementAndGet();
                if (failsAt.equals(Optional.of(number))) {
                    throw new ServerException(
                            ErrorKind.UNAVAILABLE, "cannot make number " + number);
                }
                return StreamContainersResponse.newBuilder()
                        .addContainers(
                                Container.newBuilder()
                                        .setId(Integer.toString(number))
                                        .putLabels("l", FILLER))
                        .build();
            }
        };
    }

    /** Takes as many messages as it is told to. */
    private final class Caller extends ClientCall.Listener<StreamContainersResponse> {
        private final ClientCall<StreamContainersRequest, StreamContainersResponse> call =
                channel.newCall(
                        RuntimeServiceGrpc.getStreamContainersMethod(), CallOptions.DEFAULT);
        private final BlockingQueue<String> ids = new LinkedBlockingQueue<>();
        private final CompletableFuture<Status> end = new CompletableFuture<>();

        Caller() {
            call.start(this, new Metadata());
            call.sendMessage(StreamContainersRequest.getDefaultInstance());
            call.halfClose();
        }

        List<String> take(int count) throws InterruptedException {
            call.request(count);
            List<String> taken = new ArrayList<>();
            while (taken.size() < count) {
                taken.add(ids.take());
            }
            return taken;
        }

        @Override
        public void onMessage(StreamContainersResponse message) {
            ids.add(message.getContainers(0).getId());
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            end.complete(status);
        }
    }

    @Test
    void nothingIsMadeThatTheCallerDoesNotTake() throws Exception {
        Caller caller = new Caller();
        assertThat(caller.take(3)).containsExactly("1", "2", "3");
        // What the connection holds is about a megabyte; the rest must not follow by itself.
        Thread.sleep(300);
        assertThat(made.get()).isBetween(3, 40);
        List<String> rest = caller.take(MESSAGES - 3);
        assertThat(rest).hasSize(MESSAGES - 3).endsWith(Integer.toString(MESSAGES));
        caller.call.request(1);
        assertThat(caller.end.get().isOk()).isTrue();
    }

    @Test
    void aFailureInTheMiddleReachesTheCaller() throws Exception {
        failsAt = Optional.of(50);
        Caller caller = new Caller();
        assertThat(caller.take(49)).hasSize(49);
        caller.call.request(1);
        Status end = caller.end.get();
        assertThat(end.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(end.getDescription()).isEqualTo("cannot make number 50");
    }

    @Test
    void nothingIsMadeForACallerThatHasGone() throws Exception {
        Caller caller = new Caller();
        assertThat(caller.take(3)).hasSize(3);
        caller.call.cancel("enough", null);
        assertThat(caller.end.get().getCode()).isEqualTo(Status.Code.CANCELLED);
        int then = made.get();
        assertThat(then).isLessThan(40);
        Thread.sleep(100);
        assertThat(made.get()).isLessThan(then + 20);
    }

    @Test
    void anEmptyListIsNoMessage() throws Exception {
        made.set(MESSAGES);
        Caller caller = new Caller();
        caller.call.request(1);
        assertThat(caller.end.get().isOk()).isTrue();
        assertThat(caller.ids).isEmpty();
    }

    @Test
    void piecesHaveBounds() {
        List<Container> small = new ArrayList<>();
        for (int i = 0; i < 2500; i++) {
            small.add(Container.newBuilder().setId(Integer.toString(i)).build());
        }
        assertThat(sizes(small)).containsExactly(1000, 1000, 500);
        Container large = Container.newBuilder().putLabels("l", "x".repeat(700_000)).build();
        Container huge = Container.newBuilder().putLabels("l", "x".repeat(3_000_000)).build();
        assertThat(sizes(List.of(large, large, huge, small.getFirst(), small.getLast())))
                .containsExactly(1, 1, 1, 2);
        assertThat(sizes(List.of())).isEmpty();
    }

    private static List<Integer> sizes(List<Container> items) {
        List<Integer> sizes = new ArrayList<>();
        new Pieces<>(items, List::size).forEachRemaining(sizes::add);
        return sizes;
    }
}
