package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.image.Image;
import io.crema.image.ImageConfiguration;
import io.crema.image.ImageException;
import io.crema.image.PullProgress.Phase;
import io.crema.image.layer.ContentHash;
import io.crema.image.layer.DiskUsage;
import io.crema.image.registry.ContentDescriptor;
import io.crema.image.registry.ResolvedManifest;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Makes whole images of what comes in: the layers first, then the blobs, all flushed together, and
 * then the record, by which the image exists.
 */
final class ImageMaking {
    /** Flushing half a terabyte to a slow disk takes that long. */
    private static final Duration SYNC_LIMIT = Duration.ofHours(1);

    private final StorePaths paths;
    private final Linux linux;
    private final Executor workers;
    private final LayerStore layers;
    private final ArtifactFiles artifacts;
    private final Blobs blobs;
    private final Trash trash;
    private final StoredImages images;
    private final Clock clock;

    ImageMaking(
            StorePaths paths,
            Linux linux,
            Executor workers,
            LayerStore layers,
            ArtifactFiles artifacts,
            Blobs blobs,
            Trash trash,
            StoredImages images,
            Clock clock) {
        this.paths = paths;
        this.linux = linux;
        this.workers = workers;
        this.layers = layers;
        this.artifacts = artifacts;
        this.blobs = blobs;
        this.trash = trash;
        this.images = images;
        this.clock = clock;
    }

    Image store(IncomingImage incoming, Optional<RunningPulls.Pull> pull)
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
                    images.collect(pins.made());
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

    /**
     * @param storing told once all files are there, before they are flushed
     */
    Image storeArtifact(IncomingArtifact incoming, Runnable storing) throws InterruptedException {
        ImageId id = new ImageId(ContentHash.of(incoming.served().content()).hex());
        Optional<Image> known =
                images.rename(id, incoming.tags(), incoming.digests(), incoming.provenance());
        if (known.isPresent()) {
            return known.get();
        }
        try (LayerStore.Pins pins = layers.pins()) {
            StoredLayer files = artifactFiles(incoming, id, pins);
            storing.run();
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
                            clock.instant(),
                            ImageConfiguration.none(),
                            incoming.content().artifactType(),
                            incoming.provenance());
            return images.publish(record, contents);
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
                        clock.instant(),
                        configuration.configuration(),
                        Optional.empty(),
                        incoming.provenance());
        return images.publish(record, contents);
    }

    /** Afterwards the blobs and layers are on disk, flushed together where any layer is new. */
    private void writeBlobs(
            Map<Digest, byte[]> contents, List<StoredLayer> stored, boolean anyNewLayer)
            throws IOException, InterruptedException {
        Catalog before = images.catalog();
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
}
