package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.registry.BlobStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A large layer on its way in. The reader takes what a {@link Spool} has from an earlier attempt,
 * fetches the rest itself and copies it there in passing. While it mostly waits for the network,
 * and the server serves ranges, helpers fetch segments ahead of it over connections of their own,
 * one more every second; the reader takes over whatever a helper gives up, and is the only one to
 * fail.
 */
final class SpooledBlob implements LayerBytes {
    private static final Logger LOG = LoggerFactory.getLogger(SpooledBlob.class);

    static final int MAX_HELPERS = 3;

    /** So far ahead of the reader, their bytes are still in the page cache when it comes. */
    private static final int SEGMENTS_AHEAD = 8;

    private static final int BUFFER_BYTES = 64 << 10;
    private static final long CHECK_NANOS = 1_000_000_000L;
    private static final long WAIT_MILLIS = 1000;

    private final Digest digest;
    private final Spools spools;
    private final Spool spool;
    private final BlobRanges ranges;
    private final LongConsumer received;
    private final Executor workers;
    private final Semaphore helperPlaces;

    // Of the reader:
    private long position;
    private @Nullable BlobStream own;
    private long ownPosition;
    private long ownEnd;
    private long checkedAt = System.nanoTime();
    private long waitedNanos;

    // Guarded by this:
    private final Set<Integer> helped = new HashSet<>();
    private final Set<BlobStream> open = new HashSet<>();
    private int reading;
    private int readersOwn = -1;
    private int helpers;
    private boolean mayHelp;
    private boolean copies = true;
    private boolean closed;
    private int placesDone = Integer.MAX_VALUE;

    SpooledBlob(
            Digest digest,
            Spools spools,
            Spool spool,
            BlobRanges ranges,
            LongConsumer received,
            Executor workers,
            Semaphore helperPlaces) {
        this.digest = digest;
        this.spools = spools;
        this.spool = spool;
        this.ranges = ranges;
        this.received = received;
        this.workers = workers;
        this.helperPlaces = helperPlaces;
        this.mayHelp = spool.sizeBytes() >= Spools.MIN_LARGE_BYTES;
        if (spool.resumedBytes() > 0) {
            LOG.info(
                    "layer {}: {} of {} bytes are here from an earlier attempt",
                    digest,
                    spool.resumedBytes(),
                    spool.sizeBytes());
        }
    }

    @Override
    public InputStream stream() {
        return new InputStream() {
            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] buffer, int offset, int length) throws IOException {
                return readOn(buffer, offset, length);
            }

