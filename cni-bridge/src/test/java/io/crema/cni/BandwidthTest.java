package io.crema.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import java.math.BigDecimal;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BandwidthTest {
    @ParameterizedTest
    @CsvSource({
        "10M, 10000000",
        "1Ki, 1024",
        "1.5k, 1500",
        "0.1, 1",
        "100, 100",
        "2e3, 2000",
        "2E3, 2000",
        "1E, 1000000000000000000",
        "2500m, 3",
        "-3k, -3000",
        "+1Gi, 1073741824",
        ".5k, 500",
    })
    void quantitiesAsKubernetesWritesThem(String text, BigDecimal value) {
        assertThat(Bandwidth.quantity(text).orElseThrow()).isEqualByComparingTo(value);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "M", "1KB", "1 M", "1..2", "ten", "1e", "1e99", "--1", "1e1000000000"})
    void otherTextIsNoQuantity(String text) {
        assertThat(Bandwidth.quantity(text)).isEmpty();
    }

    @Test
    void bothDirections() {
        var bandwidth =
                Bandwidth.of(Map.of(Bandwidth.INGRESS, "1M", Bandwidth.EGRESS, "2M")).orElseThrow();
        assertThat(bandwidth.path("ingressRate").longValue()).isEqualTo(1_000_000);
        assertThat(bandwidth.path("egressRate").longValue()).isEqualTo(2_000_000);
        // The bandwidth plugin refuses a burst of 4 GiB and more.
        assertThat(bandwidth.path("ingressBurst").longValue() / 8).isLessThan(0xFFFF_FFFFL);
        assertThat(bandwidth.path("egressBurst").longValue()).isPositive();
    }

    @Test
    void noAnnotationMeansNoLimit() {
        assertThat(Bandwidth.of(Map.of("other", "1"))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"fast", "10", "0", "-1M", "2P"})
    void aSenselessLimitIsRefusedByName(String text) {
        assertThatThrownBy(() -> Bandwidth.of(Map.of(Bandwidth.EGRESS, text)))
                .isInstanceOfSatisfying(
                        NetworkException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                .hasMessageContaining(Bandwidth.EGRESS)
                .hasMessageContaining("'" + text + "'");
    }
}
