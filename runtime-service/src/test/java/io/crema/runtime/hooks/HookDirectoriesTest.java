package io.crema.runtime.hooks;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.oci.spec.RuntimeSpec.Hooks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which hooks of which files run for which containers. */
class HookDirectoriesTest {
    @TempDir private Path directory;
    private Path first;
    private Path second;
    private HookDirectories hooks;

    @BeforeEach
    void makeDirectories() throws IOException {
        first = Files.createDirectory(directory.resolve("first"));
        second = directory.resolve("second"); // made by some tests
        hooks = new HookDirectories(List.of(first, second));
    }

    private static void write(Path file, String program, String when) throws IOException {
        Files.writeString(
                file,
                """
                {"version": "1.0.0", "hook": {"path": "%s"}, "when": %s,
                 "stages": ["prestart", "poststop"]}
                """
                        .formatted(program, when));
    }

    private List<String> programs(String command, Map<String, String> annotations, boolean binds) {
        return hooks.of(command, annotations, binds).prestart().stream().map(Hook::path).toList();
    }

    private List<String> programs() {
        return programs("/bin/sh", Map.of(), false);
    }

    @Test
    void readsAllOfAHook() throws IOException {
        Files.writeString(
                first.resolve("a.json"),
                """
                {"version": "1.0.0",
                 "hook": {"path": "/bin/true", "args": ["true", "x"], "env": ["A=b"], "timeout": 3},
                 "when": {"always": true}, "stages": ["createContainer", "poststart"]}
                """);

        Hook hook = new Hook("/bin/true", List.of("true", "x"), List.of("A=b"), 3);
        assertThat(hooks.of("/bin/sh", Map.of(), false))
                .isEqualTo(
                        new Hooks(
                                List.of(),
                                List.of(),
                                List.of(hook),
                                List.of(),
                                List.of(hook),
                                List.of()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            textBlock =
                    """
                    {"always": true}                                          ; true
                    {"always": false}                                         ; false
                    {}                                                        ; false
                    {"hasBindMounts": true}                                   ; true
                    {"commands": ["^/bin/s"]}                                 ; true
                    {"commands": ["/nothing", "sh$"]}                         ; true
                    {"commands": ["bash"]}                                    ; false
                    {"annotations": {"^gpu\\\\.": "^(on|yes)$"}}              ; true
                    {"annotations": {"gpu": "off"}}                           ; false
                    {"annotations": {"gpu": "on"}, "commands": ["bash"]}      ; false
                    {"annotations": {"gpu": "on", "other": ".*"}}             ; false
                    {"always": true, "annotations": {"other": ".*"}}          ; false
                    """)
    void allConditionsMustHold(String when, boolean runs) throws IOException {
        write(first.resolve("a.json"), "/bin/true", when);

        assertThat(programs("/bin/sh", Map.of("gpu.example.com", "on"), true))
                .hasSize(runs ? 1 : 0);
    }

    @Test
    void withoutBindMounts() throws IOException {
        write(first.resolve("a.json"), "/bin/true", "{\"hasBindMounts\": true}");

        assertThat(programs()).isEmpty();
    }

    @Test
    void laterDirectoriesHideFilesAndNamesGiveTheOrder() throws IOException {
        write(first.resolve("b.json"), "/bin/true", "{\"always\": true}");
        write(first.resolve("c.json"), "/bin/cat", "{\"always\": true}");
        write(first.resolve("ignored.txt"), "/bin/ls", "{\"always\": true}");
        assertThat(programs()).containsExactly("/bin/true", "/bin/cat");

        Files.createDirectory(second);
        write(second.resolve("a.json"), "/bin/ls", "{\"always\": true}");
        write(second.resolve("b.json"), "/bin/false", "{\"always\": true}");
        assertThat(programs())
                .as("also a directory that came later")
                .containsExactly("/bin/ls", "/bin/false", "/bin/cat");

        Files.delete(second.resolve("b.json"));
        assertThat(programs()).containsExactly("/bin/ls", "/bin/true", "/bin/cat");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "not json",
                "{\"version\": \"0.1.0\"}",
                "{\"version\": \"1.0.0\", \"hook\": {\"path\": \"/no/such/program\"},"
                        + " \"when\": {\"always\": true}, \"stages\": [\"prestart\"]}",
                "{\"version\": \"1.0.0\", \"hook\": {\"path\": \"/bin/true\"},"
                        + " \"when\": {\"always\": true}, \"stages\": [\"sometime\"]}",
                "{\"version\": \"1.0.0\", \"hook\": {\"path\": \"/bin/true\"},"
                        + " \"when\": {\"commands\": [\"(\"]}, \"stages\": [\"prestart\"]}"
            })
    void aBrokenFileDoesNotHideTheOthers(String broken) throws IOException {
        Files.writeString(first.resolve("a.json"), broken);
        write(first.resolve("b.json"), "/bin/true", "{\"always\": true}");

        assertThat(programs()).containsExactly("/bin/true");
    }
}
