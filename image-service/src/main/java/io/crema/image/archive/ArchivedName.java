package io.crema.image.archive;

import io.crema.image.ImageException;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.reference.ShortName;
import java.util.Locale;
import java.util.Optional;

/** What an archive calls an image, made a full name with a tag. */
final class ArchivedName {
    private ArchivedName() {}

    /**
     * A name as docker save and containerd write it; short ones are Docker Hub's.
     *
     * @return empty when it is no name, or one with a digest only
     */
    static Optional<ImageReference> full(String text) {
        try {
            ImageReference reference =
                    switch (ImageName.parse(text)) {
                        case ImageReference full -> full;
                        case ShortName name -> name.at(ImageReference.DOCKER_HUB);
                    };
            if (reference.digest().isPresent()) {
                return reference.tag().map(reference::withTag);
            }
            return Optional.of(reference.withDefaultTag());
        } catch (ImageException e) {
            return Optional.empty();
        }
    }

    /**
     * The reference annotation of an OCI layout, which can be a full name (skopeo, podman) or a
     * bare tag (umoci, buildah): a bare tag belongs to the repository {@code localhost/<archive's
     * name>}.
     */
    static Optional<ImageReference> annotated(String text, String archiveName) {
        if (text.indexOf('/') >= 0 || text.indexOf(':') >= 0) {
            return full(text);
        }
        try {
            return Optional.of(
                    new ImageReference(
                                    "localhost",
                                    repositoryOf(archiveName),
                                    Optional.empty(),
                                    Optional.empty())
                            .withTag(text));
        } catch (ImageException e) {
            return Optional.empty();
        }
    }

    /**
     * A file name as a repository: without its ending, and with what repositories cannot have as -.
     */
    private static String repositoryOf(String archiveName) {
        String name = archiveName.toLowerCase(Locale.ROOT);
        for (String ending : new String[] {".gz", ".tgz", ".zst", ".tar", ".oci"}) {
            if (name.endsWith(ending) && name.length() > ending.length()) {
                name = name.substring(0, name.length() - ending.length());
            }
        }
        StringBuilder repository = new StringBuilder();
        boolean separated = true;
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
                repository.append(c);
                separated = false;
            } else if (!separated) {
                repository.append('-');
                separated = true;
            }
        }
        while (!repository.isEmpty() && repository.charAt(repository.length() - 1) == '-') {
            repository.setLength(repository.length() - 1);
        }
        return repository.isEmpty() ? "archive" : repository.toString();
    }
}
