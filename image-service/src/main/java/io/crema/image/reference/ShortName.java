package io.crema.image.reference;

import io.crema.base.Digest;
import java.util.Optional;

/**
 * An image name without a registry, such as {@code busybox:1}. It names no image until
 * configuration says which registries to try.
 *
 * @param path one or more components separated by slashes
 */
public record ShortName(String path, Optional<String> tag, Optional<Digest> digest)
        implements ImageName {
    public ShortName {
        NameParser.checkPath(path, path);
        tag.ifPresent(t -> NameParser.checkTag(t, path));
    }

    /** The image of this name below a registry, which may carry a path: {@code host/namespace}. */
    public ImageReference at(String registry) {
        int slash = registry.indexOf('/');
        return slash < 0
                ? new ImageReference(registry, path, tag, digest)
                : new ImageReference(
                        registry.substring(0, slash),
                        registry.substring(slash + 1) + "/" + path,
                        tag,
                        digest);
    }

    @Override
    public String toString() {
        return NameParser.format(path, tag, digest);
    }
}
