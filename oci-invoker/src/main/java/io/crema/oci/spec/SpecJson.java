package io.crema.oci.spec;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
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

    /**
     * The process of a specification with another command, as exec takes it. Token by token: an
     * exec is not worth the reading of a whole specification into records, which takes longer than
     * all else that we do for one.
     *
     * @param terminal whether it gets one; TERM is then set
     * @throws IOException when this is not the JSON of a runtime specification
     */
    public static byte[] process(byte[] specification, List<String> command, boolean terminal)
            throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(2048);
        try (JsonParser parser = JSON.createParser(specification);
                JsonGenerator generator = JSON.createGenerator(bytes)) {
            expect(parser, JsonToken.START_OBJECT);
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                boolean isProcess = parser.currentName().equals("process");
                parser.nextToken();
                if (isProcess) {
                    copyProcess(parser, generator, command, terminal);
                    generator.flush();
                    return bytes.toByteArray();
                }
                parser.skipChildren();
            }
        }
        throw new IOException("it has no process");
    }

    private static void copyProcess(
            JsonParser parser, JsonGenerator generator, List<String> command, boolean terminal)
            throws IOException {
        generator.writeStartObject();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            parser.nextToken();
            generator.writeFieldName(name);
            switch (name) {
                case "terminal" -> generator.writeBoolean(terminal);
                case "args" -> {
                    parser.skipChildren();
                    generator.writeStartArray();
                    for (String argument : command) {
                        generator.writeString(argument);
                    }
                    generator.writeEndArray();
                }
                case "env" -> copyEnvironment(parser, generator, terminal);
                default -> generator.copyCurrentStructure(parser);
            }
        }
        generator.writeEndObject();
    }

    private static void copyEnvironment(
            JsonParser parser, JsonGenerator generator, boolean terminal) throws IOException {
        boolean hasTerm = false;
        generator.writeStartArray();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            String variable = parser.getText();
            hasTerm |= variable.startsWith("TERM=");
            generator.writeString(variable);
        }
        if (terminal && !hasTerm) {
            generator.writeString("TERM=xterm");
        }
        generator.writeEndArray();
    }

    private static void expect(JsonParser parser, JsonToken token) throws IOException {
        if (parser.nextToken() != token) {
            throw new IOException("it is no JSON object");
        }
    }

    private static byte[] bytes(Object value) {
        try {
            return JSON.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write " + value + " as JSON", e);
        }
    }
}
