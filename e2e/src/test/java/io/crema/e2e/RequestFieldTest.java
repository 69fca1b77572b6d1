package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import io.crema.cri.v1.VersionRequest;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Nothing in a request is accepted and dropped: walks the protocol's descriptor and demands for
 * each field of each request of RuntimeService a test that shows its effect or its refusal.
 */
class RequestFieldTest {
    /** To be lowered with each field that gets its test; never raised. */
    private static final int WITHOUT_TEST = 18;

    private static final String NO_TEST = "-";

    private record Line(String test, boolean isRefused) {}

    private final Map<String, Line> table = table();

    private static Map<String, Line> table() {
        Map<String, Line> lines = new TreeMap<>();
        try (InputStream file = RequestFieldTest.class.getResourceAsStream("request-fields.txt");
                BufferedReader reader =
                        new BufferedReader(
                                new InputStreamReader(
                                        Objects.requireNonNull(file), StandardCharsets.UTF_8))) {
            for (String line : reader.lines().toList()) {
                if (line.startsWith("#") || line.isBlank()) {
                    continue;
                }
                List<String> words = List.of(line.split(" ", -1));
                int test = words.getFirst().equals("enum") ? 2 : 1;
                String name = String.join(" ", words.subList(0, test));
                boolean isRefused = words.size() > test + 1;
                assertThat(lines.put(name, new Line(words.get(test), isRefused)))
                        .as("twice: " + name)
                        .isNull();
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return lines;
    }

    @Test
    void everyFieldOfEveryRequestIsInTheTable() {
        Set<String> fields = new TreeSet<>();
        ServiceDescriptor service =
                VersionRequest.getDescriptor().getFile().findServiceByName("RuntimeService");
        for (MethodDescriptor method : service.getMethods()) {
            walk(method.getInputType(), fields, new HashSet<>());
        }
        assertThat(table.keySet()).containsExactlyInAnyOrderElementsOf(fields);
    }

    private void walk(Descriptor message, Set<String> fields, Set<Descriptor> above) {
        if (!above.add(message)) {
            return;
        }
        for (FieldDescriptor field : message.getFields()) {
            String name = message.getName() + "." + field.getName();
            fields.add(name);
            Line line = table.get(name);
            if (field.getJavaType() == JavaType.ENUM) {
                EnumDescriptor type = field.getEnumType();
                fields.add("enum " + type.getName());
            }
            boolean isWalkedInto =
                    field.getJavaType() == JavaType.MESSAGE
                            && !field.isMapField()
                            && (line == null || !line.isRefused);
            if (isWalkedInto) {
                walk(field.getMessageType(), fields, above);
            }
        }
    }

    @Test
    void everyTestInTheTableExists() throws IOException {
        Map<String, String> sources = sources();
        for (Map.Entry<String, Line> line : table.entrySet()) {
            String test = line.getValue().test;
            if (test.equals(NO_TEST)) {
                continue;
            }
            int dot = test.indexOf('.');
            assertThat(dot).as("%s: %s is no Class.method", line.getKey(), test).isPositive();
            String source = sources.getOrDefault(test.substring(0, dot), "");
            assertThat(source).as("%s: the class of %s", line.getKey(), test).isNotEmpty();
            int method = source.indexOf(" void " + test.substring(dot + 1) + "(");
            assertThat(method).as("%s: the method of %s", line.getKey(), test).isPositive();
            String before = source.substring(Math.max(0, method - 400), method);
            // An empty line stands before each test's annotations.
            assertThat(before.substring(before.lastIndexOf("\n\n") + 1))
                    .as("%s: %s is a test", line.getKey(), test)
                    .containsPattern("@(Test|ParameterizedTest)");
        }
    }

    /** The tests of all modules, by class name. */
    private static Map<String, String> sources() throws IOException {
        Map<String, String> sources = new HashMap<>();
        try (Stream<Path> modules = Files.list(Path.of(".."))) {
            for (Path module : modules.toList()) {
                Path tests = module.resolve("src/test/java");
                if (Files.isDirectory(tests)) {
                    try (Stream<Path> files = Files.walk(tests)) {
                        for (Path file :
                                files.filter(path -> path.toString().endsWith("Test.java"))
                                        .toList()) {
                            String name = file.getFileName().toString();
                            sources.put(
                                    name.substring(0, name.length() - ".java".length()),
                                    Files.readString(file));
                        }
                    }
                }
            }
        }
        return sources;
    }

    @Test
    void fieldsWithoutATestGetFewer() {
        assertThat(table.values().stream().filter(line -> line.test.equals(NO_TEST)).count())
                .as(
                        "fields without a test; when you have given one its test, lower the number here")
                .isEqualTo(WITHOUT_TEST);
    }
}
