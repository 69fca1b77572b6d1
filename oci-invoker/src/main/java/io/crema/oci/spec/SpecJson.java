package io.crema.oci.spec;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;

/**
 * The specification's records as JSON and back. Absent fields are left out and the order is that of
 * the records, so equal specifications are equal bytes. Fields that we do not know are dropped when
 * reading: we only ever read back what we wrote.
 */
public final class SpecJson {
    private static final ObjectMapper JSON =
            new ObjectMapper()
                    .setDefaultPropertyInclusion(JsonInclude.Include.NON_EMPTY)
                    .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    private SpecJson() {}

    /** A bundle's config.json. */
    public static byte[] write(RuntimeSpec spec) {
        return bytes(spec);
    }

    /** What exec takes. */
    public static byte[] write(ContainerProcess process) {
        return bytes(process);
    }

    /** What update takes. */
    public static byte[] write(LinuxResources resources) {
        return bytes(resources);
    }

    /**
     * @throws IOException when this is not the JSON of a runtime specification
     */
    public static RuntimeSpec read(byte[] json) throws IOException {
        return JSON.readValue(json, RuntimeSpec.class);
    }

    private static byte[] bytes(Object value) {
        try {
            return JSON.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write " + value + " as JSON", e);
        }
    }
}
