package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
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

    private static void untilDone(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("too late").isLessThan(end);
            Thread.sleep(1);
        }
    }

    private static void abandon(JoinableWork<String> work, String request, String result)
            throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        CountDownLatch gone = new CountDownLatch(1);
        assertThatThrownBy(() ->
                        work.run(
                                "name",
                                request,
                                Deadline.after(Duration.ofMillis(20)),
                                steps -> {
                                    try {
                                        gone.await();
                                    } catch (InterruptedException e) {
                                        throw new IllegalStateException(e);
                                    }
                                    done.countDown();
                                    return result;
                                }))
                .isInstanceOf(DeadlineExceededException.class);
        gone.countDown();
        assertThat(done.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aResultThatNobodyComesForIsDisposedOf() throws InterruptedException {
        Queue<String> disposed = new ConcurrentLinkedQueue<>();
        JoinableWork<String> quick =
                new JoinableWork<>("Work", disposed::add, Duration.ofMillis(30));
        abandon(quick, "same", "first");
        untilDone(() -> !disposed.isEmpty());
        assertThat(disposed).containsExactly("first");
        assertThat(quick.run("name", "same", LONG, steps -> "second")).isEqualTo("second");
    }

    @Test
    void aChangedRequestHasWhatNobodyCameForDisposedOf() throws InterruptedException {
        Queue<String> disposed = new ConcurrentLinkedQueue<>();
        JoinableWork<String> kept = new JoinableWork<>("Work", disposed::add);
        abandon(kept, "one", "first");
        // The result is set a moment after the work has returned; until then the work is at work.
        String second = null;
        while (second == null) {
            try {
                second = kept.run("name", "two", LONG, steps -> disposed + " then second");
            } catch (PodException e) {
                assertThat(e.kind()).isEqualTo(ErrorKind.ALREADY_EXISTS);
            }
        }
        assertThat(second).isEqualTo("[first] then second");
        assertThat(kept.run("name", "one", LONG, steps -> "third")).isEqualTo("third");
        assertThat(disposed).containsExactly("first");
    }

    @Test
    void moreThanTheBoundIsRefused() {
        for (int i = 0; i < JoinableWork.MOST_PIECES; i++) {
            String name = "name " + i;
            assertThatThrownBy(() ->
                            work.run(name, name, Deadline.after(Duration.ZERO), steps -> gated()))
                    .isInstanceOf(DeadlineExceededException.class);
        }
        assertThatThrownBy(() -> work.run("more", "more", LONG, steps -> "no"))
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.RESOURCE_EXHAUSTED));
        gate.countDown();
        assertThat(work.run("name 0", "name 0", LONG, steps -> "again")).isEqualTo("made");
        assertThat(work.run("more", "more", LONG, steps -> "yes")).isEqualTo("yes");
    }
}
