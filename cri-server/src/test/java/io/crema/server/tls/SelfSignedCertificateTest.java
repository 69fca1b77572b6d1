package io.crema.server.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.server.base.ServerException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
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
