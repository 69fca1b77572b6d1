package io.crema.image.registry;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.image.registry.TrustedCertificates.HostFiles;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Redirect;
import java.net.http.HttpClient.Version;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * The HTTP clients of this program, made at first use: one for plain HTTP, one for TLS by the
 * system's authorities, and one for each host whose TLS differs. They share their threads, follow
 * no redirects and know no credentials.
 */
final class HttpConnections implements AutoCloseable {
    /** How a connection is secured; one HTTP client each. */
    private sealed interface Security {
        record Plain() implements Security {}

        record Verified(HostFiles host) implements Security {}

        record Unverified(HostFiles host) implements Security {}
    }

    private static final int MAX_CLIENTS = 32;

    private static final Duration HELD_BY_JDK = Duration.ofMillis(50);

    private final TransferPolicy policy;
    private final TrustedCertificates certificates;
    private final EnvironmentProxies proxies;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    /** Least recently used first. */
    private final LinkedHashMap<Security, HttpClient> clients = new LinkedHashMap<>(8, 0.75f, true);

    private boolean closed;

    HttpConnections(
            TransferPolicy policy,
            TrustedCertificates certificates,
            Map<String, String> environment) {
        this.policy = policy;
        this.certificates = certificates;
        this.proxies = new EnvironmentProxies(environment);
        // The JDK reads these once, when its HTTP classes load. Its HTTP/2 windows (16 MiB for a
        // stream) would let a few slow layers hold more memory than a pull may use.
        setDefault("jdk.httpclient.windowsize", "2097152");
        setDefault("jdk.httpclient.connectionWindowSize", "16777216");
        // A fourth of the reads, each handed from thread to thread, that its 16 KiB make.
        setDefault("jdk.httpclient.bufsize", "65536");
        if (proxies.hasAuthorization()) {
            setDefault("jdk.http.auth.tunneling.disabledSchemes", "");
        }
    }

    private static void setDefault(String property, String value) {
        if (System.getProperty(property) == null) {
            System.setProperty(property, value);
        }
    }

    /**
     * Sends a GET or POST and returns when the head of the answer is there.
     *
     * @param insecure whether an unverified certificate will do
     * @throws IOException for everything between us and the server
     * @throws DeadlineExceededException when the deadline passed meanwhile
     */
    HttpResponse<ResponseBody> send(
            HttpRequest.Builder builder, URI uri, boolean insecure, Deadline deadline)
            throws IOException {
        deadline.check("an answer of " + uri.getAuthority());
        boolean tls = "https".equals(uri.getScheme());
        String proxyAuthorization = proxies.authorization(uri);
        if (!proxyAuthorization.isEmpty()) {
            builder.header("Proxy-Authorization", proxyAuthorization);
        }
        HttpRequest request =
                builder.uri(uri)
                        // Upgrading plain HTTP to HTTP/2 costs a header and gains nothing here.
                        .version(tls ? Version.HTTP_2 : Version.HTTP_1_1)
                        .timeout(
                                min(policy.responseTimeout(), deadline.remaining())
                                        .plus(HELD_BY_JDK))
                        .build();
        try {
            return client(security(uri, tls, insecure))
                    .send(
                            request,
                            head ->
                                    new ResponseBody(
                                            policy.stallTimeout(), policy.stallBytes(), deadline));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            InterruptedIOException interrupted =
                    new InterruptedIOException("interrupted while waiting for the registry");
            interrupted.initCause(e);
            throw interrupted;
        } catch (IOException e) {
            if (deadline.hasPassed()) {
                DeadlineExceededException late =
                        new DeadlineExceededException("an answer of " + uri.getAuthority());
                late.addSuppressed(e);
                throw late;
            }
            throw e;
        }
    }

    private Security security(URI uri, boolean tls, boolean insecure) {
        if (!tls) {
            return new Security.Plain();
        }
        HostFiles files = certificates.filesOf(uri.getAuthority());
        return insecure ? new Security.Unverified(files) : new Security.Verified(files);
    }

    private HttpClient client(Security security) throws IOException {
        HttpClient evicted = null;
        try {
            synchronized (clients) {
                if (closed) {
                    throw new IOException("the registry client is closed");
                }
                HttpClient known = clients.get(security);
                if (known != null) {
                    return known;
                }
                SSLContext context =
                        switch (security) {
                            case Security.Plain _ -> new NoTls();
                            case Security.Verified(HostFiles host) -> certificates.verifying(host);
                            case Security.Unverified(HostFiles host) ->
                                    certificates.unverified(host);
                        };
                HttpClient made =
                        HttpClient.newBuilder()
                                .executor(threads)
                                .connectTimeout(policy.connectTimeout())
                                .followRedirects(Redirect.NEVER)
                                .proxy(proxies)
                                .sslContext(context)
                                .build();
                clients.put(security, made);
                if (clients.size() > MAX_CLIENTS) {
                    evicted = clients.pollFirstEntry().getValue();
                }
                return made;
            }
        } finally {
            shutDown(evicted);
        }
    }

    /** Lets transfers of that client finish; its thread ends after the last. */
    private static void shutDown(@Nullable HttpClient client) {
        if (client != null) {
            client.shutdown();
        }
    }

    private static Duration min(Duration one, Duration other) {
        return one.compareTo(other) <= 0 ? one : other;
    }

    /** Ends all transfers. */
    @Override
    public void close() {
        synchronized (clients) {
            closed = true;
            clients.values().forEach(HttpClient::shutdownNow);
            clients.clear();
        }
        threads.shutdownNow();
    }
}
