package io.crema.e2e.registry;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.crema.e2e.image.Blob;
import io.crema.e2e.node.NetworkNamespace;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/** A registry that serves whatever it likes: manifests that no honest registry would take. */
public final class HostileRegistry implements AutoCloseable {
    private static final byte[] NOISE = "[[[[[[[[".repeat(1024).getBytes(StandardCharsets.US_ASCII);

    private final HttpServer server;
    private volatile List<Blob> manifests = List.of();
    private final AtomicLong sent = new AtomicLong();

    public HostileRegistry(NetworkNamespace network) {
        this.server =
                network.call(() ->
                        HttpServer.create(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16));
        server.createContext("/", this::handle);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.start();
    }

    /**
     * @param served the first answers every tag, each of them its digest; what nobody knows is
     *     answered with the first, too; without any, manifests have no end
     */
    public void serve(Blob... served) {
        manifests = List.of(served);
    }

    public String address() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    /** Bytes of bodies that somebody took. */
    public long sentBytes() {
        return sent.get();
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            String path = exchange.getRequestURI().getPath();
            if (!path.contains("/manifests/")) {
                exchange.sendResponseHeaders(path.equals("/v2/") ? 200 : 404, -1);
                return;
            }
            List<Blob> now = manifests;
            if (now.isEmpty()) {
                exchange.getResponseHeaders()
                        .set("Content-Type", "application/vnd.oci.image.manifest.v1+json");
                exchange.sendResponseHeaders(200, 0);
                endless(exchange.getResponseBody());
                return;
            }
            Blob wanted = now.getFirst();
            for (Blob manifest : now) {
                if (path.endsWith("/" + manifest.digest())) {
                    wanted = manifest;
                }
            }
            exchange.getResponseHeaders().set("Content-Type", wanted.mediaType());
            exchange.sendResponseHeaders(200, wanted.content().length);
            exchange.getResponseBody().write(wanted.content());
        }
    }

    private void endless(OutputStream out) {
        try {
            while (true) {
                out.write(NOISE);
                sent.addAndGet(NOISE.length);
            }
        } catch (IOException e) {
            // The other side has had enough.
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
