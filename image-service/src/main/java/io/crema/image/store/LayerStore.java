package io.crema.image.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.PullProgress.LayerState;
import io.crema.image.layer.ContentHash;
import io.crema.image.layer.DamagedLayerException;
import io.crema.image.layer.LayerContent;
import io.crema.image.layer.LayerUnpacker;
import io.crema.image.layer.UnpackedLayer;
import io.crema.image.registry.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The unpacked layers on disk and those being unpacked. A layer is fetched once however many images
 * want it, becomes visible whole by one rename, and stays while an image or a pull refers to it.
 *
 * <p>Layers are not flushed one by one: the store flushes the file system once before it writes the
 * record of an image. Until then a layer counts as whole only as long as the kernel that wrote it
 * runs, which its record notes.
 *
 * <p>Several layers are unpacked at once, in the order in which they were asked for. A layer may
 * wait for those below it while it holds its place; that cannot lock up because those were asked
 * for before it.
 */
final class LayerStore {
    private static final Logger LOG = LoggerFactory.getLogger(LayerStore.class);

    /** Layers that no image came to use: kept so that a repeated pull goes on where it was. */
    private static final Duration UNUSED_LIFETIME = Duration.ofHours(24);

    /** A guard only; sources have closer deadlines. */
    private static final Duration WAIT_LIMIT = Duration.ofHours(6);

    private static final int HEX_LENGTH = 64;

    private final StorePaths paths;
    private final LayerUnpacker unpacker;
    private final Executor workers;
    private final Trash trash;
    private final Clock clock;
    private final String bootId;
    private final int parallelLayers;
    private final Semaphore repeats = new Semaphore(1, true);

    private final Map<String, StoredLayer> known = new HashMap<>();
    private final Map<String, Integer> pins = new HashMap<>();
    private final Map<Digest, Fetch> fetches = new HashMap<>();
    private final Deque<Fetch> queue = new ArrayDeque<>();
    private int running;

    LayerStore(
            StorePaths paths,
            LayerUnpacker unpacker,
            Executor workers,
            Trash trash,
            Clock clock,
            int parallelLayers) {
        this.paths = paths;
        this.unpacker = unpacker;
        this.workers = workers;
        this.trash = trash;
        this.clock = clock;
        this.parallelLayers = parallelLayers;
        this.bootId = bootId();
    }

    /** Keeps layers in place between finding or making them and writing the image's record. */
    final class Pins implements AutoCloseable {
        private final List<String> keys = new ArrayList<>();
        private final Set<String> made = new HashSet<>();

        private void add(String key) {
            pins.merge(key, 1, Integer::sum);
            keys.add(key);
        }

        /** Layers that were not there before, or would have been made. */
        Set<String> made() {
            return made;
        }

        @Override
        public void close() {
            release();
        }

        /** Lets go early; closing later does no more. */
        void release() {
            synchronized (LayerStore.this) {
                keys.forEach(LayerStore.this::unpin);
                keys.clear();
            }
        }
    }

    Pins pins() {
        return new Pins();
    }

    // ---- start ----

    /**
     * Learns which layers there are.
     *
     * @param referenced the layers of all image records
     * @return the keys of the layers that are on disk
     */
    synchronized Set<String> open(Map<String, StoredLayer> referenced) throws IOException {
        Set<String> present = new HashSet<>();
        List<Path> unusable = new ArrayList<>();
        try (DirectoryStream<Path> directories = Files.newDirectoryStream(paths.layers())) {
            for (Path directory : directories) {
                String key = directory.getFileName().toString();
                if (directory.equals(paths.empties())) {
                    continue;
                }
                StoredLayer layer = referenced.get(key);
                if (layer == null) {
                    layer = unusedLayer(directory);
                }
                if (layer == null) {
                    unusable.add(directory);
                } else {
                    known.put(key, layer);
                    present.add(key);
                }
            }
        }
        for (Path directory : unusable) {
            trash.discard(directory);
        }
        return present;
    }

