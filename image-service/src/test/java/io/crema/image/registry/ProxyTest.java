package io.crema.image.registry;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.image.registry.HttpRegistryClient.KnownManifests;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Proxies on loopback for registries whose names resolve nowhere. */
@Timeout(60)
class ProxyTest {
    private static HttpRegistryClient client(String variable, String proxy, String insecureHost) {
        Map<String, String> environment = new HashMap<>();
        environment.put("HOME", "/nonexistent");
        environment.put("XDG_RUNTIME_DIR", "/nonexistent");
        environment.put(variable, proxy);
        return new HttpRegistryClient(
                Clients.configuration(Clients.insecure(insecureHost)),
                Optional.empty(),
                List.of(),
                environment,
                Optional.empty(),
                KnownManifests.none(),
                new Platform("linux", "amd64", ""),
                Clients.PATIENT);
    }

    private static final String LOGIN =
            "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"";

    @Test
    void plainHttpGoesThroughItsProxy() throws IOException {
        try (ScriptedRegistry proxy = ScriptedRegistry.plain();
                HttpRegistryClient client =
                        client(
                                "HTTP_PROXY",
                                "http://me:pw@" + proxy.host(),
                                "registry.invalid:5000")) {
            byte[] layer = "layer".getBytes(UTF_8);
            proxy.push("lab/app", "1", layer);

            ResolvedImage image = Clients.resolve(client, "registry.invalid:5000/lab/app:1");
            try (BlobStream stream =
                    client.openBlob(
                            image.source(), image.image().layers().getFirst(), 0, Clients.soon())) {
                assertThat(stream.readAllBytes()).isEqualTo(layer);
            }

            assertThat(proxy.requests())
                    .isNotEmpty()
                    .allMatch(r -> r.header("Host").equals("registry.invalid:5000"))
                    .allMatch(r -> r.header("Proxy-Authorization").equals("Basic bWU6cHc="));
        }
    }

    @Test
    void aProxyThatIsDownIsToldAsSuch() throws IOException {
        int closed;
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            closed = taken.getLocalPort();
        }
        for (String variable : List.of("http_proxy", "https_proxy")) {
            String host = variable.equals("http_proxy") ? "registry.invalid:5000" : "tls.invalid";
            try (HttpRegistryClient client =
                    client(variable, "127.0.0.1:" + closed, "registry.invalid:5000")) {
                assertThatThrownBy(() -> Clients.resolve(client, host + "/lab/app:1"))
                        .hasMessageStartingWith("RegistryUnavailable: ")
                        .hasMessageContaining(host + "/lab/app:1")
                        .hasMessageContaining(
                                "through the proxy 127.0.0.1:" + closed + ": connection refused")
                        .hasMessageContaining("check HTTP_PROXY and HTTPS_PROXY");
            }
        }
    }

    @Test
    void aProxyThatWantsALoginIsToldAsSuch() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
            Thread.startVirtualThread(() -> refuse(server, new LinkedBlockingQueue<>(), LOGIN));
            String proxy = "127.0.0.1:" + server.getLocalPort();
            for (String variable : List.of("http_proxy", "https_proxy")) {
                String host =
                        variable.equals("http_proxy") ? "registry.invalid:5000" : "tls.invalid";
                try (HttpRegistryClient client = client(variable, proxy, "registry.invalid:5000")) {
                    assertThatThrownBy(() -> Clients.resolve(client, host + "/lab/app:1"))
                            .hasMessageStartingWith("RegistryUnavailable: ")
                            .hasMessageContaining(host + "/lab/app:1")
                            .hasMessageContaining("wants a login (407)")
                            .hasMessageContaining("http://USER:PASSWORD@HOST:PORT");
                }
            }
        }
    }

    /** Answers CONNECT with a refusal and tells what was asked for. */
    private static void refuseTunnels(ServerSocket server, BlockingQueue<String> asked) {
        refuse(server, asked, "403 Forbidden");
    }

    private static void refuse(ServerSocket server, BlockingQueue<String> asked, String status) {
        while (true) {
            try (Socket socket = server.accept()) {
                InputStream in = socket.getInputStream();
                StringBuilder line = new StringBuilder();
                for (int c = in.read(); c > 0 && c != '\r'; c = in.read()) {
                    line.append((char) c);
                }
                asked.add(line.toString());
                socket.getOutputStream()
                        .write(
                                ("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n")
                                        .getBytes(UTF_8));
                socket.shutdownOutput();
                in.readAllBytes();
            } catch (IOException e) {
                if (server.isClosed()) {
                    return;
                }
            }
        }
    }

    @Test
    void tlsAsksItsProxyForATunnel() throws Exception {
        BlockingQueue<String> asked = new LinkedBlockingQueue<>();
        try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                HttpRegistryClient client =
                        client(
                                "https_proxy",
                                "127.0.0.1:" + server.getLocalPort(),
                                "unused.invalid")) {
            Thread.startVirtualThread(() -> refuseTunnels(server, asked));

            assertThatThrownBy(() -> Clients.resolve(client, "registry.invalid/lab/app:1"))
                    .hasMessageContaining("registry.invalid/lab/app:1");

            assertThat(asked.poll(10, TimeUnit.SECONDS))
                    .isEqualTo("CONNECT registry.invalid:443 HTTP/1.1");
        }
    }
}
