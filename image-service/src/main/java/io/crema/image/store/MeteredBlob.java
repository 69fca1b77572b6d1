package io.crema.image.store;

import io.crema.image.registry.BlobStream;
import java.io.InputStream;

/** A layer as it comes from a registry, counting what the network brings. */
final class MeteredBlob extends InputStream {
    private final BlobStream blob;
    private final LayerProgress progress;
    private final RunningPulls pulls;
    private long told;

    MeteredBlob(BlobStream blob, LayerProgress progress, RunningPulls pulls) {
        this.blob = blob;
        this.progress = progress;
        this.pulls = pulls;
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
            progress.received(transferred - told);
            pulls.received(transferred - told);
            told = transferred;
        }
    }

    @Override
    public void close() {
        blob.close();
    }
}
