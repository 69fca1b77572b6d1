package io.crema.runtime.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.nri.ttrpc.Request;
import io.crema.nri.ttrpc.Response;
import io.crema.nri.ttrpc.Status;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.process.PollLoop;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Unary calls in both directions over one socket. Our calls may be made by any number of threads;
 * each call of the other side is served on a virtual thread of its own, a bounded number at a time.
 */
public final class RpcConnection implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RpcConnection.class);

    /** Many more than a plugin, which calls us once and then hardly ever, has use for. */
    private static final int MOST_SERVED = 16;

    /** Each is held several times while it is read. */
    private static final int MOST_SERVED_BYTES = Frame.MOST_PAYLOAD_BYTES + (1 << 20);

    private static final Duration ANSWER_TIME = Duration.ofSeconds(10);

    /** What the other side may call. */
    @FunctionalInterface
    public interface Service {
        /**
         * @param service its full name in the protocol
         * @throws RpcException to answer with that error
         */
        MessageLite serve(String service, String method, ByteString request)
                throws InvalidProtocolBufferException;
    }

    private final Trunk trunk;
    private final Service service;
    private final Map<Integer, CompletableFuture<Response>> calls = new ConcurrentHashMap<>();
    private final AtomicInteger served = new AtomicInteger();
    private final AtomicInteger servedBytes = new AtomicInteger();
    // Guarded by the trunk's turn to send.
    private int nextStream = 1;
    // Of the loop's thread alone.
    private int lastServedStream;

    private RpcConnection(Trunk trunk, Service service) {
        this.trunk = trunk;
        this.service = service;
    }

    /** Takes over a connected socket and begins to serve. */
    public static RpcConnection open(
            Linux linux, PollLoop loop, Descriptor socket, Service service) {
        Trunk trunk = new Trunk(linux, loop, socket);
        RpcConnection connection = new RpcConnection(trunk, service);
        trunk.start(connection::answered, connection::called);
        var _ = trunk.closed().thenAccept(connection::failAll);
        return connection;
    }

    /** The other side is known now, and what it sends may be long. */
    public void allowLongMessages() {
        trunk.allowLongMessages();
    }

    /** Whether the connection has ended, whoever ended it. */
    public boolean isClosed() {
        return trunk.isClosed();
    }

    /**
     * Completed with the reason when the connection has ended, whoever ended it. Each is kept until
     * then: for those who want to be told, not for those who look.
     */
    public CompletableFuture<String> closed() {
        return trunk.closed();
    }

    /** About how many want to be told of the end. */
    int listeners() {
        return trunk.listeners();
    }

    /**
     * Calls the other side and waits for its answer.
     *
     * @throws RpcException when there is none or it is an error
     */
    public <T extends MessageLite> T call(
            String serviceName,
            String method,
            MessageLite request,
            Parser<T> parser,
            Deadline deadline) {
        byte[] payload =
                Request.newBuilder()
                        .setService(serviceName)
                        .setMethod(method)
                        .setPayload(request.toByteString())
                        .setTimeoutNano(Math.max(1, deadline.remainingNanos()))
                        .build()
                        .toByteArray();
        if (payload.length > Frame.MOST_PAYLOAD_BYTES) {
            throw RpcException.oversized(payload.length);
        }
        CompletableFuture<Response> answer = new CompletableFuture<>();
        int[] stream = new int[1];
        try {
            trunk.send(
                    Trunk.PLUGIN_SERVICE,
                    () -> {
                        stream[0] = nextStream;
                        nextStream += 2;
                        calls.put(stream[0], answer);
                        return Frame.request(stream[0], payload);
                    },
                    deadline);
            trunk.requireOpen();
            return result(await(answer, deadline), parser);
        } finally {
            calls.remove(stream[0]);
        }
    }

    private static Response await(CompletableFuture<Response> answer, Deadline deadline) {
        try {
            return answer.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw RpcException.timedOut("it did not answer in time");
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RpcException known
                    ? known
                    : RpcException.closed(String.valueOf(e.getCause()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw RpcException.timedOut("interrupted");
        }
    }

    private static <T extends MessageLite> T result(Response response, Parser<T> parser) {
        if (response.getStatus().getCode() != 0) {
            throw RpcException.refused(
                    response.getStatus().getCode(), response.getStatus().getMessage());
        }
        try {
            return parser.parseFrom(response.getPayload());
        } catch (InvalidProtocolBufferException e) {
            throw RpcException.refused(
                    RpcException.INTERNAL, "its answer cannot be read: " + e.getMessage());
        }
    }

    private void answered(Frame frame) {
        CompletableFuture<Response> call = calls.get(frame.stream());
        if (call == null || frame.type() != Frame.RESPONSE) {
            return; // too late, or of a kind that unary calls do not have
        }
        try {
            call.complete(Response.parseFrom(frame.payload()));
        } catch (InvalidProtocolBufferException e) {
            call.completeExceptionally(
                    RpcException.refused(
                            RpcException.INTERNAL, "its answer cannot be read: " + e.getMessage()));
        }
    }

    private void called(Frame frame) {
        if (frame.type() != Frame.REQUEST) {
            return;
        }
        int stream = frame.stream();
        if (stream % 2 == 0 || Integer.compareUnsigned(stream, lastServedStream) <= 0) {
            start(
                    0,
                    () ->
                            answer(
                                    stream,
                                    failed(
                                            RpcException.INVALID_ARGUMENT,
                                            "the number of a stream must be odd and greater than the last")));
            return;
        }
        lastServedStream = stream;
        start(frame.payload().length, () -> answer(stream, serve(frame)));
    }

    private void start(int bytes, Runnable work) {
        // Only this thread adds, so nothing is to be taken back.
        if (served.get() >= MOST_SERVED || servedBytes.get() + bytes > MOST_SERVED_BYTES) {
            trunk.close(
                    "it has more than "
                            + MOST_SERVED
                            + " calls unanswered, or more than "
                            + MOST_SERVED_BYTES
                            + " bytes of them");
            return;
        }
        served.incrementAndGet();
        servedBytes.addAndGet(bytes);
        Thread.ofVirtual()
                .name("ttrpc")
                .start(() -> {
                    try {
                        work.run();
                    } finally {
                        served.decrementAndGet();
                        servedBytes.addAndGet(-bytes);
                    }
                });
    }

    private Response serve(Frame frame) {
        String called = "a call";
        try {
            Request request = Request.parseFrom(frame.payload());
            called = request.getService() + "/" + request.getMethod();
            MessageLite answer =
                    service.serve(request.getService(), request.getMethod(), request.getPayload());
            return Response.newBuilder()
                    .setStatus(Status.getDefaultInstance())
                    .setPayload(answer.toByteString())
                    .build();
        } catch (InvalidProtocolBufferException e) {
            return failed(RpcException.INVALID_ARGUMENT, called + " cannot be read: " + e);
        } catch (RpcException e) {
            return failed(e.code() == 0 ? RpcException.INTERNAL : e.code(), e.reason());
        } catch (CremaException e) {
            return failed(RpcException.INTERNAL, String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            LOG.error("{} of a plugin failed", called, e);
            return failed(RpcException.INTERNAL, e.toString());
        }
    }

    private static Response failed(int code, String words) {
        return Response.newBuilder()
                .setStatus(Status.newBuilder().setCode(code).setMessage(words))
                .build();
    }

    private void answer(int stream, Response response) {
        byte[] payload = response.toByteArray();
        byte[] sent =
                payload.length <= Frame.MOST_PAYLOAD_BYTES
                        ? payload
                        : failed(
                                        RpcException.RESOURCE_EXHAUSTED,
                                        "the answer is longer than a message may be")
                                .toByteArray();
        try {
            trunk.send(
                    Trunk.RUNTIME_SERVICE,
                    () -> Frame.response(stream, sent),
                    Deadline.after(ANSWER_TIME));
        } catch (RpcException e) {
            LOG.debug("an answer was not sent: {}", e.reason());
        }
    }

    private void failAll(String reason) {
        RpcException failure = RpcException.closed(reason);
        calls.values().forEach(call -> call.completeExceptionally(failure));
    }

    /** Ends the connection; calls that wait fail with the reason. */
    public void close(String reason) {
        trunk.close(reason);
    }

    @Override
    public void close() {
        close("closed");
    }
}
