package io.crema.image.registry;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import javax.net.ssl.SSLSocket;
import org.apache.hc.core5.http.ClassicHttpRequest;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.HttpEntity;
import org.apache.hc.core5.http.HttpException;
import org.apache.hc.core5.http.config.Http1Config;
import org.apache.hc.core5.http.impl.DefaultConnectionReuseStrategy;
import org.apache.hc.core5.http.impl.io.DefaultBHttpClientConnection;
import org.apache.hc.core5.http.protocol.HttpCoreContext;
import org.apache.hc.core5.util.Timeout;
import org.jspecify.annotations.Nullable;

/** One connection to a registry or a proxy, which carries one exchange at a time. */
final class HttpConnection {
    private static final Http1Config BOUNDS =
            Http1Config.custom().setMaxLineLength(16 << 10).setMaxHeaderCount(200).build();

    private final Wire wire;
    private final DefaultBHttpClientConnection http = new DefaultBHttpClientConnection(BOUNDS);

    /**
     * @param socket the wire, or TLS over it
     */
    HttpConnection(Wire wire, Socket socket) throws IOException {
        this.wire = wire;
        if (socket instanceof SSLSocket tls) {
            http.bind(tls, wire);
        } else {
            http.bind(socket);
        }
    }

    /** What came for a request: the head, and its body where there is one. */
    record Received(ClassicHttpResponse head, @Nullable InputStream content, long contentBytes) {
        private static final long UNKNOWN = -1;
    }

    /** Reads fail at that {@code nanoTime}. */
    void readsUntil(long nanos) {
        wire.readsUntil(nanos);
    }

    /** Sends a request and reads the head of its answer. */
    ClassicHttpResponse head(ClassicHttpRequest request) throws IOException {
        try {
            http.sendRequestHeader(request);
            if (request.getEntity() != null) {
                http.sendRequestEntity(request);
            }
            http.flush();
            while (true) {
                ClassicHttpResponse response = http.receiveResponseHeader();
                if (response.getCode() >= 200) {
                    return response;
                }
            }
        } catch (HttpException e) {
            throw notHttp(e);
        }
    }

    Received exchange(ClassicHttpRequest request) throws IOException {
        ClassicHttpResponse head = head(request);
        if (head.getCode() == 204 || head.getCode() == 304) {
            return new Received(head, null, 0);
        }
        try {
            http.receiveResponseEntity(head);
        } catch (HttpException e) {
            throw notHttp(e);
        }
        HttpEntity entity = head.getEntity();
        return entity == null
                ? new Received(head, null, 0)
                : new Received(
                        head,
                        entity.getContent(),
                        entity.isChunked() ? Received.UNKNOWN : entity.getContentLength());
    }

    private static IOException notHttp(HttpException cause) {
        return new IOException("it does not speak HTTP: " + cause.getMessage(), cause);
    }

    /** Whether another exchange may follow when the body of this one was read to its end. */
    static boolean isReusable(ClassicHttpRequest request, ClassicHttpResponse head) {
        return DefaultConnectionReuseStrategy.INSTANCE.keepAlive(
                request, head, HttpCoreContext.create());
    }

    /** Whether the other side has neither closed it nor said anything unasked. */
    boolean isQuiet() {
        Timeout moment = Timeout.ofMilliseconds(1);
        wire.readsUntil(System.nanoTime() + moment.toDuration().toNanos());
        try {
            return !http.isStale() && !http.isDataAvailable(moment);
        } catch (IOException e) {
            return false;
        }
    }

    /** Ends it, whoever is waiting for it. */
    void abort() {
        wire.abort();
    }
}
