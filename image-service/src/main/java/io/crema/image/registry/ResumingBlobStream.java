package io.crema.image.registry;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The blob stream over HTTP: one exchange at a time, the next one from where the last one broke.
 */
final class ResumingBlobStream extends BlobStream {
    /** Progress between two failures that earns new attempts; less could go on for ever. */
    private static final long PROGRESS_BYTES = 256 << 10;

    /** How long to wait for an end that should be there already. */
    private static final Duration TRAILER_TIME = Duration.ofMillis(500);

    private final RegistryHttp http;
    private final Source source;
    private final ContentDescriptor blob;
    private final long start;
    private final long end;
    private final boolean exactly;
    private final Deadline deadline;
    private final Retries retries;

    private long position;
    private long positionOfLastFailure;
    private final AtomicLong transferred = new AtomicLong();
    private volatile boolean closed;
    private volatile boolean acceptsRanges;
    private volatile @Nullable ResponseBody body;

    /** The thread that waits outside the body and must be interrupted by close. */
    private @Nullable Thread waiting;

    private boolean interruptedByClose;

    ResumingBlobStream(
            RegistryHttp http,
            TransferPolicy policy,
            Source source,
            ContentDescriptor blob,
            long start,
            long end,
            boolean exactly,
            Deadline deadline) {
        Objects.checkFromToIndex(start, end, blob.sizeBytes());
        this.http = http;
        this.source = source;
        this.blob = blob;
        this.start = start;
        this.end = end;
        this.exactly = exactly;
        this.deadline = deadline;
        this.retries = new Retries(policy, deadline);
        this.position = start;
        this.positionOfLastFailure = start;
    }

    @Override
    public long lengthBytes() {
        return end - start;
    }

    @Override
    public long transferredBytes() {
        return transferred.get();
    }

    @Override
    public boolean acceptsRanges() {
        return acceptsRanges;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) {
        Objects.checkFromIndexSize(offset, length, buffer.length);
        if (length == 0) {
            return 0;
        }
        if (position == end) {
            return -1;
        }
        while (true) {
            checkOpen();
            deadline.check(Failures.step(source, what()));
            try {
                ResponseBody current = body;
                if (current == null) {
                    current = open();
                }
                int count = current.read(buffer, offset, (int) Math.min(length, end - position));
                if (count < 0) {
                    throw new IOException(
                            "the transfer ended at byte " + position + " of " + blob.sizeBytes());
                }
                position += count;
                transferred.addAndGet(count);
                if (position == end) {
                    checkNothingFollows(current);
                }
                return count;
            } catch (IOException e) {
                recover(e);
            }
        }
    }

    private String what() {
        return "blob " + blob.digest();
    }

    private void checkOpen() {
        if (closed) {
            throw new ImageException(
                    ErrorKind.CANCELLED,
                    "the transfer of "
                            + what()
                            + " of "
                            + source.reference()
                            + " was cancelled after "
                            + (position - start)
                            + " bytes");
        }
    }

    /** Starts an exchange at the position; a server that ignores ranges is read up to there. */
    private ResponseBody open() throws IOException {
        Exchange exchange = Exchange.blob(source, blob, position, end);
        Answer response;
        startWaiting();
        try {
            response = http.open(exchange, retries, deadline);
        } catch (ImageException e) {
            checkOpen();
            throw e;
        } finally {
            stopWaiting();
        }
        ResponseBody opened = response.body();
        body = opened;
        if (closed) {
            opened.close();
        }
        if (response.status() == 206) {
            checkRange(response);
            acceptsRanges = true;
        } else {
            checkLength(response, blob.sizeBytes());
            if (exactly) {
                throw refuse("it sends all bytes where it was asked for some");
            }
            acceptsRanges = saysItAcceptsRanges(response);
            skip(opened, position);
        }
        return opened;
    }

    private static boolean saysItAcceptsRanges(Answer response) {
        return "bytes".equals(response.header("Accept-Ranges"));
    }

