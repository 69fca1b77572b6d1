package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.TestImages;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.registry.FaultyRegistry;
import io.crema.e2e.registry.TestKeys;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What a user is told when a registry does not give the image: one line with the registry, the
 * reference and the remedy. Kubelet turns a message into the pod's waiting reason by its first word
 * (pkg/kubelet/images, evalCRIPullErr), and its client takes only the code Unknown off before that.
 */
@Tag("e2e")
@Timeout(180)
class RegistryErrorTest {

    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static FaultyRegistry faulty;
    private static HttpsServer encrypted;
    private static int closedPort;
    private static TestNode node;
    private static TestImages images;

    @BeforeAll
    static void startNode() throws IOException, GeneralSecurityException {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        faulty = new FaultyRegistry(registry, network);
        encrypted = encrypted();
        closedPort = network.freePort();
        // Whatever endpoint is asked for: these words are Crema's.
        node =
                TestNode.start(
                        NodeSetup.of(RuntimeUnderTest.CREMA)
                                .in(network)
                                .withRegistry(registry.address())
                                .withRegistry(faulty.address()));
        images = node.images();
        registry.push(
                "errors/app:1",
                List.of(OciImage.of(List.of("sh"), Layer.of(tar -> tar.file("a", "b")))));
    }

    @AfterAll
    static void stopNode() {
        node.close();
        encrypted.stop(0);
        faulty.close();
        registry.close();
        TestRegistry.release(network);
    }

    /** With a certificate that nobody on this node trusts. */
    private static HttpsServer encrypted() throws IOException, GeneralSecurityException {
        KeyStore keys =
                TestKeys.make(
                        directory, "EC", "localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1");
        KeyManagerFactory factory =
                KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(keys, TestKeys.password());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(factory.getKeyManagers(), null, null);
        HttpsServer server =
                network.call(() ->
                        HttpsServer.create(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 8));
        server.setHttpsConfigurator(new HttpsConfigurator(context));
        server.start();
        return server;
    }

    /** A status that the registry answers with, the code we give, and the words a user reads. */
    static Stream<Arguments> statuses() {
        return Stream.of(
                Arguments.of(
                        401,
                        Map.of("Www-Authenticate", "Basic realm=\"r\""),
                        Status.Code.PERMISSION_DENIED,
                        List.of("unauthorized (401)", "imagePullSecret or an auth.json")),
                Arguments.of(
                        403,
                        Map.of(),
                        Status.Code.PERMISSION_DENIED,
                        List.of("denied (403)", "imagePullSecret or an auth.json")),
                Arguments.of(
                        404,
                        Map.of(),
                        Status.Code.NOT_FOUND,
                        List.of("manifest unknown", "(404)", "check the name and tag")),
                Arguments.of(
                        429,
                        Map.of("Retry-After", "3000"),
                        Status.Code.RESOURCE_EXHAUSTED,
                        List.of(
                                "too many requests (429)",
                                "come back in 3000 s",
                                "pull less often, log in, or configure a mirror")),
                Arguments.of(
                        500,
                        Map.of(),
                        Status.Code.UNKNOWN,
                        List.of("it answers 500", "look at the registry's log")),
                Arguments.of(
                        503,
                        Map.of("Retry-After", "1"),
                        Status.Code.UNKNOWN,
                        List.of("it answers 503", "look at the registry's log")));
    }

    @ParameterizedTest
    @MethodSource("statuses")
    void anAnswerIsTold(
            int status, Map<String, String> headers, Status.Code code, List<String> words) {
        faulty.script(request ->
                request.contains("/manifests/")
                        ? new FaultyRegistry.Answer(status, headers)
                        : new FaultyRegistry.None());
        String told = assertTold(faulty.address() + "/errors/app:1", faulty.address(), code, words);
        assertThat(told.startsWith("RegistryUnavailable: ")).isEqualTo(status >= 500);
        faulty.behave();
        images.pull(faulty.address() + "/errors/app:1");
        images.removePulled();
    }

    /** A registry that cannot be spoken to. */
    static Stream<Arguments> connections() {
        return Stream.of(
                Arguments.of(
                        "127.0.0.1:" + closedPort,
                        List.of("connection refused", "check that the registry runs")),
                Arguments.of(
                        "registry.invalid",
                        List.of(
                                "the host name does not resolve",
                                "check the name and this node's DNS")),
                Arguments.of(
                        "127.0.0.1:" + encrypted.getAddress().getPort(),
                        List.of(
                                "x509: certificate signed by unknown authority",
                                "/etc/containers/certs.d/127.0.0.1:"
                                        + encrypted.getAddress().getPort()
                                        + "/ca.crt")),
                Arguments.of(
                        "localhost:" + closedPort,
                        List.of("connection refused", "check that the registry runs")));
    }

    @ParameterizedTest
    @MethodSource("connections")
    void aConnectionThatFailsIsTold(String host, List<String> words) {
        String told = assertTold(host + "/errors/app:1", host, Status.Code.UNKNOWN, words);
        assertThat(told).startsWith("RegistryUnavailable: ");
    }

    private static String assertTold(
            String reference, String host, Status.Code code, List<String> words) {
        StatusRuntimeException told =
                catchThrowableOfType(StatusRuntimeException.class, () -> images.pull(reference));
        assertThat(told).isNotNull();
        assertThat(told.getStatus().getCode()).isEqualTo(code);
        String description = String.valueOf(told.getStatus().getDescription());
        assertThat(description)
                .contains(reference, host)
                .contains(words)
                .doesNotContain("\n", "Exception");
        assertThat(images.find(reference)).isEmpty();
        return description;
    }
}
