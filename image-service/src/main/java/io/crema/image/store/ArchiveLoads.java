package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.archive.ArchivedImage;
import io.crema.image.archive.ImageArchive;
import io.crema.image.layer.ContentHash;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.ImageManifest;
import io.crema.image.trust.ImageTrust;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** Loads the images of OCI and docker archives into the store. */
final class ArchiveLoads {
    private final Path staging;
    private final ImageMaking making;
    private final ImageTrust trust;

    ArchiveLoads(Path staging, ImageMaking making, ImageTrust trust) {
        this.staging = staging;
        this.making = making;
        this.trust = trust;
    }

    List<Image> load(Path archive) {
        try (ImageArchive opened = ImageArchive.open(archive, staging)) {
            Provenance provenance = Provenance.file(opened.transport());
            trust.requireFile(opened.transport(), archive.toString());
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
        return making.store(
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
        return making.storeArtifact(
                new IncomingArtifact(
                        tags.isEmpty() ? archive.toString() : tags.getFirst() + " of " + archive,
                        tags,
                        digests,
                        image.manifest().orElseThrow(),
                        content,
                        otherBlobs,
                        file -> Objects.requireNonNull(byDigest.get(file.digest())).source().open(),
                        provenance),
                () -> {});
    }
}
