package io.crema.image.store;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.conf.SignaturePolicy;
import io.crema.image.Archives;
import io.crema.image.IdShift;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.Images;
import io.crema.image.PullProgress;
import io.crema.image.PullTotals;
import io.crema.image.layer.DiskUsage;
import io.crema.image.layer.LayerUnpacker;
import io.crema.image.reference.ImageName;
import io.crema.image.registry.HttpRegistryClient;
import io.crema.image.registry.RegistryClient;
import io.crema.image.trust.ImageTrust;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

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
    private static final Duration STOP_PATIENCE = Duration.ofSeconds(5);

    /** Writing half a terabyte to a slow disk takes that long. */
    private static final Duration SAVE_LIMIT = Duration.ofHours(1);

    private final StorePaths paths;
    private final Linux linux;
    private final Executor workers;
    private final Descriptor lock;
    private final LayerStore layers;
    private final Blobs blobs;
    private final RootFileSystems rootFileSystems;
    private final ContainerArchives archives;
    private final SharedWork<PullKey, Image> pulls;
    private final RunningPulls running;
    private final StoredImages images;
    private final RegistryPulls registryPulls;
    private final ArchiveLoads archiveLoads;
    private final KeptSignatures signatures;
    private final ImageTrust trust;

    /** What makes two pulls the same. */
    private record PullKey(ImageName name, Credentials credentials, SignaturePolicy policy) {}

    /**
     * Opens the store: makes its directories, reads the records, and lets go of what an earlier
     * process left unfinished.
     *
     * @param registry where images come from; stays the caller's to close, after this store
     * @throws ImageException UNAVAILABLE when another process uses the same root
     */
    public ImageStore(StoreOptions options, Linux linux, RegistryClient registry) {
        this.paths = new StorePaths(options.root().toAbsolutePath());
        this.linux = linux;
        this.workers = new PlatformThreads("image");
        this.pulls = new SharedWork<>(options.abandonedPullGrace());
        this.running = new RunningPulls(options.clock(), options.pullProgressTimeout());
        this.blobs = new Blobs(paths);
        this.rootFileSystems = new RootFileSystems(linux, paths);
        Trash trash = new Trash(linux, paths.ingest(), workers);
        LayerUnpacker unpacker = new LayerUnpacker(linux, workers, options.limits());
        this.archives = new ContainerArchives(this, linux, unpacker, blobs);
        this.layers =
                new LayerStore(
                        paths, unpacker, workers, trash, options.clock(), options.parallelLayers());
        Spools spools = new Spools(paths.partial(), options.clock(), LayerStore.bootId());
        StoreOpening opening = new StoreOpening(paths, linux);
        try {
            opening.makeDirectories();
            this.lock = opening.lock();
            try {
                trash.deleteLeftovers();
                spools.sweep();
                Records records = new Records(paths);
                this.images =
                        new StoredImages(
                                paths,
                                options,
                                blobs,
                                records,
                                new Bookkeeping(linux, paths),
                                layers,
                                new ImageNames(registry),
                                opening.wholeImages(records, layers));
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
        ImageMaking making =
                new ImageMaking(
                        paths,
                        linux,
                        workers,
                        layers,
                        new ArtifactFiles(
                                linux, workers, options.limits(), options.parallelLayers()),
                        blobs,
                        trash,
                        images,
                        options.clock());
        this.registryPulls =
                new RegistryPulls(
                        registry,
                        new LayerSources(registry, spools, running, workers),
                        running,
                        images,
                        making,
                        options);
        this.archiveLoads = new ArchiveLoads(paths.ingest(), making, options.trust());
        this.signatures = new KeptSignatures(images);
        this.trust = options.trust();
    }

    /**
     * Manifests and indexes of a store that need not be fetched again; for the registry client,
     * which is made before the store.
     */
    public static HttpRegistryClient.KnownManifests manifests(Path root) {
        return new Blobs(new StorePaths(root.toAbsolutePath()))::read;
    }

    @Override
    public List<Image> list() {
        return images.catalog().images();
    }

    @Override
    public Optional<Image> find(String reference) {
        return images.find(reference);
    }

    @Override
    public Usage imageUsage() {
        DiskUsage usage = images.catalog().usage();
        return new Usage(paths.root(), usage.bytes(), usage.inodes());
    }

    @Override
    public Usage usage(Path directory) {
        DiskUsage usage = DiskUsage.of(linux, directory);
        return new Usage(directory, usage.bytes(), usage.inodes());
    }

    @Override
    public Image pull(
            String reference, Credentials credentials, String namespace, Deadline deadline) {
        ImageName name = ImageName.parse(reference);
        ImageTrust trusted = trust.of(namespace);
        return pulls.join(
                new PullKey(name, credentials, trusted.policy()),
                "pulling " + reference,
                deadline,
                () ->
                        running.watched(
                                reference,
                                pull -> registryPulls.pull(name, credentials, trusted, pull)));
    }

    @Override
    public List<PullProgress> pulls() {
        return running.now();
    }

    @Override
    public PullTotals pullTotals() {
        return running.counters().totals();
    }

    @Override
    public List<Image> load(Path archive) {
        return archiveLoads.load(archive);
    }

    @Override
    public void save(List<String> references, Path target, boolean asDirectory) {
        String user = "crema save to " + target;
        try {
            Map<ImageRecord, List<String>> names = images.claim(references, user);
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
            done.get(SAVE_LIMIT.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof ImageException known
                    ? known
                    : new ImageException(
                            ErrorKind.INTERNAL, what + " failed: " + e.getCause(), e.getCause());
        } catch (TimeoutException e) {
            throw new ImageException(
                    ErrorKind.DEADLINE_EXCEEDED, what + " took longer than " + SAVE_LIMIT, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageException(ErrorKind.CANCELLED, what + " was cancelled", e);
        }
    }

    @Override
    public void requireTrusted(Image image, String requested, String namespace) {
        signatures.require(image, requested, trust.of(namespace));
    }

    @Override
    public void requireTrustedArchive(Path archive, String namespace) {
        trust.of(namespace).requireFile("tarball", archive.toString());
    }

    /** Takes other patterns of images that kubelet must not collect. */
    public void pin(List<String> patterns) {
        images.pin(patterns);
    }

    @Override
    public void remove(String reference) {
        images.remove(reference);
    }

    @Override
    public void use(ImageId image, String user) {
        images.use(image, user);
    }

    @Override
    public void useAlso(ImageId image, String user) {
        images.useAlso(image, user);
    }

    @Override
    public void release(String user) {
        images.release(user);
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
                    StoredImages.what(image)
                            + " is not a container image but an artifact of type '"
                            + image.artifactType().orElse("")
                            + "'; it can be mounted as a volume, not run");
        }
        try {
            rootFileSystems.mount(
                    images.recordOf(image).layers(),
                    upper,
                    work,
                    target,
                    mountLabel,
                    StoredImages.what(image),
                    shift);
        } catch (LinuxException e) {
            throw notMounted(image, target, e);
        }
    }

    @Override
    public void mountReadOnly(
            Image image, Path target, String mountLabel, Optional<IdShift> shift) {
        try {
            rootFileSystems.mountReadOnly(
                    images.recordOf(image).layers(),
                    target,
                    mountLabel,
                    StoredImages.what(image),
                    shift);
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
        return images.recordOf(image);
    }

    private static ImageException notMounted(Image image, Path target, LinuxException e) {
        return new ImageException(
                e.kind(),
                "the layers of "
                        + StoredImages.what(image)
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
