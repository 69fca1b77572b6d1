package io.crema.base;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/**
 * The id of an image: the SHA-256 of its configuration as bare hexadecimal, the same string in
 * every answer of ours (CRI: PullImageResponse.image_ref = Image.id = Container.image_id).
 */
public record ImageId(@JsonValue String value) implements Comparable<ImageId> {
    @JsonCreator
    public ImageId {
        HexId.check("image id", value);
    }

    @Override
    public int compareTo(ImageId other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
