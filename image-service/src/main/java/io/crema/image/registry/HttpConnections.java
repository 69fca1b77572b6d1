package io.crema.image.registry;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.image.registry.TrustedCertificates.HostFiles;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.apache.hc.core5.http.ClassicHttpRequest;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.http.io.support.ClassicRequestBuilder;
import org.apache.hc.core5.http.message.BasicClassicHttpRequest;
import org.jspecify.annotations.Nullable;

/**
 * Connections to registries over HTTP/1.1, plain or by TLS, direct or through proxies. They are
 * kept for a while after a whole exchange, follow no redirects and know no credentials. Everything
 * happens in the caller's thread, straight from the socket into its buffer: the bytes of layers
 * leave no garbage and wake no other thread.
 */
final class HttpConnections implements AutoCloseable {
    /**
     * No connection came about in its time. Without the socket's exception as the cause: that one
     * passes for an interrupt.
     */
    static final class ConnectTimeoutException extends IOException {
        ConnectTimeoutException(String message) {
            super(message);
        }
    }

    /** The request was sent, but no answer came in its time. */
    static final class AnswerTimeoutException extends IOException {
        AnswerTimeoutException() {
            super("no answer in time");
        }
    }

    /** How a connection is secured; one TLS context each. */
    private sealed interface Security {
        record Plain() implements Security {}

        record Verified(HostFiles host) implements Security {}

        record Unverified(HostFiles host) implements Security {}
    }

    /** Connections of the same route are worth the same. */
    private record Route(String host, int port, Security security, Proxy proxy) {
        boolean isTls() {
            return !(security instanceof Security.Plain);
        }

        boolean isProxied() {
            return proxy.type() == Proxy.Type.HTTP;
        }
    }

    private record Idle(Route route, HttpConnection connection, long sinceNanos) {}

    private static final int MAX_CONTEXTS = 32;
    private static final int MAX_IDLE = 16;

    private static final Duration UNSEEN = Duration.ofSeconds(2);
    private static final String NOT_IN_TIME = "no connection in time";

    /** Most servers wait longer for the next request. */
    private static final Duration IDLE_LIFETIME = Duration.ofSeconds(15);

    private final TransferPolicy policy;
    private final TrustedCertificates certificates;
    private final EnvironmentProxies proxies;

    /** Least recently used first. */
    private final LinkedHashMap<Security, SSLContext> contexts =
            new LinkedHashMap<>(8, 0.75f, true);

    /** Oldest first. */
    private final Deque<Idle> idle = new ArrayDeque<>();

    private final Set<HttpConnection> inUse = new HashSet<>();
    private boolean sweeping;
    private boolean closed;

    HttpConnections(
            TransferPolicy policy,
            TrustedCertificates certificates,
            Map<String, String> environment) {
        this.policy = policy;
        this.certificates = certificates;
        this.proxies = new EnvironmentProxies(environment);
    }

    /**
     * Sends a request and returns when the head of the answer is there.
     *
     * @param insecure whether an unverified certificate will do
     * @throws IOException for everything between us and the server
     * @throws DeadlineExceededException when the deadline passed meanwhile
     */
    Answer send(ClassicRequestBuilder builder, URI uri, boolean insecure, Deadline deadline)
            throws IOException {
        deadline.check("an answer of " + place(uri));
        Route route = route(uri, insecure);
        ClassicHttpRequest request = request(builder, uri, route);
        try {
            HttpConnection kept = kept(route);
            if (kept != null) {
                try {
                    return exchange(kept, route, request, uri, deadline);
                } catch (AnswerTimeoutException e) {
                    // Perhaps the network between forgot it, and the others with it.
                    dropIdle(route);
                    throw e;
                } catch (IOException e) {
                    // The server may have closed it before the request came.
                    if (Thread.currentThread().isInterrupted() || deadline.hasPassed()) {
                        throw e;
                    }
                }
            }
            return exchange(connect(route, deadline), route, request, uri, deadline);
        } catch (IOException e) {
            if (Thread.currentThread().isInterrupted()) {
                throw interrupted(e);
            }
            if (deadline.hasPassed()) {
                DeadlineExceededException late =
                        new DeadlineExceededException("an answer of " + place(uri));
                late.addSuppressed(e);
                throw late;
            }
            throw e;
        }
    }

