package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.ImageSignature;
import io.crema.image.trust.ImageTrust;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Judges images that are here by the signatures that were kept when they were pulled. */
final class KeptSignatures {
    private final StoredImages images;

    KeptSignatures(StoredImages images) {
        this.images = images;
    }

    void require(Image image, String requested, ImageTrust trust) {
        if (trust.asksNothing()) {
            return;
        }
        ImageRecord record = images.recordOf(image);
        boolean pulled = record.provenance().transports().contains(Provenance.REGISTRY);
        if (pulled && nameAmong(record, requested).isPresent()) {
            // Whoever names it means that name's policy, wherever else the same image came from.
            requireSigned(record, requested, trust);
            return;
        }
        ImageException failure = null;
        for (String transport : record.provenance().transports()) {
            try {
                if (transport.equals(Provenance.REGISTRY)) {
                    requireSigned(record, requested, trust);
                } else {
                    trust.requireFile(transport, StoredImages.what(image));
                }
                return;
            } catch (ImageException e) {
                failure = e;
            }
        }
        throw failure == null ? new IllegalStateException(image.toString()) : failure;
    }

    /** One of its names is enough when the caller did not say which. */
    private static void requireSigned(ImageRecord record, String requested, ImageTrust trust) {
        List<ImageSignature> signatures = record.provenance().signatures();
        Set<Digest> digests = new HashSet<>();
        signatures.forEach(signature -> digests.add(signature.of()));
        ImageException failure = null;
        for (ImageReference name : namesOf(record, requested)) {
            try {
                trust.verify(
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
}
