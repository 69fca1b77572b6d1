package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.NON_EMPTY_TEXT;
import static io.crema.conf.OptionTypes.OPTIONAL_PATH;
import static io.crema.conf.OptionTypes.SWITCH;
import static io.crema.conf.OptionTypes.TEXTS;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The options of {@code [crio.metrics]}, {@code [crio.tracing]} and {@code [crio.stats]}. */
final class ObservationOptions {
    static final OptionTable METRICS = new OptionTable("crio.metrics", "The Prometheus endpoint.");
    static final OptionTable TRACING = new OptionTable("crio.tracing", "OpenTelemetry traces.");
    static final OptionTable STATS =
            new OptionTable("crio.stats", "Statistics of pods and containers.");

    /** Every collector, without prefix. */
    private static final List<String> ALL_COLLECTORS =
            List.of(
                    "image_pulls_layer_size",
                    "containers_events_dropped_total",
                    "containers_oom_total",
                    "processes_defunct",
                    "operations_total",
                    "operations_latency_seconds",
                    "operations_latency_seconds_total",
                    "operations_errors_total",
                    "image_pulls_bytes_total",
                    "image_pulls_skipped_bytes_total",
                    "image_pulls_failure_total",
                    "image_pulls_success_total",
                    "image_layer_reuse_total",
                    "containers_oom_count_total",
                    "containers_seccomp_notifier_count_total",
                    "resources_stalled_at_stage",
                    "containers_stopped_monitor_count",
                    "default_runtime");

    static final Option<Boolean> ENABLE_METRICS =
            option("enable_metrics", SWITCH, false)
                    .doc("Serve metrics.")
                    .flags("--enable-metrics")
                    .in(METRICS);

    static final Option<List<String>> METRICS_COLLECTORS =
            option("metrics_collectors", OptionTypes.COLLECTORS, ALL_COLLECTORS)
                    .doc("Which ones, with or without container_runtime_ and crio_ before them.")
                    .flags("--metrics-collectors")
                    .in(METRICS);

    static final Option<String> METRICS_HOST =
            option("metrics_host", NON_EMPTY_TEXT, "127.0.0.1")
                    .doc("The address to serve them on.")
                    .flags("--metrics-host")
                    .in(METRICS);

    static final Option<Integer> METRICS_PORT =
            option("metrics_port", OptionTypes.whole(0, 65535), 9090)
                    .doc("The port to serve them on.")
                    .flags("--metrics-port")
                    .in(METRICS);

    static final Option<Optional<Path>> METRICS_SOCKET =
            option("metrics_socket", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("A unix socket that serves them too, always without TLS.")
                    .flags("--metrics-socket")
                    .in(METRICS);

    static final Option<Optional<Path>> METRICS_CERT =
            option("metrics_cert", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The certificate to serve them with; made when it is missing.")
                    .flags("--metrics-cert")
                    .in(METRICS);

    static final Option<Optional<Path>> METRICS_KEY =
            option("metrics_key", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The key of that certificate.")
                    .flags("--metrics-key")
                    .in(METRICS);

    static final Option<Boolean> ENABLE_TRACING =
            option("enable_tracing", SWITCH, false)
                    .doc("Export traces.")
                    .flags("--enable-tracing")
                    .notYet()
                    .in(TRACING);

    static final Option<String> TRACING_ENDPOINT =
            option("tracing_endpoint", OptionTypes.HOST_AND_PORT, "127.0.0.1:4317")
                    .doc("Who receives them by OTLP over gRPC.")
                    .flags("--tracing-endpoint")
                    .notYet()
                    .in(TRACING);

    static final Option<Integer> TRACING_SAMPLING_RATE_PER_MILLION =
            option("tracing_sampling_rate_per_million", OptionTypes.whole(0, 1_000_000), 0)
                    .doc("How many of a million calls whose caller did not decide.")
                    .flags("--tracing-sampling-rate-per-million")
                    .notYet()
                    .in(TRACING);

    static final Option<Duration> STATS_COLLECTION_PERIOD =
            option("stats_collection_period", OptionTypes.seconds(0), Duration.ZERO)
                    .doc("Seconds between collections.")
                    .flags("--stats-collection-period")
                    .deprecated("collection_period")
                    .in(STATS);

    static final Option<Duration> COLLECTION_PERIOD =
            option("collection_period", OptionTypes.seconds(0), Duration.ZERO)
                    .doc("Seconds between collections; 0 to collect when asked.")
                    .flags("--collection-period")
                    .environment("COLLECTION_PERIOD")
                    .in(STATS);

    static final Option<List<String>> INCLUDED_POD_METRICS =
            option("included_pod_metrics", TEXTS, List.of("all"))
                    .doc(
                            "What ListPodSandboxMetrics answers: cpu, disk, diskIO, hugetlb, memory,"
                                    + " network, oom, process, spec, pressure, or all, which kubelet"
                                    + " needs for complete /metrics/cadvisor.")
                    .flags("--included-pod-metrics")
                    .in(STATS);

    private ObservationOptions() {}

    static MetricsConfiguration readMetrics(Settings settings) {
        return new MetricsConfiguration(
                settings.value(ENABLE_METRICS),
                settings.value(METRICS_HOST),
                settings.value(METRICS_PORT),
                settings.value(METRICS_SOCKET),
                settings.value(METRICS_CERT),
                settings.value(METRICS_KEY),
                settings.value(METRICS_COLLECTORS));
    }

    static TracingConfiguration readTracing(Settings settings) {
        return new TracingConfiguration(
                settings.value(ENABLE_TRACING),
                settings.value(TRACING_ENDPOINT),
                settings.value(TRACING_SAMPLING_RATE_PER_MILLION));
    }

    static StatsConfiguration readStats(Settings settings) {
        return new StatsConfiguration(
                settings.value(COLLECTION_PERIOD), settings.value(INCLUDED_POD_METRICS));
    }
}
