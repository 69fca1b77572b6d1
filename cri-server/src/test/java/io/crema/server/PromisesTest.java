package io.crema.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The pages that map promises to tests name tests that exist. */
final class PromisesTest {
    /** In backticks: a class, a class and a method, or a method of the class named before. */
    private static final Pattern NAME =
            Pattern.compile("`(?:([A-Z]\\w*Test)(?:\\.)?)?([a-z]\\w*…?)?`");

    /** Of all modules, by class; tests of one name lie in several. */
    private static Map<String, String> sources() throws IOException {
        Map<String, String> sources = new HashMap<>();
        try (Stream<Path> modules = Files.list(Path.of(".."))) {
            for (Path module : modules.toList()) {
                Path tests = module.resolve("src/test/java");
                if (!Files.isDirectory(tests)) {
                    continue;
                }
                try (Stream<Path> files = Files.walk(tests)) {
                    for (Path file :
                            files.filter(f -> f.toString().endsWith("Test.java")).toList()) {
                        String name = file.getFileName().toString().replace(".java", "");
                        sources.merge(name, Files.readString(file), String::concat);
                    }
                }
            }
        }
        return sources;
    }

    @ParameterizedTest
    @ValueSource(strings = {"images.md", "streaming.md"})
    void everyTestThatIsNamedExists(String page) throws IOException {
        Map<String, String> sources = sources();
        List<String> missing = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of("../docs", page))) {
            int shown = line.lastIndexOf('|', Math.max(0, line.length() - 2));
            if (!line.startsWith("|") || shown < 0) {
                continue;
            }
            String type = "";
            Matcher names = NAME.matcher(line.substring(shown));
            while (names.find()) {
                if (names.group(1) != null) {
                    type = names.group(1);
                }
                String method = names.group(2);
                String source = sources.get(type);
                if (source == null || (method != null && !declares(source, method))) {
                    missing.add(type + "." + method);
                }
            }
        }
        assertThat(missing).as("tests that %s names but nobody wrote", page).isEmpty();
    }

    private static boolean declares(String source, String method) {
        return method.endsWith("…")
                ? source.contains("void " + method.substring(0, method.length() - 1))
                : source.contains("void " + method + "(");
    }
}
