package io.crema.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.process.Commands;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Runs one plugin for one command: environment and standard input as the CNI specification 1.1,
 * section 2, wants them, one process, and an error that names everything involved.
 */
final class PluginRunner {
    /** Results are a few kilobytes; more is a plugin gone mad and fails to parse. */
    private static final int MAX_OUTPUT_BYTES = 1 << 20;

    private static final int MAX_QUOTED_CHARACTERS = 1024;

    /** "Try again later", the one code that promises that a retry can help. */
    private static final int TRY_AGAIN_LATER = 11;

    /**
     * One thing to ask of one plugin.
     *
     * @param args empty for commands that concern the network as a whole
     * @param input what is added to the plugin's configuration, such as prevResult
     */
    record Call(
            CniCommand command,
            NetworkConfiguration network,
            PluginConfiguration plugin,
            Optional<RuntimeArguments> args,
            ObjectNode input) {
        /** The call in words: "CNI ADD by plugin bridge of network podnet for pod a/b …". */
        String description() {
            return "CNI "
                    + command
                    + " by plugin "
                    + plugin.type()
                    + " of network "
                    + network.name()
                    + args.map(a -> " for " + a.subject()).orElse("");
        }
    }

    private final Commands commands;
    private final List<Path> directories;
    private final Map<String, String> environment;

    PluginRunner(Commands commands, CniSettings settings) {
        this.commands = commands;
        this.directories = settings.pluginDirectories();
        Map<String, String> base = new HashMap<>(settings.environment());
        base.put("CNI_PATH", searchPath());
        this.environment = Map.copyOf(base);
    }

    /** The plugin's executable in the first directory that has it. */
    Optional<Path> find(String type) {
        for (Path directory : directories) {
            Path executable = directory.resolve(type);
            if (Files.isRegularFile(executable) && Files.isExecutable(executable)) {
                return Optional.of(executable);
            }
        }
        return Optional.empty();
    }

    /** The plugin directories as CNI_PATH has them. */
    String searchPath() {
        StringBuilder path = new StringBuilder();
        for (Path directory : directories) {
            path.append(path.isEmpty() ? "" : ":").append(directory);
        }
        return path.toString();
    }

    /**
     * Runs the plugin and returns its standard output.
     *
     * @throws NetworkException when it is missing, fails or does not end in time; it is killed then
     */
    byte[] run(Call call, Deadline deadline) {
        Path executable =
                find(call.plugin().type())
                        .orElseThrow(() ->
                                new NetworkException(
                                        ErrorKind.FAILED_PRECONDITION,
                                        call.description()
                                                + ": there is no such executable in "
                                                + searchPath()
                                                + " (plugin_dirs); install the plugin"));
        Command command =
                new Command(
                        executable,
                        List.of(),
                        environment(call),
                        Json.write(input(call)),
                        MAX_OUTPUT_BYTES);
        Duration allowed = deadline.remaining();
        Outcome outcome;
        try {
            deadline.check(call.description());
            outcome = commands.run(command, deadline);
        } catch (DeadlineExceededException e) {
            throw new NetworkException(
                    ErrorKind.DEADLINE_EXCEEDED,
                    call.description()
                            + ": no answer within the "
                            + seconds(allowed)
                            + " that were left; "
                            + executable
                            + " was killed. Look for what it waits for (its controller, a lock)",
                    e);
        } catch (CremaException e) {
            throw new NetworkException(
                    e.kind(),
                    call.description() + ": " + executable + " cannot be run: " + e.getMessage(),
                    e);
        }
        if (!outcome.exit().isSuccess()) {
            throw failure(call, outcome);
        }
        return outcome.stdout();
    }

    private Map<String, String> environment(Call call) {
        Map<String, String> variables = new HashMap<>(environment);
        variables.put("CNI_COMMAND", call.command().name());
        call.args()
                .ifPresent(args -> {
                    variables.put("CNI_CONTAINERID", args.containerId());
                    variables.put("CNI_NETNS", args.netns());
                    variables.put("CNI_IFNAME", args.ifName());
                    variables.put("CNI_ARGS", args.cniArgsText());
                });
        return variables;
    }

    private static ObjectNode input(Call call) {
        ObjectNode input = Json.object();
        input.setAll(call.plugin().json());
        input.put("name", call.network().name());
        input.put("cniVersion", call.network().version().toString());
        input.remove("prevResult");
        ObjectNode runtimeConfig = Json.object();
        call.args()
                .ifPresent(args -> {
                    for (var capability : args.capabilityArgs().properties()) {
                        if (call.plugin().capabilities().contains(capability.getKey())) {
                            runtimeConfig.set(capability.getKey(), capability.getValue());
                        }
                    }
                });
        if (!runtimeConfig.isEmpty()) {
            input.set("runtimeConfig", runtimeConfig);
        }
        input.setAll(call.input());
        return input;
    }

    /** What a plugin says about its failure (section 5, "Error") with all that helps to find it. */
    private static NetworkException failure(Call call, Outcome outcome) {
        String stderr = tail(outcome.stderrText());
        String exit =
                outcome.exit().signal() == 0
                        ? "exit code " + outcome.exit().code()
                        : "killed by signal " + outcome.exit().signal();
        StringBuilder text = new StringBuilder(call.description()).append(" failed: ");
        ErrorKind kind = ErrorKind.INTERNAL;
        Optional<ObjectNode> error = error(outcome.stdout());
        if (error.isPresent()) {
            int code = error.get().path("code").asInt();
            kind = code == TRY_AGAIN_LATER ? ErrorKind.UNAVAILABLE : ErrorKind.INTERNAL;
            text.append(error.get().path("msg").asText("no message"));
            String details = error.get().path("details").asText();
            if (!details.isEmpty()) {
                text.append(" (").append(details).append(')');
            }
            text.append("; CNI error code ").append(code).append(meaning(code));
        } else {
            text.append(exit).append(" without a CNI error");
            String stdout = tail(outcome.stdoutText());
            if (!stdout.isEmpty()) {
                text.append("; stdout: ").append(stdout);
            }
        }
        if (!stderr.isEmpty()) {
            text.append("; stderr: ").append(stderr);
        }
        return new NetworkException(kind, text.toString());
    }

    private static Optional<ObjectNode> error(byte[] stdout) {
        try {
            ObjectNode error = Json.readObject(stdout);
            return error.has("msg") || error.has("code") ? Optional.of(error) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static String meaning(int code) {
        return switch (code) {
            case 1 -> " (incompatible CNI version)";
            case 2 -> " (unsupported field in the configuration)";
            case 3 -> " (container unknown or gone)";
            case 4 -> " (invalid environment variables)";
            case 5 -> " (input or output failure)";
            case 6 -> " (content cannot be decoded)";
            case 7 -> " (invalid network configuration)";
            case TRY_AGAIN_LATER -> " (try again later)";
            case 50 -> " (plugin not available)";
            case 51 -> " (plugin not available, existing pods may be cut off)";
            default -> "";
        };
    }

    /** The end of a text on one line: the last words of a plugin say most. */
    static String tail(String text) {
        String line = text.strip().replace("\n", " | ");
        return line.length() <= MAX_QUOTED_CHARACTERS
                ? line
                : "…" + line.substring(line.length() - MAX_QUOTED_CHARACTERS);
    }

    static String seconds(Duration duration) {
        long tenths = (duration.toMillis() + 50) / 100;
        return tenths / 10 + "." + tenths % 10 + " s";
    }
}