    /** A layer without an image; null when it may not be whole or has waited too long. */
    private @Nullable StoredLayer unusedLayer(Path directory) throws IOException {
        String key = directory.getFileName().toString();
        if (key.length() != HEX_LENGTH) {
            return null;
        }
        try {
            JsonNode json = Json.parse(Files.readAllBytes(StorePaths.layerRecord(directory)));
            Instant unpackedAt = Instant.parse(Fields.text(json, "unpackedAt"));
            boolean kept =
                    Fields.text(json, "bootId").equals(bootId)
                            && unpackedAt.plus(UNUSED_LIFETIME).isAfter(clock.instant());
            StoredLayer layer = StoredLayer.ofJson(json);
            return kept && layer.key().equals(key) ? layer : null;
        } catch (NoSuchFileException | JsonProcessingException e) {
            return null;
        } catch (IllegalArgumentException | DateTimeException e) {
            return null;
        }
    }

    // ---- obtaining ----

    /**
     * Finds or fetches all layers of an image and pins them.
     *
     * @param diffIds one for each layer
     * @throws ImageException when a layer cannot be had, naming it
     */
    List<StoredLayer> obtain(
            List<IncomingImage.Layer> layers,
            List<Digest> diffIds,
            Pins claimed,
            Consumer<List<LayerProgress>> watcher)
            throws InterruptedException {
        List<Place> places = new ArrayList<>(layers.size());
        boolean done = false;
        try {
            String chain = "";
            for (int i = 0; i < layers.size(); i++) {
                Digest diffId = diffIds.get(i);
                chain = i == 0 ? diffId.toString() : chainId(chain, diffId);
                places.add(
                        new Place(
                                layers.get(i),
                                diffId,
                                Digest.parse(chain).hex(),
                                List.copyOf(places)));
            }
            for (Place place : places) {
                start(place, claimed);
            }
            tell(places, watcher);
            List<StoredLayer> result = new ArrayList<>(places.size());
            for (Place place : places) {
                StoredLayer layer = await(place, claimed, () -> tell(places, watcher));
                place.settled.complete(layer);
                result.add(layer);
            }
            done = true;
            return result;
        } finally {
            if (!done) {
                // Wakes fetches that others have joined and that wait for layers of this image.
                places.forEach(
                        place -> place.settled.completeExceptionally(new CancellationException()));
                places.forEach(place -> abandon(place, claimed));
            }
        }
    }

    private synchronized void tell(List<Place> places, Consumer<List<LayerProgress>> watcher) {
        List<LayerProgress> known = new ArrayList<>(places.size());
        places.forEach(place -> known.add(place.progress));
        watcher.accept(known);
    }

    /** Image-spec, config.md: identifies a layer together with all below it. */
    private static String chainId(String parent, Digest diffId) {
        return ContentHash.of((parent + " " + diffId).getBytes(StandardCharsets.US_ASCII))
                .toString();
    }

    /** A position in the image that is being made. */
    private static final class Place {
        private final IncomingImage.Layer incoming;
        private final Digest diffId;
        private final String chainKey;
        private final List<Place> below;
        private final CompletableFuture<StoredLayer> settled = new CompletableFuture<>();
        private @Nullable Fetch fetch;
        private LayerProgress progress;
        private boolean joined;

        Place(IncomingImage.Layer incoming, Digest diffId, String chainKey, List<Place> below) {
            this.incoming = incoming;
            this.diffId = diffId;
            this.chainKey = chainKey;
            this.below = below;
            this.progress = progress(LayerState.PRESENT);
        }

        LayerProgress progress(LayerState state) {
            return new LayerProgress(
                    incoming.digest().orElse(diffId).toString(), incoming.sizeBytes(), state);
        }

        boolean accepts(StoredLayer layer) {
            return !layer.dependsOnPosition() || layer.key().equals(chainKey);
        }
    }

    private synchronized void start(Place place, Pins claimed) {
        Optional<StoredLayer> found = find(place);
        if (found.isPresent()) {
            claimed.add(found.get().key());
            place.settled.complete(found.get());
            return;
        }
        Fetch fetch = fetches.get(place.diffId);
        place.joined = fetch != null;
        if (fetch == null || fetch.cancelled) {
            fetch = new Fetch(place);
            place.joined = false;
            fetches.put(place.diffId, fetch);
            queue.addLast(fetch);
        }
        fetch.waiters++;
        place.fetch = fetch;
        place.progress = fetch.progress;
        startQueued();
    }

    /** Only with the lock held. */
    private Optional<StoredLayer> find(Place place) {
        StoredLayer layer = known.get(place.diffId.hex());
        if (layer == null || !place.accepts(layer)) {
            layer = known.get(place.chainKey);
        }
        return Optional.ofNullable(layer)
                .filter(found -> found.diffId().equals(place.diffId) && place.accepts(found));
    }

