package io.crema.server.streaming;

import io.crema.conf.ApiConfiguration;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Where the streaming server listens and how long it waits.
 *
 * @param port 0 for any free one
 * @param tls absent for plain HTTP
 * @param idleTimeout a connection that was silent for that long is closed
 * @param creationTimeout how long a client may take to open its streams
 */
public record StreamingSettings(
        String address,
        int port,
        Optional<Tls> tls,
        Duration idleTimeout,
        Duration creationTimeout) {
    private static final Duration CREATION_TIMEOUT = Duration.ofSeconds(30);

    /**
     * @param authorities who must have signed the certificates of clients; absent for anybody
     * @param protocols from the oldest allowed one on, in JSSE's words
     * @param cipherSuites empty for the JDK's own choice
     */
    public record Tls(
            Path certificate,
            Path key,
            Optional<Path> authorities,
            List<String> protocols,
            List<String> cipherSuites) {
        public Tls {
            protocols = List.copyOf(protocols);
            cipherSuites = List.copyOf(cipherSuites);
        }
    }

    public static StreamingSettings of(ApiConfiguration api) {
        Optional<Tls> tls = Optional.empty();
        if (api.streamTlsEnabled()) {
            List<String> protocols =
                    switch (api.tlsMinimumVersion()) {
                        case TLS_1_2 -> List.of("TLSv1.2", "TLSv1.3");
                        case TLS_1_3 -> List.of("TLSv1.3");
                    };
            tls =
                    Optional.of(
                            new Tls(
                                    api.streamTlsCertificate().orElseThrow(),
                                    api.streamTlsKey().orElseThrow(),
                                    api.streamTlsAuthorities(),
                                    protocols,
                                    api.tlsCipherSuites()));
        }
        return new StreamingSettings(
                api.streamAddress(),
                api.streamPort(),
                tls,
                api.streamIdleTimeout(),
                CREATION_TIMEOUT);
    }
}
