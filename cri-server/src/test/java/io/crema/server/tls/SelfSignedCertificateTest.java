package io.crema.server.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.conf.ApiConfiguration;
import io.crema.conf.ApiConfiguration.TlsVersion;
import io.crema.server.base.ServerException;
import io.netty.handler.ssl.SslContext;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the JDK reads in a certificate made here. */
class SelfSignedCertificateTest {
    @TempDir private Path directory;

    @Test
    void aNameThatEndsInADigitIsNoAddress() throws Exception {
        Path certificate = directory.resolve("made/cert.pem");
        Path key = directory.resolve("made/key.pem");
        SelfSignedCertificate.makeWhenMissing(certificate, key, "worker-1");
        try (InputStream in = Files.newInputStream(certificate)) {
            X509Certificate made =
                    (X509Certificate)
                            CertificateFactory.getInstance("X.509").generateCertificate(in);
            made.verify(made.getPublicKey());
            made.checkValidity();
            List<Object> names = new ArrayList<>();
            made.getSubjectAlternativeNames().forEach(name -> names.add(name.get(1)));
            assertThat(names).containsExactly("localhost", "127.0.0.1", "worker-1");
        }
        try (var files = Files.list(directory.resolve("made"))) {
            assertThat(files).containsExactlyInAnyOrder(certificate, key);
        }
    }

    @Test
    void itIsRenewedBeforeItEndsAndWhoServesWithItSeesThat() throws Exception {
        TlsSettings files = settings();
        AtomicReference<Instant> now = new AtomicReference<>(Instant.now());
        SelfSignedFiles kept = new SelfSignedFiles(files, "worker-1", now::get);
        AtomicLong nanos = new AtomicLong();
        ServerTls server = new ServerTls(files, nanos::get);
        SslContext before = server.context();
        X509Certificate first = read(files.certificate());
        byte[] key = Files.readAllBytes(files.key());

        now.set(now.get().plus(Duration.ofDays(300)));
        kept.renewWhenDue();
        nanos.addAndGet(TimeUnit.SECONDS.toNanos(2));
        assertThat(read(files.certificate())).isEqualTo(first);
        assertThat(server.context()).isSameAs(before);

        now.set(now.get().plus(Duration.ofDays(10)));
        kept.renewWhenDue();
        nanos.addAndGet(TimeUnit.SECONDS.toNanos(2));
        X509Certificate second = read(files.certificate());
        assertThat(second).isNotEqualTo(first);
        second.checkValidity(Date.from(now.get().plus(Duration.ofDays(364))));
        second.verify(first.getPublicKey());
        assertThat(List.copyOf(second.getSubjectAlternativeNames()))
                .isEqualTo(List.copyOf(first.getSubjectAlternativeNames()));
        assertThat(files.key()).hasBinaryContent(key);
        assertThat(server.context()).isNotSameAs(before);

        // One that has ended while nobody served with it.
        now.set(now.get().plus(Duration.ofDays(1000)));
        var _ = new SelfSignedFiles(files, "worker-1", now::get);
        read(files.certificate()).checkValidity(Date.from(now.get()));
    }

    @Test
    void anotherOnesCertificateIsLeftAlone() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        KeyPair pair = generator.generateKeyPair();
        byte[] ours =
                SelfSignedCertificate.certificate(
                        pair, Set.of("localhost"), Instant.parse("2020-01-01T00:00:00Z"));
        // Of the same form, but by somebody else.
        String theirs =
                new String(ours, StandardCharsets.ISO_8859_1)
                        .replace("Crema self-signed", "Other self-signed");
        Path certificate = directory.resolve("theirs.pem");
        Files.writeString(
                certificate,
                "-----BEGIN CERTIFICATE-----\n"
                        + Base64.getMimeEncoder()
                                .encodeToString(theirs.getBytes(StandardCharsets.ISO_8859_1))
                        + "\n-----END CERTIFICATE-----\n");
        String before = Files.readString(certificate);
        assertThat(
                        SelfSignedCertificate.renewWhenDue(
                                certificate,
                                directory.resolve("no-key"),
                                "worker-1",
                                Instant.now()))
                .isFalse();
        assertThat(certificate).hasContent(before);
    }

    private TlsSettings settings() {
        return TlsSettings.of(
                "the test",
                "test_",
                directory.resolve("cert.pem"),
                directory.resolve("key.pem"),
                Optional.empty(),
                new ApiConfiguration(
                        directory.resolve("crema.sock"),
                        "127.0.0.1",
                        0,
                        false,
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Duration.ofHours(4),
                        TlsVersion.TLS_1_2,
                        List.of(),
                        16 << 20,
                        16 << 20,
                        Duration.ZERO));
    }

    private static X509Certificate read(Path certificate) throws Exception {
        try (InputStream in = Files.newInputStream(certificate)) {
            return (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    @Test
    void noKeyStaysWithoutItsCertificate() throws Exception {
        Path file = Files.createFile(directory.resolve("file"));
        Path key = directory.resolve("key.pem");
        assertThatThrownBy(() ->
                        SelfSignedCertificate.makeWhenMissing(
                                file.resolve("cert.pem"), key, "worker-1"))
                .isInstanceOf(ServerException.class);
        assertThat(key).doesNotExist();
    }
}
