package io.crema.image.registry;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The bytes of a blob from the first place that has them: a mirror may have an image's manifest but
 * not (yet, or any more) all of its blobs. What one place breaks off, the next one continues.
 */
final class FallbackBlobStream extends BlobStream {
    private static final Logger LOG = LoggerFactory.getLogger(FallbackBlobStream.class);

    /** Opens the blob from a position on at one of the places. */
    interface Places {
        BlobStream open(int place, long position);
    }

    private final int places;
    private final long start;
    private final long end;
    private final Places opener;
    private final List<ImageException> failures = new ArrayList<>();
    private long position;
    private boolean fromSeveral;
    private volatile BlobStream current;
    private volatile long transferredBefore;
    private volatile boolean closed;

    FallbackBlobStream(int places, long start, long end, Places opener) {
        this.places = places;
        this.start = start;
        this.end = end;
        this.opener = opener;
        this.position = start;
        this.current = opener.open(0, start);
    }

    @Override
    public long lengthBytes() {
        return end - start;
    }

    @Override
    public long transferredBytes() {
        return transferredBefore + current.transferredBytes();
    }

    @Override
    public boolean acceptsRanges() {
        return current.acceptsRanges();
    }

    @Override
    public synchronized int placesDone() {
        return fromSeveral ? 1 : failures.size() + 1;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) {
        while (true) {
            try {
                int count = current.read(buffer, offset, length);
                position += Math.max(0, count);
                return count;
            } catch (ImageException e) {
                synchronized (this) {
                    failures.add(e);
                    fromSeveral |= position > start;
                }
                if (!mayBeElsewhere(e.kind())) {
                    throw e;
                }
                if (failures.size() == places) {
                    throw Failures.all(failures);
                }
                LOG.warn("{}; asking the next place", e.getMessage());
                goOn();
            }
        }
    }

    private static boolean mayBeElsewhere(ErrorKind kind) {
        return switch (kind) {
            case NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE, CRI_REASON -> true;
            case INVALID_ARGUMENT,
                    ALREADY_EXISTS,
                    FAILED_PRECONDITION,
                    DEADLINE_EXCEEDED,
                    CANCELLED,
                    UNIMPLEMENTED,
                    INTERNAL ->
                    false;
        };
    }

    private synchronized void goOn() {
        current.close();
        transferredBefore += current.transferredBytes();
        current = opener.open(failures.size(), position);
        if (closed) {
            current.close();
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        current.close();
    }
}
