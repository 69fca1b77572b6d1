package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.runtime.state.PodException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PatientReadingTest {
    private final BlockingQueue<Supplier<String>> answers = new LinkedBlockingQueue<>();

    private String answer() {
        try {
            return answers.take().get();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private PatientReading<String> reading(Duration patience) {
        return new PatientReading<>("a test", this::answer, patience, patience);
    }

    @Test
    void theFirstIsWaitedForLonger() throws InterruptedException {
        PatientReading<String> reading =
                new PatientReading<>(
                        "a test", this::answer, Duration.ofSeconds(30), Duration.ofMillis(20));
        Thread slow =
                Thread.ofVirtual()
                        .start(() -> {
                            try {
                                Thread.sleep(200);
                            } catch (InterruptedException e) {
                                throw new IllegalStateException(e);
                            }
                            answers.add(() -> "one");
                        });
        assertThat(reading.take()).contains("one");
        slow.join();
        assertThat(reading.take()).contains("one"); // and not for the second, which does not come
        answers.add(() -> "the thread's end");
    }

    @Test
    void aReadingThatComesIsTold() {
        PatientReading<String> reading = reading(Duration.ofSeconds(30));
        answers.add(() -> "one");
        answers.add(() -> "two");
        assertThat(reading.take()).contains("one");
        assertThat(reading.take()).contains("two");
    }

    @Test
    void whatHangsIsWaitedForOnce() throws InterruptedException {
        PatientReading<String> reading = reading(Duration.ofMillis(50));
        assertThat(reading.take()).isEmpty();
        long begin = System.nanoTime();
        for (int i = 0; i < 1000; i++) {
            assertThat(reading.take()).isEmpty();
        }
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
        answers.add(() -> "late");
        while (reading.take().isEmpty()) {
            Thread.sleep(1);
        }
        assertThat(reading.take()).contains("late");
    }

    @Test
    void aFailureIsTheCallers() {
        PatientReading<String> reading = reading(Duration.ofSeconds(30));
        answers.add(() -> {
            throw PodException.invalid("no such thing");
        });
        assertThatThrownBy(reading::take).isInstanceOf(PodException.class);
        answers.add(() -> "well again");
        assertThat(reading.take()).contains("well again");
    }
}