    private StoredLayer await(Place place, Pins claimed, Runnable replaced)
            throws InterruptedException {
        Fetch fetch = place.fetch;
        if (fetch == null) {
            return place.settled.resultNow();
        }
        StoredLayer layer;
        try {
            layer = fetch.await();
        } catch (ImageException e) {
            if (!place.joined) {
                throw e;
            }
            // Whoever began it may have been cancelled or lost its way to the registry.
            layer = repeat(place, claimed, replaced);
        }
        if (!place.accepts(layer)) {
            layer = repeat(place, claimed, replaced);
        }
        synchronized (this) {
            claimed.add(layer.key());
            claimed.made.add(layer.key());
        }
        leave(place);
        return layer;
    }

    /** Fetches a layer for this image alone, once all layers below are there. */
    private StoredLayer repeat(Place place, Pins claimed, Runnable replaced)
            throws InterruptedException {
        leave(place);
        Fetch own = new Fetch(place);
        synchronized (this) {
            Optional<StoredLayer> found = find(place);
            if (found.isPresent()) {
                claimed.add(found.get().key());
                return found.get();
            }
            own.waiters = 1;
            place.fetch = own;
            place.progress = own.progress;
            place.joined = false;
        }
        replaced.run();
        // One at a time and beside the others' places: those may be waiting for this layer.
        workers.execute(() -> {
            repeats.acquireUninterruptibly();
            try {
                own.run();
            } finally {
                repeats.release();
            }
        });
        return own.await();
    }

    private synchronized void abandon(Place place, Pins claimed) {
        if (place.fetch != null) {
            claimed.made.add(place.diffId.hex());
            claimed.made.add(place.chainKey);
            leave(place);
        }
    }

    private synchronized void leave(Place place) {
        Fetch fetch = place.fetch;
        place.fetch = null;
        if (fetch != null && --fetch.waiters == 0) {
            fetch.cancel();
            unpin(fetch);
        }
    }

    /** Only with the lock held. */
    private void unpin(Fetch fetch) {
        String key = fetch.pinned;
        if (key != null) {
            fetch.pinned = null;
            unpin(key);
        }
    }

    /** Only with the lock held. */
    private void unpin(String key) {
        pins.computeIfPresent(key, (k, count) -> count == 1 ? null : count - 1);
    }

    /** Only with the lock held. */
    private void startQueued() {
        while (running < parallelLayers && !queue.isEmpty()) {
            Fetch fetch = queue.removeFirst();
            running++;
            workers.execute(() -> {
                try {
                    fetch.run();
                } finally {
                    ended();
                }
            });
        }
    }

    private synchronized void ended() {
        running--;
        startQueued();
    }

    /** A layer on its way; its fields are guarded by the store. */
    private final class Fetch {
        private final Place place;
        private final LayerProgress progress;
        private final CompletableFuture<StoredLayer> result = new CompletableFuture<>();
        private int waiters;
        private boolean cancelled;
        private @Nullable Thread thread;

        /** The finished layer, kept in place until the last who waits has taken it over. */
        private @Nullable String pinned;

        Fetch(Place place) {
            this.place = place;
            this.progress = place.progress(LayerState.WAITING);
        }

