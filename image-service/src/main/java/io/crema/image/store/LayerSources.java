package io.crema.image.store;

import io.crema.base.Deadline;
import io.crema.image.registry.BlobStream;
import io.crema.image.registry.ContentDescriptor;
import io.crema.image.registry.RegistryClient;
import io.crema.image.registry.ResolvedImage;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.function.LongConsumer;

/** Makes layers of registries readable: large ones so that they can be resumed, all counted. */
final class LayerSources {
    /** Connections beside one for each layer, over all pulls. */
    private static final int EXTRA_CONNECTIONS = 6;

    private final RegistryClient registry;
    private final Spools spools;
    private final RunningPulls running;
    private final Executor workers;
    private final DownloadPace pace = new DownloadPace();
    private final Semaphore extraConnections = new Semaphore(EXTRA_CONNECTIONS);

    LayerSources(RegistryClient registry, Spools spools, RunningPulls running, Executor workers) {
        this.registry = registry;
        this.spools = spools;
        this.running = running;
        this.workers = workers;
    }

    LayerBytes.Source of(ResolvedImage image, ContentDescriptor layer) {
        return new Remote(image, layer);
    }

    /** A layer at the places of an image. */
    private final class Remote implements LayerBytes.Source {
        private final ResolvedImage image;
        private final ContentDescriptor layer;

        Remote(ResolvedImage image, ContentDescriptor layer) {
            this.image = image;
            this.layer = layer;
        }

        @Override
        public LayerBytes open(LayerProgress progress) {
            LongConsumer received = running.receiver(layer, progress);
            boolean spooled =
                    layer.sizeBytes() >= Spools.MIN_LARGE_BYTES || spools.has(layer.digest());
            Optional<Spool> spool =
                    spooled ? spools.open(layer.digest(), layer.sizeBytes()) : Optional.empty();
            if (spool.isEmpty()) {
                return new SlowBlob(
                        layer.digest(), layer.sizeBytes(), spools, fetched(received), pace);
            }
            running.counters().resumed(spool.get().resumedBytes());
            return new SpooledBlob(
                    layer.digest(),
                    spools,
                    spool.get(),
                    ranges(image, layer),
                    received,
                    workers,
                    extraConnections);
        }

        private MeteredBlob fetched(LongConsumer received) {
            return new MeteredBlob(
                    registry.openBlob(image, layer, 0, layer.sizeBytes(), Deadline.none()),
                    received);
        }

        @Override
        public Optional<LayerBytes.Source> elsewhere(int placesDone) {
            return image.elsewhere(placesDone).map(others -> new Remote(others, layer));
        }
    }

    private BlobRanges ranges(ResolvedImage image, ContentDescriptor layer) {
        return new BlobRanges() {
            @Override
            public BlobStream open(long from, long end) {
                return registry.openBlob(image, layer, from, end, Deadline.none());
            }

            @Override
            public BlobStream openExactly(long from, long end) {
                return registry.openExactly(image, layer, from, end, Deadline.none());
            }
        };
    }
}
