package io.crema.base;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Function;

/**
 * The undo steps of work in progress. Each acquired resource registers its undo before the next
 * step begins; {@link #commit} disarms them all, otherwise {@link #close} runs them newest first,
 * every one of them, and suppresses their failures into the cause.
 *
 * <p>Not thread safe: one piece of work owns one stack. Undo steps must bring deadlines of their
 * own and never use the caller's, which may have passed already.
 *
 * <pre>{@code
 * return CleanupStack.run(undo -> {
 *     Thing thing = acquire();
 *     undo.push("release the thing", thing::release);
 *     ...
 *     return thing;
 * });
 * }</pre>
 */
public final class CleanupStack implements AutoCloseable {
    /** One undo step. */
    @FunctionalInterface
    public interface Step {
        void run() throws Exception;
    }

    private record Undo(String description, Step step) {}

    private final Deque<Undo> undos = new ArrayDeque<>();

    /**
     * Registers an undo step.
     *
     * @param description what the step does, for the log when it fails: "unmount /dev/shm of …"
     */
    public void push(String description, Step step) {
        undos.push(new Undo(description, step));
    }

    /** The work succeeded: forget all undo steps. */
    public void commit() {
        undos.clear();
    }

    /**
     * Runs all undo steps newest first because of the given failure; what they throw is suppressed
     * into it. An interrupt of this thread, which may be what ended the work, is put off until they
     * are done, because it would end each of them at its first wait.
     */
    public void undo(Throwable cause) {
        boolean interrupted = Thread.interrupted();
        while (!undos.isEmpty()) {
            Undo undo = undos.pop();
            try {
                undo.step.run();
            } catch (Throwable e) { // an Error in one step must not keep the others from running
                interrupted |= Thread.interrupted() || e instanceof InterruptedException;
                cause.addSuppressed(
                        new IllegalStateException("could not " + undo.description + ": " + e, e));
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Runs the work; on success the undo steps are forgotten, on failure they run with their
     * failures suppressed into the thrown exception.
     */
    public static <T> T run(Function<CleanupStack, T> work) {
        CleanupStack stack = new CleanupStack();
        try {
            T result = work.apply(stack);
            stack.commit();
            return result;
        } catch (RuntimeException | Error e) {
            stack.undo(e);
            throw e;
        }
    }

    /** Undoes whatever was not committed. */
    @Override
    public void close() {
        if (!undos.isEmpty()) {
            IllegalStateException failures = new IllegalStateException("undo after early exit");
            undo(failures);
            if (failures.getSuppressed().length > 0) {
                IllegalStateException told =
                        new IllegalStateException(failures.getSuppressed()[0].getMessage());
                for (Throwable failure : failures.getSuppressed()) {
                    told.addSuppressed(failure);
                }
                throw told;
            }
        }
    }
}
