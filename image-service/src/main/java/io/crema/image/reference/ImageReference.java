package io.crema.image.reference;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.util.Optional;

/**
 * The full name of an image in its normal form: {@code index.docker.io} is {@code docker.io}, whose
 * one-component paths are below {@code library/}. Equal images of one registry have equal
 * references.
 *
 * @param registry host and optional port, as written
 * @param path one or more components separated by slashes
 */
public record ImageReference(
        String registry, String path, Optional<String> tag, Optional<Digest> digest)
        implements ImageName {
    public static final String DOCKER_HUB = "docker.io";

    public ImageReference {
        NameParser.checkRegistry(registry, registry + "/" + path);
        if (registry.equals("index.docker.io")) {
            registry = DOCKER_HUB;
        }
        if (registry.equals(DOCKER_HUB) && path.indexOf('/') < 0) {
            path = "library/" + path;
        }
        String name = registry + "/" + path;
        NameParser.checkPath(path, name);
        NameParser.checkLength(name);
        tag.ifPresent(t -> NameParser.checkTag(t, name));
    }

    /**
     * Reads a name that must have a registry.
     *
     * @throws ImageException INVALID_ARGUMENT when it is malformed or short
     */
    public static ImageReference parse(String text) {
        return switch (ImageName.parse(text)) {
            case ImageReference reference -> reference;
            case ShortName name ->
                    throw new ImageException(
                            ErrorKind.INVALID_ARGUMENT,
                            "image name '"
                                    + name
                                    + "' has no registry: write it with its host, such as"
                                    + " registry.example/"
                                    + name);
        };
    }

    /** Registry and path, without tag or digest. */
    public String repository() {
        return registry + "/" + path;
    }

    /** With {@code :latest} when neither tag nor digest was written. */
    public ImageReference withDefaultTag() {
        return tag.isPresent() || digest.isPresent() ? this : withTag("latest");
    }

    /** The same repository at a tag, without a digest. */
    public ImageReference withTag(String newTag) {
        return new ImageReference(registry, path, Optional.of(newTag), Optional.empty());
    }

    /** The same repository at a digest, without a tag: what repo digests are written as. */
    public ImageReference withDigest(Digest newDigest) {
        return new ImageReference(registry, path, Optional.empty(), Optional.of(newDigest));
    }

    /** The same tag and digest of another repository. */
    public ImageReference in(String newRegistry, String newPath) {
        return new ImageReference(newRegistry, newPath, tag, digest);
    }

    /** What the distribution protocol asks for: the digest when there is one, else the tag. */
    public String manifestName() {
        return digest.map(Digest::toString).orElseGet(() -> tag.orElse("latest"));
    }

    @Override
    public String toString() {
        return NameParser.format(repository(), tag, digest);
    }
}
