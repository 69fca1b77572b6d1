package io.crema.server.tls;

import io.crema.server.base.ServerException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a server's self-signed certificate valid: made when it is missing, and looked at when a
 * client comes. Connections that are open keep the one that they have begun with.
 */
public final class SelfSignedFiles {
    private static final Logger LOG = LoggerFactory.getLogger(SelfSignedFiles.class);
    private static final Duration LOOK_EVERY = Duration.ofHours(1);

    private final TlsSettings files;
    private final String host;
    private final InstantSource clock;
    private Instant nextLook;

    /**
     * Makes or renews the certificate.
     *
     * @param host as in {@link SelfSignedCertificate#makeWhenMissing}
     * @throws ServerException when they cannot be made
     */
    public SelfSignedFiles(TlsSettings files, String host, InstantSource clock) {
        this.files = files;
        this.host = host;
        this.clock = clock;
        SelfSignedCertificate.makeWhenMissing(files.certificate(), files.key(), host);
        nextLook = clock.instant();
        renewWhenDue();
    }

    /** Costs nothing but once an hour, and then for as long as two files take to be read. */
    public synchronized void renewWhenDue() {
        Instant now = clock.instant();
        if (now.isBefore(nextLook)) {
            return;
        }
        nextLook = now.plus(LOOK_EVERY);
        try {
            SelfSignedCertificate.renewWhenDue(files.certificate(), files.key(), host, now);
        } catch (ServerException e) {
            LOG.warn("{}", e.getMessage());
        }
    }
}
