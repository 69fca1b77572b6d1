package io.crema.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CleanupStackTest {
    private final List<String> done = new ArrayList<>();

    @AfterEach
    void clearInterrupt() {
        Thread.interrupted();
    }

    @Test
    void aSuccessUndoesNothing() {
        String result =
                CleanupStack.run(undo -> {
                    undo.push("release", () -> done.add("released"));
                    return "made";
                });
        assertThat(result).isEqualTo("made");
        assertThat(done).isEmpty();
    }

    @Test
    void aFailureUndoesNewestFirstAndIsThrownOn() {
        IllegalStateException failure = new IllegalStateException("no such plugin");
        assertThatThrownBy(() ->
                        CleanupStack.run(undo -> {
                            undo.push("first", () -> done.add("first"));
                            undo.push("second", () -> done.add("second"));
                            throw failure;
                        }))
                .isSameAs(failure)
                .hasNoSuppressedExceptions();
        assertThat(done).containsExactly("second", "first");
    }

    @Test
    void aFailedStepIsSuppressedWithItsDescriptionAndTheOthersRun() {
        assertThatThrownBy(() ->
                        CleanupStack.run(undo -> {
                            undo.push("first", () -> done.add("first"));
                            undo.push("unmount /dev/shm", this::busy);
                            undo.push("third", () -> done.add("third"));
                            throw new IllegalStateException("work");
                        }))
                .hasMessage("work")
                .satisfies(e ->
                        assertThat(e.getSuppressed())
                                .singleElement()
                                .satisfies(suppressed ->
                                        assertThat(suppressed)
                                                .hasMessageContaining("unmount /dev/shm")
                                                .hasMessageContaining("EBUSY")
                                                .hasCauseInstanceOf(IOException.class)));
        assertThat(done).containsExactly("third", "first");
    }

    private void busy() throws IOException {
        throw new IOException("EBUSY");
    }

    @Test
    void anErrorInAStepDoesNotKeepTheOthersFromRunning() {
        CleanupStack undo = new CleanupStack();
        undo.push("first", () -> done.add("first"));
        undo.push(
                "second",
                () -> {
                    throw new StackOverflowError();
                });
        IllegalStateException cause = new IllegalStateException("work");
        undo.undo(cause);
        assertThat(done).containsExactly("first");
        assertThat(cause.getSuppressed()).hasSize(1);
    }

    @Test
    void anErrorOfTheWorkUndoesToo() {
        assertThatThrownBy(() ->
                        CleanupStack.run(undo -> {
                            undo.push("first", () -> done.add("first"));
                            throw new OutOfMemoryError("heap");
                        }))
                .isInstanceOf(OutOfMemoryError.class);
        assertThat(done).containsExactly("first");
    }

    @Test
    void anInterruptOfTheWorkDoesNotReachTheUndoStepsButIsKept() {
        CleanupStack undo = new CleanupStack();
        undo.push("wait", () -> done.add("interrupted: " + Thread.currentThread().isInterrupted()));
        undo.push("wait too", () -> Thread.sleep(1));
        Thread.currentThread().interrupt();
        IllegalStateException cause = new IllegalStateException("cancelled");
        undo.undo(cause);
        assertThat(done).containsExactly("interrupted: false");
        assertThat(cause.getSuppressed()).isEmpty();
        assertThat(Thread.currentThread().isInterrupted()).isTrue();
    }

    @Test
    void anInterruptDuringAStepIsKept() {
        CleanupStack undo = new CleanupStack();
        undo.push(
                "first", () -> done.add("interrupted: " + Thread.currentThread().isInterrupted()));
        undo.push(
                "second",
                () -> {
                    throw new InterruptedException();
                });
        undo.undo(new IllegalStateException("work"));
        assertThat(done).containsExactly("interrupted: false");
        assertThat(Thread.currentThread().isInterrupted()).isTrue();
    }

    @Test
    void closeUndoesWhatWasNotCommitted() {
        try (CleanupStack undo = new CleanupStack()) {
            undo.push("first", () -> done.add("first"));
        }
        assertThat(done).containsExactly("first");
    }

    @Test
    void closeAfterCommitDoesNothing() {
        try (CleanupStack undo = new CleanupStack()) {
            undo.push("first", () -> done.add("first"));
            undo.commit();
        }
        assertThat(done).isEmpty();
    }

    @Test
    void closeTellsOfFailedSteps() {
        CleanupStack undo = new CleanupStack();
        undo.push("unmount", this::busy);
        assertThatThrownBy(undo::close)
                .isInstanceOf(IllegalStateException.class)
                .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
    }

    @Test
    void eachStepRunsOnce() {
        CleanupStack undo = new CleanupStack();
        undo.push("first", () -> done.add("first"));
        undo.undo(new IllegalStateException("work"));
        undo.close();
        assertThat(done).containsExactly("first");
    }
}
