package io.crema.image.archive;

import io.crema.base.Digest;
import io.crema.image.layer.LayerContent;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.ImageManifest;
import io.crema.image.registry.ResolvedManifest;
import java.util.List;
import java.util.Optional;

/**
 * One image of an archive, for this machine's platform.
 *
 * @param tags full names with tags
 * @param manifest verified against its digest; empty in archives of docker save
 * @param indexes that led to the manifest, outermost first, each verified
 * @param configuration verified where the archive says its digest
 * @param layers lowest first, or the files of an artifact; read while the archive is open
 * @param artifact what the manifest says when it is that of an artifact
 */
public record ArchivedImage(
        List<ImageReference> tags,
        Optional<ResolvedManifest> manifest,
        List<ResolvedManifest> indexes,
        byte[] configuration,
        List<Layer> layers,
        Optional<ImageManifest> artifact) {
    public ArchivedImage {
        tags = List.copyOf(tags);
        indexes = List.copyOf(indexes);
        layers = List.copyOf(layers);
    }

    /**
     * A layer.
     *
     * @param digest of its bytes, where the archive says one
     */
    public record Layer(Optional<Digest> digest, long sizeBytes, LayerContent.Source source) {}

    /** The digest by which a registry would serve what the archive holds. */
    public Digest digest() {
        return indexes.isEmpty() ? manifest.orElseThrow().digest() : indexes.getFirst().digest();
    }
}
