package io.crema.image.store;

import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.image.Archives;
import io.crema.image.IdShift;
import io.crema.image.Image;
import io.crema.image.ImageConfiguration;
import io.crema.image.ImageException;
import io.crema.image.Images;
import io.crema.image.PullProgress;
import io.crema.image.PullProgress.LayerState;
import io.crema.image.PullProgress.Phase;
import io.crema.image.PullTotals;
import io.crema.image.archive.ArchivedImage;
import io.crema.image.archive.ImageArchive;
import io.crema.image.layer.ContentHash;
import io.crema.image.layer.DiskUsage;
import io.crema.image.layer.LayerUnpacker;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.reference.ShortName;
import io.crema.image.registry.ContentDescriptor;
import io.crema.image.registry.FoundSignatures;
import io.crema.image.registry.HttpRegistryClient;
import io.crema.image.registry.ImageManifest;
import io.crema.image.registry.ImageSignature;
import io.crema.image.registry.RegistryClient;
import io.crema.image.registry.ResolvedImage;
import io.crema.image.registry.ResolvedManifest;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The images of this node, below one directory. What is where, and what a crash leaves:
 *
 * <ol>
 *   <li>{@code ingest/}: layers and blobs on their way in, deleted trees on their way out; deleted
 *       at the next start.
 *   <li>{@code partial/}: compressed bytes of large layers whose pull was interrupted, for the next
 *       attempt; deleted after some hours, or when the machine was restarted since.
 *   <li>{@code layers/<key>/}: whole layers; those without an image stay for a day so that a
 *       repeated pull goes on, unless the machine was restarted since.
 *   <li>{@code blobs/}: manifests and configurations; harmless without an image.
 *   <li>{@code images/<id>.json}: written when all of the above is on disk; the image exists from
 *       then on. Deleted first when the image is removed.
 * </ol>
 */
public final class ImageStore implements Images {
    private static final Logger LOG = LoggerFactory.getLogger(ImageStore.class);
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(5);

    /** Flushing half a terabyte to a slow disk takes that long. */
    private static final Duration SYNC_LIMIT = Duration.ofHours(1);

    private static final String LOCAL_REGISTRY = "localhost";

    private final StorePaths paths;
    private final Linux linux;
    private final RegistryClient registry;
    private final StoreOptions options;
    private final Executor workers;
    private final Descriptor lock;
    private final Trash trash;
    private final LayerStore layers;
    private final ArtifactFiles artifacts;
    private final Blobs blobs;
    private final Records records;
    private final Bookkeeping bookkeeping;
    private final RootFileSystems rootFileSystems;
    private final ContainerArchives archives;
    private final PinnedNames pinned;
    private final SharedWork<PullKey, Image> pulls;
    private final RunningPulls running;
    private final Spools spools;
    private final LayerSources layerSources;

    /** Guards changes of the catalog, its records on disk, and the uses. */
    private final Object changes = new Object();

    private final Map<String, Set<ImageId>> imagesByUser = new HashMap<>();
    private volatile Catalog catalog;

    /** What makes two pulls the same. */
    private record PullKey(ImageName name, Credentials credentials) {}

