package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.Descriptors.MethodDescriptor;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.VersionRequest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Nothing in a request of ImageService is accepted and dropped unseen: each field has a test that
 * shows its effect, or is written down as without effect.
 */
class ImageRequestFieldTest {
    private static final String NOTHING = "nothing";

    private static Map<String, String> table() throws IOException {
        Map<String, String> lines = new TreeMap<>();
        try (InputStream file =
                ImageRequestFieldTest.class.getResourceAsStream("image-request-fields.txt")) {
            String text =
                    new String(Objects.requireNonNull(file).readAllBytes(), StandardCharsets.UTF_8);
            for (String line : text.lines().toList()) {
                if (!line.startsWith("#") && !line.isBlank()) {
                    int space = line.indexOf(' ');
                    assertThat(lines.put(line.substring(0, space), line.substring(space + 1)))
                            .as("twice: " + line)
                            .isNull();
                }
            }
        }
        return lines;
    }

    @Test
    void everyFieldOfEveryRequestIsInTheTable() throws IOException {
        Set<String> fields = new TreeSet<>();
        for (MethodDescriptor method :
                VersionRequest.getDescriptor()
                        .getFile()
                        .findServiceByName("ImageService")
                        .getMethods()) {
            walk(method.getInputType(), fields);
        }
        assertThat(table().keySet()).containsExactlyInAnyOrderElementsOf(fields);
    }

    private static void walk(Descriptor message, Set<String> fields) {
        for (FieldDescriptor field : message.getFields()) {
            boolean isNew = fields.add(message.getName() + "." + field.getName());
            // A pod's configuration is RuntimeService's matter.
            if (isNew
                    && field.getJavaType() == JavaType.MESSAGE
                    && !field.isMapField()
                    && !field.getMessageType().equals(PodSandboxConfig.getDescriptor())) {
                walk(field.getMessageType(), fields);
            }
        }
    }

    @Test
    void everyTestInTheTableExists() throws IOException {
        Set<String> tests = new TreeSet<>(table().values());
        tests.remove(NOTHING);
        for (String test : tests) {
            int dot = test.indexOf('.');
            assertThat(sources(test.substring(0, dot)))
                    .as(test)
                    .anyMatch(source -> source.contains(" void " + test.substring(dot + 1) + "("));
        }
    }

    /** The test classes of that name in all modules. */
    private static Stream<String> sources(String name) throws IOException {
        Stream.Builder<String> sources = Stream.builder();
        try (Stream<Path> files = Files.walk(Path.of(".."))) {
            for (Path file : files.filter(path -> path.endsWith(name + ".java")).toList()) {
                sources.add(Files.readString(file));
            }
        }
        return sources.build();
    }
}
