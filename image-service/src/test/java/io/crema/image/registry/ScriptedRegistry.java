package io.crema.image.registry;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import io.crema.base.Digest;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;

/**
 * An HTTP server on loopback that says what a test tells it to, and remembers what it was asked.
 */
final class ScriptedRegistry implements AutoCloseable {
    /** One request as it came. */
    record Request(String method, String path, String query, Headers headers, String body) {
        String header(String name) {
            String value = headers.getFirst(name);
            return value == null ? "" : value;
        }
    }

    /** What to do with one request; the exchange is closed afterwards. */
    @FunctionalInterface
    interface Answer {
        void give(HttpExchange exchange) throws IOException;
    }

    private final HttpServer server;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final Map<String, Deque<Answer>> answers = new ConcurrentHashMap<>();
    private final List<Request> requests = Collections.synchronizedList(new ArrayList<>());
    private final CountDownLatch closing = new CountDownLatch(1);

    private ScriptedRegistry(HttpServer server) {
        this.server = server;
        server.createContext("/", this::handle);
        server.setExecutor(threads);
        server.start();
        on("/v2/", status(200, ""));
    }

    static ScriptedRegistry plain() {
        try {
            return new ScriptedRegistry(HttpServer.create(loopback(), 0));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static ScriptedRegistry tls(SSLContext context, boolean wantsClientCertificate) {
        try {
            HttpsServer server = HttpsServer.create(loopback(), 0);
            server.setHttpsConfigurator(
                    new HttpsConfigurator(context) {
                        @Override
                        public void configure(HttpsParameters parameters) {
                            SSLParameters ssl = context.getDefaultSSLParameters();
                            ssl.setNeedClientAuth(wantsClientCertificate);
                            parameters.setSSLParameters(ssl);
                        }
                    });
            return new ScriptedRegistry(server);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static InetSocketAddress loopback() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    }

    String host() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    String url(String path) {
        return (server instanceof HttpsServer ? "https://" : "http://") + host() + path;
    }

    /** Answers requests for a path one after the other; the last answer stays. */
    ScriptedRegistry on(String path, Answer... inTurn) {
        answers.put(path, new ArrayDeque<>(Arrays.asList(inTurn)));
        return this;
    }

    List<Request> requests(String path) {
        synchronized (requests) {
            return requests.stream().filter(r -> r.path().equals(path)).toList();
        }
    }

    List<Request> requests() {
        synchronized (requests) {
            return List.copyOf(requests);
        }
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            String query = exchange.getRequestURI().getRawQuery();
            String body =
                    new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
            requests.add(
                    new Request(
                            exchange.getRequestMethod(),
                            path,
                            query == null ? "" : query,
                            exchange.getRequestHeaders(),
                            body));
            Answer answer = status(404, "");
            Deque<Answer> left = answers.get(path);
            if (left != null) {
                synchronized (left) {
                    answer = left.size() > 1 ? left.removeFirst() : left.getFirst();
                }
            }
            answer.give(exchange);
        }
    }

    static Answer status(int status, String body, String... headers) {
        return exchange -> {
            for (int i = 0; i < headers.length; i += 2) {
                exchange.getResponseHeaders().add(headers[i], headers[i + 1]);
            }
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
            if (bytes.length > 0) {
                exchange.getResponseBody().write(bytes);
            }
        };
    }

    static Answer redirect(int status, String location) {
        return status(status, "", "Location", location);
    }

    static Answer content(String type, byte[] bytes) {
        return exchange -> {
            exchange.getResponseHeaders().add("Content-Type", type);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
        };
    }

    /** A blob as registries serve it, ranges included. */
    static Answer blob(byte[] bytes) {
        return brokenBlob(bytes, bytes.length);
    }

    /** A blob whose transfer breaks off after so many bytes; the length header is right. */
    static Answer brokenBlob(byte[] bytes, int sent) {
        return exchange -> {
            String range = exchange.getRequestHeaders().getFirst("Range");
            int from = 0;
            int end = bytes.length;
            if (range != null) {
                int dash = range.indexOf('-');
                from = Integer.parseInt(range.substring("bytes=".length(), dash));
                if (dash + 1 < range.length()) {
                    end = Integer.parseInt(range.substring(dash + 1)) + 1;
                }
                exchange.getResponseHeaders()
                        .add(
                                "Content-Range",
                                "bytes " + from + "-" + (end - 1) + "/" + bytes.length);
            }
            exchange.sendResponseHeaders(range == null ? 200 : 206, end - from);
            OutputStream out = exchange.getResponseBody();
            out.write(bytes, from, Math.min(sent, end - from));
            out.flush();
        };
    }

    /**
     * A broken blob that breaks only when the test has read what was sent; else the break may
     * overtake the bytes.
     */
    static Answer brokenBlob(byte[] bytes, int sent, CountDownLatch read) {
        return exchange -> {
            brokenBlob(bytes, sent).give(exchange);
            try {
                if (!read.await(30, TimeUnit.SECONDS)) {
                    throw new IllegalStateException("the test has not read the bytes");
                }
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
        };
    }

    /** Passes on only requests with that Authorization; challenges all others. */
    static Answer guarded(String authorization, String challenge, Answer inside) {
        return exchange -> {
            if (authorization.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
                inside.give(exchange);
            } else {
                status(
                                401,
                                "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"log"
                                        + " in\"}]}",
                                "WWW-Authenticate",
                                challenge)
                        .give(exchange);
            }
        };
    }

    /** Sends so many bytes and then nothing, until the test is over. */
    Answer stalling(int length, byte[] sent) {
        return exchange -> {
            exchange.sendResponseHeaders(200, length);
            exchange.getResponseBody().write(sent);
            exchange.getResponseBody().flush();
            awaitClosing();
        };
    }

    /** Says nothing at all until the test is over. */
    Answer silent() {
        return exchange -> awaitClosing();
    }

    private void awaitClosing() {
        try {
            if (!closing.await(30, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the test went on for too long");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    boolean isClosing() {
        return closing.getCount() == 0;
    }

    /** Puts an image of one layer there. */
    Pushed push(String repository, String tag, byte[] layer) {
        byte[] config =
                "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\"}}"
                        .getBytes(StandardCharsets.UTF_8);
        String text =
                "{\"schemaVersion\":2,\"mediaType\":\""
                        + MediaTypes.OCI_MANIFEST
                        + "\",\"config\":"
                        + json(MediaTypes.OCI_CONFIG, config, "")
                        + ",\"layers\":["
                        + json(MediaTypes.OCI_LAYER, layer, "")
                        + "]}";
        byte[] manifest = text.getBytes(StandardCharsets.UTF_8);
        Pushed pushed = new Pushed(repository, manifest, config, layer);
        Answer answer = content(MediaTypes.OCI_MANIFEST, manifest);
        on("/v2/" + repository + "/manifests/" + tag, answer);
        on(pushed.manifestPath(), answer);
        on(pushed.blobPath(config), blob(config));
        on(pushed.blobPath(layer), blob(layer));
        return pushed;
    }

    /** What {@link #push} put where. */
    record Pushed(String repository, byte[] manifest, byte[] config, byte[] layer) {
        String manifestPath() {
            return "/v2/" + repository + "/manifests/" + digest(manifest);
        }

        String blobPath(byte[] content) {
            return "/v2/" + repository + "/blobs/" + digest(content);
        }
    }

    static Digest digest(byte[] content) {
        return ManifestReader.digest(content, "sha256");
    }

    static ContentDescriptor descriptor(byte[] content) {
        return ContentDescriptor.of(MediaTypes.OCI_LAYER, digest(content), content.length);
    }

    /** A descriptor as manifests write it; more begins with a comma. */
    static String json(String mediaType, byte[] content, String more) {
        return "{\"mediaType\":\""
                + mediaType
                + "\",\"digest\":\""
                + digest(content)
                + "\",\"size\":"
                + content.length
                + more
                + "}";
    }

    @Override
    public void close() {
        closing.countDown();
        server.stop(0);
        threads.shutdownNow();
    }
}
