package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.Descriptors.MethodDescriptor;
import io.crema.cri.v1.VersionRequest;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Nothing in a request is accepted and dropped: walks the protocol's descriptor and demands for
 * each field of each request a test that shows its effect or its refusal, or a word in docs/cri.md
 * that it has none.
 */
class RequestFieldTest {
    /** A service of the protocol and the table of its requests' fields. */
    enum Service {
        RUNTIME("RuntimeService", "request-fields.txt"),
        IMAGE("ImageService", "image-request-fields.txt");

        private final String name;
        private final String file;

        Service(String name, String file) {
            this.name = name;
            this.file = file;
        }

        Map<String, Line> table() {
            Map<String, Line> lines = new TreeMap<>();
            try (InputStream in = RequestFieldTest.class.getResourceAsStream(file)) {
                String text =
                        new String(
                                Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
                for (String line : text.lines().toList()) {
                    if (line.startsWith("#") || line.isBlank()) {
                        continue;
                    }
                    List<String> words = List.of(line.split(" ", -1));
                    int test = words.getFirst().equals("enum") ? 2 : 1;
                    String name = String.join(" ", words.subList(0, test));
                    boolean isLeaf = words.size() > test + 1;
                    assertThat(lines.put(name, new Line(words.get(test), isLeaf)))
                            .as("twice: " + name)
                            .isNull();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return lines;
        }
    }

    private static final String NOTHING = "nothing";

    /**
     * @param isLeaf whether the message in the field is not walked into
     */
    record Line(String test, boolean isLeaf) {}

    @ParameterizedTest
    @EnumSource
    void everyFieldOfEveryRequestIsInTheTable(Service service) {
        Map<String, Line> table = service.table();
        Set<String> fields = new TreeSet<>();
        for (MethodDescriptor method :
                VersionRequest.getDescriptor()
                        .getFile()
                        .findServiceByName(service.name)
                        .getMethods()) {
            walk(method.getInputType(), table, fields, new HashSet<>());
        }
        assertThat(table.keySet()).containsExactlyInAnyOrderElementsOf(fields);
    }

    private static void walk(
            Descriptor message,
            Map<String, Line> table,
            Set<String> fields,
            Set<Descriptor> above) {
        if (!above.add(message)) {
            return;
        }
        for (FieldDescriptor field : message.getFields()) {
            String name = message.getName() + "." + field.getName();
            fields.add(name);
            Line line = table.get(name);
            if (field.getJavaType() == JavaType.ENUM) {
                fields.add("enum " + field.getEnumType().getName());
            }
            boolean isWalkedInto =
                    field.getJavaType() == JavaType.MESSAGE
                            && !field.isMapField()
                            && (line == null || !line.isLeaf);
            if (isWalkedInto) {
                walk(field.getMessageType(), table, fields, above);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyTestInTheTableExists(Service service) throws IOException {
        Map<String, String> sources = sources();
        for (Map.Entry<String, Line> line : service.table().entrySet()) {
            String test = line.getValue().test;
            if (test.equals(NOTHING)) {
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

    /** What changes nothing is told to users. */
    @ParameterizedTest
    @EnumSource
    void whatHasNoEffectIsDocumented(Service service) throws IOException {
        String documented = Files.readString(Path.of("../docs/cri.md"));
        for (Map.Entry<String, Line> line : service.table().entrySet()) {
            if (line.getValue().test.equals(NOTHING)) {
                assertThat(documented).contains("`" + line.getKey() + "`");
            }
        }
    }
}
