package io.crema.oci.process;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxPolling.Interest;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Writes a stream of bytes to a descriptor, at once as far as that takes them and by the poll loop
 * for the rest, which is little as long as the caller heeds what {@link #write} answers. No method
 * blocks or throws; {@link #write} and {@link #end} come one at a time, the others at any time.
 *
 * <p>The descriptor, which becomes non-blocking, stays the caller's to close or to shut down, after
 * {@link #over}.
 */
public final class StreamWriter {
    private static final int HIGH_BYTES = BufferPool.SIZE;
    private static final int LOW_BYTES = HIGH_BYTES / 2;
    // What a caller may send that was told to wait, and as much again.
    private static final int MAX_BYTES = 512 * 1024;

    private final PollLoop loop;
    private final Linux linux;
    private final int maxWriteBytes;
    private final CompletableFuture<Void> over = new CompletableFuture<>();
    // All guarded by this.
    private final ByteQueue queue;
    private @Nullable Descriptor descriptor;
    private @Nullable CompletableFuture<Boolean> watch;
    private @Nullable Runnable resume;
    private @Nullable Throwable failure;
    private boolean isWatching;
    private boolean isEnded;
    private boolean isOver;

    StreamWriter(PollLoop loop, Linux linux, BufferPool buffers, int maxWriteBytes) {
        this.loop = loop;
        this.linux = linux;
        this.queue = new ByteQueue(buffers);
        this.maxWriteBytes = maxWriteBytes;
    }

    /**
     * Completed when all was written and {@link #end} was called, or the writer was cancelled;
     * exceptionally with a {@link LinuxException} when the reader went away.
     */
    public CompletableFuture<Void> over() {
        return over.copy();
    }

    /** Begins to write; until then everything is kept. */
    public void open(Descriptor target) {
        linux.setNonBlocking(target);
        Runnable ready = null;
        boolean begins;
        synchronized (this) {
            if (isOver) {
                return;
            }
            descriptor = target;
            begins = !queue.isEmpty();
            isWatching = begins;
            if (!begins) {
                ready = resume;
                resume = null;
            }
        }
        if (begins) {
            watch(target);
        } else if (ready != null) {
            ready.run();
        }
        endIfWritten();
    }

    /**
     * Takes all of the remaining bytes; drops them when the writer is over or ended.
     *
     * @return whether more may come at once; if not, {@link #whenWritable} tells when
     */
    public boolean write(ByteBuffer bytes) {
        Throwable thrown = null;
        Descriptor target = null;
        boolean hasRoom = true;
        synchronized (this) {
            if (isOver || isEnded) {
                bytes.position(bytes.limit());
                return true;
            }
            try {
                if (descriptor != null && queue.isEmpty()) {
                    writeNow(descriptor, bytes);
                }
                if (bytes.hasRemaining()) {
                    keep(bytes);
                    if (descriptor != null && !isWatching) {
                        isWatching = true;
                        target = descriptor;
                    }
                }
                hasRoom = descriptor != null && queue.size() < HIGH_BYTES;
            } catch (LinuxException e) {
                thrown = e;
            }
        }
        if (thrown != null) {
            bytes.position(bytes.limit());
            finish(thrown);
        } else if (target != null) {
            watch(target);
        }
        return hasRoom;
    }

    private void writeNow(Descriptor target, ByteBuffer bytes) {
        int end = bytes.limit();
        try {
            while (bytes.position() < end) {
                bytes.limit(Math.min(end, bytes.position() + maxWriteBytes));
                int wanted = bytes.remaining();
                int written = linux.writeSome(target, bytes);
                // What is on the heap is written in pieces, so only a short piece says "full".
                if (written < wanted && (bytes.isDirect() || written < BufferPool.SIZE)) {
                    return;
                }
            }
        } catch (LinuxException e) {
            if (!e.errno().is(Errno.EAGAIN)) {
                throw e;
            }
        } finally {
            bytes.limit(end);
        }
    }

    private void keep(ByteBuffer bytes) {
        if (queue.size() + bytes.remaining() > MAX_BYTES) {
            throw new LinuxException(
                    "write",
                    queue.size() + " bytes wait already and the sender does not",
                    Errno.EOVERFLOW);
        }
        queue.add(bytes);
    }

    /** As {@link Receiver#whenWritable}; a new action replaces one that waits. */
    public void whenWritable(Runnable action) {
        synchronized (this) {
            if (!isOver && (descriptor == null || queue.size() >= LOW_BYTES)) {
                resume = action;
                return;
            }
        }
        action.run();
    }

    /** No more bytes come; what was written before is written first. */
    public void end() {
        synchronized (this) {
            isEnded = true;
        }
        endIfWritten();
    }

    /** Drops what was not written. */
    public void cancel() {
        finish(null);
    }

    private void endIfWritten() {
        synchronized (this) {
            if (!isEnded || descriptor == null || !queue.isEmpty() || isWatching) {
                return;
            }
        }
        finish(null);
    }

    private void watch(Descriptor target) {
        CompletableFuture<Boolean> started;
        try {
            started = loop.watch(target, Interest.WRITABLE, new Writing(target));
        } catch (RuntimeException e) {
            started = CompletableFuture.failedFuture(e);
        }
        boolean isTooLate;
        synchronized (this) {
            watch = started;
            isTooLate = isOver;
        }
        var _ = started.whenComplete((written, thrown) -> afterWatch(target, thrown));
        if (isTooLate) {
            started.cancel(false);
        }
    }

    private final class Writing implements PollLoop.Step<Boolean> {
        private final Descriptor target;

        Writing(Descriptor target) {
            this.target = target;
        }

        @Override
        public Optional<Boolean> advance() {
            synchronized (StreamWriter.this) {
                writeQueued(target);
            }
            return Optional.empty();
        }

        @Override
        public Optional<Boolean> deliver() {
            Runnable ready = null;
            boolean isWritten;
            synchronized (StreamWriter.this) {
                isWritten = queue.isEmpty();
                if (queue.size() < LOW_BYTES) {
                    ready = resume;
                    resume = null;
                }
            }
            if (ready != null) {
                ready.run();
            }
            return isWritten ? Optional.of(true) : Optional.empty();
        }
    }

    private void writeQueued(Descriptor target) {
        for (ByteBuffer head = queue.first(); head != null; head = queue.first()) {
            int before = head.remaining();
            boolean isWhole = false;
            try {
                writeNow(target, head);
                isWhole = !head.hasRemaining();
            } finally {
                queue.wasRead(before - head.remaining());
            }
            if (!isWhole) {
                return;
            }
        }
    }

    private void afterWatch(Descriptor target, @Nullable Throwable thrown) {
        boolean wasOver;
        boolean isAgain = false;
        synchronized (this) {
            isWatching = false;
            watch = null;
            wasOver = isOver;
            if (!wasOver && thrown == null && !queue.isEmpty()) { // came in between
                isWatching = true;
                isAgain = true;
            }
        }
        if (wasOver) {
            complete();
        } else if (thrown != null) {
            finish(thrown);
        } else if (isAgain) {
            watch(target);
        } else {
            endIfWritten();
        }
    }

    private void finish(@Nullable Throwable cause) {
        CompletableFuture<Boolean> current;
        Runnable ready;
        boolean isLast;
        synchronized (this) {
            if (isOver) {
                return;
            }
            isOver = true;
            failure = cause;
            queue.clear();
            ready = resume;
            resume = null;
            current = watch;
            isLast = !isWatching;
        }
        if (ready != null) {
            ready.run();
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
