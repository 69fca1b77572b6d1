package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.base.ImageId;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.reference.ShortName;
import io.crema.image.registry.RegistryClient;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Finds images by what users and kubelet call them: ids, short ids, full and short names. */
final class ImageNames {
    private static final String LOCAL_REGISTRY = "localhost";

    private final RegistryClient registry;

    ImageNames(RegistryClient registry) {
        this.registry = registry;
    }

    Optional<ImageId> find(Catalog now, String reference) {
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

    Optional<String> tagNamed(ImageRecord record, String reference) {
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

    private static boolean isHex(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
                return false;
            }
        }
        return !text.isEmpty();
    }
}
