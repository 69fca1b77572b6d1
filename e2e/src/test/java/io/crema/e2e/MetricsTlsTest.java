package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Metrics over TLS by a certificate that the daemon made, and only those that are wanted. */
@Tag("e2e")
class MetricsTlsTest {
    @TempDir private static Path directory;

    @Test
    void aMissingCertificateIsMadeAndKept() throws IOException {
        Path certificate = directory.resolve("tls/metrics.crt");
        Path key = directory.resolve("tls/metrics.key");
        NodeSetup setup =
                NodeSetup.of(RuntimeUnderTest.CREMA)
                        .withConfiguration(
                                """
                                [crio.metrics]
                                enable_metrics = true
                                metrics_port = 9537
                                metrics_cert = "%s"
                                metrics_key = "%s"
                                metrics_collectors = [
                                  "operations_total", "container_runtime_crio_default_runtime",
                                ]
                                """
                                        .formatted(certificate, key));
        try (TestNode node = TestNode.start(setup)) {
            String made = Files.readString(certificate);
            assertThat(Files.getPosixFilePermissions(key))
                    .isEqualTo(PosixFilePermissions.fromString("rw-------"));
            assertThat(Shell.run("openssl", "x509", "-noout", "-text", "-in", certificate + ""))
                    .contains("Version: 3", "DNS:localhost, IP Address:127.0.0.1", "CA:TRUE");
            assertThat(
                            Shell.run(
                                    "openssl",
                                    "verify",
                                    "-CAfile",
                                    "" + certificate,
                                    "" + certificate))
                    .contains("OK");
            String page = scrape(node, certificate);
            assertThat(page)
                    .contains("container_runtime_crio_operations_total{operation=\"Version\"}")
                    .contains("container_runtime_crio_default_runtime{runtime=\"runc\"} 1")
                    .doesNotContain("operations_errors_total", "image_pulls_success_total");
            node.restart();
            assertThat(Files.readString(certificate)).isEqualTo(made);
            assertThat(scrape(node, certificate)).contains("# HELP");
        }
    }

    private static String scrape(TestNode node, Path authority) {
        return node.inNamespace(
                "curl",
                "-sS",
                "--fail",
                "--max-time",
                "10",
                "--cacert",
                authority.toString(),
                "https://127.0.0.1:9537/metrics");
    }
}