    private void skip(ResponseBody opened, long bytes) throws IOException {
        byte[] waste = new byte[(int) Math.min(64 << 10, bytes)];
        long left = bytes;
        while (left > 0) {
            deadline.check(Failures.step(source, what()));
            int count = opened.read(waste, 0, (int) Math.min(waste.length, left));
            if (count < 0) {
                throw new IOException(
                        "the transfer ended " + left + " bytes before the resumption");
            }
            left -= count;
            transferred.addAndGet(count);
        }
    }

    private void checkRange(Answer response) {
        String range = response.header("Content-Range");
        // bytes <first>-<last>/<all>; the last byte may be nearer than asked for.
        boolean right = range.startsWith("bytes " + position + "-");
        int slash = range.lastIndexOf('/');
        String all = slash < 0 ? "" : range.substring(slash + 1).strip();
        if (right && !all.equals("*") && !all.equals(Long.toString(blob.sizeBytes()))) {
            right = false;
        }
        if (!right) {
            throw refuse(
                    "it answers a request for bytes from "
                            + position
                            + " of "
                            + blob.sizeBytes()
                            + " with range '"
                            + ManifestReader.printable(range)
                            + "'");
        }
    }

    private void checkLength(Answer response, long expected) {
        long said = response.body().length().orElse(expected);
        if (said != expected) {
            throw refuse("it sends " + said + " bytes where the manifest says " + expected);
        }
    }

    /** More than promised is as wrong as less; mostly a length header has excluded it already. */
    private void checkNothingFollows(ResponseBody current) {
        if (end == blob.sizeBytes() && sendsMore(current)) {
            throw refuse("it sends more bytes than the " + blob.sizeBytes() + " of the manifest");
        }
        abandon();
    }

    private static boolean sendsMore(ResponseBody current) {
        current.limitWaiting(TRAILER_TIME);
        try {
            return current.read() >= 0;
        } catch (IOException e) {
            // It broke after its last byte, which is all we want.
            return false;
        }
    }

    private ImageException refuse(String problem) {
        abandon();
        return Failures.protocol(source, what(), problem);
    }

    private void recover(IOException failure) {
        abandon();
        checkOpen();
        if (failure instanceof InterruptedIOException) {
            throw Retries.cancelled(failure);
        }
        if (deadline.hasPassed()) {
            DeadlineExceededException late =
                    new DeadlineExceededException(Failures.step(source, what()));
            late.addSuppressed(failure);
            throw late;
        }
        if (position - positionOfLastFailure >= PROGRESS_BYTES) {
            retries.progressed();
        }
        positionOfLastFailure = position;
        String message = failure.getMessage();
        pause(
                Failures.transfer(
                        source,
                        what(),
                        (message == null ? failure.toString() : message)
                                + " (at byte "
                                + position
                                + " of "
                                + blob.sizeBytes()
                                + ")",
                        failure));
    }

    private void pause(ImageException failure) {
        startWaiting();
        try {
            retries.pause(failure, Duration.ZERO);
        } catch (ImageException e) {
            checkOpen();
            throw e;
        } finally {
            stopWaiting();
        }
    }

    private synchronized void startWaiting() {
        checkOpen();
        waiting = Thread.currentThread();
    }

    /** The interruption by close is no business of the reading thread's other work. */
    private synchronized void stopWaiting() {
        waiting = null;
        if (interruptedByClose) {
            interruptedByClose = false;
            var _ = Thread.interrupted();
        }
    }

    private void abandon() {
        ResponseBody current = body;
        body = null;
        if (current != null) {
            current.close();
        }
    }

    @Override
    public void close() {
        ResponseBody current;
        synchronized (this) {
            closed = true;
            current = body;
            if (waiting != null) {
                interruptedByClose = true;
                waiting.interrupt();
            }
        }
        if (current != null) {
            current.close();
        }
    }
}
