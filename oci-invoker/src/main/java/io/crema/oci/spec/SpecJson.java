package io.crema.oci.spec;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.List;
import java.util.Map;

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

    /** Lets Jackson look at the records, which takes some 60 ms once. */
    public static void warmUp() {
        ContainerProcess process =
                new ContainerProcess(
                        false,
                        new ContainerProcess.User(0, 0, null, List.of()),
                        List.of(),
                        List.of(),
                        "/",
                        ContainerProcess.Capabilities.none(),
                        List.of(),
                        false,
                        null,
                        null,
                        null);
        bytes(
                new RuntimeSpec(
                        RuntimeSpec.VERSION,
                        process,
                        new RuntimeSpec.Root("/", true),
                        null,
                        List.of(),
                        null,
                        Map.of(),
                        LinuxSpec.none()));
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
