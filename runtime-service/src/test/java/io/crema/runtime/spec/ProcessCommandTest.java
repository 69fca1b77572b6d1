package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.image.ImageConfiguration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ProcessCommandTest {
    private static List<String> words(String text) {
        return text.isEmpty() ? List.of() : Arrays.asList(text.split(" ", -1));
    }

    private static ImageConfiguration image(
            List<String> entrypoint, List<String> command, String directory) {
        return new ImageConfiguration(
                "amd64",
                "linux",
                "",
                List.of(),
                entrypoint,
                command,
                directory,
                "",
                Set.of(),
                Map.of());
    }

    @ParameterizedTest
    @CsvSource({
        "'', '', entry, cmd, entry cmd",
        "run, '', entry, cmd, run",
        "run, a b, entry, cmd, run a b",
        "'', a b, entry, cmd, entry a b",
        "'', a b, '', cmd, a b",
        "'', '', '', cmd, cmd",
        "'', '', entry, '', entry"
    })
    void commandReplacesAllAndArgumentsReplaceTheImagesCommand(
            String command, String args, String entrypoint, String cmd, String expected) {
        ContainerConfig config =
                ContainerConfig.newBuilder()
                        .addAllCommand(words(command))
                        .addAllArgs(words(args))
                        .build();

        assertThat(
                        ProcessCommand.arguments(
                                config, image(words(entrypoint), words(cmd), ""), "image"))
                .isEqualTo(words(expected));
    }

    @Test
    void refusesToRunNothing() {
        assertThatThrownBy(() ->
                        ProcessCommand.arguments(
                                ContainerConfig.getDefaultInstance(),
                                image(List.of(), List.of(), ""),
                                "example/image:1"))
                .hasMessage(
                        "no command: neither the request nor the image example/image:1 says what to"
                                + " run");
    }

    @Test
    void refusesNul() {
        ContainerConfig config =
                ContainerConfig.newBuilder().addCommand("sh").addArgs("a\0b").build();

        assertThatThrownBy(() ->
                        ProcessCommand.arguments(config, image(List.of(), List.of(), ""), "image"))
                .hasMessageContaining("NUL");
    }

    @ParameterizedTest
    @CsvSource({
        "'', '', /",
        "'', /srv, /srv",
        "'', srv/app, /srv/app",
        "/work, /srv, /work",
        "/work/../other/, '', /other",
        "/../.., '', /"
    })
    void workingDirectoryIsTheRequestsThenTheImages(
            String requested, String ofImage, String expected) {
        ContainerConfig config = ContainerConfig.newBuilder().setWorkingDir(requested).build();

        assertThat(ProcessCommand.workingDirectory(config, image(List.of(), List.of(), ofImage)))
                .isEqualTo(expected);
    }

    @Test
    void refusesARelativeWorkingDirectory() {
        ContainerConfig config = ContainerConfig.newBuilder().setWorkingDir("work").build();

        assertThatThrownBy(() ->
                        ProcessCommand.workingDirectory(config, image(List.of(), List.of(), "/")))
                .hasMessageContaining("working_dir must be an absolute path");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd", "systemd"})
    void knowsInitsThatExpectAMachine(String program) {
        assertThat(ProcessCommand.isSystemd(List.of(program, "--x"))).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"/bin/sh", "/init", "/sbin/init.sh", "/usr/bin/systemd-run"})
    void takesNothingElseForOne(String program) {
        assertThat(ProcessCommand.isSystemd(List.of(program))).isFalse();
    }
}