        StoredLayer await() throws InterruptedException {
            try {
                return result.get(WAIT_LIMIT.toSeconds(), TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                if (e.getCause() instanceof ImageException cause) {
                    // A new exception, so that each waiter has its own stack.
                    throw new ImageException(
                            cause.kind(), String.valueOf(cause.getMessage()), cause);
                }
                throw new IllegalStateException("layer " + place.diffId, e.getCause());
            } catch (TimeoutException e) {
                throw new ImageException(
                        ErrorKind.UNAVAILABLE,
                        "layer " + place.diffId + " did not come within " + WAIT_LIMIT,
                        e);
            }
        }

        /** Only with the lock held. */
        private void cancel() {
            cancelled = true;
            Thread worker = thread;
            if (worker != null) {
                worker.interrupt();
            } else if (queue.remove(this)) {
                fetches.remove(place.diffId, this);
                result.completeExceptionally(cancellation());
            }
        }

        private ImageException cancellation() {
            return new ImageException(
                    ErrorKind.CANCELLED, "unpacking layer " + place.diffId + " was cancelled");
        }

        void run() {
            try {
                synchronized (LayerStore.this) {
                    if (cancelled) {
                        throw cancellation();
                    }
                    thread = Thread.currentThread();
                }
                progress.state(LayerState.FETCHING);
                StoredLayer layer;
                try {
                    layer = unpack(this);
                } finally {
                    synchronized (LayerStore.this) {
                        thread = null;
                        // An interrupt after the work must not hit the worker's next task.
                        Thread.interrupted();
                    }
                }
                progress.state(LayerState.DONE);
                settle(() -> result.complete(layer));
            } catch (Throwable e) {
                settle(() -> result.completeExceptionally(failure(e)));
            }
        }

        private ImageException failure(Throwable cause) {
            if (cause instanceof ImageException known) {
                return known;
            }
            synchronized (LayerStore.this) {
                if (cancelled) {
                    return cancellation();
                }
            }
            return new ImageException(
                    ErrorKind.INTERNAL,
                    "layer " + place.diffId + " cannot be unpacked: " + cause,
                    cause);
        }

        private void settle(Runnable completion) {
            synchronized (LayerStore.this) {
                fetches.remove(place.diffId, this);
            }
            completion.run();
        }
    }

    /** The bytes were wrong, but others may be had. */
    private static final class WrongBytesException extends Exception {
        private static final long serialVersionUID = 1L;

        /** Some of them were kept by an earlier attempt. */
        private final boolean wereKept;

        private final transient LayerBytes.Source next;

        WrongBytesException(ImageException cause, boolean wereKept, LayerBytes.Source next) {
            super(cause);
            this.wereKept = wereKept;
            this.next = next;
        }
    }

    private StoredLayer unpack(Fetch fetch) throws IOException {
        LayerBytes.Source source = fetch.place.incoming.source();
        while (true) {
            try {
                return unpackOnce(fetch, source);
            } catch (WrongBytesException e) {
                // Each time there is one thing less to try: what was kept is gone, or one place.
                LOG.warn(
                        "layer {} is fetched anew, {}: {}",
                        fetch.place.diffId,
                        e.wereKept ? "without what was kept of it" : "from the next place",
                        String.valueOf(e.getCause()));
                fetch.progress.restart();
                source = e.next;
            }
        }
    }

    private UnpackedLayer unpack(
            Fetch fetch, LayerBytes.Source source, LayerBytes bytes, Path files)
            throws WrongBytesException {
        Place place = fetch.place;
        try {
            UnpackedLayer unpacked =
                    unpacker.unpack(
                            new LayerContent(
                                    place.incoming.digest().orElse(place.diffId).toString(),
                                    place.incoming.digest(),
                                    place.incoming.sizeBytes(),
                                    place.diffId,
                                    bytes::stream,
                                    bytes.isPatched() || source.elsewhere(1).isPresent()),
                            files,
                            new Below(place),
                            fetch.progress);
            bytes.discard();
            return unpacked;
        } catch (ImageException e) {
            if (e.kind() == ErrorKind.FAILED_PRECONDITION) {
                boolean patched = bytes.isPatched();
                bytes.discard();
                Optional<LayerBytes.Source> next =
                        patched ? Optional.of(source) : source.elsewhere(bytes.placesDone());
                if (!isAsPromised(e) && next.isPresent()) {
                    throw new WrongBytesException(e, patched, next.get());
                }
            } else if (e.kind() == ErrorKind.UNAVAILABLE) {
                // A registry that breaks the protocol; its bytes are not worth keeping.
                bytes.discard();
            }
            throw e;
        }
    }

    /** No other place has other bytes of that digest. */
    private static boolean isAsPromised(ImageException refusal) {
        return refusal.getCause() instanceof DamagedLayerException damage && damage.isAsPromised();
    }