            @Override
            public void close() {
                end();
            }
        };
    }

    @Override
    public boolean isPatched() {
        return spool.resumedBytes() > 0;
    }

    @Override
    public synchronized int placesDone() {
        return placesDone == Integer.MAX_VALUE ? 1 : placesDone;
    }

    @Override
    public void discard() {
        spool.delete();
    }

    @Override
    public void close() {
        end();
        spools.close(digest, spool);
    }

    /** Ends all transfers and wakes whoever waits. */
    private void end() {
        Set<BlobStream> ending;
        synchronized (this) {
            closed = true;
            ending = Set.copyOf(open);
            notifyAll();
        }
        ending.forEach(BlobStream::close);
    }

    // ---- the reader ----

    private int readOn(byte[] buffer, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (position == spool.sizeBytes()) {
            closeOwn();
            return -1;
        }
        int segment = spool.segmentOf(position);
        long here = awaitSegment(segment);
        int count;
        if (here > position) {
            closeOwn();
            count = spool.read(position, buffer, offset, (int) Math.min(length, here - position));
        } else {
            count = fetch(segment, buffer, offset, length);
        }
        position += count;
        askForHelp();
        return count;
    }

    /**
     * Waits while a helper works on the segment and has nothing new.
     *
     * @return up to where it is here; when that is the reader's position, the segment is the
     *     reader's to fetch
     */
    private synchronized long awaitSegment(int segment) {
        if (reading != segment) {
            reading = segment;
            notifyAll();
        }
        while (true) {
            checkOpen();
            long here = copies ? spool.filledTo(segment) : position;
            if (here > position) {
                return here;
            }
            if (readersOwn == segment || !copies || !helped.contains(segment)) {
                readersOwn = segment;
                return position;
            }
            long before = System.nanoTime();
            try {
                wait(WAIT_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ImageException(
                        ErrorKind.CANCELLED, "waiting for layer " + digest + " was cancelled", e);
            }
            waitedNanos += System.nanoTime() - before;
        }
    }

    /** Only with the lock held. */
    private void checkOpen() {
        if (closed) {
            throw new ImageException(
                    ErrorKind.CANCELLED, "the transfer of layer " + digest + " was cancelled");
        }
    }

    private int fetch(int segment, byte[] buffer, int offset, int length) throws IOException {
        BlobStream stream = own;
        if (stream == null || ownPosition != position || ownEnd == position) {
            closeOwn();
            stream = openOwn(segment);
        }
        long most = Math.min(ownEnd, spool.endOf(segment)) - position;
        long before = System.nanoTime();
        int count = read(stream, buffer, offset, (int) Math.min(length, most));
        waitedNanos += System.nanoTime() - before;
        ownPosition = position + count;
        boolean copy;
        synchronized (this) {
            copy = copies;
        }
        if (copy) {
            try {
                spool.append(segment, buffer, offset, count);
            } catch (IOException e) {
                stopCopying(e);
            }
        }
        return count;
    }

    private BlobStream openOwn(int segment) {
        long end = spool.endOf(segment);
        synchronized (this) {
            if (helpers == 0) {
                // As far as nothing is here: without helpers one exchange is best.
                int next = segment + 1;
                while (next < spool.segments()
                        && (!copies || spool.filledTo(next) == spool.startOf(next))) {
                    next++;
                }
                end = spool.endOf(next - 1);
            }
        }
        BlobStream stream = register(ranges.open(position, end));
        own = stream;
        ownPosition = position;
        ownEnd = end;
        return stream;
    }

    private void closeOwn() {
        BlobStream stream = own;
        if (stream != null) {
            own = null;
            unregister(stream);
        }
    }

    /** The disk may be full: the layer itself may still find its place without these bytes. */
    private void stopCopying(IOException cause) {
        LOG.warn("layer {} goes on without a way to resume: {}", digest, cause.toString());
        synchronized (this) {
            copies = false;
            mayHelp = false;
            notifyAll();
        }
        spool.delete();
    }

    private int read(BlobStream stream, byte[] buffer, int offset, int length) throws IOException {
        long before = stream.transferredBytes();
        int count;
        try {
            count = stream.read(buffer, offset, length);
        } finally {
            long transferred = stream.transferredBytes() - before;
            received.accept(transferred);
        }
        if (count <= 0) {
            throw new IOException("the transfer ended before its time");
        }
        return count;
    }

    private synchronized BlobStream register(BlobStream stream) {
        if (closed) {
            stream.close();
        }
        checkOpen();
        open.add(stream);
        return stream;
    }

    private void unregister(BlobStream stream) {
        synchronized (this) {
            open.remove(stream);
            if (stream.transferredBytes() > 0) {
                placesDone = Math.min(placesDone, stream.placesDone());
            }
        }
        stream.close();
    }

    // ---- the helpers ----

    /** By the reader, now and then. */
    private void askForHelp() {
        long now = System.nanoTime();
        long span = now - checkedAt;
        if (span < CHECK_NANOS) {
            return;
        }
        boolean mostlyWaited = waitedNanos > span / 10 * 6;
        checkedAt = now;
        waitedNanos = 0;
        BlobStream stream = own;
        boolean rangesWork = stream == null || stream.acceptsRanges();
        synchronized (this) {
            if (mostlyWaited
                    && rangesWork
                    && mayHelp
                    && !closed
                    && helpers < MAX_HELPERS
                    && reading + 1 < spool.segments()
                    && helperPlaces.tryAcquire()) {
                helpers++;
                workers.execute(this::help);
            }
        }
    }

    private void help() {
        byte[] buffer = new byte[BUFFER_BYTES];
        try {
            for (int segment = claim(); segment >= 0; segment = claim()) {
                try {
                    fill(segment, buffer);
                } finally {
                    synchronized (this) {
                        helped.remove(segment);
                        notifyAll();
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            LOG.debug("layer {} goes on with one connection less: {}", digest, e.toString());
            synchronized (this) {
                mayHelp = false;
            }
        } finally {
            helperPlaces.release();
            synchronized (this) {
                helpers--;
                notifyAll();
            }
        }
    }

    /** The next segment ahead of the reader that nobody has; -1 when there is no more to do. */
    private synchronized int claim() {
        while (!closed && mayHelp) {
            int last = Math.min(reading + SEGMENTS_AHEAD, spool.segments() - 1);
            for (int segment = reading + 1; segment <= last; segment++) {
                if (!spool.isFull(segment) && helped.add(segment)) {
                    return segment;
                }
            }
            if (last == spool.segments() - 1) {
                return -1;
            }
            try {
                wait(WAIT_MILLIS);
            } catch (InterruptedException e) {
                return -1;
            }
        }
        return -1;
    }

    private void fill(int segment, byte[] buffer) throws IOException {
        long at = spool.filledTo(segment);
        long end = spool.endOf(segment);
        BlobStream stream = register(ranges.openExactly(at, end));
        try {
            while (at < end) {
                int count = read(stream, buffer, 0, (int) Math.min(buffer.length, end - at));
                spool.append(segment, buffer, 0, count);
                at += count;
                synchronized (this) {
                    notifyAll();
                }
            }
        } finally {
            unregister(stream);
        }
    }
}
