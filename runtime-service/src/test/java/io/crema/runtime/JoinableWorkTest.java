package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Work is joined, outlives its callers, and is told apart by request. */
@Timeout(30)
class JoinableWorkTest {
    private static final Deadline LONG = Deadline.after(Duration.ofSeconds(20));

    private final JoinableWork<String> work = new JoinableWork<>("Work", unclaimed -> {});
    private final AtomicInteger runs = new AtomicInteger();
    private final CountDownLatch gate = new CountDownLatch(1);

    private String gated() {
        runs.incrementAndGet();
        try {
            gate.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return "made";
    }

    private CompletableFuture<String> call(String request) {
        return CompletableFuture.supplyAsync(
                () -> work.run("name", request, LONG, steps -> gated()),
                Thread::startVirtualThread);
    }

    @Test
    void identicalRequestsRunOnce()
            throws ExecutionException, InterruptedException, TimeoutException {
        CompletableFuture<String> first = call("same");
        while (runs.get() == 0) {
            Thread.onSpinWait();
        }
        CompletableFuture<String> second = call("same");
        gate.countDown();
        assertThat(first.get(10, TimeUnit.SECONDS)).isEqualTo("made");
        assertThat(second.get(10, TimeUnit.SECONDS)).isEqualTo("made");
    }

    @Test
    void aDifferentRequestIsRefusedWhileTheFirstRuns() {
        CompletableFuture<String> first = call("one");
        while (runs.get() == 0) {
            Thread.onSpinWait();
        }
        assertThatThrownBy(() -> work.run("name", "two", LONG, steps -> gated()))
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.ALREADY_EXISTS));
        gate.countDown();
        assertThat(first.join()).isEqualTo("made");
    }

    @Test
    void workOutlivesItsCallerAndTheRepeatedRequestGetsTheResult() {
        assertThatThrownBy(() ->
                        work.run(
                                "name",
                                "same",
                                Deadline.after(Duration.ofMillis(50)),
                                steps -> gated()))
                .isInstanceOf(DeadlineExceededException.class);
        gate.countDown();
        assertThat(work.run("name", "same", LONG, steps -> "another")).isEqualTo("made");
        assertThat(work.run("name", "same", LONG, steps -> "another")).isEqualTo("another");
    }

    @Test
    void theErrorOfALateCallerNamesTheStep() {
        assertThatThrownBy(() ->
                        work.run(
                                "name",
                                "same",
                                Deadline.after(Duration.ofMillis(200)),
                                steps -> {
                                    steps.enter("the plugin");
                                    return gated();
                                }))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("the plugin in Work of name");
        gate.countDown();
    }

    @Test
    void aFailureIsThrownToEveryCallerAndForgotten() {
        assertThatThrownBy(() ->
                        work.run(
                                "name",
                                "same",
                                LONG,
                                steps -> {
                                    throw PodException.invalid("no");
                                }))
                .isInstanceOf(PodException.class)
                .hasMessage("no");
        assertThat(work.run("name", "same", LONG, steps -> "fine")).isEqualTo("fine");
    }
}
