package io.crema.e2e.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.crema.e2e.node.NetworkNamespace;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;

/**
 * The token service of a registry (distribution's "Docker Registry v2 authentication via central
 * service"): signs who may do what. Known users get all they ask for; everybody else gets a token
 * that allows nothing; a wrong password is refused.
 */
public final class TokenServer implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ISSUER = "crema-e2e";
    private static final String SERVICE = "crema-e2e-registry";
    private static final Duration VALID = Duration.ofMinutes(5);

    private final Path directory;
    private final PrivateKey key;
    private final X509Certificate certificate;
    private final String basicCredentials;
    private final HttpServer server;
    private final List<String> scopes = new CopyOnWriteArrayList<>();

    /**
     * Makes a key and its certificate and serves tokens.
     *
     * @param directory for both; the caller's to delete
     */
    public TokenServer(NetworkNamespace network, Path directory, String user, String password) {
        this.directory = directory;
        try {
            KeyStore keys = TestKeys.make(directory, "RSA", ISSUER, "-keysize", "2048");
            this.key = (PrivateKey) keys.getKey(TestKeys.ALIAS, TestKeys.password());
            this.certificate = (X509Certificate) keys.getCertificate(TestKeys.ALIAS);
            Files.writeString(
                    directory.resolve("certificate.pem"),
                    "-----BEGIN CERTIFICATE-----\n"
                            + Base64.getMimeEncoder().encodeToString(certificate.getEncoded())
                            + "\n-----END CERTIFICATE-----\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
        this.basicCredentials = "Basic " + base64(user + ":" + password);
        this.server =
                network.call(() ->
                        HttpServer.create(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16));
        server.createContext("/token", this::answer);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.start();
    }

    /** What makes a registry believe this server's tokens. */
    public RegistryConfiguration.Tokens access() {
        return new RegistryConfiguration.Tokens(
                "http://127.0.0.1:" + server.getAddress().getPort() + "/token",
                SERVICE,
                ISSUER,
                directory.resolve("certificate.pem"));
    }

    /** The scopes that known users asked for, in order. */
    public List<String> grantedScopes() {
        return List.copyOf(scopes);
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            if (!exchange.getRequestMethod().equals("GET")) {
                // The form of OAuth 2 is optional; clients then ask by GET.
                reply(exchange, 405, Map.of("details", "only GET"));
                return;
            }
            String credentials = exchange.getRequestHeaders().getFirst("Authorization");
            if (credentials != null && !credentials.equals(basicCredentials)) {
                reply(exchange, 401, Map.of("details", "incorrect username or password"));
                return;
            }
            List<Map<String, Object>> granted = new ArrayList<>();
            if (credentials != null) {
                for (String parameter : exchange.getRequestURI().getRawQuery().split("&", -1)) {
                    if (parameter.startsWith("scope=")) {
                        String scope =
                                URLDecoder.decode(
                                        parameter.substring("scope=".length()),
                                        StandardCharsets.UTF_8);
                        scopes.add(scope);
                        String[] parts = scope.split(":", 3);
                        granted.add(
                                Map.of(
                                        "type",
                                        parts[0],
                                        "name",
                                        parts[1],
                                        "actions",
                                        List.of(parts[2].split(",", -1))));
                    }
                }
            }
            reply(exchange, 200, Map.of("token", token(granted), "expires_in", VALID.toSeconds()));
        }
    }

    private static void reply(HttpExchange exchange, int status, Map<String, Object> body)
            throws IOException {
        byte[] json = JSON.writeValueAsBytes(body);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, json.length);
        exchange.getResponseBody().write(json);
    }

    private String token(List<Map<String, Object>> access) {
        try {
            long now = Instant.now().getEpochSecond();
            String signed =
                    part(
                                    Map.of(
                                            "typ",
                                            "JWT",
                                            "alg",
                                            "RS256",
                                            "x5c",
                                            List.of(
                                                    Base64.getEncoder()
                                                            .encodeToString(
                                                                    certificate.getEncoded()))))
                            + "."
                            + part(
                                    Map.of(
                                            "iss",
                                            ISSUER,
                                            "sub",
                                            "",
                                            "aud",
                                            SERVICE,
                                            "iat",
                                            now,
                                            "nbf",
                                            now - 10,
                                            "exp",
                                            now + VALID.toSeconds(),
                                            "jti",
                                            Long.toHexString(System.nanoTime()),
                                            "access",
                                            access));
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initSign(key);
            signature.update(signed.getBytes(StandardCharsets.US_ASCII));
            return signed
                    + "."
                    + Base64.getUrlEncoder().withoutPadding().encodeToString(signature.sign());
        } catch (GeneralSecurityException | JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String part(Map<String, Object> value) throws JsonProcessingException {
        return Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString(JSON.writeValueAsBytes(value));
    }

    /** As in AuthConfig's {@code auth} and in the header of basic authentication. */
    public static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