    private StoredLayer unpackOnce(Fetch fetch, LayerBytes.Source source)
            throws IOException, WrongBytesException {
        Place place = fetch.place;
        Path staging = Files.createDirectory(paths.ingest().resolve("layer-" + UUID.randomUUID()));
        boolean moved = false;
        try {
            Path files = Files.createDirectory(StorePaths.files(staging));
            UnpackedLayer unpacked;
            try (LayerBytes bytes = source.open(fetch.progress)) {
                unpacked = unpack(fetch, source, bytes, files);
            }
            if (unpacked.droppedAttributes() > 0) {
                LOG.warn(
                        "layer {}: {} extended attributes were left out, this file system or"
                                + " machine has no use for them",
                        place.diffId,
                        unpacked.droppedAttributes());
            }
            String key = unpacked.dependsOnPosition() ? place.chainKey : place.diffId.hex();
            StoredLayer layer = StoredLayer.of(key, unpacked);
            ObjectNode record = layer.toJson();
            record.put("compression", unpacked.compression().name());
            record.put("plainBytes", unpacked.plainBytes());
            record.put("entries", unpacked.entries());
            record.put("unpackedAt", clock.instant().toString());
            record.put("bootId", bootId);
            Files.writeString(StorePaths.layerRecord(staging), record.toPrettyString());
            synchronized (this) {
                if (fetch.cancelled) {
                    throw fetch.cancellation();
                }
                StoredLayer other = known.get(key);
                if (other == null) {
                    Files.move(staging, paths.layer(key), StandardCopyOption.ATOMIC_MOVE);
                    moved = true;
                    known.put(key, layer);
                }
                fetch.pinned = key;
                pins.merge(key, 1, Integer::sum);
                return other == null ? layer : other;
            }
        } finally {
            if (!moved) {
                trash.delete(staging);
            }
        }
    }

    /** The layers below a place, for a layer that refers to them. */
    private final class Below implements LayerUnpacker.Parents {
        private final Place place;

        Below(Place place) {
            this.place = place;
        }

        @Override
        public boolean isEmpty() {
            return place.below.isEmpty();
        }

        @Override
        public List<Path> directories() throws InterruptedException {
            List<Path> topFirst = new ArrayList<>();
            for (int i = place.below.size() - 1; i >= 0; i--) {
                StoredLayer layer = settled(place.below.get(i));
                topFirst.add(StorePaths.files(paths.layer(layer.key())));
                if (layer.hidesAllBelow()) {
                    break;
                }
            }
            return topFirst;
        }

        private StoredLayer settled(Place below) throws InterruptedException {
            try {
                return below.settled.get(WAIT_LIMIT.toSeconds(), TimeUnit.SECONDS);
            } catch (ExecutionException | CancellationException | TimeoutException e) {
                throw new ImageException(
                        ErrorKind.CANCELLED,
                        "layer "
                                + place.diffId
                                + " refers to the layer below it, "
                                + below.diffId
                                + ", which did not come",
                        e);
            }
        }
    }

    // ---- directories that are no layers ----

    /** Finds and pins what was {@linkplain #adopt adopted} under that key. */
    synchronized Optional<StoredLayer> claim(String key, Pins claimed) {
        StoredLayer found = known.get(key);
        if (found != null) {
            claimed.add(key);
        }
        return Optional.ofNullable(found);
    }

    /**
     * Takes over and pins a finished directory that did not come from a layer, such as the files of
     * an artifact; when there is one of that key already, the staging directory stays the caller's.
     */
    StoredLayer adopt(Path staging, StoredLayer made, Pins claimed) throws IOException {
        ObjectNode record = made.toJson();
        record.put("unpackedAt", clock.instant().toString());
        record.put("bootId", bootId);
        Files.writeString(StorePaths.layerRecord(staging), record.toPrettyString());
        synchronized (this) {
            StoredLayer other = known.get(made.key());
            if (other == null) {
                Files.move(staging, paths.layer(made.key()), StandardCopyOption.ATOMIC_MOVE);
                known.put(made.key(), made);
                claimed.made.add(made.key());
            }
            claimed.add(made.key());
            return other == null ? made : other;
        }
    }

    // ---- letting go ----

    /** Deletes those of the layers that nobody needs. */
    synchronized void collect(Collection<String> keys, Predicate<String> referenced)
            throws IOException {
        for (String key : new HashSet<>(keys)) {
            if (!pins.containsKey(key) && !referenced.test(key) && known.remove(key) != null) {
                trash.discard(paths.layer(key));
            }
        }
    }

    /** Ends all work; those who wait for it get CANCELLED. */
    synchronized void cancelAll() {
        for (Fetch fetch : List.copyOf(fetches.values())) {
            fetch.cancel();
        }
    }

    /** Names the running kernel. */
    static String bootId() {
        try {
            return Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
        } catch (IOException e) {
            // Without it no layer outlives the daemon before an image uses it.
            return UUID.randomUUID().toString();
        }
    }
}
