package io.crema.conf;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The Prometheus endpoint ({@code [crio.metrics]}).
 *
 * @param socket a unix socket that serves the same
 * @param collectors without prefix: operations_total
 */
public record MetricsConfiguration(
        boolean enabled,
        String host,
        int port,
        Optional<Path> socket,
        Optional<Path> certificate,
        Optional<Path> key,
        List<String> collectors) {
    public MetricsConfiguration {
        Require.port("metrics_port", port);
        socket = Require.absolute("metrics_socket", socket);
        certificate = Require.absolute("metrics_cert", certificate);
        key = Require.absolute("metrics_key", key);
        collectors = List.copyOf(collectors);
    }
}
