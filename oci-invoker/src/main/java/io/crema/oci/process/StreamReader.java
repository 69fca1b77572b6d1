package io.crema.oci.process;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxPolling.Interest;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Reads a descriptor on the poll loop and hands on what it reads, without storing any: while the
 * receiver has no room nothing is read, so that the writer at the other end feels it. The receiver
 * is called on the loop's thread, with no lock held.
 *
 * <p>The descriptor, which becomes non-blocking, stays the caller's to close, after {@link #over}.
 */
public final class StreamReader {
    private enum Turn {
        PAUSED,
        AT_END
    }

    private final PollLoop loop;
    private final Descriptor descriptor;
    private final Receiver receiver;
    private final CompletableFuture<Void> over = new CompletableFuture<>();
    private final PollLoop.Step<Turn> step = new Reading();
    // All guarded by this.
    private @Nullable CompletableFuture<Turn> watch;
    private @Nullable Throwable failure;
    private long received;
    private long target = Long.MAX_VALUE;
    private boolean isWatching;
    private boolean isDelivering;
    private boolean isOver;

    StreamReader(PollLoop loop, Descriptor descriptor, Receiver receiver) {
        this.loop = loop;
        this.descriptor = descriptor;
        this.receiver = receiver;
    }

    /**
     * Completed when all was read and taken, or reading was given up; exceptionally with a {@link
     * LinuxException} when it failed. The receiver is not called any more then.
     */
    public CompletableFuture<Void> over() {
        return over.copy();
    }

    /** Stops at once; what was not read stays where it is. */
    public void cancel() {
        finish(null);
    }

    /**
     * For a writer that has ended while somebody else may keep the other end open: waits a moment
     * for the real end, then reads what is there and no more. The receiver is waited for.
     */
    public void endWithin(Duration grace) {
        var _ =
                new CompletableFuture<Void>()
                        .completeOnTimeout(null, grace.toMillis(), TimeUnit.MILLISECONDS)
                        .thenRun(this::takeWhatIsThere);
    }

    private void takeWhatIsThere() {
        synchronized (this) {
            if (isOver) {
                return;
            }
            try {
                target = received + loop.unreadBytes(descriptor);
            } catch (LinuxException e) {
                target = received;
            }
            if (received < target || isDelivering) {
                return; // the rest is read first
            }
        }
        finish(null);
    }

    void start() {
        synchronized (this) {
            if (isOver) {
                return;
            }
            isWatching = true;
        }
        CompletableFuture<Turn> started;
        try {
            started = loop.watch(descriptor, Interest.READABLE, step);
        } catch (RuntimeException e) {
            started = CompletableFuture.failedFuture(e);
        }
        boolean isTooLate;
        synchronized (this) {
            watch = started;
            isTooLate = isOver;
        }
        var _ = started.whenComplete(this::afterTurn);
        if (isTooLate) {
            started.cancel(false);
        }
    }

    /** One descriptor that is ready: read under the watch's lock, hand on without it. */
    private final class Reading implements PollLoop.Step<Turn> {
        private @Nullable ByteBuffer bytes;

        @Override
        public Optional<Turn> advance() {
            synchronized (StreamReader.this) {
                Optional<ByteBuffer> read = isOver ? Optional.empty() : loop.read(descriptor);
                if (read.isEmpty()) {
                    return Optional.of(Turn.AT_END);
                }
                bytes = read.get();
                received += bytes.remaining();
                isDelivering = true;
                return Optional.empty();
            }
        }

        @Override
        public Optional<Turn> deliver() {
            ByteBuffer taken = bytes;
            bytes = null;
            return taken == null ? Optional.empty() : handOn(taken);
        }
    }

    private Optional<Turn> handOn(ByteBuffer bytes) {
        boolean isWanted;
        synchronized (this) {
            isWanted = !isOver;
        }
        boolean hasRoom = isWanted && receiver.write(bytes);
        boolean isLast;
        synchronized (this) {
            isDelivering = false;
            if (!isOver && received < target) {
                return hasRoom ? Optional.empty() : Optional.of(Turn.PAUSED);
            }
            isLast = isOver && !isWatching;
        }
        if (isLast) {
            complete();
        }
        return Optional.of(Turn.AT_END);
    }

    private void afterTurn(@Nullable Turn turn, @Nullable Throwable thrown) {
        boolean isLast;
        boolean wasOver;
        synchronized (this) {
            isWatching = false;
            watch = null;
            wasOver = isOver;
            isLast = isOver && !isDelivering;
        }
        if (wasOver) {
            if (isLast) {
                complete();
            }
        } else if (turn == Turn.PAUSED) {
            receiver.whenWritable(this::start);
        } else {
            finish(isEndOfTerminal(thrown) ? null : thrown);
        }
    }

    /** The master of a terminal reads EIO when nobody has the other end open any more. */
    private static boolean isEndOfTerminal(@Nullable Throwable thrown) {
        return thrown instanceof LinuxException e && e.errno().is(Errno.EIO);
    }

    private void finish(@Nullable Throwable cause) {
        CompletableFuture<Turn> current;
        boolean isLast;
        synchronized (this) {
            if (isOver) {
                return;
            }
            isOver = true;
            failure = cause;
            current = watch;
            isLast = !isWatching && !isDelivering;
        }
        if (isLast) {
            complete();
        } else if (current != null) {
            current.cancel(false);
        }
    }

    private void complete() {
        Throwable cause;
        synchronized (this) {
            cause = failure;
        }
        if (cause == null) {
            over.complete(null);
        } else {
            over.completeExceptionally(cause);
        }
    }
}
