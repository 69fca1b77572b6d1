package io.crema.cri.v1;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Holds the generated protocol against the table of facts in {@code cri-v1.txt}, both ways. */
final class DescriptorTest {
    private static final FileDescriptor FILE = VersionRequest.getDescriptor().getFile();

    @Test
    void theProtocolIsExactlyTheTable() throws IOException {
        Set<String> missing = table();
        missing.removeAll(generated());
        Set<String> unknown = generated();
        unknown.removeAll(table());
        assertThat(missing).as("facts of the table that api.proto lacks").isEmpty();
        assertThat(unknown).as("what api.proto has beyond the table").isEmpty();
    }

    @Test
    void theTableIsWhole() throws IOException {
        // The counts of the source document; a table cut short must not pass unnoticed.
        Set<String> table = table();
        assertThat(table).filteredOn(fact -> fact.startsWith("method ")).hasSize(43);
        assertThat(table).filteredOn(fact -> fact.startsWith("message ")).hasSize(175);
        assertThat(table).filteredOn(fact -> fact.startsWith("field ")).hasSize(478);
        assertThat(table).filteredOn(fact -> fact.startsWith("enum ")).hasSize(11);
        assertThat(table).filteredOn(fact -> fact.startsWith("value ")).hasSize(95);
    }

    @Test
    void namesOnTheWireAreTheOnesClientsUse() {
        assertThat(FILE.getPackage()).isEqualTo("runtime.v1");
        assertThat(RuntimeServiceGrpc.getVersionMethod().getFullMethodName())
                .isEqualTo("runtime.v1.RuntimeService/Version");
        assertThat(ImageServiceGrpc.getPullImageMethod().getFullMethodName())
                .isEqualTo("runtime.v1.ImageService/PullImage");
    }

    @Test
    void environmentValuesMayHoldAnyBytes() throws IOException {
        byte[] latin1 = {(byte) 0xe9, (byte) 0xff};
        KeyValue pair =
                KeyValue.newBuilder()
                        .setKey("NAME")
                        .setValue(com.google.protobuf.ByteString.copyFrom(latin1))
                        .build();
        assertThat(KeyValue.parseFrom(pair.toByteArray()).getValue().toByteArray())
                .isEqualTo(latin1);
    }

    /** Java's toString ignores the mark; the Go clients and our own logging go by it. */
    @Test
    void secretsAreMarkedAsSuch() {
        assertThat(AuthConfig.getDescriptor().getFields())
                .filteredOn(field -> field.getOptions().getDebugRedact())
                .extracting(FieldDescriptor::getName)
                .containsExactlyInAnyOrder("password", "auth", "identity_token", "registry_token");
    }

    private static Set<String> generated() {
        Set<String> facts = new TreeSet<>();
        for (ServiceDescriptor service : FILE.getServices()) {
            facts.add("service " + service.getName());
            for (MethodDescriptor method : service.getMethods()) {
                assertThat(method.isClientStreaming()).as(method.getFullName()).isFalse();
                facts.add(
                        "method "
                                + service.getName()
                                + "."
                                + method.getName()
                                + " "
                                + method.getInputType().getName()
                                + " "
                                + method.getOutputType().getName()
                                + (method.isServerStreaming() ? " stream" : ""));
            }
        }
        for (EnumDescriptor type : FILE.getEnumTypes()) {
            addEnum(facts, "", type);
        }
        for (Descriptor message : FILE.getMessageTypes()) {
            facts.add("message " + message.getName());
            assertThat(message.getRealOneofs()).as(message.getName()).isEmpty();
            for (EnumDescriptor type : message.getEnumTypes()) {
                addEnum(facts, message.getName() + ".", type);
            }
            for (FieldDescriptor field : message.getFields()) {
                facts.add(
                        "field "
                                + message.getName()
                                + " "
                                + field.getNumber()
                                + " "
                                + field.getName()
                                + " "
                                + typeOf(field));
            }
        }
        return facts;
    }

    private static void addEnum(Set<String> facts, String prefix, EnumDescriptor type) {
        facts.add("enum " + prefix + type.getName());
        for (EnumValueDescriptor value : type.getValues()) {
            facts.add(
                    "value "
                            + prefix
                            + type.getName()
                            + " "
                            + value.getName()
                            + " "
                            + value.getNumber());
        }
    }

    private static String typeOf(FieldDescriptor field) {
        if (field.isMapField()) {
            return "map<"
                    + simpleType(field.getMessageType().findFieldByNumber(1))
                    + ","
                    + simpleType(field.getMessageType().findFieldByNumber(2))
                    + ">";
        }
        return (field.isRepeated() ? "repeated " : "")
                + (field.toProto().getProto3Optional() ? "optional " : "")
                + simpleType(field);
    }

    private static String simpleType(FieldDescriptor field) {
        return switch (field.getJavaType()) {
            case MESSAGE -> field.getMessageType().getName();
            case ENUM -> field.getEnumType().getName();
            case INT, LONG, FLOAT, DOUBLE, BOOLEAN, STRING, BYTE_STRING ->
                    field.getType().name().toLowerCase(Locale.ROOT);
        };
    }

    /** The table with each method, value and field line prefixed by what it belongs to. */
    private static Set<String> table() throws IOException {
        Set<String> facts = new TreeSet<>();
        String owner = "";
        try (InputStream in =
                        Objects.requireNonNull(
                                DescriptorTest.class.getResourceAsStream("/cri-v1.txt"));
                BufferedReader lines =
                        new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith("#")) {
                    continue;
                }
                int space = line.indexOf(' ');
                String kind = line.substring(0, space);
                String rest = line.substring(space + 1);
                boolean added =
                        switch (kind) {
                            case "service", "enum", "message" -> {
                                owner = rest;
                                yield facts.add(line);
                            }
                            case "method" -> facts.add("method " + owner + "." + rest);
                            case "value", "field" -> facts.add(kind + " " + owner + " " + rest);
                            default -> throw new IllegalStateException("not a fact: " + line);
                        };
                assertThat(added).as("the table says it once: %s", line).isTrue();
            }
        }
        return facts;
    }
}
