package io.crema.runtime.nri;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import io.crema.nri.v1alpha1.CreateContainerResponse;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;

/**
 * Nothing that a plugin wants is accepted and dropped: walks the protocol's descriptor and demands
 * for each field of an answer a test that shows its effect or its refusal.
 */
class AnswerFieldTest {
    private static Map<String, String> table() throws IOException {
        Map<String, String> table = new TreeMap<>();
        try (InputStream in = AnswerFieldTest.class.getResourceAsStream("answer-fields.txt")) {
            String text =
                    new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
            for (String line : text.lines().toList()) {
                if (!line.startsWith("#")) {
                    List<String> words = List.of(line.split(" ", -1));
                    assertThat(table.put(words.get(0), words.get(1))).as("twice: " + line).isNull();
                }
            }
        }
        return table;
    }

    @Test
    void everyFieldOfAnAnswerIsInTheTable() throws IOException {
        Set<String> fields = new TreeSet<>();
        walk(CreateContainerResponse.getDescriptor(), fields, new HashSet<>());

        assertThat(table().keySet()).containsExactlyElementsOf(fields);
    }

    private static void walk(Descriptor message, Set<String> fields, Set<Descriptor> seen) {
        if (message.getName().startsWith("Optional") || !seen.add(message)) {
            return;
        }
        for (FieldDescriptor field : message.getFields()) {
            fields.add(message.getName() + "." + field.getName());
            if (field.getJavaType() != JavaType.MESSAGE) {
                continue;
            }
            if (!field.isMapField()) {
                walk(field.getMessageType(), fields, seen);
                continue;
            }
            FieldDescriptor value = field.getMessageType().findFieldByName("value");
            if (value.getJavaType() == JavaType.MESSAGE) {
                walk(value.getMessageType(), fields, seen);
            }
        }
    }

    @Test
    void everyTestInTheTableExists() throws Exception {
        for (Map.Entry<String, String> line : table().entrySet()) {
            int dot = line.getValue().indexOf('.');
            Class<?> test =
                    Class.forName(
                            AnswerFieldTest.class.getPackageName()
                                    + "."
                                    + line.getValue().substring(0, dot));
            assertThat(
                            Arrays.stream(test.getDeclaredMethods())
                                    .filter(method ->
                                            method.isAnnotationPresent(Test.class)
                                                    || method.isAnnotationPresent(
                                                            ParameterizedTest.class))
                                    .map(method -> method.getName()))
                    .as(line.getKey())
                    .contains(line.getValue().substring(dot + 1));
        }
    }
}
