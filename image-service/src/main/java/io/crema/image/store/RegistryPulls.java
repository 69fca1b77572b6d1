package io.crema.image.store;

import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.PullProgress.LayerState;
import io.crema.image.PullProgress.Phase;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.ContentDescriptor;
import io.crema.image.registry.FoundSignatures;
import io.crema.image.registry.ImageSignature;
import io.crema.image.registry.RegistryClient;
import io.crema.image.registry.ResolvedImage;
import io.crema.image.trust.ImageTrust;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Pulls: from a name through registries, signatures and manifests to an image in the store. */
final class RegistryPulls {
    private static final Logger LOG = LoggerFactory.getLogger(RegistryPulls.class);

    private final RegistryClient registry;
    private final LayerSources layerSources;
    private final RunningPulls running;
    private final StoredImages images;
    private final ImageMaking making;
    private final boolean takesArtifacts;

    RegistryPulls(
            RegistryClient registry,
            LayerSources layerSources,
            RunningPulls running,
            StoredImages images,
            ImageMaking making,
            StoreOptions options) {
        this.registry = registry;
        this.layerSources = layerSources;
        this.running = running;
        this.images = images;
        this.making = making;
        this.takesArtifacts = options.artifacts();
    }

    Image pull(ImageName name, Credentials credentials, ImageTrust trust, RunningPulls.Pull pull)
            throws InterruptedException {
        List<ImageReference> candidates = registry.candidates(name);
        List<ImageException> failures = new ArrayList<>();
        for (ImageReference candidate : candidates) {
            ResolvedImage resolved;
            Provenance provenance;
            try {
                ImageReference full = candidate.withDefaultTag();
                boolean needsSignatures = trust.beforePull(full);
                resolved = registry.resolve(full, credentials, Deadline.none());
                provenance =
                        Provenance.registry(
                                needsSignatures ? signatures(full, resolved, trust) : List.of());
            } catch (ImageException e) {
                if (e.kind() == ErrorKind.CANCELLED || candidates.size() == 1) {
                    throw e;
                }
                failures.add(e);
                continue;
            }
            return resolved.image().artifactType().isPresent()
                    ? fetchArtifactSomewhere(resolved, pull, provenance)
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
    private List<ImageSignature> signatures(
            ImageReference reference, ResolvedImage resolved, ImageTrust trust) {
        List<Digest> digests = new ArrayList<>();
        digests.add(resolved.manifest().digest());
        resolved.indexes().forEach(index -> digests.add(index.digest()));
        FoundSignatures found = registry.signatures(resolved.source(), digests, Deadline.none());
        trust.verify(reference, Set.copyOf(digests), found.signatures(), found.places());
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
                    images.rename(new ImageId(config.digest().hex()), tags, digests, provenance);
            if (known.isPresent()) {
                resolved.image()
                        .layers()
                        .forEach(layer -> running.counters().reused(layer.sizeBytes()));
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
        return making.store(
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

    /** A place that serves damaged files is passed over. */
    private Image fetchArtifactSomewhere(
            ResolvedImage resolved, RunningPulls.Pull pull, Provenance provenance)
            throws InterruptedException {
        ResolvedImage place = resolved;
        while (true) {
            try {
                return fetchArtifact(place, pull, provenance);
            } catch (ImageException e) {
                Optional<ResolvedImage> elsewhere = place.elsewhere();
                if (e.kind() != ErrorKind.UNAVAILABLE || elsewhere.isEmpty()) {
                    throw e;
                }
                LOG.warn("{}; asking the next place", e.getMessage());
                place = elsewhere.get();
            }
        }
    }

    private Image fetchArtifact(
            ResolvedImage resolved, RunningPulls.Pull pull, Provenance provenance)
            throws InterruptedException {
        ImageReference reference = resolved.reference();
        if (!takesArtifacts) {
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
        return making.storeArtifact(
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
                                        running.receiver(
                                                file,
                                                Objects.requireNonNull(files.get(file.digest())))),
                        provenance),
                pull::storing);
    }
}
