package io.crema.image.registry;

import static io.crema.image.registry.ScriptedRegistry.redirect;
import static io.crema.image.registry.ScriptedRegistry.status;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.HttpRegistryClient.KnownManifests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.interfaces.ECPrivateKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class TlsTest {
    private static final byte[] LAYER = "layer".getBytes(UTF_8);
    private static final String MANIFEST = "/v2/lab/app/manifests/1";

    /** Making keys is slow, so tests share them: one EC, one RSA. */
    private static final List<TestCertificates> MINE = new ArrayList<>();

    /** For a host we never are. */
    private static final List<TestCertificates> FOREIGN = new ArrayList<>();

    @TempDir Path directory;

    @BeforeAll
    static void makeCertificates(@TempDir Path directory) throws Exception {
        MINE.add(TestCertificates.make(directory, "EC", "ip:127.0.0.1", "-groupname", "secp256r1"));
        MINE.add(TestCertificates.make(directory, "RSA", "ip:127.0.0.1"));
        FOREIGN.add(TestCertificates.signed(directory, "dns:elsewhere.example"));
    }

    @AfterAll
    static void forgetCertificates() {
        MINE.clear();
        FOREIGN.clear();
    }

    private HttpRegistryClient client(RegistriesConfiguration configuration) {
        return Clients.of(
                configuration, List.of(directory.resolve("certs.d")), KnownManifests.none());
    }

    private HttpRegistryClient strict() {
        return client(RegistriesConfiguration.empty());
    }

    private Path hostDirectory(ScriptedRegistry registry) throws IOException {
        return Files.createDirectories(directory.resolve("certs.d").resolve(registry.host()));
    }

    private static void assertServed(HttpRegistryClient client, ScriptedRegistry registry) {
        assertThat(Clients.resolve(client, registry.host() + "/lab/app:1").manifest()).isNotNull();
    }

    private static void assertFails(
            HttpRegistryClient client, ScriptedRegistry registry, String... words) {
        assertThatThrownBy(() -> Clients.resolve(client, registry.host() + "/lab/app:1"))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.CRI_REASON))
                .hasMessageStartingWith("RegistryUnavailable: ")
                .hasMessageContaining(registry.host() + "/lab/app:1")
                .hasMessageContainingAll(words);
    }

    @Test
    void anUnknownAuthorityIsRefusedUntilCertsDKnowsIt() throws Exception {
        TestCertificates mine = MINE.getFirst();
        try (ScriptedRegistry registry = ScriptedRegistry.tls(mine.server(mine), false);
                HttpRegistryClient client = strict()) {
            registry.push("lab/app", "1", LAYER);
            assertFails(
                    client,
                    registry,
                    "x509: certificate signed by unknown authority",
                    "/etc/containers/certs.d/" + registry.host() + "/ca.crt");

            Files.writeString(hostDirectory(registry).resolve("ca.crt"), mine.certificatePem());

            assertServed(client, registry);
            Files.writeString(
                    hostDirectory(registry).resolve("ca.crt"), FOREIGN.getFirst().authorityPem());
            // A changed file is a different trust, also for connections that are still open.
            assertFails(client, registry, "x509: certificate signed by unknown authority");
            Files.writeString(
                    hostDirectory(registry).resolve("ca.crt"), MINE.getLast().certificatePem());
            // The same name with another key.
            assertFails(client, registry, "signed by unknown authority of a known name");
        }
    }

    @Test
    void anInsecureRegistryNeedsNoAuthority() throws Exception {
        TestCertificates forAnother = FOREIGN.getFirst();
        try (ScriptedRegistry registry =
                ScriptedRegistry.tls(forAnother.server(forAnother), false)) {
            registry.push("lab/app", "1", LAYER);
            try (HttpRegistryClient client =
                    client(Clients.configuration(Clients.insecure(registry.host())))) {
                assertServed(client, registry);
            }
        }
    }

    @Test
    void expiredAndForeignCertificatesAreToldApart() throws Exception {
        TestCertificates expired =
                TestCertificates.signed(
                        directory, "ip:127.0.0.1", "-startdate", "-10d", "-validity", "5");
        try (ScriptedRegistry registry = ScriptedRegistry.tls(expired.server(expired), false);
                HttpRegistryClient client = strict()) {
            Files.writeString(hostDirectory(registry).resolve("ca.crt"), expired.authorityPem());
            assertFails(client, registry, "x509: certificate has expired", "this node's clock");
        }
        TestCertificates foreign = FOREIGN.getFirst();
        try (ScriptedRegistry registry = ScriptedRegistry.tls(foreign.server(foreign), false);
                HttpRegistryClient client = strict()) {
            Files.writeString(hostDirectory(registry).resolve("ca.crt"), foreign.authorityPem());
            assertFails(client, registry, "x509: certificate is for another host");
        }
    }

    @Test
    void aClientCertificateIsShown() throws Exception {
        TestCertificates mine = MINE.getFirst();
        TestCertificates client = MINE.getLast();
        try (ScriptedRegistry registry = ScriptedRegistry.tls(mine.server(client), true);
                HttpRegistryClient crema = strict()) {
            registry.push("lab/app", "1", LAYER);
            Path files = hostDirectory(registry);
            Files.writeString(files.resolve("ca.crt"), mine.certificatePem());
            assertThatThrownBy(() -> assertServed(crema, registry))
                    .isInstanceOf(ImageException.class);

            Files.writeString(files.resolve("client.cert"), client.certificatePem());
            assertThatThrownBy(() -> assertServed(crema, registry))
                    .hasMessageContaining("client.key is missing");

            Files.writeString(files.resolve("client.key"), client.keyPem());
            assertServed(crema, registry);
        }
    }

    @Test
    void credentialsAreNotSentToALoginPageWithoutTls() throws Exception {
        TestCertificates mine = MINE.getFirst();
        try (ScriptedRegistry registry = ScriptedRegistry.tls(mine.server(mine), false);
                ScriptedRegistry plain = ScriptedRegistry.plain();
                HttpRegistryClient client = strict()) {
            Files.writeString(hostDirectory(registry).resolve("ca.crt"), mine.certificatePem());
            registry.on(
                    MANIFEST,
                    status(
                            401,
                            "",
                            "WWW-Authenticate",
                            "Bearer realm=\"" + plain.url("/token") + "\""));

            assertThatThrownBy(() ->
                            client.resolve(
                                    ImageReference.parse(registry.host() + "/lab/app:1"),
                                    new Credentials("me", "secret", "", "", "", ""),
                                    Clients.soon()))
                    .isInstanceOf(ImageException.class)
                    .hasMessageContaining("where credentials would not be safe");
            assertThat(plain.requests()).isEmpty();
        }
    }

    @Test
    void aRedirectFromTlsToPlainHttpIsRefused() throws Exception {
        TestCertificates mine = MINE.getFirst();
        try (ScriptedRegistry registry = ScriptedRegistry.tls(mine.server(mine), false);
                ScriptedRegistry plain = ScriptedRegistry.plain();
                HttpRegistryClient client = strict()) {
            Files.writeString(hostDirectory(registry).resolve("ca.crt"), mine.certificatePem());
            registry.on(MANIFEST, redirect(307, plain.url("/x")));

            assertThatThrownBy(() -> Clients.resolve(client, registry.host() + "/lab/app:1"))
                    .hasMessageContaining("not allowed from https://");
            assertThat(plain.requests()).isEmpty();
        }
    }

    @Test
    void keysInOpensslsFormsAreRead() throws Exception {
        TestCertificates rsa = MINE.getLast();
        byte[] pkcs8 = rsa.key().getEncoded();
        // The RSA key is the last element: its own length follows four bytes of header.
        int start = 0;
        for (int i = 4; i + 4 < pkcs8.length && start == 0; i++) {
            if (pkcs8[i] == 4 && (pkcs8[i + 1] & 0xff) == 0x82 && pkcs8[i + 4] == 0x30) {
                start = i + 4;
            }
        }
        Path file = directory.resolve("key.pem");
        Files.writeString(
                file,
                TestCertificates.pem(
                        "RSA PRIVATE KEY", Arrays.copyOfRange(pkcs8, start, pkcs8.length)));
        assertThat(TrustedCertificates.privateKey(file)).isEqualTo(rsa.key());

        TestCertificates ec = MINE.getFirst();
        byte[] scalar = ((ECPrivateKey) ec.key()).getS().toByteArray();
        byte[] sec1 = new byte[51];
        byte[] head = {0x30, 49, 2, 1, 1, 4, 32};
        byte[] curve = {(byte) 0xa0, 10, 6, 8, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 3, 1, 7};
        System.arraycopy(head, 0, sec1, 0, head.length);
        int length = Math.min(32, scalar.length);
        System.arraycopy(scalar, scalar.length - length, sec1, head.length + 32 - length, length);
        System.arraycopy(curve, 0, sec1, head.length + 32, curve.length);
        Files.writeString(file, TestCertificates.pem("EC PRIVATE KEY", sec1));
        assertThat(((ECPrivateKey) TrustedCertificates.privateKey(file)).getS())
                .isEqualTo(((ECPrivateKey) ec.key()).getS());

        Files.writeString(file, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
        assertThatThrownBy(() -> TrustedCertificates.privateKey(file))
                .hasMessageContaining("no unencrypted PEM private key");
    }
}
