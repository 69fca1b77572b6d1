package io.crema.image.store;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class DownloadPaceTest {
    private static final long MILLISECOND = 1_000_000L;

    private final DownloadPace pace = new DownloadPace();

    private void read(int milliseconds, int bytes, int waitedPercent) throws InterruptedException {
        for (int i = 0; i < milliseconds; i += 5) {
            Thread.sleep(5);
            pace.received(bytes, 5 * MILLISECOND / 100 * waitedPercent, 5 * MILLISECOND);
        }
    }

    @Test
    void whatIsWaitedForIsSlow() throws InterruptedException {
        assertThat(pace.isSlow()).isFalse();
        read(300, 10_000, 90);
        assertThat(pace.isSlow()).isTrue();
    }

    @Test
    void whatIsUnpackedAsSlowlyIsNot() throws InterruptedException {
        read(300, 10_000, 20);
        assertThat(pace.isSlow()).isFalse();
    }

    @Test
    void norWhatComesAtMoreThanAGigabit() throws InterruptedException {
        // Bytes are counted, not time: a machine under load may sleep longer.
        read(300, 64 << 20, 90);
        assertThat(pace.isSlow()).isFalse();
    }
}
