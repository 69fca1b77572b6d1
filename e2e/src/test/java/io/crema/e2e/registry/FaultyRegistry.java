package io.crema.e2e.registry;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.crema.e2e.node.NetworkNamespace;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** Stands in front of a registry, counts what is asked, and answers wrongly when told to. */
public final class FaultyRegistry implements AutoCloseable {
    private static final List<String> HEADERS =
            List.of(
                    "Content-Type",
                    "Content-Range",
                    "Accept-Ranges",
                    "Docker-Content-Digest",
                    "Docker-Distribution-Api-Version",
                    "Www-Authenticate");

    /** What becomes of one answer. */
    public sealed interface Fault {}

    public record None() implements Fault {}

    /** The connection ends after so many bytes of the body. */
    public record Cut(int bytes) implements Fault {}

    /** One bit of the body is wrong. */
    public record Flip(int at) implements Fault {}

    /**
     * The body's first bytes come at once, then one each pause, and all the rest at the next
     * script.
     */
    public record Drip(int bytes, long pauseMillis) implements Fault {}

    /** Something else than the registry's answer. */
    public record Answer(int status, Map<String, String> headers) implements Fault {}

    private final NetworkNamespace network;
    private final String upstream;
    private final HttpServer server;
    private final List<String> requests = new CopyOnWriteArrayList<>();
    private volatile Function<String, Fault> script = _ -> new None();
    private volatile CountDownLatch released = new CountDownLatch(1);

    public FaultyRegistry(TestRegistry registry, NetworkNamespace network) {
        this.network = network;
        this.upstream = registry.address();
        this.server =
                network.call(() ->
                        HttpServer.create(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64));
        server.createContext("/", this::handle);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.start();
    }

    public String address() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    /**
     * Forgets what was asked, and from now on decides for each request.
     *
     * @param decide from "METHOD /path" to what happens
     */
    public void script(Function<String, Fault> decide) {
        requests.clear();
        script = decide;
        released.countDown();
        released = new CountDownLatch(1);
    }

    public void behave() {
        script(_ -> new None());
    }

    /** All requests since the last script, as "METHOD /path". */
    public List<String> requests() {
        return List.copyOf(requests);
    }

    private void handle(HttpExchange exchange) throws IOException {
        String request = exchange.getRequestMethod() + " " + exchange.getRequestURI();
        requests.add(request);
        Fault fault = script.apply(request);
        try (exchange) {
            if (fault instanceof Answer(int status, Map<String, String> headers)) {
                headers.forEach((name, value) -> exchange.getResponseHeaders().set(name, value));
                exchange.sendResponseHeaders(status, -1);
                return;
            }
            Upstream answer = ask(exchange);
            answer.headers.forEach((name, value) -> exchange.getResponseHeaders().set(name, value));
            if (exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseHeaders().set("Content-Length", answer.length);
                exchange.sendResponseHeaders(answer.status, -1);
                return;
            }
            exchange.sendResponseHeaders(
                    answer.status, answer.body.length == 0 ? -1 : answer.body.length);
            OutputStream out = exchange.getResponseBody();
            switch (fault) {
                case None _, Answer _ -> out.write(answer.body);
                case Cut(int bytes) -> {
                    out.write(answer.body, 0, Math.min(bytes, answer.body.length));
                    out.flush();
                }
                case Flip(int at) -> {
                    if (at < answer.body.length) {
                        answer.body[at] ^= 1;
                    }
                    out.write(answer.body);
                }
                case Drip(int bytes, long pauseMillis) ->
                        drip(out, answer.body, bytes, pauseMillis);
            }
        }
    }

    private void drip(OutputStream out, byte[] body, int bytes, long pauseMillis)
            throws IOException {
        CountDownLatch until = released;
        try {
            int at = Math.min(bytes, body.length);
            out.write(body, 0, at);
            out.flush();
            while (at < body.length && !until.await(pauseMillis, TimeUnit.MILLISECONDS)) {
                out.write(body[at++]);
                out.flush();
            }
            out.write(body, at, body.length - at);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private record Upstream(int status, String length, Map<String, String> headers, byte[] body) {}

    private Upstream ask(HttpExchange exchange) {
        return network.call(() -> {
            HttpURLConnection connection =
                    (HttpURLConnection)
                            URI.create("http://" + upstream + exchange.getRequestURI())
                                    .toURL()
                                    .openConnection();
            connection.setRequestMethod(exchange.getRequestMethod());
            connection.setRequestProperty("Connection", "close");
            for (String name : List.of("Accept", "Authorization", "Range")) {
                List<String> values = exchange.getRequestHeaders().get(name);
                if (values != null) {
                    connection.setRequestProperty(name, String.join(", ", values));
                }
            }
            int status = connection.getResponseCode();
            Map<String, String> headers = new java.util.TreeMap<>();
            for (String name : HEADERS) {
                String value = connection.getHeaderField(name);
                if (value != null) {
                    headers.put(name, value);
                }
            }
            String length = connection.getHeaderField("Content-Length");
            InputStream in =
                    status >= 400 ? connection.getErrorStream() : connection.getInputStream();
            return new Upstream(
                    status,
                    length == null ? "0" : length,
                    headers,
                    in == null ? new byte[0] : in.readAllBytes());
        });
    }

    @Override
    public void close() {
        released.countDown();
        server.stop(0);
    }
}