    /** What a wait of this thread fails with that somebody interrupted. */
    static InterruptedIOException interrupted(IOException cause) {
        InterruptedIOException interrupted =
                new InterruptedIOException("interrupted while waiting for the registry");
        interrupted.initCause(cause);
        return interrupted;
    }

    private Route route(URI uri, boolean insecure) {
        boolean tls = "https".equals(uri.getScheme());
        String host = EnvironmentProxies.bareHost(uri.getHost());
        int port = uri.getPort() >= 0 ? uri.getPort() : tls ? 443 : 80;
        Security security = new Security.Plain();
        if (tls) {
            HostFiles files = certificates.filesOf(place(uri));
            security = insecure ? new Security.Unverified(files) : new Security.Verified(files);
        }
        return new Route(host, port, security, proxies.select(uri));
    }

    private ClassicHttpRequest request(ClassicRequestBuilder builder, URI uri, Route route) {
        ClassicHttpRequest request = builder.setUri(uri).build();
        request.setHeader("Host", place(uri));
        if (request.getEntity() != null) {
            request.setHeader("Content-Length", request.getEntity().getContentLength());
            request.setHeader("Content-Type", request.getEntity().getContentType());
        }
        if (route.isProxied() && !route.isTls()) {
            if (request instanceof BasicClassicHttpRequest basic) {
                basic.setAbsoluteRequestUri(true);
            }
            authorize(request, uri);
        }
        return request;
    }

    private void authorize(ClassicHttpRequest request, URI uri) {
        String authorization = proxies.authorization(uri);
        if (!authorization.isEmpty()) {
            request.setHeader("Proxy-Authorization", authorization);
        }
    }

    private Answer exchange(
            HttpConnection connection,
            Route route,
            ClassicHttpRequest request,
            URI uri,
            Deadline deadline)
            throws IOException {
        boolean answered = false;
        try {
            connection.readsUntil(after(policy.responseTimeout(), deadline));
            HttpConnection.Received received = connection.exchange(request);
            ResponseBody body =
                    new ResponseBody(
                            connection,
                            request,
                            received,
                            ended -> keep(route, ended),
                            this::forget,
                            policy,
                            deadline);
            answered = true;
            return new Answer(
                    received.head().getCode(), uri, List.of(received.head().getHeaders()), body);
        } catch (SocketTimeoutException e) {
            throw new AnswerTimeoutException();
        } finally {
            if (!answered) {
                forget(connection);
            }
        }
    }

    private static long after(Duration wait, Deadline deadline) {
        return System.nanoTime() + Math.min(wait.toNanos(), Math.max(0, deadline.remainingNanos()));
    }

    // ---- connecting ----

    private HttpConnection connect(Route route, Deadline deadline) throws IOException {
        long until = after(policy.connectTimeout(), deadline);
        Wire wire = reachOrTell(route, until);
        HttpConnection connection = null;
        try {
            wire.readsUntil(until);
            connection = secured(wire, route);
            use(connection);
            return connection;
        } catch (SocketTimeoutException e) {
            throw new ConnectTimeoutException(NOT_IN_TIME);
        } finally {
            if (connection == null) {
                wire.abort();
            }
        }
    }

    /** A proxy that cannot be reached is not to be taken for the registry. */
    private static Wire reachOrTell(Route route, long untilNanos) throws IOException {
        try {
            return reach(route, untilNanos);
        } catch (IOException e) {
            throw route.isProxied() ? new ProxyFailureException(place(route.proxy()), e) : e;
        }
    }

