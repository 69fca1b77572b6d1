package io.crema.runtime;

import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Work that outlives its caller's deadline and that an identical later request joins. Each piece
 * runs once on a thread of its own, a platform thread, because a system call that hangs below it (a
 * dead network file system) must not take a carrier of the virtual ones along; callers only wait.
 *
 * <p>A result that no caller was there to receive is kept for the identical request for four
 * minutes, then given to {@code unclaimed}; a different request of the same name has that done at
 * once. There are never more than {@value #MOST_PIECES} pieces at work or kept: beyond that new
 * ones are refused.
 *
 * @param <T> what the work makes
 */
final class JoinableWork<T> {
    /** Tells those who wait which step the work is in, in words that go into their error. */
    interface Steps {
        void enter(String step);
    }

    /** Many times what one node runs; each piece holds a thread or a result. */
    static final int MOST_PIECES = 2000;

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

        /** Whether the work has succeeded and nobody has got the result. */
        synchronized boolean isUnclaimed() {
            return result.isDone()
                    && !result.isCompletedExceptionally()
                    && waiting == 0
                    && !claimed;
        }
    }

    private final String what;
    private final Consumer<T> unclaimed;
    private final Duration unclaimedAfter;
    private final Map<String, Piece<T>> pieces = new ConcurrentHashMap<>();

    /**
     * @param what "RunPodSandbox", for messages
     * @param unclaimed disposes of a result that nobody came for
     */
    JoinableWork(String what, Consumer<T> unclaimed) {
        this(what, unclaimed, UNCLAIMED_AFTER);
    }

    JoinableWork(String what, Consumer<T> unclaimed, Duration unclaimedAfter) {
        this.what = what;
        this.unclaimed = unclaimed;
        this.unclaimedAfter = unclaimedAfter;
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
        Piece<T> piece = claimOrRefuse(name, mine);
        Optional<Piece<T>> outdated = Optional.empty();
        if (!piece.request.equals(request)) {
            if (!piece.isUnclaimed() || !pieces.replace(name, piece, mine)) {
                throw new PodException(
                        ErrorKind.ALREADY_EXISTS,
                        what
                                + " of "
                                + name
                                + " is in progress for a different request; repeat this one when it"
                                + " has ended");
            }
            outdated = Optional.of(piece);
            piece = mine;
        }
        synchronized (piece) {
            piece.waiting++;
        }
        if (piece == mine) {
            Optional<Piece<T>> before = outdated;
            Thread.ofPlatform()
                    .daemon()
                    .name(what + " " + name)
                    .start(() -> perform(name, mine, before, work));
        }
        return await(name, piece, deadline);
    }

    private Piece<T> claimOrRefuse(String name, Piece<T> mine) {
        Piece<T> piece = pieces.putIfAbsent(name, mine);
        if (piece != null) {
            return piece;
        }
        if (pieces.size() > MOST_PIECES) {
            pieces.remove(name, mine);
            throw new PodException(
                    ErrorKind.RESOURCE_EXHAUSTED,
                    what
                            + " of "
                            + name
                            + " is refused: "
                            + MOST_PIECES
                            + " others are at work or wait for their callers; try again later");
        }
        return mine;
    }

    private T await(String name, Piece<T> piece, Deadline deadline) {
        CurrentStep.enter(() -> piece.step + " in " + what + " of " + name);
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

    private void perform(
            String name, Piece<T> piece, Optional<Piece<T>> before, Function<Steps, T> work) {
        try {
            if (before.isPresent()) {
                piece.step = "the removal of what a different request had made";
                unclaimed.accept(before.get().result.join());
            }
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
            if (!piece.isUnclaimed() || piece.disposing) {
                return;
            }
            piece.disposing = true;
        }
        CompletableFuture.delayedExecutor(
                        unclaimedAfter.toMillis(),
                        TimeUnit.MILLISECONDS,
                        task -> Thread.ofPlatform().daemon().name("unclaimed " + name).start(task))
                .execute(() -> discardUnlessClaimed(name, piece));
    }

    private void discardUnlessClaimed(String name, Piece<T> piece) {
        if (piece.isUnclaimed() && pieces.remove(name, piece)) {
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
