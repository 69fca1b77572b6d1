package io.crema.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.conf.ApiConfiguration;
import io.crema.conf.ApiConfiguration.TlsVersion;
import io.crema.conf.MetricsConfiguration;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a metrics server that never listened leaves alone. */
class MetricsServerTest {
    @TempDir private Path directory;

    @Test
    void aFileThatItDidNotMakeStays() throws Exception {
        Path foreign = Files.createFile(directory.resolve("metrics.sock"));
        ApiConfiguration api =
                new ApiConfiguration(
                        directory.resolve("crema.sock"),
                        "127.0.0.1",
                        0,
                        false,
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Duration.ofHours(4),
                        TlsVersion.TLS_1_2,
                        List.of(),
                        16 << 20,
                        16 << 20,
                        Duration.ZERO);
        new MetricsServer(
                        new MetricsConfiguration(
                                true,
                                "127.0.0.1",
                                0,
                                Optional.of(foreign),
                                Optional.empty(),
                                Optional.empty(),
                                List.of()),
                        api)
                .close();
        assertThat(foreign).exists();
    }
}