    private HttpConnection secured(Wire wire, Route route) throws IOException {
        if (!route.isTls()) {
            return new HttpConnection(wire, wire);
        }
        if (route.isProxied()) {
            askForTunnel(wire, route);
        }
        SSLSocket socket =
                (SSLSocket)
                        context(route.security())
                                .getSocketFactory()
                                .createSocket(wire, route.host(), route.port(), true);
        SSLParameters parameters = socket.getSSLParameters();
        serverName(route.host()).ifPresent(name -> parameters.setServerNames(List.of(name)));
        if (route.security() instanceof Security.Verified) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        return new HttpConnection(wire, socket);
    }

    /** RFC 6066, section 3; the JDK by itself names no host without a dot. */
    private static Optional<SNIServerName> serverName(String host) {
        if (isLiteral(host)) {
            return Optional.empty();
        }
        try {
            return Optional.of(
                    new SNIHostName(
                            host.endsWith(".") ? host.substring(0, host.length() - 1) : host));
        } catch (IllegalArgumentException e) {
            // Names that DNS knows and TLS does not, such as those with an underscore.
            return Optional.empty();
        }
    }

    private static boolean isLiteral(String host) {
        return EnvironmentProxies.literal(host).length > 0;
    }

    /** RFC 9110, section 9.3.6. */
    private void askForTunnel(Wire wire, Route route) throws IOException {
        String authority = HttpHost.create(uri(route)).toHostString();
        BasicClassicHttpRequest request =
                new BasicClassicHttpRequest("CONNECT", (HttpHost) null, authority);
        request.setHeader("Host", authority);
        authorize(request, uri(route));
        int status = new HttpConnection(wire, wire).head(request).getCode();
        if (status == 407) {
            throw new ProxyFailureException(place(route.proxy()));
        }
        if (status >= 300) {
            throw new ProxyFailureException(
                    place(route.proxy()),
                    new IOException("it answers " + status + " when asked for a tunnel"));
        }
    }

    /** Host and port as the URL has them, never user and password. */
    static String place(URI uri) {
        return uri.getHost() + (uri.getPort() < 0 ? "" : ":" + uri.getPort());
    }

    private static URI uri(Route route) {
        String host = route.host().indexOf(':') < 0 ? route.host() : "[" + route.host() + "]";
        return URI.create("https://" + host + ":" + route.port());
    }

    private static String place(Proxy proxy) {
        return proxy.address() instanceof InetSocketAddress address
                ? address.getHostString() + ":" + address.getPort()
                : String.valueOf(proxy.address());
    }

    /** Tries the addresses of the server or its proxy in turn. */
    private static Wire reach(Route route, long untilNanos) throws IOException {
        InetSocketAddress target =
                route.isProxied() && route.proxy().address() instanceof InetSocketAddress proxy
                        ? proxy
                        : InetSocketAddress.createUnresolved(route.host(), route.port());
        InetAddress[] addresses = resolve(target.getHostString(), untilNanos);
        IOException failure = null;
        for (int i = 0; i < addresses.length; i++) {
            long left = untilNanos - System.nanoTime();
            if (left <= 0) {
                break;
            }
            try {
                // Each address may take its share of what is left.
                return Wire.connect(
                        new InetSocketAddress(addresses[i], target.getPort()),
                        Duration.ofNanos(left / (addresses.length - i)));
            } catch (SocketTimeoutException e) {
                failure = failure != null ? failure : new ConnectTimeoutException(NOT_IN_TIME);
            } catch (IOException e) {
                if (failure != null) {
                    e.addSuppressed(failure);
                }
                failure = e;
                if (Thread.currentThread().isInterrupted()) {
                    break;
                }
            }
        }
        throw failure != null ? failure : new ConnectTimeoutException(NOT_IN_TIME);
    }

