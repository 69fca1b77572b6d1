package io.crema.oci.runtime;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.process.Commands;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Whether this node can take and restore checkpoints: CRIU, which OCI runtimes call by its name, is
 * there and finds what it needs in the kernel. A good answer is kept; a bad one is asked for again,
 * because somebody may have installed what was missing.
 */
public final class Criu {
    private static final Duration CHECK_LIMIT = Duration.ofSeconds(20);
    private static final int MAX_OUTPUT_BYTES = 64 * 1024;
    private static final String PROGRAM = "criu";

    private final Commands commands;
    private final Map<String, String> environment;
    private volatile boolean isGood;

    public Criu(Commands commands) {
        this(commands, RuntimeEnvironment.own());
    }

    /**
     * @param environment of the OCI runtimes; PATH is where they look
     */
    public Criu(Commands commands, Map<String, String> environment) {
        this.commands = commands;
        this.environment = Map.copyOf(environment);
    }

    /**
     * @throws OciRuntimeException UNIMPLEMENTED saying what is missing and what to do
     */
    public void require(OciRuntime runtime, Deadline deadline) {
        if (!runtime.features().checkpoints()
                || RuntimeDialect.of(runtime.executable()) == RuntimeDialect.YOUKI) {
            throw missing(
                    "OCI runtime '"
                            + runtime.name()
                            + "' ("
                            + runtime.executable()
                            + ") cannot checkpoint and restore; use a handler with runc, or with a"
                            + " crun that was built with CRIU");
        }
        if (isGood) {
            return;
        }
        Path program =
                find().orElseThrow(() ->
                        missing(
                                "criu is not in "
                                        + environment.getOrDefault("PATH", "")
                                        + "; install it (Debian's package criu)"));
        Outcome version = run(program, "--version", deadline);
        Outcome check = run(program, "check", deadline);
        if (!check.exit().isSuccess()) {
            throw missing(
                    "'"
                            + program
                            + " check' ("
                            + firstLine(version.stdoutText())
                            + ") finds this kernel ("
                            + System.getProperty("os.version", "")
                            + ") unfit: "
                            + firstLine(check.stderrText() + check.stdoutText())
                            + "; install a criu that knows this kernel, or a kernel with"
                            + " CONFIG_CHECKPOINT_RESTORE ('criu check --all' tells more)");
        }
        isGood = true;
    }

    private Optional<Path> find() {
        for (String directory :
                environment.getOrDefault("PATH", "").split(File.pathSeparator, -1)) {
            Path program = Path.of(directory.isEmpty() ? "." : directory).resolve(PROGRAM);
            if (program.isAbsolute() && Files.isExecutable(program)) {
                return Optional.of(program);
            }
        }
        return Optional.empty();
    }

    private Outcome run(Path program, String argument, Deadline deadline) {
        try {
            return commands.run(
                    new Command(
                            program, List.of(argument), environment, new byte[0], MAX_OUTPUT_BYTES),
                    deadline.atMost(CHECK_LIMIT));
        } catch (LinuxException e) {
            throw missing(program + " cannot be run: " + e.errno().message() + "; reinstall criu");
        }
    }

    private static String firstLine(String text) {
        return text.lines()
                .map(String::strip)
                .filter(line -> !line.isEmpty())
                .findFirst()
                .orElse("it said nothing");
    }

    private static OciRuntimeException missing(String what) {
        return new OciRuntimeException(
                ErrorKind.UNIMPLEMENTED, "checkpoints are not to be had on this node: " + what);
    }
}
