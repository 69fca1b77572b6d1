package io.crema.image.store;

import io.crema.image.registry.BlobStream;
import java.io.InputStream;
import java.util.function.LongConsumer;

/** A layer as it comes from a registry, counting what the network brings. */
final class MeteredBlob extends InputStream {
    private final BlobStream blob;
    private final LongConsumer received;
    private long told;

    MeteredBlob(BlobStream blob, LongConsumer received) {
        this.blob = blob;
        this.received = received;
    }

    @Override
    public int read() {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) {
        try {
            return blob.read(buffer, offset, length);
        } finally {
            long transferred = blob.transferredBytes();
            received.accept(transferred - told);
            told = transferred;
        }
    }

    int placesDone() {
        return blob.placesDone();
    }

    @Override
    public void close() {
        blob.close();
    }
}
