package io.crema.conf;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The socket and the streaming server ({@code [crio.api]}, {@code [crema.api]}).
 *
 * @param listen the unix socket of the CRI and of the HTTP endpoints
 * @param streamPort 0 for any free port
 * @param streamIdleTimeout how long a stream may be silent
 * @param tlsMinimumVersion for streaming and metrics
 * @param tlsCipherSuites empty for the JDK's own choice
 * @param shutdownGracePeriod how long a graceful stop waits for calls in flight
 */
public record ApiConfiguration(
        Path listen,
        String streamAddress,
        int streamPort,
        boolean streamTlsEnabled,
        Optional<Path> streamTlsCertificate,
        Optional<Path> streamTlsKey,
        Optional<Path> streamTlsAuthorities,
        Duration streamIdleTimeout,
        TlsVersion tlsMinimumVersion,
        List<String> tlsCipherSuites,
        int maxSendMessageBytes,
        int maxReceiveMessageBytes,
        Duration shutdownGracePeriod) {
    /** Bytes of {@code sun_path} in a unix socket address, less the closing zero. */
    private static final int MAX_SOCKET_PATH_BYTES = 107;

    /** What kubelet itself can receive; a smaller limit of ours would break it. */
    private static final int MIN_MESSAGE_BYTES = 16 * 1024 * 1024;

    /** The protocol versions that the configuration may ask for, in Go's spelling. */
    public enum TlsVersion {
        TLS_1_2("VersionTLS12", "TLSv1.2"),
        TLS_1_3("VersionTLS13", "TLSv1.3");

        private final String word;
        private final String protocol;

        TlsVersion(String word, String protocol) {
            this.word = word;
            this.protocol = protocol;
        }

        /** The name that the JDK's SSL classes use. */
        public String protocol() {
            return protocol;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    public ApiConfiguration {
        listen = Require.absolute("listen", listen);
        Require.that(
                listen.toString().getBytes(StandardCharsets.UTF_8).length <= MAX_SOCKET_PATH_BYTES,
                "listen must be at most "
                        + MAX_SOCKET_PATH_BYTES
                        + " bytes, the limit of a unix socket path: '"
                        + listen
                        + "'");
        Require.notEmpty("stream_address", streamAddress);
        Require.port("stream_port", streamPort);
        streamTlsCertificate = Require.absolute("stream_tls_cert", streamTlsCertificate);
        streamTlsKey = Require.absolute("stream_tls_key", streamTlsKey);
        streamTlsAuthorities = Require.absolute("stream_tls_ca", streamTlsAuthorities);
        Require.that(
                !streamTlsEnabled || (streamTlsCertificate.isPresent() && streamTlsKey.isPresent()),
                "stream_enable_tls needs both stream_tls_cert and stream_tls_key");
        Require.atLeast("stream_idle_timeout", Duration.ofSeconds(1), streamIdleTimeout);
        tlsCipherSuites = List.copyOf(tlsCipherSuites);
        Require.atLeast("grpc_max_send_msg_size", MIN_MESSAGE_BYTES, maxSendMessageBytes);
        Require.atLeast("grpc_max_recv_msg_size", MIN_MESSAGE_BYTES, maxReceiveMessageBytes);
        Require.atLeast("shutdown_grace_period", Duration.ZERO, shutdownGracePeriod);
    }
}
