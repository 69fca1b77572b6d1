package io.crema.runtime.spec;

import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.oci.process.Commands;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/** Compiles a profile and gives it to the kernel, by the program that distributions have for it. */
public final class AppArmorParser {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final int MAX_OUTPUT_BYTES = 16 * 1024;

    private final Commands commands;
    private final Supplier<Optional<Path>> program;

    /**
     * @param program looked for each time, because it may be installed while we run
     */
    public AppArmorParser(Commands commands, Supplier<Optional<Path>> program) {
        this.commands = commands;
        this.program = program;
    }

    /**
     * Loads or replaces a profile.
     *
     * @return what went wrong; empty when the kernel has it
     */
    Optional<String> load(String profile) {
        Optional<Path> parser = program.get();
        if (parser.isEmpty()) {
            return Optional.of("apparmor_parser is not in PATH; install the package apparmor");
        }
        try {
            Commands.Outcome outcome =
                    commands.run(
                            new Commands.Command(
                                    parser.get(),
                                    List.of("--replace", "--skip-cache"),
                                    Map.of("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                                    profile.getBytes(StandardCharsets.UTF_8),
                                    MAX_OUTPUT_BYTES),
                            Deadline.after(LIMIT));
            return outcome.exit().isSuccess()
                    ? Optional.empty()
                    : Optional.of(parser.get() + " says: " + outcome.stderrText().strip());
        } catch (CremaException e) {
            return Optional.of(parser.get() + " failed: " + e.getMessage());
        }
    }
}
