package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.process.Commands;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AppArmorProfilesTest {
    @TempDir private Path directory;

    private final List<Commands.Command> commands = new ArrayList<>();
    private Path list = Path.of("/");
    private String complaint = "";
    private Optional<Path> program = Optional.of(Path.of("/usr/sbin/apparmor_parser"));

    @BeforeEach
    void makeList() throws IOException {
        list = directory.resolve("sys/kernel/security/apparmor/profiles");
        Files.createDirectories(list.getParent());
        Files.writeString(list, "other (enforce)\n");
    }

    private AppArmorProfiles profiles() {
        Commands kernel =
                (command, deadline) -> {
                    commands.add(command);
                    if (complaint.isEmpty()) {
                        write("crema-default (enforce)\n");
                    }
                    return new Commands.Outcome(
                            new ExitStatus(complaint.isEmpty() ? 0 : 1, 0),
                            new byte[0],
                            complaint.getBytes(StandardCharsets.UTF_8));
                };
        return new AppArmorProfiles(directory, new AppArmorParser(kernel, () -> program));
    }

    private void write(String content) {
        try {
            Files.writeString(list, content);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void loadsTheBuiltInProfileOnceAndAgainWhenItVanished() {
        AppArmorProfiles profiles = profiles();
        assertThat(profiles.provide("crema-default")).isEmpty();
        assertThat(profiles.provide("crema-default")).isEmpty();
        assertThat(commands)
                .singleElement()
                .satisfies(command -> {
                    assertThat(command.arguments()).containsExactly("--replace", "--skip-cache");
                    assertThat(new String(command.input(), StandardCharsets.UTF_8))
                            .contains("profile crema-default ")
                            .doesNotContain("@NAME@");
                });
        write("");
        assertThat(profiles.provide("crema-default")).isEmpty();
        assertThat(commands).hasSize(2);
    }

    @Test
    void profilesOfOthersAreNotLoaded() {
        AppArmorProfiles profiles = profiles();
        assertThat(profiles.provide("other")).isEmpty();
        assertThat(profiles.provide("mine")).get().asString().contains("mine is not loaded");
        assertThat(commands).isEmpty();
    }

    @Test
    void theReasonIsTold() {
        complaint = "syntax error";
        assertThat(profiles().provide("crema-default")).get().asString().contains("syntax error");
        program = Optional.empty();
        assertThat(profiles().provide("crema-default")).get().asString().contains("install");
    }

    @Tag("root")
    @ParameterizedTest
    @ValueSource(strings = {"crema-default", "crio-default"})
    void theBuiltInProfileIsOneForTheRealParser(String name)
            throws IOException, InterruptedException {
        Path file = Files.writeString(directory.resolve("p"), AppArmorProfiles.builtIn(name));
        Process parser =
                new ProcessBuilder(
                                "/usr/sbin/apparmor_parser",
                                "--skip-kernel-load",
                                "--skip-cache",
                                file.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("output").toFile())
                        .start();
        assertThat(parser.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(parser.exitValue()).as(Files.readString(directory.resolve("output"))).isZero();
    }
}
