package io.crema.image.registry;

import static io.crema.image.registry.ScriptedRegistry.content;
import static io.crema.image.registry.ScriptedRegistry.guarded;
import static io.crema.image.registry.ScriptedRegistry.json;
import static io.crema.image.registry.ScriptedRegistry.redirect;
import static io.crema.image.registry.ScriptedRegistry.status;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.HttpRegistryClient.KnownManifests;
import io.crema.image.registry.ScriptedRegistry.Answer;
import io.crema.image.registry.ScriptedRegistry.Pushed;
import io.crema.image.registry.ScriptedRegistry.Request;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class HttpRegistryClientTest {
    private static final byte[] LAYER = "layer".repeat(1000).getBytes(UTF_8);
    private static final String MANIFEST = "/v2/lab/app/manifests/1";
    private static final String BASIC_ME = "Basic bWU6c2VjcmV0";

    private final ScriptedRegistry registry = ScriptedRegistry.plain();
    private final ScriptedRegistry other = ScriptedRegistry.plain();
    private final HttpRegistryClient client =
            Clients.of(Clients.insecure(registry.host()), Clients.insecure(other.host()));
    private final String image = registry.host() + "/lab/app:1";
    private final Pushed pushed = registry.push("lab/app", "1", LAYER);

    @AfterEach
    void close() {
        client.close();
        registry.close();
        other.close();
    }

    private ResolvedImage resolve(Credentials credentials) {
        return resolve(client, credentials);
    }

    private ResolvedImage resolve(HttpRegistryClient client, Credentials credentials) {
        return client.resolve(ImageReference.parse(image), credentials, Clients.soon());
    }

    private ResolvedImage resolve() {
        return resolve(Credentials.none());
    }

    private static Credentials user(String name, String password) {
        return new Credentials(name, password, "", "", "", "");
    }

    private byte[] layer(ResolvedImage resolved) throws IOException {
        try (BlobStream stream =
                client.openBlob(
                        resolved.source(),
                        resolved.image().layers().getFirst(),
                        0,
                        Clients.soon())) {
            return stream.readAllBytes();
        }
    }

    private ImageException refused(ErrorKind kind, String... words) {
        return refused(client, kind, words);
    }

    private ImageException refused(HttpRegistryClient client, ErrorKind kind, String... words) {
        List<ImageException> caught = new ArrayList<>();
        assertThatThrownBy(() -> resolve(client, Credentials.none()))
                .isInstanceOfSatisfying(ImageException.class, caught::add)
                .hasMessageContaining(image)
                .hasMessageContaining(registry.host())
                .hasMessageContainingAll(words);
        assertThat(caught.getFirst().kind()).isEqualTo(kind);
        assertThat(caught.getFirst().getMessage()).doesNotContain("\n");
        return caught.getFirst();
    }

    @Test
    void anImageIsFoundAndItsBlobsAreFetched() throws IOException {
        ResolvedImage resolved = resolve();

        assertThat(resolved.digest()).isEqualTo(ScriptedRegistry.digest(pushed.manifest()));
        assertThat(resolved.indexes()).isEmpty();
        assertThat(resolved.manifest().content()).isEqualTo(pushed.manifest());
        assertThat(
                        client.fetchBlob(
                                resolved.source(),
                                resolved.image().config(),
                                1 << 20,
                                Clients.soon()))
                .isEqualTo(pushed.config());
        assertThat(layer(resolved)).isEqualTo(LAYER);
        assertThat(registry.requests()).allMatch(r -> r.header("Authorization").isEmpty());
        Request manifest = registry.requests(MANIFEST).getFirst();
        assertThat(manifest.header("Accept"))
                .contains(MediaTypes.OCI_INDEX, MediaTypes.DOCKER_MANIFEST);
        assertThat(manifest.header("Accept-Encoding")).isEqualTo("identity");
    }

    @Test
    void anIndexLeadsToThisPlatformsManifest() {
        Pushed arm = registry.push("lab/app", "arm", "arm".getBytes(UTF_8));
        String platform = ",\"platform\":{\"os\":\"linux\",\"architecture\":\"";
        byte[] index =
                ("{\"schemaVersion\":2,\"manifests\":["
                                + json(
                                        MediaTypes.OCI_MANIFEST,
                                        arm.manifest(),
                                        platform + "arm64\"}")
                                + ","
                                + json(
                                        MediaTypes.OCI_MANIFEST,
                                        pushed.manifest(),
                                        platform + "amd64\"}")
                                + "]}")
                        .getBytes(UTF_8);
        registry.on(MANIFEST, content(MediaTypes.OCI_INDEX, index));

        ResolvedImage resolved = resolve();

        assertThat(resolved.digest()).isEqualTo(ScriptedRegistry.digest(index));
        assertThat(resolved.indexes()).hasSize(1);
        assertThat(resolved.manifest().digest())
                .isEqualTo(ScriptedRegistry.digest(pushed.manifest()));
        assertThat(registry.requests(arm.manifestPath())).isEmpty();
    }

    private void pushNestedIndexes(int depth) {
        byte[] inner = pushed.manifest();
        String type = MediaTypes.OCI_MANIFEST;
        for (int i = 0; i < depth; i++) {
            inner =
                    ("{\"manifests\":["
                                    + json(type, inner, "")
                                    + "],\"annotations\":{\"n\":\""
                                    + i
                                    + "\"}}")
                            .getBytes(UTF_8);
            type = MediaTypes.OCI_INDEX;
            registry.on(
                    "/v2/lab/app/manifests/" + ScriptedRegistry.digest(inner),
                    content(type, inner));
        }
        registry.on(MANIFEST, content(type, inner));
    }

    @Test
    void indexesMayNestButNotForEver() {
        pushNestedIndexes(3);
        assertThat(resolve().indexes()).hasSize(3);

        pushNestedIndexes(4);
        refused(ErrorKind.INVALID_ARGUMENT, "indexes within indexes");
    }

    @Test
    void aManifestOfAnotherSizeThanItsIndexSaysIsRefused() {
        String lie =
                json(MediaTypes.OCI_MANIFEST, pushed.manifest(), "")
                        .replace("\"size\":", "\"size\":1");
        registry.on(
                MANIFEST,
                content(MediaTypes.OCI_INDEX, ("{\"manifests\":[" + lie + "]}").getBytes(UTF_8)));

        refused(ErrorKind.INVALID_ARGUMENT, "bytes where its index says");
    }

    @Test
    void manifestsThatSomebodyHoldsAreNotFetched() {
        KnownManifests known =
                digest ->
                        digest.equals(ScriptedRegistry.digest(pushed.manifest()))
                                ? Optional.of(pushed.manifest())
                                : Optional.empty();
        try (HttpRegistryClient warm =
                Clients.of(
                        Clients.configuration(Clients.insecure(registry.host())),
                        List.of(),
                        known)) {
            ResolvedImage resolved =
                    Clients.resolve(
                            warm,
                            registry.host()
                                    + "/lab/app@"
                                    + ScriptedRegistry.digest(pushed.manifest()));

            assertThat(resolved.image().layers()).hasSize(1);
            assertThat(registry.requests()).isEmpty();
        }
    }

    @Test
    void digestsOfManifestsAreVerified() {
        byte[] changed = new String(pushed.manifest(), UTF_8).replace("2,", "2 ,").getBytes(UTF_8);
        registry.on(pushed.manifestPath(), content(MediaTypes.OCI_MANIFEST, changed));
        assertThatThrownBy(() ->
                        Clients.resolve(
                                client,
                                registry.host()
                                        + "/lab/app@"
                                        + ScriptedRegistry.digest(pushed.manifest())))
                .hasMessageContaining("instead of " + ScriptedRegistry.digest(pushed.manifest()));

        registry.on(
                MANIFEST,
                exchange -> {
                    exchange.getResponseHeaders()
                            .add(
                                    "Docker-Content-Digest",
                                    ScriptedRegistry.digest(pushed.manifest()).toString());
                    content(MediaTypes.OCI_MANIFEST, changed).give(exchange);
                });
        refused(ErrorKind.UNAVAILABLE, "where the registry says");
    }

    @Test
    void digestsAndSizesOfSmallBlobsAreVerified() {
        ResolvedImage resolved = resolve();
        byte[] changed = pushed.config().clone();
        changed[0] = 'x';
        registry.on(pushed.blobPath(pushed.config()), content("x", changed));

        assertThatThrownBy(() ->
                        client.fetchBlob(
                                resolved.source(),
                                resolved.image().config(),
                                1 << 20,
                                Clients.soon()))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("has digest " + ScriptedRegistry.digest(changed));
        assertThatThrownBy(() ->
                        client.fetchBlob(
                                resolved.source(), resolved.image().config(), 10, Clients.soon()))
                .hasMessageContaining("10 are allowed");
    }

    // --- who we are

    private String challenge() {
        return "Bearer realm=\""
                + other.url("/token")
                + "\",service=\"the registry\",scope=\"repository:lab/app:pull\"";
    }

    private void guard(String authorization, String challenge) {
        registry.on(
                MANIFEST,
                guarded(
                        authorization,
                        challenge,
                        content(MediaTypes.OCI_MANIFEST, pushed.manifest())));
        registry.on(
                pushed.blobPath(LAYER),
                guarded(authorization, challenge, ScriptedRegistry.blob(LAYER)));
    }

    @Test
    void anonymousTokensAreFetchedOnceAndKept() throws IOException {
        guard("Bearer t1", challenge());
        other.on("/token", status(200, "{\"token\":\"t1\",\"expires_in\":300}"));

        ResolvedImage resolved = resolve();

        assertThat(layer(resolved)).isEqualTo(LAYER);
        assertThat(resolve().digest()).isEqualTo(resolved.digest());
        assertThat(other.requests("/token")).hasSize(1);
        Request token = other.requests("/token").getFirst();
        assertThat(token.query())
                .isEqualTo("service=the+registry&scope=repository%3Alab%2Fapp%3Apull");
        assertThat(token.header("Authorization")).isEmpty();
        assertThat(registry.requests(MANIFEST)).hasSize(3);
        assertThat(registry.requests(pushed.blobPath(LAYER))).hasSize(1);
    }

    @Test
    void tokensWithAPasswordSendItToTheTokenServerOnly() {
        guard("Bearer t2", challenge());
        other.on("/token", guarded(BASIC_ME, "Basic", status(200, "{\"access_token\":\"t2\"}")));

        assertThat(resolve(user("me", "secret")).manifest()).isNotNull();

        assertThat(registry.requests())
                .allMatch(r -> !r.header("Authorization").startsWith("Basic"));
        assertThat(other.requests("/token").getFirst().query()).endsWith("&account=me");
    }

    @Test
    void aTokenThatIsRefusedIsFetchedAnew() throws IOException {
        guard("Bearer old", challenge());
        other.on("/token", status(200, "{\"token\":\"old\"}"), status(200, "{\"token\":\"new\"}"));
        ResolvedImage resolved = resolve();
        guard("Bearer new", challenge());

        assertThat(layer(resolved)).isEqualTo(LAYER);
        assertThat(other.requests("/token")).hasSize(2);
    }

    @Test
    void layersTogetherFetchOneToken() throws Exception {
        guard("Bearer t", challenge());
        CountDownLatch release = new CountDownLatch(1);
        other.on(
                "/token",
                exchange -> {
                    try {
                        assertThat(release.await(10, TimeUnit.SECONDS)).isTrue();
                    } catch (InterruptedException e) {
                        throw new IOException(e);
                    }
                    status(200, "{\"token\":\"t\"}").give(exchange);
                });
        List<Thread> pulls = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            pulls.add(Thread.startVirtualThread(() -> assertThat(resolve()).isNotNull()));
        }
        while (registry.requests(MANIFEST).size() < 4) {
            Thread.onSpinWait();
        }
        release.countDown();
        for (Thread pull : pulls) {
            pull.join();
        }

        assertThat(other.requests("/token")).hasSize(1);
        assertThat(registry.requests(MANIFEST)).hasSize(8);
    }

    @Test
    void identityTokensArePostedToTheTokenServer() {
        guard("Bearer t3", challenge());
        other.on("/token", status(200, "{\"access_token\":\"t3\"}"));

        assertThat(resolve(new Credentials("", "", "", "", "identity!", "")).manifest())
                .isNotNull();

        Request token = other.requests("/token").getFirst();
        assertThat(token.method()).isEqualTo("POST");
        assertThat(token.body())
                .isEqualTo(
                        "grant_type=refresh_token&service=the+registry&client_id=crema"
                                + "&scope=repository%3Alab%2Fapp%3Apull&refresh_token=identity%21");
    }

    @Test
    void registryTokensAreUsedAsTheyAre() {
        guard("Bearer given", challenge());

        assertThat(resolve(new Credentials("", "", "", "", "", "given")).manifest()).isNotNull();
        assertThat(other.requests()).isEmpty();

        assertThatThrownBy(() -> resolve(new Credentials("", "", "", "", "", "wrong")))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.PERMISSION_DENIED))
                .hasMessageContaining("the registry token from the request");
    }

    @Test
    void basicAuthenticationIsOnlySentWhenAskedFor() throws IOException {
        guard(BASIC_ME, "Basic realm=\"x\"");

        ResolvedImage resolved = resolve(user("me", "secret"));

        assertThat(layer(resolved)).isEqualTo(LAYER);
        assertThat(registry.requests(MANIFEST))
                .extracting(r -> r.header("Authorization"))
                .containsExactly("", BASIC_ME);
        assertThat(registry.requests(pushed.blobPath(LAYER)))
                .extracting(r -> r.header("Authorization"))
                .containsExactly(BASIC_ME);
    }

    @Test
    void missingAndWrongCredentialsAreToldApartAndNeverShown() {
        guard(BASIC_ME, "Basic realm=\"x\"");
        refused(
                ErrorKind.PERMISSION_DENIED,
                "unauthorized (401)",
                "no credentials",
                "imagePullSecret");

        assertThatThrownBy(() -> resolve(user("me", "wr0ng")))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.PERMISSION_DENIED))
                .hasMessageContaining("user 'me' from the request")
                .hasMessageContaining("UNAUTHORIZED: log in")
                .message()
                .doesNotContain("wr0ng");
    }

    @Test
    void aTokenServersRefusalIsTold() {
        guard("Bearer t", challenge());
        other.on("/token", status(401, "{\"details\":\"incorrect username or password\"}"));

        refused(
                ErrorKind.PERMISSION_DENIED,
                "token of 127.0.0.1",
                "incorrect username or password");
        assertThat(other.requests("/token")).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "nonsense", "{\"token\":\"a\\nb\"}", "{\"token\":\"\"}"})
    void aTokenAnswerWithoutATokenIsRefused(String answer) {
        guard("Bearer t", challenge());
        other.on("/token", status(200, answer));

        refused(ErrorKind.UNAVAILABLE, "sent no token");
    }

    @Test
    void anUnknownWayToLogInIsTold() {
        guard("x", "Negotiate");

        refused(ErrorKind.PERMISSION_DENIED, "no way to log in that we know");
    }

    // --- redirects

    @ParameterizedTest
    @ValueSource(ints = {301, 302, 303, 307, 308})
    void redirectsToAnotherHostLoseTheCredentials(int status) throws IOException {
        guard(BASIC_ME, "Basic");
        ResolvedImage resolved = resolve(user("me", "secret"));
        registry.on(
                pushed.blobPath(LAYER), redirect(status, other.url("/storage?signature=s3cret")));
        CountDownLatch read = new CountDownLatch(1);
        other.on(
                "/storage",
                ScriptedRegistry.brokenBlob(LAYER, 1000, read),
                ScriptedRegistry.blob(LAYER));

        try (BlobStream stream =
                client.openBlob(
                        resolved.source(),
                        resolved.image().layers().getFirst(),
                        0,
                        Clients.soon())) {
            assertThat(stream.readNBytes(1000)).isEqualTo(Arrays.copyOf(LAYER, 1000));
            read.countDown();
            assertThat(stream.readAllBytes()).hasSize(LAYER.length - 1000);
        }

        assertThat(registry.requests(pushed.blobPath(LAYER)))
                .allMatch(r -> r.header("Authorization").equals(BASIC_ME))
                .hasSize(2);
        assertThat(other.requests("/storage"))
                .allMatch(r -> r.header("Authorization").isEmpty())
                .extracting(r -> r.header("Range"))
                .containsExactly("", "bytes=1000-");
    }

    @Test
    void redirectsWithinTheHostKeepTheCredentials() {
        guard(BASIC_ME, "Basic");
        registry.on("/v2/lab/moved/manifests/1", redirect(307, "/v2/lab/app/manifests/1"));
        ImageReference moved = ImageReference.parse(registry.host() + "/lab/moved:1");

        assertThat(client.resolve(moved, user("me", "secret"), Clients.soon()).manifest())
                .isNotNull();
    }

    @Test
    void aChallengeFromAnotherHostIsNotAnswered() {
        registry.on(MANIFEST, redirect(307, other.url("/trap")));
        other.on("/trap", status(401, "", "WWW-Authenticate", "Basic realm=\"x\""));

        assertThatThrownBy(() -> resolve(user("me", "secret")))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("unauthorized (401)");
        assertThat(other.requests("/trap")).hasSize(1);
    }

    @Test
    void redirectsAreBounded() {
        registry.on(MANIFEST, redirect(307, MANIFEST));

        refused(ErrorKind.UNAVAILABLE, "redirects more than 5 times");
        assertThat(registry.requests(MANIFEST)).hasSize(6);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "file:///etc/shadow", "ht tp://x", "ftp://x/y", "http:///x"})
    void redirectsToNowhereAreRefused(String location) {
        registry.on(MANIFEST, redirect(307, location));

        refused(ErrorKind.UNAVAILABLE, "it redirects to");
    }

    // --- what can go wrong

    @ParameterizedTest
    @CsvSource({
        "403, PERMISSION_DENIED, denied (403)",
        "404, NOT_FOUND, manifest unknown: ",
        "400, UNAVAILABLE, unexpected answer 400",
        "418, UNAVAILABLE, unexpected answer 418",
    })
    void finalAnswersAreToldAtOnce(int status, ErrorKind kind, String words) {
        registry.on(
                MANIFEST,
                status(status, "{\"errors\":[{\"code\":\"CODE\",\"message\":\"the\\nreason\"}]}"));

        ImageException failure = refused(kind, words, "CODE: the reason");
        assertThat(failure.getMessage()).doesNotContain("RegistryUnavailable");
        assertThat(registry.requests(MANIFEST)).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(ints = {500, 502, 503, 504})
    void serverErrorsAreTriedAgain(int status) {
        Answer failing = status(status, "<html>bad gateway</html>");
        registry.on(
                MANIFEST, failing, failing, content(MediaTypes.OCI_MANIFEST, pushed.manifest()));
        assertThat(resolve().manifest()).isNotNull();
        assertThat(registry.requests(MANIFEST)).hasSize(3);

        registry.on(MANIFEST, failing);
        ImageException failure = refused(ErrorKind.CRI_REASON, "it answers " + status);
        assertThat(failure).hasMessageStartingWith("RegistryUnavailable: ");
        assertThat(failure.getMessage()).doesNotContain("<html>");
        assertThat(registry.requests(MANIFEST)).hasSize(3 + Clients.PATIENT.attempts());
    }

    @Test
    void tooManyRequestsAreObeyed() {
        registry.on(
                MANIFEST,
                status(429, "", "Retry-After", "0"),
                content(MediaTypes.OCI_MANIFEST, pushed.manifest()));
        assertThat(resolve().manifest()).isNotNull();

        registry.on(MANIFEST, status(429, "{\"errors\":[{\"code\":\"TOOMANYREQUESTS\"}]}"));
        refused(ErrorKind.RESOURCE_EXHAUSTED, "too many requests (429)", "TOOMANYREQUESTS");
    }

    @Test
    void aLongRetryAfterIsToldInsteadOfWaitedFor() {
        registry.on(MANIFEST, status(429, "", "Retry-After", "600"));
        refused(ErrorKind.RESOURCE_EXHAUSTED, "come back in 600 s");
        assertThat(registry.requests(MANIFEST)).hasSize(1);

        String date =
                DateTimeFormatter.RFC_1123_DATE_TIME.format(
                        ZonedDateTime.now(ZoneOffset.UTC).plusHours(1));
        registry.on(MANIFEST, status(503, "", "Retry-After", date));
        refused(ErrorKind.CRI_REASON, "it answers 503");
        assertThat(registry.requests(MANIFEST)).hasSize(2);
    }

    @Test
    void aRefusedConnectionIsToldAtOnce() throws IOException {
        String host;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            host = "127.0.0.1:" + free.getLocalPort();
        }
        for (boolean insecure : new boolean[] {true, false}) {
            try (HttpRegistryClient fresh =
                    insecure ? Clients.of(Clients.insecure(host)) : Clients.of()) {
                assertThatThrownBy(() -> Clients.resolve(fresh, host + "/lab/app:1"))
                        .isInstanceOfSatisfying(
                                ImageException.class,
                                e -> assertThat(e.kind()).isEqualTo(ErrorKind.CRI_REASON))
                        .hasMessageStartingWith("RegistryUnavailable: ")
                        .hasMessageContaining(host + "/lab/app:1")
                        .hasMessageContaining("connection refused")
                        .hasMessageContaining("check that the registry runs");
            }
        }
    }

    /** Go's servers, as registries are, answer a TLS greeting in plain words. */
    private static void answerTlsInPlainWords(ServerSocket server) {
        while (true) {
            try (Socket socket = server.accept()) {
                assertThat(socket.getInputStream().read()).isEqualTo(22);
                socket.getOutputStream().write("HTTP/1.0 400 Bad Request\r\n\r\n".getBytes(UTF_8));
                socket.shutdownOutput();
                socket.getInputStream().readAllBytes();
            } catch (IOException e) {
                if (server.isClosed()) {
                    return;
                }
            }
        }
    }

    @Test
    void plainHttpWhereTlsIsConfiguredIsExplained() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                HttpRegistryClient strict = Clients.of()) {
            Thread.startVirtualThread(() -> answerTlsInPlainWords(server));
            assertThatThrownBy(() ->
                            Clients.resolve(
                                    strict, "127.0.0.1:" + server.getLocalPort() + "/lab/app:1"))
                    .isInstanceOf(ImageException.class)
                    .hasMessageStartingWith("RegistryUnavailable: ")
                    .hasMessageContaining("does not speak TLS")
                    .hasMessageContaining("insecure = true")
                    .hasMessageContaining("registries.conf");
        }
    }

    @Test
    void aNeverEndingManifestIsCutOff() {
        registry.on(
                MANIFEST,
                exchange -> {
                    exchange.sendResponseHeaders(200, 0);
                    OutputStream out = exchange.getResponseBody();
                    byte[] spaces = " ".repeat(64 << 10).getBytes(UTF_8);
                    while (!registry.isClosing()) {
                        out.write(spaces);
                    }
                });

        refused(ErrorKind.INVALID_ARGUMENT, "larger than 4194304 bytes");
    }

    @Test
    void aManifestThatStallsOrTricklesIsGivenUp() {
        try (HttpRegistryClient impatient = Clients.impatient(Clients.insecure(registry.host()))) {
            registry.on(MANIFEST, registry.stalling(1000, new byte[10]));
            assertThat(refused(impatient, ErrorKind.CRI_REASON, "the transfer stalled"))
                    .hasMessageStartingWith("RegistryUnavailable: ");

            registry.on(
                    MANIFEST,
                    exchange -> {
                        exchange.sendResponseHeaders(200, 0);
                        // Fast enough never to stall, and never done.
                        while (!registry.isClosing()) {
                            exchange.getResponseBody().write(new byte[4096]);
                            exchange.getResponseBody().flush();
                            try {
                                Thread.sleep(20);
                            } catch (InterruptedException e) {
                                throw new IOException(e);
                            }
                        }
                    });
            assertThat(refused(impatient, ErrorKind.CRI_REASON, "not there after 2 s"))
                    .hasMessageStartingWith("RegistryUnavailable: ");
        }
    }

    @Test
    void aBrokenManifestIsFetchedAgain() {
        registry.on(
                MANIFEST,
                exchange -> {
                    exchange.sendResponseHeaders(200, pushed.manifest().length);
                    exchange.getResponseBody().write(pushed.manifest(), 0, 10);
                },
                content(MediaTypes.OCI_MANIFEST, pushed.manifest()));

        assertThat(resolve().manifest().content()).isEqualTo(pushed.manifest());
    }

    @Test
    void aRegistryThatDoesNotAnswerIsUnavailableAndNotCancelled() {
        registry.on(MANIFEST, registry.silent());

        try (HttpRegistryClient hasty = Clients.hasty(Clients.insecure(registry.host()))) {
            assertThatThrownBy(() -> Clients.resolve(hasty, image))
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.CRI_REASON))
                    .hasMessageStartingWith("RegistryUnavailable: ")
                    .hasMessageContaining("no answer in time");
        }
    }

    @Test
    void aMirrorThatDoesNotAnswerIsPassedOver() {
        other.on("/v2/copy/app/manifests/1", other.silent());
        registry.push("team/app", "1", LAYER);

        try (HttpRegistryClient hasty =
                Clients.hasty(
                        Clients.mirrored("example.com", registry.host(), other.host() + "/copy"))) {
            assertThat(Clients.resolve(hasty, "example.com/team/app:1").source().host())
                    .isEqualTo(registry.host());
        }
    }

    @Test
    void aHandshakeThatHangsIsUnavailableAndNotCancelled() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
                HttpRegistryClient hasty = Clients.hasty()) {
            String host = "127.0.0.1:" + server.getLocalPort();
            assertThatThrownBy(() -> Clients.resolve(hasty, host + "/lab/app:1"))
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.CRI_REASON))
                    .hasMessageStartingWith("RegistryUnavailable: ")
                    .hasMessageContaining("no connection in time");
        }
    }

    @Test
    void aSilentRegistryEndsAtTheDeadline() {
        registry.on(MANIFEST, registry.silent());
        long start = System.nanoTime();

        assertThatThrownBy(() ->
                        client.resolve(
                                ImageReference.parse(image),
                                Credentials.none(),
                                Deadline.after(Duration.ofMillis(200))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining(registry.host());
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void anInterruptedPullIsCancelled() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        Answer silent = registry.silent();
        registry.on(
                MANIFEST,
                exchange -> {
                    asked.countDown();
                    silent.give(exchange);
                });
        List<Object> seen = new ArrayList<>();
        Thread pull =
                Thread.startVirtualThread(() -> {
                    try {
                        resolve();
                    } catch (ImageException e) {
                        seen.add(e.kind());
                        seen.add(Thread.currentThread().isInterrupted());
                    }
                });
        assertThat(asked.await(10, TimeUnit.SECONDS)).isTrue();

        pull.interrupt();

        assertThat(pull.join(Duration.ofSeconds(10))).isTrue();
        assertThat(seen).containsExactly(ErrorKind.CANCELLED, true);
    }

    @Test
    void closingTheClientEndsWhatGoesOn() throws Exception {
        ResolvedImage resolved = resolve();
        registry.on(pushed.blobPath(LAYER), registry.stalling(LAYER.length, new byte[1]));
        CountDownLatch started = new CountDownLatch(1);
        List<Object> seen = new ArrayList<>();
        Thread pull =
                Thread.startVirtualThread(() -> {
                    try (BlobStream stream =
                            client.openBlob(
                                    resolved.source(),
                                    resolved.image().layers().getFirst(),
                                    0,
                                    Clients.soon())) {
                        seen.add(stream.read());
                        started.countDown();
                        seen.add(stream.read());
                    } catch (ImageException e) {
                        seen.add(e.kind());
                    }
                });
        assertThat(started.await(10, TimeUnit.SECONDS)).isTrue();

        client.close();

        assertThat(pull.join(Duration.ofSeconds(10))).isTrue();
        assertThat(seen).containsExactly(0, ErrorKind.CRI_REASON);
    }

    // --- mirrors

    private HttpRegistryClient mirrored() {
        return Clients.of(
                Clients.mirrored(
                        "example.com/team", registry.host() + "/lab", other.host() + "/copy"));
    }

    @Test
    void aMirrorServesFirstAndItsBlobsToo() throws IOException {
        other.push("copy/app", "1", LAYER);
        try (HttpRegistryClient mirrored = mirrored()) {
            ResolvedImage resolved = Clients.resolve(mirrored, "example.com/team/app:1");

            assertThat(resolved.reference()).hasToString("example.com/team/app:1");
            assertThat(resolved.source()).hasToString(other.host() + "/copy/app (a mirror)");
            try (BlobStream stream =
                    mirrored.openBlob(
                            resolved.source(),
                            resolved.image().layers().getFirst(),
                            0,
                            Clients.soon())) {
                assertThat(stream.readAllBytes()).isEqualTo(LAYER);
            }
        }
        assertThat(registry.requests()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {404, 403, 500, 429})
    void aBlobThatAMirrorLacksComesFromTheRegistryItself(int status) throws IOException {
        other.push("copy/app", "1", LAYER);
        ContentDescriptor layer = ScriptedRegistry.descriptor(LAYER);
        other.on("/v2/copy/app/blobs/" + layer.digest(), status(status, ""));
        try (HttpRegistryClient mirrored = mirrored()) {
            ResolvedImage resolved = Clients.resolve(mirrored, "example.com/team/app:1");
            assertThat(resolved.source().host()).isEqualTo(other.host());
            try (BlobStream stream =
                    mirrored.openBlob(resolved, layer, 0, layer.sizeBytes(), Clients.soon())) {
                assertThat(stream.readAllBytes()).isEqualTo(LAYER);
            }
            assertThat(mirrored.fetchBlob(resolved, layer, 1 << 20, Clients.soon()))
                    .isEqualTo(LAYER);
        }
    }

    @Test
    void whatAMirrorBreaksOffTheRegistryItselfContinues() throws IOException {
        other.push("copy/app", "1", LAYER);
        ContentDescriptor layer = ScriptedRegistry.descriptor(LAYER);
        other.on(
                "/v2/copy/app/blobs/" + layer.digest(),
                ScriptedRegistry.brokenBlob(LAYER, LAYER.length / 2));
        try (HttpRegistryClient mirrored = mirrored()) {
            ResolvedImage resolved = Clients.resolve(mirrored, "example.com/team/app:1");
            try (BlobStream stream =
                    mirrored.openBlob(resolved, layer, 0, layer.sizeBytes(), Clients.soon())) {
                assertThat(stream.readAllBytes()).isEqualTo(LAYER);
            }
        }
    }

    @Test
    void aBlobThatNobodyHasIsToldOfAllPlaces() throws IOException {
        other.push("copy/app", "1", LAYER);
        ContentDescriptor layer = ScriptedRegistry.descriptor(LAYER);
        String blob = "/blobs/" + layer.digest();
        other.on("/v2/copy/app" + blob, status(500, ""));
        registry.on("/v2/lab/app" + blob, status(404, ""));
        try (HttpRegistryClient mirrored = mirrored()) {
            ResolvedImage resolved = Clients.resolve(mirrored, "example.com/team/app:1");
            assertThatThrownBy(() -> mirrored.fetchBlob(resolved, layer, 1 << 20, Clients.soon()))
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.NOT_FOUND))
                    .hasMessageContaining(registry.host())
                    .hasMessageContaining("before that")
                    .hasMessageContaining(other.host());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {404, 401, 403, 500, 429})
    void whenAMirrorFailsTheRegistryItselfIsAsked(int status) {
        other.on("/v2/copy/app/manifests/1", status(status, ""));
        try (HttpRegistryClient mirrored = mirrored()) {
            assertThat(Clients.resolve(mirrored, "example.com/team/app:1").source().host())
                    .isEqualTo(registry.host());
        }
        assertThat(other.requests("/v2/copy/app/manifests/1")).hasSizeBetween(1, 2);
    }

    @Test
    void whenAllFailTheRegistrysOwnFailureDecidesAndTheOthersAreTold() {
        other.on("/v2/copy/app/manifests/1", status(500, ""));
        registry.on(MANIFEST, status(404, ""));
        try (HttpRegistryClient mirrored = mirrored()) {
            assertThatThrownBy(() -> Clients.resolve(mirrored, "example.com/team/app:1"))
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.NOT_FOUND))
                    .hasMessageStartingWith("manifest unknown: example.com/team/app:1 at ")
                    .hasMessageContaining("before that, pulling example.com/team/app:1")
                    .hasMessageContaining(other.host())
                    .hasMessageContaining("it answers 500");
        }
    }

    @Test
    void theRequestsCredentialsAreNotSentToAMirror() {
        other.on(
                "/v2/copy/app/manifests/1",
                status(401, "", "WWW-Authenticate", "Basic realm=\"give me\""));
        Credentials mine = new Credentials("me", "secret", "", registry.host(), "", "");
        guard(BASIC_ME, "Basic");
        try (HttpRegistryClient mirrored = mirrored()) {
            ResolvedImage resolved =
                    mirrored.resolve(
                            ImageReference.parse("example.com/team/app:1"), mine, Clients.soon());

            assertThat(resolved.source().host()).isEqualTo(registry.host());
        }
        assertThat(other.requests()).allMatch(r -> r.header("Authorization").isEmpty());
    }

    @Test
    void namesWithoutATagMeanLatest() {
        registry.push("lab/app", "latest", LAYER);

        ResolvedImage resolved =
                Clients.resolve(
                        client,
                        ImageReference.parse(registry.host() + "/lab/app")
                                .withDefaultTag()
                                .toString());

        assertThat(resolved.reference().tag()).contains("latest");
    }
}