    /** Asks on a thread of its own: the C library's resolver knows no time limit. */
    private static InetAddress[] resolve(String host, long untilNanos) throws IOException {
        if (isLiteral(host)) {
            return new InetAddress[] {InetAddress.ofLiteral(host)};
        }
        CompletableFuture<InetAddress[]> answer = new CompletableFuture<>();
        Thread.ofPlatform()
                .daemon()
                .name("resolve " + host)
                .start(() -> {
                    try {
                        answer.complete(InetAddress.getAllByName(host));
                    } catch (UnknownHostException | RuntimeException e) {
                        answer.completeExceptionally(e);
                    }
                });
        try {
            return answer.get(Math.max(0, untilNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while looking up " + host);
        } catch (TimeoutException e) {
            throw new ConnectTimeoutException("no address of " + host + " in time");
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException cause) {
                throw cause;
            }
            throw new IOException("looking up " + host, e.getCause());
        }
    }

    private SSLContext context(Security security) throws IOException {
        synchronized (contexts) {
            SSLContext known = contexts.get(security);
            if (known != null) {
                return known;
            }
            SSLContext made =
                    switch (security) {
                        case Security.Plain _ -> throw new IllegalStateException("plain HTTP");
                        case Security.Verified(HostFiles host) -> certificates.verifying(host);
                        case Security.Unverified(HostFiles host) -> certificates.unverified(host);
                    };
            contexts.put(security, made);
            if (contexts.size() > MAX_CONTEXTS) {
                contexts.pollFirstEntry();
            }
            return made;
        }
    }

    // ---- keeping ----

    private synchronized void use(HttpConnection connection) throws IOException {
        if (closed) {
            connection.abort();
            throw new IOException("the registry client is closed");
        }
        inUse.add(connection);
    }

    /** A connection of that route on which nothing was said meanwhile; null when there is none. */
    private @Nullable HttpConnection kept(Route route) throws IOException {
        while (true) {
            Idle one = taken(route);
            if (one == null) {
                return null;
            }
            // A look costs two milliseconds; what was used a moment ago is not worth them.
            boolean mayHaveChanged = System.nanoTime() - one.sinceNanos() > UNSEEN.toNanos();
            if (!mayHaveChanged || one.connection().isQuiet()) {
                return one.connection();
            }
            forget(one.connection());
        }
    }

    private synchronized @Nullable Idle taken(Route route) throws IOException {
        if (closed) {
            throw new IOException("the registry client is closed");
        }
        dropOld();
        for (Iterator<Idle> newestFirst = idle.descendingIterator(); newestFirst.hasNext(); ) {
            Idle one = newestFirst.next();
            if (one.route().equals(route)) {
                newestFirst.remove();
                inUse.add(one.connection());
                return one;
            }
        }
        return null;
    }

    /** Takes back a connection on which all was said. */
    private void keep(Route route, HttpConnection connection) {
        synchronized (this) {
            if (!closed && inUse.remove(connection)) {
                idle.addLast(new Idle(route, connection, System.nanoTime()));
                if (idle.size() > MAX_IDLE) {
                    idle.removeFirst().connection().abort();
                }
                if (!sweeping) {
                    sweeping = true;
                    Thread.ofVirtual().name("idle connections").start(this::sweep);
                }
                return;
            }
        }
        connection.abort();
    }

    /** Ends a connection in whatever state it is. */
    private void forget(HttpConnection connection) {
        connection.abort();
        synchronized (this) {
            inUse.remove(connection);
        }
    }

    /** Only with the lock held. */
    private void dropOld() {
        long oldest = System.nanoTime() - IDLE_LIFETIME.toNanos();
        while (!idle.isEmpty() && idle.getFirst().sinceNanos() - oldest < 0) {
            idle.removeFirst().connection().abort();
        }
    }

    private synchronized void dropIdle(Route route) {
        idle.removeIf(one -> {
            if (one.route().equals(route)) {
                one.connection().abort();
                return true;
            }
            return false;
        });
    }

    private void sweep() {
        while (true) {
            try {
                Thread.sleep(IDLE_LIFETIME);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
            synchronized (this) {
                dropOld();
                if (idle.isEmpty()) {
                    sweeping = false;
                    return;
                }
            }
        }
    }

    /** Ends all transfers. */
    @Override
    public void close() {
        List<HttpConnection> all = new ArrayList<>();
        synchronized (this) {
            closed = true;
            idle.forEach(one -> all.add(one.connection()));
            idle.clear();
            all.addAll(inUse);
            inUse.clear();
        }
        all.forEach(HttpConnection::abort);
    }
}
