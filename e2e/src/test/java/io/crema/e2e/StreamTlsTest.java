package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.e2e.node.Crictl;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Streams over TLS with certificates of openssl's making, asked for by the real crictl. */
@Tag("e2e")
class StreamTlsTest {
    @TempDir static Path keys;

    private static TestNode node;
    private static String container;

    @BeforeAll
    static void startNode() {
        authority("ca");
        signed("server", "ca", "-newkey rsa:2048", "rsa -traditional");
        signed("client", "ca", "-newkey ec -pkeyopt ec_paramgen_curve:P-256", "pkey");
        authority("stranger");
        signed("strangers", "stranger", "-newkey rsa:2048", "pkey");
        node =
                TestNode.start(
                        NodeSetup.standard()
                                .withConfiguration(
                                        """
                                        [crio.api]
                                        stream_enable_tls = true
                                        stream_tls_cert = "%1$s/server.pem"
                                        stream_tls_key = "%1$s/server.key"
                                        stream_tls_ca = "%1$s/ca.pem"
                                        tls_min_version = "VersionTLS12"
                                        """
                                                .formatted(keys)));
        TestPod pod = TestPod.run(node);
        container = pod.launch(pod.shell("sleeper", "exec sleep 100000"));
    }

    @AfterAll
    static void stopNode() {
        if (node != null) {
            node.close();
        }
    }

    @BeforeEach
    void onlyOurs() {
        Peers.differ(node, "containerd 1.6 asks no client for a certificate");
    }

    @ParameterizedTest
    @ValueSource(strings = {"spdy", "websocket"})
    void whoHasACertificateOfTheAuthorityIsServed(String transport) {
        try (Crictl client = exec(transport, "ca", "client")) {
            assertThat(client.exitCode()).as(client.errors()).isZero();
            assertThat(client.output()).isEqualTo("over TLS\n");
        }
    }

    @Test
    void whoHasACertificateOfAStrangersIsNot() {
        try (Crictl client = exec("spdy", "ca", "strangers")) {
            assertThat(client.exitCode()).isNotZero();
            assertThat(client.output()).isEmpty();
            assertThat(client.errors()).contains("tls:");
        }
    }

    @Test
    void aCertificateThatWasReplacedIsShownToTheNextClient() throws Exception {
        signed("next", "stranger", "-newkey ec -pkeyopt ec_paramgen_curve:P-256", "ec");
        Files.copy(keys.resolve("server.key"), keys.resolve("kept.key"));
        Files.copy(keys.resolve("server.pem"), keys.resolve("kept.pem"));
        try {
            replace("next");
            try (Crictl client = exec("spdy", "stranger", "client")) {
                assertThat(client.exitCode()).as(client.errors()).isZero();
                assertThat(client.output()).isEqualTo("over TLS\n");
            }
        } finally {
            replace("kept");
        }
        try (Crictl client = exec("spdy", "ca", "client")) {
            assertThat(client.exitCode()).as(client.errors()).isZero();
        }
    }

    private static Crictl exec(String transport, String authority, String certificate) {
        return Crictl.start(
                node,
                "exec",
                "-r",
                transport,
                "--tls-ca",
                keys.resolve(authority + ".pem").toString(),
                "--tls-cert",
                keys.resolve(certificate + ".pem").toString(),
                "--tls-key",
                keys.resolve(certificate + ".key").toString(),
                container,
                "echo",
                "over TLS");
    }

    /** The server looks at its files once a second at most, so that long passes afterwards. */
    private static void replace(String with) throws IOException, InterruptedException {
        for (String kind : new String[] {".key", ".pem"}) {
            Path next = keys.resolve("renamed" + kind);
            Files.copy(keys.resolve(with + kind), next, StandardCopyOption.REPLACE_EXISTING);
            Files.move(next, keys.resolve("server" + kind), StandardCopyOption.ATOMIC_MOVE);
        }
        Thread.sleep(Duration.ofMillis(1100));
    }

    private static void authority(String name) {
        openssl(
                "openssl req -x509 -nodes -newkey rsa:2048 -days 2 -subj /CN=%1$s -keyout %1$s.key -out %1$s.pem"
                        .formatted(name));
    }

    /** {@code form} is the openssl command that writes the key: PKCS #8, PKCS #1 or SEC 1. */
    private static void signed(String name, String authority, String kind, String form) {
        openssl(
                ("openssl req -nodes %3$s -subj /CN=%1$s -keyout %1$s.raw -out %1$s.csr"
                                + " && openssl %4$s -in %1$s.raw -out %1$s.key"
                                + " && printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\n' >%1$s.ext"
                                + " && openssl x509 -req -days 2 -in %1$s.csr -CA %2$s.pem -CAkey %2$s.key"
                                + " -CAcreateserial -extfile %1$s.ext -out %1$s.pem")
                        .formatted(name, authority, kind, form));
    }

    private static void openssl(String script) {
        Shell.run("sh", "-c", "cd '" + keys + "' && { " + script + "; } 2>&1");
    }
}
