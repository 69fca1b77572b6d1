package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Work that outlives its caller's deadline and that an identical later request joins. Each piece
 * runs once on a virtual thread of its own; callers only wait for it. A result that no caller was
 * there to receive waits for the identical request for a while, then is given to {@code unclaimed}.
 *
 * @param <T> what the work makes
 */
final class JoinableWork<T> {
    /** Tells those who wait which step the work is in, in words that go into their error. */
    interface Steps {
        void enter(String step);
    }

    /** How long kubelet may take to come back for a result; it retries within two minutes. */
    private static final Duration UNCLAIMED_AFTER = Duration.ofMinutes(4);

    private static final class Piece<T> {
        final Object request;
        final CompletableFuture<T> result = new CompletableFuture<>();
        volatile String step = "its turn";

        /** Callers waiting or served; guarded by the piece. */
        int waiting;

        boolean claimed;
        boolean disposing;

        Piece(Object request) {
            this.request = request;
        }
    }

    private final String what;
    private final Consumer<T> unclaimed;
    private final Map<String, Piece<T>> pieces = new ConcurrentHashMap<>();

    /**
     * @param what "RunPodSandbox", for messages
     * @param unclaimed disposes of a result that nobody came for
     */
    JoinableWork(String what, Consumer<T> unclaimed) {
        this.what = what;
        this.unclaimed = unclaimed;
    }

    /**
     * Runs the work of this name, or joins the identical one that runs or has just finished
     * unclaimed.
     *
     * @param request compared by equals: a different request under the same name is refused while
     *     the first one runs
     */
    T run(String name, Object request, Deadline deadline, Function<Steps, T> work) {
        Piece<T> mine = new Piece<>(request);
        Piece<T> piece = pieces.computeIfAbsent(name, key -> mine);
        if (!piece.request.equals(request)) {
            throw new PodException(
                    ErrorKind.ALREADY_EXISTS,
                    what
                            + " of "
                            + name
                            + " is in progress for a different request; repeat this one when it has"
                            + " ended");
        }
        synchronized (piece) {
            piece.waiting++;
        }
        if (piece == mine) {
            Thread.ofVirtual().name(what + " " + name).start(() -> perform(name, piece, work));
        }
        try {
            T result = piece.result.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
            synchronized (piece) {
                piece.claimed = true;
            }
            pieces.remove(name, piece);
            return result;
        } catch (TimeoutException e) {
            throw new DeadlineExceededException(
                    piece.step
                            + " in "
                            + what
                            + " of "
                            + name
                            + " (repeat the same request to join it)");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PodException(ErrorKind.CANCELLED, what + " of " + name + " was cancelled", e);
        } catch (ExecutionException e) {
            throw failure(e);
        } finally {
            synchronized (piece) {
                piece.waiting--;
            }
            discardLaterIfAbandoned(name, piece);
        }
    }

    private void perform(String name, Piece<T> piece, Function<Steps, T> work) {
        try {
            piece.result.complete(work.apply(step -> piece.step = step));
        } catch (RuntimeException | Error e) {
            pieces.remove(name, piece);
            piece.result.completeExceptionally(e);
            return;
        }
        discardLaterIfAbandoned(name, piece);
    }

    private void discardLaterIfAbandoned(String name, Piece<T> piece) {
        synchronized (piece) {
            if (!piece.result.isDone()
                    || piece.result.isCompletedExceptionally()
                    || piece.waiting > 0
                    || piece.claimed
                    || piece.disposing) {
                return;
            }
            piece.disposing = true;
        }
        CompletableFuture.delayedExecutor(
                        UNCLAIMED_AFTER.toSeconds(), TimeUnit.SECONDS, Thread::startVirtualThread)
                .execute(() -> discardUnlessClaimed(name, piece));
    }

    private void discardUnlessClaimed(String name, Piece<T> piece) {
        synchronized (piece) {
            if (piece.claimed || piece.waiting > 0) {
                return;
            }
        }
        if (pieces.remove(name, piece)) {
            unclaimed.accept(piece.result.join());
        }
    }

    private static RuntimeException failure(ExecutionException wrapper) {
        Throwable cause = wrapper.getCause();
        if (cause instanceof Error error) {
            throw error;
        }
        return cause instanceof RuntimeException e ? e : new IllegalStateException(wrapper);
    }
}
