package io.crema.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class DeadlineTest {
    @Test
    void aFutureDeadlineHasTimeLeft() {
        Deadline deadline = Deadline.after(Duration.ofHours(1));
        assertThat(deadline.hasPassed()).isFalse();
        assertThat(deadline.remaining()).isBetween(Duration.ofMinutes(59), Duration.ofHours(1));
        assertThat(deadline.remainingMillis()).isBetween(59 * 60_000L, 3_600_000L);
        assertThatCode(() -> deadline.check("the moon")).doesNotThrowAnyException();
    }

    @Test
    void aPassedDeadlineNamesTheStepThatWaited() {
        Deadline deadline = Deadline.after(Duration.ZERO);
        assertThat(deadline.hasPassed()).isTrue();
        assertThat(deadline.remaining()).isZero();
        assertThat(deadline.remainingMillis()).isZero();
        assertThatThrownBy(() -> deadline.check("conmon's sync pipe"))
                .isInstanceOfSatisfying(
                        DeadlineExceededException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.DEADLINE_EXCEEDED))
                .hasMessageContaining("conmon's sync pipe");
    }

    @Test
    void aNegativeDurationHasPassed() {
        assertThat(Deadline.after(Duration.ofSeconds(-5)).hasPassed()).isTrue();
        assertThat(Deadline.after(Duration.ofSeconds(Long.MIN_VALUE)).hasPassed()).isTrue();
    }

    @Test
    void anAbsurdDurationIsCappedAndDoesNotOverflow() {
        Deadline deadline = Deadline.after(Duration.ofSeconds(Long.MAX_VALUE));
        assertThat(deadline.hasPassed()).isFalse();
        assertThat(deadline.remaining()).isGreaterThan(Duration.ofDays(364));
    }

    @Test
    void noneLeavesMoreTimeThanAnyWork() {
        assertThat(Deadline.none().remaining()).isGreaterThan(Duration.ofDays(364));
    }

    @Test
    void atMostTakesTheEarlier() {
        Deadline hour = Deadline.after(Duration.ofHours(1));
        assertThat(hour.atMost(Duration.ofMinutes(1)).remaining())
                .isLessThanOrEqualTo(Duration.ofMinutes(1));
        assertThat(hour.atMost(Duration.ofHours(2))).isSameAs(hour);
        assertThat(Deadline.after(Duration.ZERO).atMost(Duration.ofHours(1)).hasPassed()).isTrue();
    }

    @Test
    void millisecondsAreRoundedUpSoThatAWaitNeverEndsEarly() {
        for (int i = 0; i < 100; i++) {
            Deadline deadline = Deadline.after(Duration.ofMillis(50));
            long millis = deadline.remainingMillis();
            assertThat(Duration.ofMillis(millis)).isGreaterThanOrEqualTo(deadline.remaining());
        }
    }
}
