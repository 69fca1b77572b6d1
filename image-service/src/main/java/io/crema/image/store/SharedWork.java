package io.crema.image.store;

import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Work that identical requests share: the first begins it on a virtual thread, the others wait for
 * the same result, and leaving early hurts nobody else. Work that everybody has left goes on for a
 * while, so that a repeated request finds it, and is then interrupted.
 */
final class SharedWork<K, V> {
    /** The work itself; an interrupt ends it. */
    interface Body<V> {
        V run() throws InterruptedException;
    }

    /** Far more than kubelet asks for at once. */
    private static final int MAX_AT_ONCE = 256;

    private final Duration grace;
    private final Map<K, Work> byKey = new HashMap<>();
    private boolean closed;

    private final class Work {
        private final CompletableFuture<V> result = new CompletableFuture<>();
        private int waiters;
        private long departures;
        private Thread thread = Thread.currentThread();
    }

    /**
     * @param grace how long work without anybody waiting for it goes on
     */
    SharedWork(Duration grace) {
        this.grace = grace;
    }

    /**
     * Joins the work of that key or begins it, and waits for the result.
     *
     * @param what the work in words for error messages
     * @throws DeadlineExceededException when the deadline passes first
     * @throws ImageException CANCELLED when the waiting thread is interrupted first, or what the
     *     work threw
     */
    V join(K key, String what, Deadline deadline, Body<V> body) {
        Work work = enter(key, what, body);
        try {
            return work.result.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException(what);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageException(
                    ErrorKind.CANCELLED, what + " goes on, but the caller went away", e);
        } catch (ExecutionException e) {
            throw failure(what, e.getCause() == null ? e : e.getCause());
        } finally {
            leave(key, work);
        }
    }

    private synchronized Work enter(K key, String what, Body<V> body) {
        if (closed) {
            throw new ImageException(
                    ErrorKind.UNAVAILABLE, what + " is refused: the daemon is stopping");
        }
        Work work = byKey.get(key);
        if (work == null) {
            if (byKey.size() >= MAX_AT_ONCE) {
                throw new ImageException(
                        ErrorKind.RESOURCE_EXHAUSTED,
                        what
                                + " is refused: "
                                + MAX_AT_ONCE
                                + " others are under way; try again later");
            }
            Work started = new Work();
            byKey.put(key, started);
            started.thread =
                    Thread.ofVirtual().name(what).unstarted(() -> run(key, started, what, body));
            started.thread.start();
            work = started;
        }
        work.waiters++;
        return work;
    }

    private void run(K key, Work work, String what, Body<V> body) {
        V value;
        try {
            value = body.run();
        } catch (InterruptedException e) {
            end(key, work);
            work.result.completeExceptionally(
                    new ImageException(ErrorKind.CANCELLED, what + " was cancelled", e));
            return;
        } catch (Throwable e) {
            end(key, work);
            work.result.completeExceptionally(e);
            return;
        }
        end(key, work);
        work.result.complete(value);
    }

    /** From now on the same request begins anew. */
    private synchronized void end(K key, Work work) {
        byKey.remove(key, work);
    }

    private synchronized void leave(K key, Work work) {
        work.departures++;
        if (--work.waiters > 0 || work.result.isDone()) {
            return;
        }
        long departure = work.departures;
        Thread.ofVirtual().start(() -> abandon(key, work, departure));
    }

    /** Interrupts work that nobody came back to. */
    private void abandon(K key, Work work, long departure) {
        try {
            work.result.get(grace.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            synchronized (this) {
                if (work.waiters == 0 && work.departures == departure) {
                    byKey.remove(key, work);
                    work.thread.interrupt();
                }
            }
        } catch (ExecutionException | InterruptedException e) {
            // It has ended by itself.
        }
    }

    /** Interrupts all work and refuses more. */
    void close(Duration patience) {
        List<Work> ending;
        synchronized (this) {
            closed = true;
            ending = List.copyOf(byKey.values());
            ending.forEach(work -> work.thread.interrupt());
        }
        Deadline deadline = Deadline.after(patience);
        for (Work work : ending) {
            try {
                work.result.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
            } catch (ExecutionException | TimeoutException e) {
                // Its callers hear of it.
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private static RuntimeException failure(String what, Throwable cause) {
        return switch (cause) {
            // A new exception, so that each waiter has its own stack.
            case ImageException e ->
                    new ImageException(e.kind(), String.valueOf(e.getMessage()), e);
            case CremaException e -> e;
            case Error e -> throw e;
            default -> new ImageException(ErrorKind.INTERNAL, what + " failed: " + cause, cause);
        };
    }
}
