package io.crema.image.registry;

import io.crema.base.ErrorKind;
import io.crema.base.PemKey;
import io.crema.image.ImageException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * What we trust and show in TLS: the system's certificate bundle, and for one host what certs.d
 * adds, {@code <host[:port]>/*.crt} as further authorities and {@code *.cert} with {@code *.key} as
 * our own certificate (containers-certs.d(5)).
 */
final class TrustedCertificates {
    private static final List<Path> SYSTEM_BUNDLES =
            List.of(
                    Path.of("/etc/ssl/certs/ca-certificates.crt"),
                    Path.of("/etc/pki/tls/certs/ca-bundle.crt"),
                    Path.of("/etc/ssl/ca-bundle.pem"));

    private static final long MAX_FILE_BYTES = 16 << 20;

    /** One file of a certs.d directory; a changed one is a different one. */
    record CertificateFile(Path path, long sizeBytes, long modifiedMillis) {}

    /** The files of one host's directory; none when there is no such directory. */
    record HostFiles(List<CertificateFile> files) {
        HostFiles {
            files = List.copyOf(files);
        }
    }

    private final List<Path> directories;
    private final Optional<Path> systemBundle;

    /**
     * @param directories such as /etc/containers/certs.d; the first with a directory for the host
     *     decides
     * @param environment SSL_CERT_FILE replaces the system's bundle, as with Go programs
     */
    TrustedCertificates(List<Path> directories, Map<String, String> environment) {
        this.directories = List.copyOf(directories);
        String named = environment.getOrDefault("SSL_CERT_FILE", "");
        this.systemBundle =
                named.isEmpty()
                        ? SYSTEM_BUNDLES.stream().filter(Files::isRegularFile).findFirst()
                        : Optional.of(Path.of(named));
    }

    /** What certs.d holds for a host now. */
    HostFiles filesOf(String host) {
        for (Path directory : directories) {
            Path ofHost = directory.resolve(host);
            if (!Files.isDirectory(ofHost)) {
                continue;
            }
            List<Path> paths = new ArrayList<>();
            List<CertificateFile> files = new ArrayList<>();
            try (DirectoryStream<Path> entries =
                    Files.newDirectoryStream(ofHost, "*.{crt,cert,key}")) {
                entries.forEach(paths::add);
                Collections.sort(paths);
                for (Path path : paths) {
                    BasicFileAttributes attributes =
                            Files.readAttributes(path, BasicFileAttributes.class);
                    files.add(
                            new CertificateFile(
                                    path,
                                    attributes.size(),
                                    attributes.lastModifiedTime().toMillis()));
                }
            } catch (IOException e) {
                throw broken(ofHost, "cannot be read: " + e, e);
            }
            return new HostFiles(files);
        }
        return new HostFiles(List.of());
    }

    /** TLS that verifies by the system's authorities and the host's own. */
    SSLContext verifying(HostFiles host) {
        return context(host, trustManagers(host));
    }

    /** TLS that believes everybody: for registries that configuration calls insecure. */
    SSLContext unverified(HostFiles host) {
        return context(host, new TrustManager[] {new Anybody()});
    }

    private static SSLContext context(HostFiles host, TrustManager[] trust) {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keyManagers(host), trust, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new ImageException(ErrorKind.INTERNAL, "TLS cannot be set up: " + e, e);
        }
    }

    private TrustManager[] trustManagers(HostFiles host) {
        try {
            TrustManagerFactory factory =
                    TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            KeyStore store = null;
            if (systemBundle.isPresent()) {
                store = emptyStore();
                addAll(store, systemBundle.get());
            } else if (host.files.stream().anyMatch(f -> f.path.toString().endsWith(".crt"))) {
                store = emptyStore();
            }
            if (store != null) {
                for (CertificateFile file : host.files) {
                    if (file.path.toString().endsWith(".crt")) {
                        addAll(store, file.path);
                    }
                }
            }
            // Without a store the factory takes the JDK's own bundle.
            factory.init(store);
            return factory.getTrustManagers();
        } catch (GeneralSecurityException | IOException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL, "the certificate authorities cannot be set up: " + e, e);
        }
    }

    private static KeyStore emptyStore() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static void addAll(KeyStore store, Path file) throws GeneralSecurityException {
        for (Certificate certificate : certificates(file)) {
            store.setCertificateEntry("ca" + store.size(), certificate);
        }
    }

    private static Collection<? extends Certificate> certificates(Path file) {
        try {
            return CertificateFactory.getInstance("X.509")
                    .generateCertificates(new ByteArrayInputStream(read(file)));
        } catch (CertificateException e) {
            throw broken(file, "holds no PEM certificates: " + e.getMessage(), e);
        }
    }

    private static byte[] read(Path file) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw broken(file, "is larger than " + MAX_FILE_BYTES + " bytes", null);
            }
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw broken(file, "cannot be read: " + e, e);
        }
    }

    private static KeyManager[] keyManagers(HostFiles host) {
        try {
            KeyStore store = null;
            for (CertificateFile file : host.files) {
                String name = file.path.toString();
                if (!name.endsWith(".cert")) {
                    continue;
                }
                Path key = Path.of(name.substring(0, name.length() - ".cert".length()) + ".key");
                if (!Files.isRegularFile(key)) {
                    throw broken(file.path, "has no key beside it: " + key + " is missing", null);
                }
                store = store == null ? emptyStore() : store;
                store.setKeyEntry(
                        name,
                        privateKey(key),
                        new char[0],
                        certificates(file.path).toArray(Certificate[]::new));
            }
            if (store == null) {
                return new KeyManager[0];
            }
            KeyManagerFactory factory =
                    KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(store, new char[0]);
            return factory.getKeyManagers();
        } catch (GeneralSecurityException | IOException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL, "the client certificate cannot be set up: " + e, e);
        }
    }

    /** Reads a PEM key in PKCS#8 or in OpenSSL's older forms for RSA and EC. */
    static PrivateKey privateKey(Path file) {
        try {
            return PemKey.read(file);
        } catch (InvalidKeySpecException e) {
            throw broken(file, String.valueOf(e.getMessage()), e);
        }
    }

    private static ImageException broken(Path file, String problem, @Nullable Throwable cause) {
        return new ImageException(
                ErrorKind.FAILED_PRECONDITION,
                "certificates for a registry: " + file + " " + problem,
                cause);
    }

    /**
     * Believes every certificate. Being an extended trust manager it also answers for the host
     * name, which the JDK would check otherwise.
     */
    private static final class Anybody extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
