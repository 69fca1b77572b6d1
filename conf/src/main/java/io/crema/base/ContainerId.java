package io.crema.base;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** The id of a container: 64 lower-case hexadecimal characters. */
public record ContainerId(@JsonValue String value) implements Comparable<ContainerId> {
    @JsonCreator
    public ContainerId {
        HexId.check("container id", value);
    }

    /** A new random id. */
    public static ContainerId random() {
        return new ContainerId(HexId.random());
    }

    /** The first 13 characters, as crictl prints them. */
    public String shortForm() {
        return value.substring(0, 13);
    }

    @Override
    public int compareTo(ContainerId other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
