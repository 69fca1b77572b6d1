package io.crema.image.store;

import io.crema.base.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A layer too small to be always worth a {@link Spool}: its bytes are kept only while the network
 * sets the pace. Then copying them costs nothing but time that would be waited, and they are dear;
 * what comes as fast as it is unpacked comes as fast again.
 */
final class SlowBlob implements LayerBytes {
    private static final Logger LOG = LoggerFactory.getLogger(SlowBlob.class);

    private final Digest digest;
    private final long sizeBytes;
    private final Spools spools;
    private final MeteredBlob blob;
    private final DownloadPace pace;

    // Of the reader:
    private long position;
    private long readAt;

    // Guarded by this:
    private @Nullable Spool spool;
    private boolean copying;
    private long copiesFrom;
    private boolean mayCopy;

    SlowBlob(Digest digest, long sizeBytes, Spools spools, MeteredBlob blob, DownloadPace pace) {
        this.digest = digest;
        this.sizeBytes = sizeBytes;
        this.spools = spools;
        this.blob = blob;
        this.pace = pace;
        this.mayCopy = sizeBytes >= Spools.MIN_BYTES;
    }

    @Override
    public InputStream stream() {
        return new InputStream() {
            @Override
            public int read() {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] buffer, int offset, int length) {
                return readOn(buffer, offset, length);
            }

            @Override
            public void close() {
                blob.close();
            }
        };
    }

    private int readOn(byte[] buffer, int offset, int length) {
        long before = System.nanoTime();
        int count = blob.read(buffer, offset, length);
        if (count <= 0) {
            return count;
        }
        long now = System.nanoTime();
        if (position > 0) {
            // The first bytes are always waited for.
            pace.received(count, now - before, now - readAt);
        }
        readAt = now;
        keep(buffer, offset, count);
        position += count;
        return count;
    }

    private synchronized void keep(byte[] buffer, int offset, int count) {
        if (!mayCopy || !pace.isSlow()) {
            copying = false;
            return;
        }
        Spool open = opened();
        if (open == null) {
            return;
        }
        if (!copying) {
            copying = true;
            // Segments fill from their beginnings.
            int segment = open.segmentOf(position);
            copiesFrom = open.filledTo(segment) == position ? position : open.endOf(segment);
        }
        try {
            copy(open, buffer, offset, count);
        } catch (IOException e) {
            // The disk may be full: the layer itself may still find its place without these bytes.
            LOG.warn("layer {} goes on without a way to resume: {}", digest, e.toString());
            mayCopy = false;
            open.delete();
        }
    }

    /** Only with the lock held. */
    private @Nullable Spool opened() {
        if (spool == null) {
            Optional<Spool> made = spools.open(digest, sizeBytes);
            if (made.isPresent() && made.get().resumedBytes() > 0) {
                // An earlier attempt, which ended just now: ours would not continue its segments.
                spools.close(digest, made.get());
                made = Optional.empty();
            }
            spool = made.orElse(null);
            mayCopy = made.isPresent();
            LOG.debug("layer {} comes slowly and is kept from {} on", digest, position);
        }
        return spool;
    }

    private void copy(Spool open, byte[] buffer, int offset, int count) throws IOException {
        long at = Math.max(position, copiesFrom);
        long end = position + count;
        while (at < end) {
            int segment = open.segmentOf(at);
            int part = (int) (Math.min(end, open.endOf(segment)) - at);
            open.append(segment, buffer, offset + (int) (at - position), part);
            at += part;
        }
    }

    @Override
    public boolean isPatched() {
        return false;
    }

    @Override
    public int placesDone() {
        return blob.placesDone();
    }

    @Override
    public synchronized void discard() {
        mayCopy = false;
        if (spool != null) {
            spool.delete();
        }
    }

    @Override
    public void close() {
        blob.close();
        Spool open;
        synchronized (this) {
            mayCopy = false;
            open = spool;
            spool = null;
        }
        if (open != null) {
            spools.close(digest, open);
        }
    }
}
