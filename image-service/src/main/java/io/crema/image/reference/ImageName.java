package io.crema.image.reference;

import io.crema.base.Digest;
import java.util.Optional;

/**
 * What a user wrote to name an image: either a {@linkplain ImageReference full reference}, or a
 * {@linkplain ShortName short name} that only configuration can complete.
 */
public sealed interface ImageName permits ImageReference, ShortName {
    /** The tag, when one was written. */
    Optional<String> tag();

    /** The digest, when one was written; it decides over the tag. */
    Optional<Digest> digest();

    /**
     * Reads a name by the grammar of the distribution project: {@code
     * [host[:port]/]path[:tag][@digest]}. The first component is a host when it contains a dot, a
     * colon or an upper-case letter, or is {@code localhost}.
     *
     * @throws io.crema.image.ImageException INVALID_ARGUMENT, quoting the part that is wrong
     */
    static ImageName parse(String text) {
        return NameParser.parse(text);
    }
}
