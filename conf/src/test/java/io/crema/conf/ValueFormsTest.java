package io.crema.conf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Durations, sizes, ulimits and the search for the word that was meant. */
class ValueFormsTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "0s, 0",
        "10s, 10000",
        "1m30s, 90000",
        "1h, 3600000",
        "1.5h, 5400000",
        "300ms, 300",
        "-2s, -2000",
        "+2s, 2000",
        "1h0m5s, 3605000",
        "0.5s, 500",
    })
    void durationsAreReadAsGoWritesThem(String text, long millis) {
        assertThat(GoDuration.parse(text)).hasMillis(millis);
    }

    @Test
    void smallDurationsAreExact() {
        assertThat(GoDuration.parse("1us2ns")).hasNanos(1002);
        assertThat(GoDuration.parse("5µs")).hasNanos(5000);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "-",
                "10",
                "s",
                "10x",
                "1..5s",
                "ten",
                "10 s",
                "1e3s",
                "9999999999h",
                "."
            })
    void otherDurationsAreRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> GoDuration.parse(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0s", "1h", "1m30s", "500ms", "1h2m3s4ms5us6ns", "-1m", "240h"})
    void durationsArePrintedInTheFormTheyAreReadIn(String text) {
        assertThat(GoDuration.format(GoDuration.parse(text))).isEqualTo(text);
    }

    @Test
    void eachUnitIsPrintedOnItsOwn() {
        assertThat(GoDuration.format(Duration.ofMillis(90_500))).isEqualTo("1m30s500ms");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "12MiB, 12582912",
        "12 MiB, 12582912",
        "500KiB, 512000",
        "1g, 1073741824",
        "4096, 4096",
        "4096B, 4096",
        "2TB, 2199023255552",
    })
    void sizesAreRead(String text, long bytes) {
        assertThat(ByteSize.parse(text)).isEqualTo(bytes);
        assertThat(ByteSize.parse(ByteSize.format(bytes))).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "MiB", "-1", "1.5MiB", "12 parsecs", "99999999999TiB"})
    void otherSizesAreRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> ByteSize.parse(text));
    }

    @Test
    void sizesArePrintedInTheLargestUnitThatFits() {
        assertThat(ByteSize.format(12L << 20)).isEqualTo("12MiB");
        assertThat(ByteSize.format(1025)).isEqualTo("1025B");
        assertThat(ByteSize.format(0)).isEqualTo("0B");
    }

    @Test
    void ulimitsAreRead() {
        assertThat(Ulimit.parse("nofile=1024:2048")).isEqualTo(new Ulimit("nofile", 1024, 2048));
        assertThat(Ulimit.parse("core=0")).isEqualTo(new Ulimit("core", 0, 0));
        assertThat(Ulimit.parse("memlock=-1:-1")).isEqualTo(new Ulimit("memlock", -1, -1));
        assertThat(Ulimit.parse("nproc=10:unlimited")).isEqualTo(new Ulimit("nproc", 10, -1));
        assertThat(Ulimit.parse("nofile=1:2").rlimit()).isEqualTo("RLIMIT_NOFILE");
        assertThat(Ulimit.parse(Ulimit.parse("stack=7:8").toString()))
                .isEqualTo(new Ulimit("stack", 7, 8));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "nofile",
                "=1:2",
                "files=1:2",
                "nofile=2:1",
                "nofile=-1:5",
                "nofile=a:b"
            })
    void otherUlimitsAreRefused(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> Ulimit.parse(text));
    }

    @Test
    void theNearestWordIsFoundAndFarOnesAreNotGuessed() {
        List<String> known = List.of("log_level", "log_filter", "listen");
        assertThat(Nearest.to("log_levle", known)).contains("log_level");
        assertThat(Nearest.to("lisen", known)).contains("listen");
        assertThat(Nearest.to("pids", known)).isEmpty();
        assertThat(Nearest.distance("", "abc")).isEqualTo(3);
        assertThat(Nearest.distance("kitten", "sitting")).isEqualTo(3);
        assertThat(Nearest.distance("same", "same")).isZero();
    }
}
