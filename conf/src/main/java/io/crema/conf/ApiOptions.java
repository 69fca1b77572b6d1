package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.NON_EMPTY_TEXT;
import static io.crema.conf.OptionTypes.OPTIONAL_PATH;
import static io.crema.conf.OptionTypes.SOCKET;
import static io.crema.conf.OptionTypes.SWITCH;
import static io.crema.conf.OptionTypes.TEXTS;
import static io.crema.conf.OptionTypes.TEXTUAL_PORT;

import io.crema.conf.ApiConfiguration.TlsVersion;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The options of {@code [crio.api]} and {@code [crema.api]}. */
final class ApiOptions {
    static final OptionTable TABLE =
            new OptionTable("crio.api", "The CRI socket and the streaming server.");
    static final OptionTable OWN_TABLE =
            new OptionTable("crema.api", "What crio.conf has no key for: the server.");

    private static final int MIB = 1024 * 1024;

    static final Option<Path> LISTEN =
            option(
                            "listen",
                            SOCKET,
                            Path.of("/run/crema/crema.sock"),
                            settings ->
                                    settings.value(StorageOptions.RUNROOT).resolve("crema.sock"))
                    .doc("The unix socket of the CRI and of the HTTP endpoints.")
                    .flags("--listen")
                    .in(TABLE);

    static final Option<String> STREAM_ADDRESS =
            option("stream_address", NON_EMPTY_TEXT, "127.0.0.1")
                    .doc("Where the streaming server listens.")
                    .flags("--stream-address")
                    .in(TABLE);

    static final Option<Integer> STREAM_PORT =
            option("stream_port", TEXTUAL_PORT, 0)
                    .doc("The streaming server's port; 0 for any free one.")
                    .flags("--stream-port")
                    .in(TABLE);

    static final Option<Boolean> STREAM_ENABLE_TLS =
            option("stream_enable_tls", SWITCH, false)
                    .doc("Encrypt streams.")
                    .flags("--stream-enable-tls")
                    .environment("CONTAINER_ENABLE_TLS")
                    .in(TABLE);

    static final Option<Optional<Path>> STREAM_TLS_CERT =
            option("stream_tls_cert", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The streaming server's certificate; read again when it changes.")
                    .flags("--stream-tls-cert")
                    .environment("CONTAINER_TLS_CERT")
                    .in(TABLE);

    static final Option<Optional<Path>> STREAM_TLS_KEY =
            option("stream_tls_key", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The key of that certificate.")
                    .flags("--stream-tls-key")
                    .environment("CONTAINER_TLS_KEY")
                    .in(TABLE);

    static final Option<Optional<Path>> STREAM_TLS_CA =
            option("stream_tls_ca", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Who must have signed the certificates of clients; empty for anybody.")
                    .flags("--stream-tls-ca")
                    .environment("CONTAINER_TLS_CA")
                    .in(TABLE);

    static final Option<Duration> STREAM_IDLE_TIMEOUT =
            option(
                            "stream_idle_timeout",
                            OptionTypes.durationOr(Duration.ofHours(4)),
                            Duration.ofHours(4))
                    .doc("A stream that was silent for that long is closed.")
                    .flags("--stream-idle-timeout")
                    .environment("STREAM_IDLE_TIMEOUT")
                    .in(TABLE);

    static final Option<TlsVersion> TLS_MIN_VERSION =
            option("tls_min_version", OptionTypes.oneOf(TlsVersion.class), TlsVersion.TLS_1_2)
                    .doc("The oldest TLS for streams and metrics.")
                    .flags("--tls-min-version")
                    .in(TABLE);

    static final Option<List<String>> TLS_CIPHER_SUITES =
            option("tls_cipher_suites", TEXTS, List.<String>of())
                    .doc("The cipher suites for TLS 1.2; empty for the JDK's choice.")
                    .flags("--tls-cipher-suites")
                    .in(TABLE);

    static final Option<Integer> GRPC_MAX_SEND_MSG_SIZE =
            option("grpc_max_send_msg_size", OptionTypes.whole(16 * MIB, 1024 * MIB), 80 * MIB)
                    .doc("The largest message sent, in bytes; kubelet takes 16 MiB.")
                    .flags("--grpc-max-send-msg-size")
                    .in(TABLE);

    static final Option<Integer> GRPC_MAX_RECV_MSG_SIZE =
            option("grpc_max_recv_msg_size", OptionTypes.whole(16 * MIB, 1024 * MIB), 80 * MIB)
                    .doc("The largest message received, in bytes.")
                    .flags("--grpc-max-recv-msg-size")
                    .in(TABLE);

    static final Option<Duration> SHUTDOWN_GRACE_PERIOD =
            option(
                            "shutdown_grace_period",
                            OptionTypes.duration(Duration.ZERO),
                            Duration.ofSeconds(5))
                    .doc("How long a graceful stop waits for calls in flight.")
                    .in(OWN_TABLE);

    private ApiOptions() {}

    static ApiConfiguration read(Settings settings) {
        return new ApiConfiguration(
                settings.value(LISTEN),
                settings.value(STREAM_ADDRESS),
                settings.value(STREAM_PORT),
                settings.value(STREAM_ENABLE_TLS),
                settings.value(STREAM_TLS_CERT),
                settings.value(STREAM_TLS_KEY),
                settings.value(STREAM_TLS_CA),
                settings.value(STREAM_IDLE_TIMEOUT),
                settings.value(TLS_MIN_VERSION),
                settings.value(TLS_CIPHER_SUITES),
                settings.value(GRPC_MAX_SEND_MSG_SIZE),
                settings.value(GRPC_MAX_RECV_MSG_SIZE),
                settings.value(SHUTDOWN_GRACE_PERIOD));
    }
}
