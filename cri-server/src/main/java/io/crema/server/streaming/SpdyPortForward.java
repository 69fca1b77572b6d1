package io.crema.server.streaming;

import io.crema.base.CremaException;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.runtime.streaming.DroppingSink;
import io.crema.runtime.streaming.PortConnection;
import io.crema.runtime.streaming.Streaming;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A port-forward session: the client opens two streams for each of its TCP connections, one for the
 * bytes and one for an error, and we connect to the port in the pod. A connection that fails leaves
 * the others alone.
 */
final class SpdyPortForward implements SpdySession.Purpose {
    static final String PROTOCOL = "portforward.k8s.io";

    private static final Logger LOG = LoggerFactory.getLogger(SpdyPortForward.class);
    private static final int MAX_PORT = 65535;

    private final Streaming streaming;
    private final PortForwardRequest request;
    private final Executor blocking;
    private final Duration creationTimeout;
    private final Map<String, Pair> incomplete = new HashMap<>();
    private final Set<Pair> connected = new HashSet<>();
    private SpdySession session;
    private boolean isGone;

    /** The two streams of one connection, and the connection once both are there. */
    private static final class Pair {
        private final String port;
        private @Nullable SpdyStream data;
        private @Nullable SpdyStream error;
        private @Nullable ScheduledFuture<?> waiting;
        private @Nullable PortConnection connection;
        private boolean isCancelled;

        Pair(String port) {
            this.port = port;
        }

        void cancel() {
            isCancelled = true;
            if (connection != null) {
                connection.cancel();
            }
        }
    }

    @SuppressWarnings("NullAway.Init") // the session is set by begin
    SpdyPortForward(
            Streaming streaming,
            PortForwardRequest request,
            Executor blocking,
            Duration creationTimeout) {
        this.streaming = streaming;
        this.request = request;
        this.blocking = blocking;
        this.creationTimeout = creationTimeout;
    }

    @Override
    public void begin(SpdySession begun) {
        session = begun;
    }

    @Override
    public void opened(SpdyStream stream) {
        String type = stream.header("streamtype");
        String port = stream.header("port");
        if (type == null || !(type.equals("data") || type.equals("error"))) {
            session.refuse(stream, "streamtype '" + type + "' is neither data nor error");
            return;
        }
        if (port == null || !isPort(port)) {
            session.refuse(stream, "port '" + port + "' is not a port");
            return;
        }
        String id = requestId(stream, type);
        Pair pair = incomplete.get(id);
        if (pair != null && (type.equals("data") ? pair.data : pair.error) != null) {
            session.refuse(stream, "a second " + type + " stream for request " + id);
            return;
        }
        if (pair == null) {
            Pair first = new Pair(port);
            first.waiting =
                    session.context()
                            .executor()
                            .schedule(
                                    () -> giveUp(id, first),
                                    creationTimeout.toMillis(),
                                    TimeUnit.MILLISECONDS);
            incomplete.put(id, first);
            pair = first;
        }
        session.accept(stream);
        if (type.equals("data")) {
            pair.data = stream;
        } else {
            pair.error = stream;
            stream.inlet().attach(DroppingSink.INSTANCE);
        }
        if (pair.data != null && pair.error != null) {
            incomplete.remove(id);
            if (pair.waiting != null) {
                pair.waiting.cancel(false);
            }
            connect(pair, pair.data, pair.error);
        }
    }

    /** Clients of old send no request id; their data stream follows the error stream. */
    private static String requestId(SpdyStream stream, String type) {
        String id = stream.header("requestid");
        if (id != null && !id.isEmpty()) {
            return id;
        }
        return Integer.toString(type.equals("data") ? stream.id() - 2 : stream.id());
    }

    private static boolean isPort(String text) {
        try {
            int port = Integer.parseInt(text);
            return port > 0 && port <= MAX_PORT;
        } catch (NumberFormatException e) {
            return false;
        }
    }

    private void giveUp(String id, Pair pair) {
        incomplete.remove(id);
        if (pair.error != null) {
            say(pair.error, "timed out waiting for the data stream of request " + id);
        }
        if (pair.data != null) {
            session.refuse(pair.data, "no error stream for request " + id + " came in time");
        }
    }

    private void connect(Pair pair, SpdyStream data, SpdyStream error) {
        connected.add(pair);
        data.whenReset(pair::cancel);
        // Clients wait for the end of the error stream before they let go of the connection. What
        // failed is told before that, hence the moment's patience.
        data.whenEndedByUs(() -> {
            var _ =
                    session.context()
                            .executor()
                            .schedule(error.outlet()::end, 50, TimeUnit.MILLISECONDS);
        });
        blocking.execute(() -> {
            try {
                PortConnection connection =
                        streaming.connect(
                                request.getPodSandboxId(),
                                Integer.parseInt(pair.port),
                                data.outlet());
                onLoop(() -> connected(pair, data, error, connection), connection::cancel);
            } catch (RuntimeException | Error e) {
                onLoop(() -> over(pair, data, error, e), () -> {});
            }
        });
    }

    private void connected(
            Pair pair, SpdyStream data, SpdyStream error, PortConnection connection) {
        pair.connection = connection;
        if (isGone || pair.isCancelled) {
            connection.cancel();
        } else {
            data.inlet().attach(connection.toPod());
        }
        var _ =
                connection
                        .end()
                        .whenComplete((done, failure) ->
                                onLoop(() -> over(pair, data, error, failure), () -> {}));
    }

    private void over(Pair pair, SpdyStream data, SpdyStream error, @Nullable Throwable failure) {
        connected.remove(pair);
        if (isGone) {
            return;
        }
        if (failure != null && !pair.isCancelled) {
            say(
                    error,
                    "error forwarding port "
                            + pair.port
                            + " to pod "
                            + request.getPodSandboxId()
                            + ": "
                            + words(failure));
        }
        error.outlet().end();
        data.outlet().end();
        data.inlet().close();
    }

    private static String words(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null
                        ? failure.getCause()
                        : failure;
        if (!(cause instanceof CremaException)) {
            LOG.error("internal error in a port-forward", cause);
        }
        return String.valueOf(cause.getMessage());
    }

    private static void say(SpdyStream error, String text) {
        var _ = error.outlet().write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
        error.outlet().end();
    }

    @Override
    public void gone() {
        isGone = true;
        for (Pair pair : incomplete.values()) {
            if (pair.waiting != null) {
                pair.waiting.cancel(false);
            }
        }
        incomplete.clear();
        for (Pair pair : List.copyOf(connected)) {
            pair.cancel();
        }
    }

    private void onLoop(Runnable task, Runnable instead) {
        try {
            session.context().executor().execute(task);
        } catch (RejectedExecutionException e) {
            // The server was closed and all connections with it.
            instead.run();
        }
    }
}
