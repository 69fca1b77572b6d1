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

/** A protocol as facts, one per line: what protoc made, and what a table says. */
final class ProtocolFacts {
    private ProtocolFacts() {}

    static Set<String> generated(FileDescriptor file) {
        Set<String> facts = new TreeSet<>();
        for (ServiceDescriptor service : file.getServices()) {
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
        for (EnumDescriptor type : file.getEnumTypes()) {
            addEnum(facts, "", type);
        }
        for (Descriptor message : file.getMessageTypes()) {
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
    static Set<String> table(String resource) throws IOException {
        Set<String> facts = new TreeSet<>();
        String owner = "";
        try (InputStream in =
                        Objects.requireNonNull(ProtocolFacts.class.getResourceAsStream(resource));
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
