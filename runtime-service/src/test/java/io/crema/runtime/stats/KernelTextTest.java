package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelTextTest {
    @TempDir Path directory;
    private final KernelFiles kernel = new KernelFiles(JnaLinux.load());

    private Path file(String text) {
        Path file = directory.resolve("file");
        FakeNode.write(file, text);
        return file;
    }

    @Test
    void numbersAreReadInTheirSpellings() {
        try (KernelText text = kernel.take()) {
            assertThat(text.readNumber(file("42\n"), -1)).isEqualTo(42);
            assertThat(text.readNumber(file("-1\n"), 7)).isEqualTo(-1);
            assertThat(text.readNumber(file("max\n"), -1)).isEqualTo(KernelText.UNLIMITED);
            assertThat(text.readNumber(file("18446744073709551615"), -1))
                    .isEqualTo(KernelText.UNLIMITED);
            assertThat(text.readNumber(file(""), 7)).isEqualTo(7);
            assertThat(text.readNumber(directory.resolve("none"), 7)).isEqualTo(7);
            assertThat(text.readNumber(directory.resolve("file/none"), 7)).isEqualTo(7);
        }
    }

    @Test
    void theLimitOfVersionOneMeansNone() {
        try (KernelText text = kernel.take()) {
            assertThat(text.readLimit(file("9223372036854771712\n"), -1))
                    .isEqualTo(KernelText.UNLIMITED);
            assertThat(text.readLimit(file("67108864\n"), -1)).isEqualTo(67_108_864);
        }
    }

    @Test
    void whatIsNoNumberIsToldWithItsText() {
        try (KernelText text = kernel.take()) {
            Path file = file("12a\n");
            assertThatThrownBy(() -> text.readNumber(file, -1))
                    .isInstanceOf(PodException.class)
                    .hasMessageContaining("'12a'");
        }
    }

    @Test
    void decimalsKeepTheirFraction() {
        try (KernelText text = kernel.take()) {
            text.read(file("12.34 0.00 7 100.5"));
            text.nextLine();
            List<Double> found = new ArrayList<>();
            while (text.nextWord()) {
                found.add(text.decimal());
            }
            assertThat(found).containsExactly(12.34, 0.0, 7.0, 100.5);
        }
    }

    @Test
    void listsLongerThanABufferAreReadWhole() {
        StringBuilder list = new StringBuilder();
        for (int i = 0; i < 30_000; i++) {
            list.append(i).append('\n');
        }
        try (KernelText text = kernel.take()) {
            assertThat(text.readList(file(list.toString()))).isTrue();
            long expected = 0;
            while (text.nextLine()) {
                assertThat(text.nextWord()).isTrue();
                assertThat(text.number()).isEqualTo(expected++);
            }
            assertThat(expected).isEqualTo(30_000);
        }
    }

    @Test
    void keysArePickedWhateverTheirOrderAndNeighbours() {
        KeyedNumbers keys = new KeyedNumbers("rss", "total_rss", "none");
        try (KernelText text = kernel.take()) {
            text.read(file("rss_huge 1\n\ntotal_rss 3\nrss 2\nrss 9\n"));
            assertThat(keys.pick(text)).containsExactly(2, 3, KeyedNumbers.MISSING);
        }
    }

    @Test
    void aBufferServesFileAfterFile() {
        KernelText first = kernel.take();
        first.close();
        try (KernelText again = kernel.take();
                KernelText other = kernel.take()) {
            assertThat(again).isSameAs(first);
            assertThat(other).isNotSameAs(first);
            again.read(file("a long line of text\n"));
            again.read(file("b\n"));
            again.nextLine();
            again.nextWord();
            assertThat(again.word()).isEqualTo("b");
            assertThat(again.nextWord()).isFalse();
            assertThat(again.nextLine()).isFalse();
        }
    }
}
