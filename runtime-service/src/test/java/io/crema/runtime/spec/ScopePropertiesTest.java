package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScopePropertiesTest {
    private static final String GRACE = "io.kubernetes.pod.terminationGracePeriod";

    @Test
    void theGracePeriodIsSystemdsToo() {
        assertThat(ScopeProperties.of(Map.of(GRACE, "45")))
                .containsOnly(
                        Map.entry("org.systemd.property.CollectMode", "'inactive-or-failed'"),
                        Map.entry("org.systemd.property.TimeoutStopUSec", "uint64 45000000"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-1", "x", "9999999999", "1 s"})
    void nonsenseIsPassedOver(String grace) {
        assertThat(ScopeProperties.of(Map.of(GRACE, grace)))
                .containsOnlyKeys("org.systemd.property.CollectMode");
    }
}
