package io.crema.server.tls;

import io.crema.base.ErrorKind;
import io.crema.base.PemKey;
import io.crema.server.base.ServerException;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificates of a server. Files that changed are read again, at most once a second and when a
 * client comes; what cannot be read leaves the old ones in use.
 */
public final class ServerTls {
    private static final Logger LOG = LoggerFactory.getLogger(ServerTls.class);
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final TlsSettings settings;
    private final LongSupplier nanoTime;
    private final List<Path> files;
    private List<String> state;
    private SslContext context;
    private long lookedNanos;

    /**
     * @throws ServerException when the files or names in the settings are wrong
     */
    public ServerTls(TlsSettings settings, LongSupplier nanoTime) {
        this.settings = settings;
        this.nanoTime = nanoTime;
        List<Path> watched = new ArrayList<>(List.of(settings.certificate(), settings.key()));
        settings.authorities().ifPresent(watched::add);
        files = List.copyOf(watched);
        state = state();
        context = read();
        lookedNanos = nanoTime.getAsLong();
    }

    /** For the next connection. */
    public synchronized SslContext context() {
        long now = nanoTime.getAsLong();
        if (now - lookedNanos >= LOOK_NANOS) {
            lookedNanos = now;
            List<String> latest = state();
            if (!latest.equals(state)) {
                reload(latest);
            }
        }
        return context;
    }

    private void reload(List<String> latest) {
        try {
            context = read();
            LOG.info("the certificates of {} changed and were read again", settings.server());
        } catch (ServerException e) {
            LOG.atWarn()
                    .addKeyValue("error", e.getMessage())
                    .log(
                            "the certificates of {} changed; the old ones stay in use",
                            settings.server());
        }
        state = latest;
    }

    /** Tells a replaced or rewritten file. */
    private List<String> state() {
        List<String> all = new ArrayList<>();
        for (Path file : files) {
            try {
                BasicFileAttributes now = Files.readAttributes(file, BasicFileAttributes.class);
                all.add(now.lastModifiedTime() + " " + now.size() + " " + now.fileKey());
            } catch (IOException e) {
                all.add("unreadable");
            }
        }
        return all;
    }

    private SslContext read() {
        try {
            SslContextBuilder builder =
                    SslContextBuilder.forServer(key(), certificates("cert", settings.certificate()))
                            .sslProvider(SslProvider.JDK)
                            .protocols(settings.protocols())
                            .sessionCacheSize(100);
            if (settings.authorities().isPresent()) {
                builder.trustManager(certificates("ca", settings.authorities().get()))
                        .clientAuth(ClientAuth.REQUIRE);
            }
            List<String> ciphers = ciphers();
            if (!ciphers.isEmpty()) {
                builder.ciphers(ciphers);
            }
            return builder.build();
        } catch (SSLException | GeneralSecurityException | IllegalArgumentException e) {
            throw new ServerException(
                    ErrorKind.INVALID_ARGUMENT,
                    "cannot set up TLS of "
                            + settings.server()
                            + " with "
                            + settings.optionPrefix()
                            + "cert = "
                            + settings.certificate()
                            + " and "
                            + settings.optionPrefix()
                            + "key = "
                            + settings.key()
                            + ": "
                            + e.getMessage(),
                    e);
        }
    }

    /** The suites of TLS 1.2 are the configured ones; those of 1.3 cannot be chosen, as in Go. */
    private List<String> ciphers() throws GeneralSecurityException {
        if (settings.cipherSuites().isEmpty()) {
            return List.of();
        }
        Set<String> known =
                Set.of(SSLContext.getDefault().getSupportedSSLParameters().getCipherSuites());
        Set<String> all = new LinkedHashSet<>();
        for (String suite : known) {
            if (suite.startsWith("TLS_AES_") || suite.startsWith("TLS_CHACHA20_")) {
                all.add(suite);
            }
        }
        for (String suite : settings.cipherSuites()) {
            if (!known.contains(suite)) {
                throw new ServerException(
                        ErrorKind.INVALID_ARGUMENT,
                        "tls_cipher_suites names '" + suite + "', which this Java does not have");
            }
            all.add(suite);
        }
        return List.copyOf(all);
    }

    private PrivateKey key() {
        try {
            return PemKey.read(settings.key());
        } catch (InvalidKeySpecException e) {
            throw new ServerException(
                    ErrorKind.INVALID_ARGUMENT,
                    "cannot read the private key in "
                            + settings.optionPrefix()
                            + "key = "
                            + settings.key()
                            + ": it "
                            + e.getMessage(),
                    e);
        }
    }

    private X509Certificate[] certificates(String option, Path file) {
        Throwable cause;
        String why;
        try (InputStream in = Files.newInputStream(file)) {
            List<X509Certificate> all = new ArrayList<>();
            for (var certificate :
                    CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                all.add((X509Certificate) certificate);
            }
            if (!all.isEmpty()) {
                return all.toArray(new X509Certificate[0]);
            }
            why = "it holds no certificate";
            cause = null;
        } catch (IOException | CertificateException e) {
            why = e.toString();
            cause = e;
        }
        throw unreadable(option, file, why, cause);
    }

    private ServerException unreadable(
            String option, Path file, String why, @Nullable Throwable cause) {
        return new ServerException(
                ErrorKind.INVALID_ARGUMENT,
                "cannot read the certificates in "
                        + settings.optionPrefix()
                        + option
                        + " = "
                        + file
                        + ": "
                        + why,
                cause);
    }
}
