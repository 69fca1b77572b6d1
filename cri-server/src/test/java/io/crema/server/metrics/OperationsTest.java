package io.crema.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.server.metrics.Exposition.Kind;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class OperationsTest {
    private static final List<String> ALL =
            List.of(
                    "operations_total",
                    "operations_errors_total",
                    "operations_latency_seconds_total",
                    "resources_stalled_at_stage");

    private final AtomicLong now = new AtomicLong();
    private final Operations operations = new Operations(now::get);

    private String page() {
        Exposition page = new Exposition(ALL);
        operations.writeTo(page);
        return page.toString();
    }

    @Test
    void quantilesAreThoseOfTheLastTenMinutes() {
        operations.answered("Status", "OK", Duration.ofSeconds(100));
        now.set(TimeUnit.MINUTES.toNanos(11));
        for (int i = 1; i <= 100; i++) {
            operations.answered("Status", i == 50 ? "NOT_FOUND" : "OK", Duration.ofSeconds(i));
        }
        String name = "container_runtime_crio_operations_latency_seconds_total";
        assertThat(page())
                .contains("operations_total{operation=\"Status\"} 101\n")
                .contains("operations_errors_total{operation=\"Status\"} 1\n")
                .contains(name + "{operation=\"Status\",quantile=\"0.5\"} 50.0\n")
                .contains(name + "{operation=\"Status\",quantile=\"0.99\"} 99.0\n")
                .contains(name + "_sum{operation=\"Status\"} 5150.0\n")
                .contains(name + "_count{operation=\"Status\"} 101\n");
        now.set(TimeUnit.MINUTES.toNanos(30));
        assertThat(page()).contains("quantile=\"0.5\"} NaN\n");
    }

    @Test
    void stagesAreCountedWithoutTheNamesOfPods() {
        operations.late("RunPodSandbox", "the network plugins in RunPodSandbox of default/web");
        operations.late("RunPodSandbox", "the network plugins in RunPodSandbox of default/db");
        operations.late("StopContainer", "the container to end");
        assertThat(page())
                .contains("resources_stalled_at_stage{stage=\"the network plugins\"} 2\n")
                .doesNotContain("default", "to end");
    }

    @Test
    void labelsAreEscapedAndUnwantedMetricsLeftOut() {
        Exposition page = new Exposition(List.of("wanted"));
        page.crio("unwanted", Kind.GAUGE, "Nobody asked.").value(1);
        page.crio("wanted", Kind.GAUGE, "Asked for.").value(2, "a", "quote \" slash \\ line\n");
        assertThat(page.toString())
                .isEqualTo(
                        """
                        # HELP container_runtime_crio_wanted Asked for.
                        # TYPE container_runtime_crio_wanted gauge
                        container_runtime_crio_wanted{a="quote \\" slash \\\\ line\\n"} 2
                        """);
    }
}
