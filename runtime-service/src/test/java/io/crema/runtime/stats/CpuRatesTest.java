package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class CpuRatesTest {
    private final AtomicLong now = new AtomicLong(5);
    private final CpuRates rates = new CpuRates(now::get);

    private OptionalLong after(Duration pause, long cpuNanos) {
        now.addAndGet(pause.toNanos());
        return rates.observe("one", cpuNanos);
    }

    @Test
    void aRateNeedsTwoReadings() {
        assertThat(after(Duration.ZERO, 1_000)).isEmpty();
        assertThat(after(Duration.ofSeconds(2), 1_000_001_000L)).hasValue(500_000_000L);
        assertThat(after(Duration.ofSeconds(1), 3_000_001_000L)).hasValue(2_000_000_000L);
    }

    @Test
    void callersSoonAfterEachOtherGetTheSame() {
        after(Duration.ZERO, 0);
        assertThat(after(Duration.ofMillis(10), 9)).isEmpty();
        assertThat(after(Duration.ofSeconds(1), 1_010_000_000L)).hasValue(1_000_000_000L);
        assertThat(after(Duration.ofMillis(1), 1_020_000_000L)).hasValue(1_000_000_000L);
    }

    @Test
    void oldReadingsAndCountersThatStartAnewTellNothing() {
        after(Duration.ZERO, 100);
        assertThat(after(Duration.ofMinutes(3), 1_000_000_000L)).isEmpty();
        assertThat(after(Duration.ofSeconds(5), 10)).isEmpty();
        assertThat(after(Duration.ofSeconds(5), 10)).hasValue(0);
    }

    @Test
    void whatIsGoneIsForgotten() {
        after(Duration.ZERO, 1);
        rates.observe("two", 1);
        rates.keepOnly("two"::equals);
        assertThat(rates.size()).isEqualTo(1);
        assertThat(after(Duration.ofSeconds(1), 2)).isEmpty();
    }

    @Test
    void aReadingIsKeptForItsPeriodOnly() {
        AtomicInteger readings = new AtomicInteger();
        Recent<Integer> recent = new Recent<>(Duration.ofSeconds(10), now::get);
        assertThat(recent.get("a", () -> Optional.of(readings.incrementAndGet()))).contains(1);
        now.addAndGet(Duration.ofSeconds(9).toNanos());
        assertThat(recent.get("a", () -> Optional.of(readings.incrementAndGet()))).contains(1);
        assertThat(recent.get("b", Optional::empty)).isEmpty();
        now.addAndGet(Duration.ofSeconds(1).toNanos());
        assertThat(recent.young("a")).isEmpty();
        assertThat(recent.get("a", () -> Optional.of(readings.incrementAndGet()))).contains(2);
        recent.keepOnly("b"::equals);
        assertThat(recent.size()).isZero();
    }

    @Test
    void withoutAPeriodNothingIsKept() {
        AtomicInteger readings = new AtomicInteger();
        Recent<Integer> recent = new Recent<>(Duration.ZERO, now::get);
        recent.get("a", () -> Optional.of(readings.incrementAndGet()));
        assertThat(recent.get("a", () -> Optional.of(readings.incrementAndGet()))).contains(2);
        assertThat(recent.size()).isZero();
    }
}
