package io.crema.image.registry;

import io.crema.base.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.hc.core5.http.ClassicHttpRequest;
import org.jspecify.annotations.Nullable;

/**
 * The body of one HTTP answer as a stream that cannot wait for ever. A reader that has waited for
 * the stall timeout in all without getting a set number of bytes gets a {@link StalledException};
 * time the reader spends elsewhere does not count. Read to its end, it gives its connection back;
 * closed before, it ends it.
 */
final class ResponseBody extends InputStream {
    /** The server sends nothing, or next to nothing. */
    static final class StalledException extends IOException {
        StalledException(String message) {
            super(message);
        }
    }

    private enum State {
        OPEN,
        /** Read to its end; the connection may be somebody else's by now. */
        ENDED,
        CLOSED
    }

    private final HttpConnection connection;
    private final Consumer<HttpConnection> keep;
    private final Consumer<HttpConnection> drop;
    private final boolean reusable;
    private final @Nullable InputStream content;
    private final long contentBytes;
    private Duration stallTimeout;
    private final int stallBytes;
    private final Deadline deadline;
    private final AtomicReference<State> state = new AtomicReference<>(State.OPEN);

    // Of the reading thread:
    private long position;
    private long waitedNanos;
    private long bytesInWindow;

    /**
     * @param keep takes the connection back when the body was read to its end
     * @param drop ends it otherwise
     * @param deadline of the work; a reader gets a {@link StalledException} then, too
     */
    ResponseBody(
            HttpConnection connection,
            ClassicHttpRequest request,
            HttpConnection.Received received,
            Consumer<HttpConnection> keep,
            Consumer<HttpConnection> drop,
            TransferPolicy policy,
            Deadline deadline) {
        this.connection = connection;
        this.keep = keep;
        this.drop = drop;
        this.reusable = HttpConnection.isReusable(request, received.head());
        this.content = received.content();
        this.contentBytes = received.contentBytes();
        this.stallTimeout = policy.stallTimeout();
        this.stallBytes = policy.stallBytes();
        this.deadline = deadline;
        if (contentBytes == 0) {
            end();
        }
    }

    /** The number of bytes where the head of the answer tells it. */
    OptionalLong length() {
        return contentBytes < 0 ? OptionalLong.empty() : OptionalLong.of(contentBytes);
    }

    /** For bodies that are not worth waiting for; by the reading thread. */
    void limitWaiting(Duration limit) {
        if (limit.compareTo(stallTimeout) < 0) {
            stallTimeout = limit;
        }
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
        if (content == null) {
            return -1;
        }
        switch (state.get()) {
            case OPEN -> {}
            case ENDED -> {
                return -1;
            }
            case CLOSED -> throw new IOException("the transfer was closed");
        }
        long before = System.nanoTime();
        long left = Math.min(stallTimeout.toNanos() - waitedNanos, deadline.remainingNanos());
        connection.readsUntil(before + Math.max(0, left));
        int count;
        try {
            count = content.read(bytes, offset, length);
        } catch (SocketTimeoutException e) {
            waitedNanos += System.nanoTime() - before;
            throw stalled();
        } catch (IOException e) {
            throw failure(e);
        }
        if (count < 0) {
            end();
            return -1;
        }
        waitedNanos += System.nanoTime() - before;
        position += count;
        bytesInWindow += count;
        if (bytesInWindow >= stallBytes) {
            bytesInWindow = 0;
            waitedNanos = 0;
        } else if (waitedNanos >= stallTimeout.toNanos()) {
            throw stalled();
        }
        if (position == contentBytes) {
            end();
        }
        return count;
    }

    private void end() {
        if (!state.compareAndSet(State.OPEN, State.ENDED)) {
            return;
        }
        if (reusable) {
            keep.accept(connection);
        } else {
            drop.accept(connection);
        }
    }

    private StalledException stalled() {
        close();
        return new StalledException(
                "the transfer stalled: "
                        + bytesInWindow
                        + " bytes in "
                        + TimeUnit.NANOSECONDS.toMillis(waitedNanos)
                        + " ms of waiting");
    }

    private IOException failure(IOException cause) {
        boolean byUs = state.get() == State.CLOSED;
        close();
        if (Thread.currentThread().isInterrupted()) {
            return HttpConnections.interrupted(cause);
        }
        return byUs
                ? new IOException("the transfer was closed", cause)
                : new IOException("the transfer broke off: " + FailureText.of(cause), cause);
    }

    /** Ends the transfer; a reader that waits wakes up and fails. Any thread may call it. */
    @Override
    public void close() {
        if (state.compareAndSet(State.OPEN, State.CLOSED)) {
            drop.accept(connection);
        }
    }
}
