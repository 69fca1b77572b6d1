package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which annotations count, and what their texts mean. */
class PodAnnotationsTest {
    private static PodAnnotations of(String allowed, Map<String, String> annotations) {
        String toml = "[crio.runtime.runtimes.runc]\nallowed_annotations = [\"" + allowed + "\"]\n";
        return new PodAnnotations(
                annotations,
                new ConfigurationLoader(new HostFacts(false))
                        .parse(toml)
                        .configuration()
                        .runtime()
                        .defaultHandler());
    }

    @Test
    void onlyWhatIsAllowedCounts() {
        Map<String, String> both =
                Map.of("shm-size.crio.io", "1Mi", "io.kubernetes.cri-o.ShmSize", "2Mi");
        assertThat(of("", both).sharedMemoryBytes()).isEmpty();
        assertThat(of("io.kubernetes.cri-o.Devices", both).sharedMemoryBytes()).isEmpty();
        assertThat(of("io.kubernetes.cri-o.ShmSize", both).sharedMemoryBytes())
                .as("the new name wins, whichever is allowed")
                .contains(1L << 20);
        assertThat(of("shm-size", Map.of("io.kubernetes.cri-o.ShmSize", "2Mi")).sharedMemoryBytes())
                .contains(2L << 20);
    }

    @ParameterizedTest
    @CsvSource({
        "100, 100",
        "64Mi, 67108864",
        "1.5Gi, 1610612736",
        "1k, 1000",
        "1e6, 1000000",
        "2500m, 3"
    })
    void quantities(String text, long bytes) {
        assertThat(PodAnnotations.quantity(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "Mi", "much", "64MiB", "1 Mi", "99999999999Ti"})
    void refusesWhatIsNoQuantity(String text) {
        assertThatThrownBy(() -> PodAnnotations.quantity(text))
                .hasMessageContaining("is not a quantity");
    }

    @Test
    void umasks() {
        assertThat(of("umask", Map.of("umask.crio.io", "0027")).umask()).isEqualTo(027);
        assertThat(of("umask", Map.of()).umask()).isNull();
        assertThatThrownBy(() -> of("umask", Map.of("umask.crio.io", "8")).umask())
                .hasMessageContaining("octal");
    }

    @Test
    void unifiedCgroupsOfOneContainer() {
        Map<String, String> annotations =
                Map.of(
                        "unified-cgroup.crio.io/main",
                        "memory.high=MTAw;memory.low=raw value",
                        "unified-cgroup.crio.io/other",
                        "broken");
        PodAnnotations pod = of("unified-cgroup.crio.io", annotations);
        assertThat(pod.unified("main"))
                .containsExactly(
                        Map.entry("memory.high", "100"), Map.entry("memory.low", "raw value"));
        assertThat(pod.unified("absent")).isEmpty();
        assertThatThrownBy(() -> pod.unified("other")).hasMessageContaining("'broken'");
    }
}
