package io.crema.server.streaming;

import io.crema.conf.ApiConfiguration;
import io.crema.server.tls.TlsSettings;
import java.time.Duration;
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
        Optional<TlsSettings> tls,
        Duration idleTimeout,
        Duration creationTimeout) {
    private static final Duration CREATION_TIMEOUT = Duration.ofSeconds(30);

    public static StreamingSettings of(ApiConfiguration api) {
        Optional<TlsSettings> tls = Optional.empty();
        if (api.streamTlsEnabled()) {
            tls =
                    Optional.of(
                            TlsSettings.of(
                                    "the streaming server",
                                    "stream_tls_",
                                    api.streamTlsCertificate().orElseThrow(),
                                    api.streamTlsKey().orElseThrow(),
                                    api.streamTlsAuthorities(),
                                    api));
        }
        return new StreamingSettings(
                api.streamAddress(),
                api.streamPort(),
                tls,
                api.streamIdleTimeout(),
                CREATION_TIMEOUT);
    }
}
