package io.crema.image;

import java.time.Instant;
import java.util.List;

/**
 * How far one pull has come, at one moment.
 *
 * @param reference what was asked for
 * @param layers lowest first; empty until the manifest is there
 * @param receivedBytes what came over the network for this pull, repetitions included
 * @param bytesPerSecond over the last few seconds
 */
public record PullProgress(
        String reference,
        Instant startedAt,
        Phase phase,
        List<Layer> layers,
        long receivedBytes,
        long bytesPerSecond) {
    /** What a pull is busy with; the words stand in JSON. */
    public enum Phase {
        /** Asking registries for the manifest. */
        RESOLVING,
        /** Fetching and unpacking layers. */
        LAYERS,
        /** Flushing the file system and writing the record. */
        STORING
    }

    /** What has become of a layer. */
    public enum LayerState {
        /** Other layers have all places. */
        WAITING,
        FETCHING,
        DONE,
        /** It was on this node before. */
        PRESENT
    }

    /**
     * One layer.
     *
     * @param digest of its compressed bytes
     * @param sizeBytes compressed
     * @param doneBytes how many of them were unpacked
     * @param unpackedBytes what became of those
     */
    public record Layer(
            String digest,
            LayerState state,
            long sizeBytes,
            long doneBytes,
            long receivedBytes,
            long unpackedBytes) {}

    public PullProgress {
        layers = List.copyOf(layers);
    }

    /** Compressed bytes of all layers. */
    public long sizeBytes() {
        long sum = 0;
        for (Layer layer : layers) {
            sum += layer.sizeBytes();
        }
        return sum;
    }

    /** Compressed bytes that need no more work. */
    public long doneBytes() {
        long sum = 0;
        for (Layer layer : layers) {
            sum += layer.doneBytes();
        }
        return sum;
    }
}
