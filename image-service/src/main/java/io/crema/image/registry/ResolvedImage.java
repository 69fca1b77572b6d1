package io.crema.image.registry;

import io.crema.base.Digest;
import io.crema.image.reference.ImageReference;
import java.util.List;
import java.util.Optional;

/**
 * An image of this machine's platform as one registry serves it: known, but not yet fetched.
 *
 * @param reference what was asked for, with its tag or digest
 * @param indexes the indexes on the way to the manifest, outermost first; often none or one
 * @param manifest the manifest of this platform as it was served
 * @param image the manifest's content
 * @param source where to fetch the configuration and the layers
 * @param others where to ask for a blob that the source does not have
 */
public record ResolvedImage(
        ImageReference reference,
        List<ResolvedManifest> indexes,
        ResolvedManifest manifest,
        ImageManifest image,
        Source source,
        List<Source> others) {
    public ResolvedImage {
        indexes = List.copyOf(indexes);
        others = List.copyOf(others);
    }

    /** An image that is in one place only. */
    public ResolvedImage(
            ImageReference reference,
            List<ResolvedManifest> indexes,
            ResolvedManifest manifest,
            ImageManifest image,
            Source source) {
        this(reference, indexes, manifest, image, source, List.of());
    }

    ResolvedImage withOthers(List<Source> further) {
        return new ResolvedImage(reference, indexes, manifest, image, source, further);
    }

    /** The same image without the place asked first; empty when that is the only one. */
    public Optional<ResolvedImage> elsewhere() {
        return elsewhere(1);
    }

    /** The same image without so many of the first places; empty when there are no more. */
    public Optional<ResolvedImage> elsewhere(int placesDone) {
        return others.size() < placesDone
                ? Optional.empty()
                : Optional.of(
                        new ResolvedImage(
                                reference,
                                indexes,
                                manifest,
                                image,
                                others.get(placesDone - 1),
                                others.subList(placesDone, others.size())));
    }

    /** The digest the reference stands for: of the outermost index, or of the manifest. */
    public Digest digest() {
        return indexes.isEmpty() ? manifest.digest() : indexes.getFirst().digest();
    }
}
