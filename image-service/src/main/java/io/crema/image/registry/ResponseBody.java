package io.crema.image.registry;

import io.crema.base.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow.Subscription;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The body of one HTTP answer as a stream that cannot wait for ever: the JDK's own input stream has
 * no time limit. At most {@link #PREFETCH} network reads are held; a slow reader slows the sender.
 * A reader that has waited for the stall timeout in all without getting a set number of bytes gets
 * a {@link StalledException}; time the reader spends elsewhere does not count.
 */
final class ResponseBody extends InputStream implements BodySubscriber<ResponseBody> {
    /** The server sends nothing, or next to nothing. */
    static final class StalledException extends IOException {
        StalledException(String message) {
            super(message);
        }
    }

    /**
     * Network reads in flight, each of up to three buffers of 64 KiB ({@link HttpConnections}).
     * More would outlive the young generation, and the heap would grow by what is garbage a moment
     * later.
     */
    private static final int PREFETCH = 2;

    private static final List<ByteBuffer> NOTHING = List.of();

    /** What the network has to say: buffers, an error, or (neither) the end. */
    private record Event(List<ByteBuffer> buffers, @Nullable Throwable failure, boolean end) {}

    private final LinkedBlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private final CompletableFuture<Subscription> subscribed = new CompletableFuture<>();
    private Duration stallTimeout;
    private final int stallBytes;
    private final Deadline deadline;
    private volatile boolean closed;

    // Of the reading thread:
    private List<ByteBuffer> current = NOTHING;
    private int next;
    private @Nullable Event last;
    private long waitedNanos;
    private long bytesInWindow;

    /**
     * @param deadline of the work; a reader gets a {@link StalledException} then, too
     */
    ResponseBody(Duration stallTimeout, int stallBytes, Deadline deadline) {
        this.deadline = deadline;
        this.stallTimeout = stallTimeout;
        this.stallBytes = stallBytes;
    }

    /** For bodies that are not worth waiting for; by the reading thread. */
    void limitWaiting(Duration limit) {
        if (limit.compareTo(stallTimeout) < 0) {
            stallTimeout = limit;
        }
    }

    @Override
    public CompletionStage<ResponseBody> getBody() {
        return CompletableFuture.completedFuture(this);
    }

    @Override
    public void onSubscribe(Subscription subscription) {
        if (!subscribed.complete(subscription)) {
            subscription.cancel();
            return;
        }
        if (closed) {
            subscription.cancel();
        } else {
            subscription.request(PREFETCH);
        }
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        if (!closed) {
            events.add(new Event(buffers, null, false));
        }
    }

    @Override
    public void onError(Throwable failure) {
        events.add(new Event(NOTHING, failure, true));
    }

    @Override
    public void onComplete() {
        events.add(new Event(NOTHING, null, true));
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        ByteBuffer buffer = nextBuffer();
        if (buffer == null) {
            return -1;
        }
        int count = Math.min(length, buffer.remaining());
        buffer.get(bytes, offset, count);
        bytesInWindow += count;
        if (bytesInWindow >= stallBytes) {
            bytesInWindow = 0;
            waitedNanos = 0;
        }
        return count;
    }

    /** The next buffer that holds bytes; null at the end. */
    private @Nullable ByteBuffer nextBuffer() throws IOException {
        while (true) {
            while (next < current.size()) {
                ByteBuffer buffer = current.get(next);
                if (buffer.hasRemaining()) {
                    return buffer;
                }
                next++;
            }
            Event event = last == null ? await() : last;
            if (closed) {
                throw new IOException("the transfer was closed");
            }
            if (event.end) {
                last = event;
                if (event.failure != null) {
                    throw new IOException(
                            "the transfer broke off: " + FailureText.of(event.failure),
                            event.failure);
                }
                return null;
            }
            current = event.buffers;
            next = 0;
            subscribed.getNow(NO_SUBSCRIPTION).request(1);
        }
    }

    private Event await() throws IOException {
        Event event = events.poll();
        if (event != null) {
            return event;
        }
        long before = System.nanoTime();
        try {
            long left = stallTimeout.toNanos() - waitedNanos;
            event = events.poll(Math.min(left, deadline.remainingNanos()), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            close();
            InterruptedIOException interrupted =
                    new InterruptedIOException("interrupted while waiting for the registry");
            interrupted.initCause(e);
            throw interrupted;
        }
        waitedNanos += System.nanoTime() - before;
        if (event == null || waitedNanos >= stallTimeout.toNanos()) {
            close();
            throw new StalledException(
                    "the transfer stalled: "
                            + bytesInWindow
                            + " bytes in "
                            + TimeUnit.NANOSECONDS.toMillis(waitedNanos)
                            + " ms of waiting");
        }
        return event;
    }

    /** Ends the transfer; a reader that waits wakes up and fails. Any thread may call it. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        subscribed.getNow(NO_SUBSCRIPTION).cancel();
        events.clear();
        events.add(new Event(NOTHING, null, true));
    }

    private static final Subscription NO_SUBSCRIPTION =
            new Subscription() {
                @Override
                public void request(long count) {}

                @Override
                public void cancel() {}
            };
}
