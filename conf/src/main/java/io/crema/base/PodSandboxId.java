package io.crema.base;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/** The id of a pod sandbox: 64 lower-case hexadecimal characters. */
public record PodSandboxId(@JsonValue String value) implements Comparable<PodSandboxId> {
    @JsonCreator
    public PodSandboxId {
        HexId.check("pod sandbox id", value);
    }

    /** A new random id. */
    public static PodSandboxId random() {
        return new PodSandboxId(HexId.random());
    }

    /** The first 13 characters, as crictl prints them. */
    public String shortForm() {
        return value.substring(0, 13);
    }

    @Override
    public int compareTo(PodSandboxId other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