    /**
     * Opens the store: makes its directories, reads the records, and lets go of what an earlier
     * process left unfinished.
     *
     * @param registry where images come from; stays the caller's to close, after this store
     * @throws ImageException UNAVAILABLE when another process uses the same root
     */
    public ImageStore(StoreOptions options, Linux linux, RegistryClient registry) {
        this.options = options;
        this.paths = new StorePaths(options.root().toAbsolutePath());
        this.linux = linux;
        this.registry = registry;
        this.workers = new PlatformThreads("image");
        this.pinned = new PinnedNames(options.pinnedNames());
        this.pulls = new SharedWork<>(options.abandonedPullGrace());
        this.running = new RunningPulls(options.clock(), options.pullProgressTimeout());
        this.spools = new Spools(paths.partial(), options.clock(), LayerStore.bootId());
        this.layerSources = new LayerSources(registry, spools, running, workers);
        this.blobs = new Blobs(paths);
        this.records = new Records(paths);
        this.bookkeeping = new Bookkeeping(linux, paths);
        this.rootFileSystems = new RootFileSystems(linux, paths);
        this.trash = new Trash(linux, paths.ingest(), workers);
        LayerUnpacker unpacker = new LayerUnpacker(linux, workers, options.limits());
        this.archives = new ContainerArchives(this, linux, unpacker, blobs);
        this.layers =
                new LayerStore(
                        paths, unpacker, workers, trash, options.clock(), options.parallelLayers());
        this.artifacts =
                new ArtifactFiles(linux, workers, options.limits(), options.parallelLayers());
        try {
            makeDirectories();
            this.lock = lock();
            try {
                trash.deleteLeftovers();
                spools.sweep();
                List<ImageRecord> whole = recover();
                records.writeIndex(whole);
                this.catalog = new Catalog(whole, paths, pinned, bookkeeping.of(whole));
            } catch (IOException | RuntimeException e) {
                lock.close();
                throw e;
            }
        } catch (IOException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL,
                    "the image store at " + paths.root() + " cannot be opened: " + e,
                    e);
        }
    }

    /**
     * Manifests and indexes of a store that need not be fetched again; for the registry client,
     * which is made before the store.
     */
    public static HttpRegistryClient.KnownManifests manifests(Path root) {
        return new Blobs(new StorePaths(root.toAbsolutePath()))::read;
    }

    // ---- start ----

    private void makeDirectories() throws IOException {
        Files.createDirectories(paths.root());
        // Layers have set-id programs of strangers: nobody but root may come near them.
        var forOwner =
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
        for (Path directory :
                List.of(
                        paths.blobs(),
                        paths.layers(),
                        paths.images(),
                        paths.ingest(),
                        paths.partial())) {
            if (!Files.isDirectory(directory)) {
                Files.createDirectory(directory, forOwner);
            }
        }
        Files.createDirectories(paths.empty(0));
        Files.createDirectories(paths.empty(1));
    }

    private Descriptor lock() {
        Descriptor file =
                linux.open(paths.lock(), Set.of(OpenFlag.READ_WRITE, OpenFlag.CREATE), 0600);
        try {
            if (linux.tryLock(file, true)) {
                return file;
            }
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
        file.close();
        throw new ImageException(
                ErrorKind.UNAVAILABLE,
                "another process uses the images at "
                        + paths.root()
                        + "; stop it or give this one a root of its own");
    }

    /** The images that are whole. */
    private List<ImageRecord> recover() throws IOException {
        List<ImageRecord> read = records.readAll();
        Map<String, StoredLayer> referenced = new HashMap<>();
        for (ImageRecord record : read) {
            record.layers().forEach(layer -> referenced.put(layer.key(), layer));
        }
        Set<String> present = layers.open(referenced);
        List<ImageRecord> whole = new ArrayList<>(read.size());
        for (ImageRecord record : read) {
            Optional<StoredLayer> missing =
                    record.layers().stream()
                            .filter(layer -> !present.contains(layer.key()))
                            .findFirst();
            if (missing.isEmpty()) {
                whole.add(record);
            } else {
                LOG.warn(
                        "image {} {} is not listed any more: its layer {} is gone from {}; pull it"
                                + " again",
                        record.id(),
                        record.tags(),
                        missing.get().diffId(),
                        paths.layers());
                records.delete(record.id());
            }
        }
        return whole;
    }

    // ---- reading ----

    @Override
    public List<Image> list() {
        return catalog.images();
    }

    @Override
    public Optional<Image> find(String reference) {
        Catalog now = catalog;
        return findId(now, reference).flatMap(now::image);
    }

    private Optional<ImageId> findId(Catalog now, String reference) {
        String id =
                reference.startsWith("sha256:")
                        ? reference.substring("sha256:".length())
                        : reference;
        boolean couldBeId = isHex(id);
        if (couldBeId && id.length() == 64) {
            return now.byIdPrefix(id);
        }
        Optional<ImageId> named = findName(now, reference);
        return named.isPresent() || !couldBeId ? named : now.byIdPrefix(id);
    }

    private Optional<ImageId> findName(Catalog now, String text) {
        ImageName name;
        try {
            name = ImageName.parse(text);
        } catch (ImageException e) {
            // Whoever asks for what cannot exist hears that it does not.
            return Optional.empty();
        }
        for (ImageReference reference : candidates(name)) {
            Optional<ImageId> found = findReference(now, reference);
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    /** As for a pull, and then the places where images of archives are. */
    private Collection<ImageReference> candidates(ImageName name) {
        return switch (name) {
            case ImageReference reference -> List.of(reference);
            case ShortName shortName -> {
                Set<ImageReference> references = new LinkedHashSet<>();
                try {
                    references.addAll(registry.candidates(shortName));
                } catch (ImageException e) {
                    // Configuration knows no registry for it; images of archives have names still.
                }
                references.add(shortName.at(ImageReference.DOCKER_HUB));
                references.add(shortName.at(LOCAL_REGISTRY));
                yield references;
            }
        };
    }

    private static Optional<ImageId> findReference(Catalog now, ImageReference reference) {
        if (reference.digest().isEmpty()) {
            return now.byName(reference.withDefaultTag().toString());
        }
        Digest digest = reference.digest().get();
        Optional<ImageId> found = now.byName(reference.withDigest(digest).toString());
        if (found.isPresent()) {
            return found;
        }
        // The digest of this platform's manifest, when the image came through an index.
        String repository = reference.repository();
        for (ImageRecord record : now.records()) {
            if (record.manifestDigest().equals(digest)
                    && record.digests().stream()
                            .anyMatch(known -> known.startsWith(repository + "@"))) {
                return Optional.of(record.id());
            }
        }
        return Optional.empty();
    }

    private static boolean isHex(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
                return false;
            }
        }
        return !text.isEmpty();
    }

    @Override
    public Usage imageUsage() {
        DiskUsage usage = catalog.usage();
        return new Usage(paths.root(), usage.bytes(), usage.inodes());
    }

    @Override
    public Usage usage(Path directory) {
        DiskUsage usage = DiskUsage.of(linux, directory);
        return new Usage(directory, usage.bytes(), usage.inodes());
    }

    // ---- pulling ----

    @Override
    public Image pull(String reference, Credentials credentials, Deadline deadline) {
        ImageName name = ImageName.parse(reference);
        return pulls.join(
                new PullKey(name, credentials),
                "pulling " + reference,
                deadline,
                () -> running.watched(reference, pull -> pullNow(name, credentials, pull)));
    }

    @Override
    public List<PullProgress> pulls() {
        return running.now();
    }

    @Override
    public PullTotals pullTotals() {
        return running.totals();
    }

    private Image pullNow(ImageName name, Credentials credentials, RunningPulls.Pull pull)
            throws InterruptedException {
        List<ImageReference> candidates = registry.candidates(name);
        List<ImageException> failures = new ArrayList<>();
        for (ImageReference candidate : candidates) {
            ResolvedImage resolved;
            Provenance provenance;
            try {
                ImageReference full = candidate.withDefaultTag();
                boolean needsSignatures = options.trust().beforePull(full);
                resolved = registry.resolve(full, credentials, Deadline.none());
                provenance =
                        Provenance.registry(
                                needsSignatures ? signatures(full, resolved) : List.of());
            } catch (ImageException e) {
                if (e.kind() == ErrorKind.CANCELLED || candidates.size() == 1) {
                    throw e;
                }
                failures.add(e);
                continue;
            }
            return resolved.image().artifactType().isPresent()
                    ? fetchArtifact(resolved, pull, provenance)
                    : fetch(resolved, pull, provenance);
        }
        throw none(name, failures);
    }

    /** The first failure decides how the caller sees it; all are told. */
    private static ImageException none(ImageName name, List<ImageException> failures) {
        if (failures.isEmpty()) {
            return new ImageException(
                    ErrorKind.INVALID_ARGUMENT, "no registry is configured for '" + name + "'");
        }
        StringBuilder all = new StringBuilder();
        for (ImageException failure : failures) {
            all.append(all.isEmpty() ? "" : "; ").append(failure.getMessage());
        }
        ImageException first = failures.getFirst();
        return new ImageException(first.kind(), all.toString(), first);
    }

    /** What is accepted; nothing of the image was fetched so far. */
    private List<ImageSignature> signatures(ImageReference reference, ResolvedImage resolved) {
        List<Digest> digests = new ArrayList<>();
        digests.add(resolved.manifest().digest());
        resolved.indexes().forEach(index -> digests.add(index.digest()));
        FoundSignatures found = registry.signatures(resolved.source(), digests, Deadline.none());
        options.trust().verify(reference, Set.copyOf(digests), found.signatures(), found.places());
        return found.signatures();
    }

    private Image fetch(ResolvedImage resolved, RunningPulls.Pull pull, Provenance provenance)
            throws InterruptedException {
        ImageReference reference = resolved.reference();
        List<String> tags =
                reference.digest().isPresent()
                        ? List.of()
                        : List.of(reference.withDefaultTag().toString());
        List<String> digests = List.of(reference.withDigest(resolved.digest()).toString());
        ContentDescriptor config = resolved.image().config();
        if (config.digest().algorithm().equals("sha256")) {
            Optional<Image> known =
                    rename(new ImageId(config.digest().hex()), tags, digests, provenance);
            if (known.isPresent()) {
                resolved.image().layers().forEach(layer -> running.reused(layer.sizeBytes()));
                return known.get();
            }
        }
        byte[] configuration =
                registry.fetchBlob(resolved, config, ConfigurationFile.MAX_BYTES, Deadline.none());
        List<IncomingImage.Layer> incoming = new ArrayList<>();
        for (ContentDescriptor layer : resolved.image().layers()) {
            incoming.add(
                    new IncomingImage.Layer(
                            Optional.of(layer.digest()),
                            layer.sizeBytes(),
                            layerSources.of(resolved, layer)));
        }
        return store(
                new IncomingImage(
                        reference.toString(),
                        tags,
                        digests,
                        Optional.of(resolved.manifest()),
                        resolved.indexes(),
                        configuration,
                        config.digest(),
                        incoming,
                        provenance),
                Optional.of(pull));
    }

    private Image fetchArtifact(
            ResolvedImage resolved, RunningPulls.Pull pull, Provenance provenance)
            throws InterruptedException {
        ImageReference reference = resolved.reference();
        if (!options.artifacts()) {
            throw new ImageException(
                    ErrorKind.FAILED_PRECONDITION,
                    reference
                            + " is not an image but an artifact of type '"
                            + resolved.image().artifactType().orElse("")
                            + "', and oci_artifact_mount_support is off on this node");
        }
        Map<Digest, byte[]> otherBlobs = new LinkedHashMap<>();
        resolved.indexes().forEach(index -> otherBlobs.put(index.digest(), index.content()));
        ContentDescriptor config = resolved.image().config();
        if (config.sizeBytes() > 0) {
            otherBlobs.put(
                    config.digest(),
                    registry.fetchBlob(
                            resolved, config, ConfigurationFile.MAX_BYTES, Deadline.none()));
        }
        Map<Digest, LayerProgress> files = new LinkedHashMap<>();
        for (ContentDescriptor file : resolved.image().layers()) {
            files.put(
                    file.digest(),
                    new LayerProgress(
                            file.digest().toString(), file.sizeBytes(), LayerState.FETCHING));
        }
        pull.layers(List.copyOf(files.values()));
        pull.phase(Phase.LAYERS);
        return storeArtifact(
                new IncomingArtifact(
                        reference.toString(),
                        reference.digest().isPresent()
                                ? List.of()
                                : List.of(reference.withDefaultTag().toString()),
                        List.of(reference.withDigest(resolved.digest()).toString()),
                        resolved.manifest(),
                        resolved.image(),
                        otherBlobs,
                        file ->
                                new MeteredBlob(
                                        registry.openBlob(
                                                resolved,
                                                file,
                                                0,
                                                file.sizeBytes(),
                                                Deadline.none()),
                                        Objects.requireNonNull(files.get(file.digest())),
                                        running),
                        provenance));
    }

    // ---- loading ----

    @Override
    public List<Image> load(Path archive) {
        try (ImageArchive opened = ImageArchive.open(archive, paths.ingest())) {
            Provenance provenance = Provenance.file(opened.transport());
            options.trust().requireFile(opened.transport(), archive.toString());
            List<Image> loaded = new ArrayList<>();
            for (ArchivedImage image : opened.images()) {
                loaded.add(load(image, archive, provenance));
            }
            return loaded;
        } catch (IOException e) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT, "cannot load " + archive + ": " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageException(
                    ErrorKind.CANCELLED, "loading " + archive + " was cancelled", e);
        }
    }

    private Image load(ArchivedImage image, Path archive, Provenance provenance)
            throws InterruptedException {
        List<String> tags = image.tags().stream().map(ImageReference::toString).toList();
        List<String> digests = new ArrayList<>();
        if (image.manifest().isPresent()) {
            Digest digest = image.digest();
            image.tags().forEach(tag -> digests.add(tag.withDigest(digest).toString()));
        }
        if (image.artifact().isPresent()) {
            return loadArtifact(image, tags, digests, archive, provenance);
        }
        List<IncomingImage.Layer> incoming = new ArrayList<>();
        for (ArchivedImage.Layer layer : image.layers()) {
            incoming.add(
                    new IncomingImage.Layer(
                            layer.digest(),
                            layer.sizeBytes(),
                            LayerBytes.Source.of(layer.source())));
        }
        return store(
                new IncomingImage(
                        tags.isEmpty() ? archive.toString() : tags.getFirst() + " of " + archive,
                        tags,
                        digests,
                        image.manifest(),
                        image.indexes(),
                        image.configuration(),
                        ContentHash.of(image.configuration()),
                        incoming,
                        provenance),
                Optional.empty());
    }

    private Image loadArtifact(
            ArchivedImage image,
            List<String> tags,
            List<String> digests,
            Path archive,
            Provenance provenance)
            throws InterruptedException {
        ImageManifest content = image.artifact().orElseThrow();
        Map<Digest, byte[]> otherBlobs = new LinkedHashMap<>();
        image.indexes().forEach(index -> otherBlobs.put(index.digest(), index.content()));
        if (image.configuration().length > 0) {
            otherBlobs.put(content.config().digest(), image.configuration());
        }
        Map<Digest, ArchivedImage.Layer> byDigest = new HashMap<>();
        for (ArchivedImage.Layer layer : image.layers()) {
            layer.digest().ifPresent(digest -> byDigest.put(digest, layer));
        }
        return storeArtifact(
                new IncomingArtifact(
                        tags.isEmpty() ? archive.toString() : tags.getFirst() + " of " + archive,
                        tags,
                        digests,
                        image.manifest().orElseThrow(),
                        content,
                        otherBlobs,
                        file -> Objects.requireNonNull(byDigest.get(file.digest())).source().open(),
                        provenance));
    }

    // ---- saving ----

    @Override
    public void save(List<String> references, Path target, boolean asDirectory) {
        String user = "crema save to " + target;
        Map<ImageRecord, List<String>> names = new LinkedHashMap<>();
        try {
            for (String reference : references) {
                synchronized (changes) {
                    ImageRecord record =
                            findId(catalog, reference)
                                    .flatMap(catalog::record)
                                    .orElseThrow(() ->
                                            new ImageException(
                                                    ErrorKind.NOT_FOUND,
                                                    "image "
                                                            + reference
                                                            + " is not on this node; see crema"
                                                            + " images"));
                    useAlso(record.id(), user);
                    names.computeIfAbsent(record, key -> new ArrayList<>())
                            .add(tagNamed(record, reference).orElse(""));
                }
            }
            onWorker(
                    () ->
                            new ImageSaving(linux, paths, blobs)
                                    .save(names, target.toAbsolutePath(), asDirectory),
                    "saving to " + target);
        } finally {
            release(user);
        }
    }

    /** Work that waits inside native calls; the caller's interrupt does not end it. */
    private interface DiskWork {
        void run() throws IOException;
    }

    private void onWorker(DiskWork work, String what) {
        CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
        workers.execute(() -> {
            try {
                work.run();
                done.complete(null);
            } catch (Throwable e) {
                done.completeExceptionally(e);
            }
        });
        try {
            done.get(SYNC_LIMIT.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof ImageException known
                    ? known
                    : new ImageException(
                            ErrorKind.INTERNAL, what + " failed: " + e.getCause(), e.getCause());
        } catch (TimeoutException e) {
            throw new ImageException(
                    ErrorKind.DEADLINE_EXCEEDED, what + " took longer than " + SYNC_LIMIT, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageException(ErrorKind.CANCELLED, what + " was cancelled", e);
        }
    }

    // ---- storing ----

    private Image store(IncomingImage incoming, Optional<RunningPulls.Pull> pull)
            throws InterruptedException {
        ConfigurationFile configuration =
                ConfigurationFile.read(incoming.configuration(), incoming.what());
        if (configuration.diffIds().size() != incoming.layers().size()) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    incoming.what()
                            + " has "
                            + incoming.layers().size()
                            + " layers, but its configuration speaks of "
                            + configuration.diffIds().size());
        }
        try (LayerStore.Pins pins = layers.pins()) {
            try {
                pull.ifPresent(tracked -> tracked.phase(Phase.LAYERS));
                List<StoredLayer> stored =
                        layers.obtain(
                                incoming.layers(),
                                configuration.diffIds(),
                                pins,
                                known -> pull.ifPresent(tracked -> tracked.layers(known)));
                pull.ifPresent(RunningPulls.Pull::storing);
                return commit(incoming, configuration, stored, !pins.made().isEmpty());
            } catch (ImageException e) {
                if (e.kind() == ErrorKind.FAILED_PRECONDITION
                        || e.kind() == ErrorKind.INVALID_ARGUMENT) {
                    // Trying again cannot help, so nothing of it is kept.
                    pins.release();
                    collect(pins.made());
                }
                throw named(incoming, e);
            }
        } catch (IOException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL,
                    incoming.what() + " cannot be stored at " + paths.root() + ": " + e,
                    e);
        }
    }

    private Image storeArtifact(IncomingArtifact incoming) throws InterruptedException {
        ImageId id = new ImageId(ContentHash.of(incoming.served().content()).hex());
        Optional<Image> known =
                rename(id, incoming.tags(), incoming.digests(), incoming.provenance());
        if (known.isPresent()) {
            return known.get();
        }
        try (LayerStore.Pins pins = layers.pins()) {
            StoredLayer files = artifactFiles(incoming, id, pins);
            Map<Digest, byte[]> contents = new LinkedHashMap<>(incoming.otherBlobs());
            contents.put(incoming.served().digest(), incoming.served().content());
            writeBlobs(contents, List.of(files), !pins.made().isEmpty());
            long sizeBytes = incoming.content().config().sizeBytes();
            for (ContentDescriptor file : incoming.content().layers()) {
                sizeBytes += file.sizeBytes();
            }
            ImageRecord record =
                    new ImageRecord(
                            id,
                            incoming.tags(),
                            incoming.digests(),
                            incoming.served().mediaType(),
                            incoming.served().digest(),
                            incoming.served().content().length,
                            List.copyOf(contents.keySet()),
                            List.of(files),
                            sizeBytes,
                            ConfigurationFile.instant(
                                    incoming.content()
                                            .annotations()
                                            .getOrDefault("org.opencontainers.image.created", "")),
                            options.clock().instant(),
                            ImageConfiguration.none(),
                            incoming.content().artifactType(),
                            incoming.provenance());
            return publish(record, contents);
        } catch (IOException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL,
                    incoming.what() + " cannot be stored at " + paths.root() + ": " + e,
                    e);
        }
    }

    private StoredLayer artifactFiles(IncomingArtifact incoming, ImageId id, LayerStore.Pins pins)
            throws IOException, InterruptedException {
        // Not the digest itself: no layer of an image may ever be taken for these files.
        String key = ContentHash.of(("artifact " + id).getBytes(StandardCharsets.US_ASCII)).hex();
        Optional<StoredLayer> known = layers.claim(key, pins);
        if (known.isPresent()) {
            return known.get();
        }
        Path staging =
                Files.createDirectory(paths.ingest().resolve("artifact-" + UUID.randomUUID()));
        try {
            Path files = Files.createDirectory(StorePaths.files(staging));
            Files.setPosixFilePermissions(files, PosixFilePermissions.fromString("rwxr-xr-x"));
            artifacts.write(incoming, files);
            DiskUsage usage = DiskUsage.of(linux, files);
            Digest digest = incoming.served().digest();
            StoredLayer made =
                    new StoredLayer(
                            key,
                            digest,
                            digest,
                            incoming.served().content().length,
                            usage.bytes(),
                            usage.inodes(),
                            false,
                            true,
                            true);
            return layers.adopt(staging, made, pins);
        } finally {
            trash.discard(staging);
        }
    }

    /**
     * Errors of the registry say by themselves what was pulled, and begin with a word for kubelet.
     */
    private static ImageException named(IncomingImage incoming, ImageException e) {
        String message = String.valueOf(e.getMessage());
        return message.startsWith("layer ")
                ? new ImageException(e.kind(), incoming.what() + ": " + message, e)
                : e;
    }

    private Image commit(
            IncomingImage incoming,
            ConfigurationFile configuration,
            List<StoredLayer> stored,
            boolean anyNewLayer)
            throws IOException, InterruptedException {
        ImageId id = new ImageId(ContentHash.of(incoming.configuration()).hex());
        ResolvedManifest manifest =
                incoming.manifest()
                        .orElseGet(() ->
                                MadeManifest.of(
                                        incoming.configuration(),
                                        incoming.configurationDigest(),
                                        stored));
        Map<Digest, byte[]> contents = new LinkedHashMap<>();
        contents.put(incoming.configurationDigest(), incoming.configuration());
        contents.put(manifest.digest(), manifest.content());
        incoming.indexes().forEach(index -> contents.put(index.digest(), index.content()));
        writeBlobs(contents, stored, anyNewLayer);
        long sizeBytes = incoming.configuration().length;
        for (IncomingImage.Layer layer : incoming.layers()) {
            sizeBytes += layer.sizeBytes();
        }
        ImageRecord record =
                new ImageRecord(
                        id,
                        incoming.tags(),
                        incoming.digests(),
                        manifest.mediaType(),
                        manifest.digest(),
                        manifest.content().length,
                        List.copyOf(contents.keySet()),
                        stored,
                        sizeBytes,
                        configuration.createdAt(),
                        options.clock().instant(),
                        configuration.configuration(),
                        Optional.empty(),
                        incoming.provenance());
        return publish(record, contents);
    }

    /** Afterwards the blobs and layers are on disk, flushed together where any layer is new. */
    private void writeBlobs(
            Map<Digest, byte[]> contents, List<StoredLayer> stored, boolean anyNewLayer)
            throws IOException, InterruptedException {
        Catalog before = catalog;
        boolean flushAll =
                anyNewLayer
                        || stored.stream().anyMatch(layer -> !before.refersToLayer(layer.key()));
        for (Map.Entry<Digest, byte[]> content : contents.entrySet()) {
            blobs.write(content.getKey(), content.getValue(), !flushAll);
        }
        if (flushAll) {
            flush();
        }
    }

    /** Flushes the file system of the store; on a platform thread, because it can take minutes. */
    private void flush() throws IOException, InterruptedException {
        CompletableFuture<Void> done =
                CompletableFuture.runAsync(
                        () -> {
                            try (Descriptor root =
                                    linux.open(
                                            paths.root(),
                                            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY),
                                            0)) {
                                linux.syncFileSystem(root);
                            }
                        },
                        workers);
        try {
            done.get(SYNC_LIMIT.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw new IOException("flushing failed: " + e.getCause(), e);
        } catch (TimeoutException e) {
            throw new IOException("flushing took longer than " + SYNC_LIMIT, e);
        }
    }

    /** Writes the record of a new image, or gives new names to the one that is there. */
    private Image publish(ImageRecord record, Map<Digest, byte[]> contents) throws IOException {
        synchronized (changes) {
            for (Map.Entry<Digest, byte[]> content : contents.entrySet()) {
                // Another image that had the same blob may have been removed since.
                blobs.write(content.getKey(), content.getValue(), true);
            }
            Optional<ImageRecord> known = catalog.record(record.id());
            ImageRecord written = record;
            if (known.isPresent()) {
                ImageRecord old = known.get();
                Set<Digest> allBlobs = new LinkedHashSet<>(old.blobs());
                allBlobs.addAll(record.blobs());
                written =
                        old.withBlobs(List.copyOf(allBlobs))
                                .named(
                                        union(old.tags(), record.tags()),
                                        union(old.digests(), record.digests()),
                                        record.namedAt())
                                .from(old.provenance().with(record.provenance()));
            }
            put(written);
            return catalog.image(record.id()).orElseThrow();
        }
    }

    /** Gives names to an image that is there already; empty when it is not. */
    private Optional<Image> rename(
            ImageId id, List<String> tags, List<String> digests, Provenance provenance) {
        synchronized (changes) {
            Optional<ImageRecord> known = catalog.record(id);
            if (known.isEmpty()) {
                return Optional.empty();
            }
            ImageRecord old = known.get();
            Provenance both = old.provenance().with(provenance);
            if (!old.tags().containsAll(tags)
                    || !old.digests().containsAll(digests)
                    || !both.equals(old.provenance())) {
                try {
                    put(
                            old.named(
                                            union(old.tags(), tags),
                                            union(old.digests(), digests),
                                            options.clock().instant())
                                    .from(both));
                } catch (IOException e) {
                    throw new ImageException(
                            ErrorKind.INTERNAL,
                            "image " + id + " cannot be given the name " + tags + ": " + e,
                            e);
                }
            }
            return catalog.image(id);
        }
    }

    private static List<String> union(List<String> old, List<String> added) {
        Set<String> all = new LinkedHashSet<>(old);
        all.addAll(added);
        return List.copyOf(all);
    }

    /** Only with the lock held. The new record is written first: no tag is ever nobody's. */
    private void put(ImageRecord record) throws IOException {
        records.write(record);
        Map<ImageId, ImageRecord> all = recordsById();
        all.put(record.id(), record);
        Set<String> moved = new HashSet<>(record.tags());
        for (ImageRecord other : catalog.records()) {
            if (!other.id().equals(record.id())
                    && other.tags().stream().anyMatch(moved::contains)) {
                List<String> left = new ArrayList<>(other.tags());
                left.removeAll(moved);
                ImageRecord untagged = other.named(left, other.digests(), other.namedAt());
                all.put(other.id(), untagged);
                records.write(untagged);
            }
        }
        show(all.values());
    }

    private Map<ImageId, ImageRecord> recordsById() {
        Map<ImageId, ImageRecord> all = new LinkedHashMap<>();
        catalog.records().forEach(record -> all.put(record.id(), record));
        return all;
    }

    private void show(Collection<ImageRecord> all) {
        try {
            records.writeIndex(all);
        } catch (IOException e) {
            LOG.warn("{} is not up to date: {}", paths.layoutIndex(), e.getMessage());
        }
        catalog = new Catalog(all, paths, pinned, bookkeeping.of(all));
    }

    // ---- trusting ----

    @Override
    public void requireTrusted(Image image, String requested) {
        if (options.trust().asksNothing()) {
            return;
        }
        ImageRecord record = recordOf(image);
        boolean pulled = record.provenance().transports().contains(Provenance.REGISTRY);
        if (pulled && nameAmong(record, requested).isPresent()) {
            // Whoever names it means that name's policy, wherever else the same image came from.
            requireSigned(record, requested);
            return;
        }
        ImageException failure = null;
        for (String transport : record.provenance().transports()) {
            try {
                if (transport.equals(Provenance.REGISTRY)) {
                    requireSigned(record, requested);
                } else {
                    options.trust().requireFile(transport, what(image));
                }
                return;
            } catch (ImageException e) {
                failure = e;
            }
        }
        throw failure == null ? new IllegalStateException(image.toString()) : failure;
    }

    /** One of its names is enough when the caller did not say which. */
    private void requireSigned(ImageRecord record, String requested) {
        List<ImageSignature> signatures = record.provenance().signatures();
        Set<Digest> digests = new HashSet<>();
        signatures.forEach(signature -> digests.add(signature.of()));
        ImageException failure = null;
        for (ImageReference name : namesOf(record, requested)) {
            try {
                options.trust()
                        .verify(
                                name,
                                digests,
                                signatures,
                                "none was kept when it was pulled; pull it again");
                return;
            } catch (ImageException e) {
                failure = e;
            }
        }
        throw failure != null
                ? failure
                : new ImageException(
                        ErrorKind.CRI_REASON,
                        "SignatureValidationFailed: image "
                                + record.id()
                                + " has no name by which the signature policy could judge it;"
                                + " pull it again");
    }

    /** The name that was asked for when it is one of the image's, otherwise all of them. */
    private static List<ImageReference> namesOf(ImageRecord record, String requested) {
        return nameAmong(record, requested).map(List::of).orElseGet(() -> allNames(record));
    }

    private static Optional<ImageReference> nameAmong(ImageRecord record, String requested) {
        try {
            if (ImageName.parse(requested) instanceof ImageReference reference) {
                ImageReference full = reference.withDefaultTag();
                return allNames(record).stream()
                                .anyMatch(name -> name.repository().equals(full.repository()))
                        ? Optional.of(full)
                        : Optional.empty();
            }
        } catch (ImageException e) {
            // An id, or no name at all.
        }
        return Optional.empty();
    }

    private static List<ImageReference> allNames(ImageRecord record) {
        List<ImageReference> all = new ArrayList<>();
        record.tags().forEach(tag -> all.add(ImageReference.parse(tag)));
        record.digests().forEach(digest -> all.add(ImageReference.parse(digest)));
        return all;
    }

    // ---- removing ----

    @Override
    public void remove(String reference) {
        synchronized (changes) {
            Optional<ImageId> id = findId(catalog, reference);
            if (id.isEmpty() || (options.removeUntags() && untag(id.get(), reference))) {
                return;
            }
            refuseWhileUsed(id.get(), reference);
            ImageRecord record = catalog.record(id.get()).orElseThrow();
            try {
                records.delete(record.id());
                Map<ImageId, ImageRecord> all = recordsById();
                all.remove(record.id());
                show(all.values());
                collect(record.layers().stream().map(StoredLayer::key).toList());
                deleteBlobs(record.blobs());
            } catch (IOException e) {
                throw new ImageException(
                        ErrorKind.INTERNAL,
                        "image " + reference + " cannot be removed completely: " + e,
                        e);
            }
        }
    }

    /**
     * As CRI-O does: takes away the tag that was named while the image has others.
     *
     * @return whether the image stays
     */
    private boolean untag(ImageId id, String reference) {
        ImageRecord record = catalog.record(id).orElseThrow();
        Optional<String> tag = tagNamed(record, reference);
        if (tag.isEmpty() || record.tags().size() < 2) {
            return false;
        }
        List<String> tags = new ArrayList<>(record.tags());
        tags.remove(tag.get());
        try {
            put(record.named(tags, record.digests(), record.namedAt()));
        } catch (IOException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL, "cannot take the name " + reference + " away: " + e, e);
        }
        return true;
    }

    private Optional<String> tagNamed(ImageRecord record, String reference) {
        try {
            for (ImageReference candidate : candidates(ImageName.parse(reference))) {
                String full = candidate.withDefaultTag().toString();
                if (record.tags().contains(full)) {
                    return Optional.of(full);
                }
            }
        } catch (ImageException e) {
            // An id.
        }
        return Optional.empty();
    }

    private void refuseWhileUsed(ImageId id, String reference) {
        List<String> users =
                new TreeMap<>(imagesByUser)
                        .entrySet().stream()
                                .filter(use -> use.getValue().contains(id))
                                .map(Map.Entry::getKey)
                                .toList();
        if (!users.isEmpty()) {
            throw new ImageException(
                    ErrorKind.FAILED_PRECONDITION,
                    String.format(
                            Locale.ROOT,
                            "image %s is in use by container%s %s; remove %s first",
                            reference,
                            users.size() == 1 ? "" : "s",
                            String.join(", ", users),
                            users.size() == 1 ? "it" : "them"));
        }
    }

    private void collect(Collection<String> keys) throws IOException {
        synchronized (changes) {
            layers.collect(keys, catalog::refersToLayer);
        }
    }

    /** Only with the lock held. */
    private void deleteBlobs(List<Digest> candidates) throws IOException {
        Set<Digest> needed = new HashSet<>();
        catalog.records().forEach(record -> needed.addAll(record.blobs()));
        for (Digest digest : candidates) {
            if (!needed.contains(digest)) {
                blobs.delete(digest);
            }
        }
    }

    // ---- uses ----

    @Override
    public void use(ImageId image, String user) {
        synchronized (changes) {
            requireRecord(image);
            Set<ImageId> used = imagesByUser.get(user);
            if (used == null || !used.contains(image)) {
                imagesByUser.put(user, Set.of(image));
            }
        }
    }

    @Override
    public void useAlso(ImageId image, String user) {
        synchronized (changes) {
            requireRecord(image);
            Set<ImageId> used = new HashSet<>(imagesByUser.getOrDefault(user, Set.of()));
            used.add(image);
            imagesByUser.put(user, Set.copyOf(used));
        }
    }

    /** Only with the lock held. */
    private void requireRecord(ImageId image) {
        if (catalog.record(image).isEmpty()) {
            throw new ImageException(
                    ErrorKind.NOT_FOUND,
                    "image " + image + " is not on this node (any more); pull it again");
        }
    }

    @Override
    public void release(String user) {
        synchronized (changes) {
            imagesByUser.remove(user);
        }
    }

    @Override
    public void mountRootFileSystem(
            Image image,
            Path upper,
            Path work,
            Path target,
            String mountLabel,
            Optional<IdShift> shift) {
        if (image.isArtifact()) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    what(image)
                            + " is not a container image but an artifact of type '"
                            + image.artifactType().orElse("")
                            + "'; it can be mounted as a volume, not run");
        }
        try {
            rootFileSystems.mount(
                    recordOf(image).layers(), upper, work, target, mountLabel, what(image), shift);
        } catch (LinuxException e) {
            throw notMounted(image, target, e);
        }
    }

    @Override
    public void mountReadOnly(
            Image image, Path target, String mountLabel, Optional<IdShift> shift) {
        try {
            rootFileSystems.mountReadOnly(
                    recordOf(image).layers(), target, mountLabel, what(image), shift);
        } catch (LinuxException e) {
            throw notMounted(image, target, e);
        }
    }

    @Override
    public Archives archives() {
        return archives;
    }

    List<Path> layersTopFirst(Image image) {
        return rootFileSystems.topFirst(recordOf(image).layers());
    }

    ImageRecord recordOf(Image image) {
        return catalog.record(image.id())
                .orElseThrow(() ->
                        new ImageException(
                                ErrorKind.NOT_FOUND,
                                what(image)
                                        + " is not on this node (any more); pull it"
                                        + " again"));
    }

    private static String what(Image image) {
        return "image "
                + (image.repoTags().isEmpty() ? image.id().value() : image.repoTags().getFirst());
    }

    private static ImageException notMounted(Image image, Path target, LinuxException e) {
        return new ImageException(
                e.kind(),
                "the layers of "
                        + what(image)
                        + " cannot be mounted at "
                        + target
                        + ": "
                        + e.getMessage(),
                e);
    }

    @Override
    public void close() {
        pulls.close(STOP_PATIENCE);
        layers.cancelAll();
        lock.close();
    }
}
