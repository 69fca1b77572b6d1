package io.crema.server.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ImageServiceGrpc;
import io.crema.cri.v1.RuntimeServiceGrpc;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The list of unbuilt methods against what is built and against what the README says. */
final class UnbuiltTest {
    @Test
    void everyOtherMethodIsServed() {
        Set<String> missing = methods().collect(Collectors.toCollection(TreeSet::new));
        missing.removeAll(served());

        assertThat(missing).isEqualTo(new TreeSet<>(Unbuilt.METHODS));
    }

    @Test
    void theReadmeListsTheSameMethods() throws IOException {
        Path readme = Path.of("../README.md");
        assertThat(readme).exists();
        // A row of the status table: | RuntimeService | Exec, Attach | — below "not built yet".
        Set<String> listed = new TreeSet<>();
        for (String line : Files.readAllLines(readme)) {
            Matcher row =
                    Pattern.compile("\\| (?:Runtime|Image)Service \\| (.*) \\|").matcher(line);
            if (row.matches()) {
                Pattern.compile(", ").splitAsStream(row.group(1)).forEach(listed::add);
            }
        }

        assertThat(listed).isEqualTo(new TreeSet<>(Unbuilt.METHODS));
    }

    private static Stream<String> methods() {
        Collection<MethodDescriptor<?, ?>> all =
                Stream.of(
                                RuntimeServiceGrpc.getServiceDescriptor(),
                                ImageServiceGrpc.getServiceDescriptor())
                        .flatMap(service -> service.getMethods().stream())
                        .toList();
        assertThat(all).hasSize(43);
        return all.stream().map(method -> String.valueOf(method.getBareMethodName()));
    }

    private static Set<String> served() {
        return Stream.of(RuntimeServiceCalls.class, ImageServiceCalls.class)
                .flatMap(service -> Arrays.stream(service.getDeclaredMethods()))
                .map(Method::getName)
                .map(name -> Character.toUpperCase(name.charAt(0)) + name.substring(1))
                .collect(Collectors.toSet());
    }
}
