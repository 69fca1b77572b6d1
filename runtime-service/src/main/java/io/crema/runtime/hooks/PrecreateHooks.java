package io.crema.runtime.hooks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.process.Commands;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Runs hooks of the stage precreate (oci-hooks(5)): each gets the runtime configuration of a
 * container on its standard input, before the OCI runtime sees it, and writes the one to be used.
 */
public final class PrecreateHooks {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MAX_BYTES = 8 << 20;
    private static final int MAX_SAID = 1000;
    private static final Map<String, String> ENVIRONMENT =
            Map.of("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

    /** What we and the monitor have arranged already, beside the configuration. */
    private static final List<String> FIXED =
            List.of("/linux/cgroupsPath", "/root/path", "/process/terminal");

    private final Commands commands;

    public PrecreateHooks(Commands commands) {
        this.commands = commands;
    }

    /**
     * @param configuration config.json
     * @param container for messages
     * @return what the last hook made of it
     * @throws PodException FAILED_PRECONDITION with what a hook said, or what is wrong with its
     *     answer
     */
    public byte[] change(
            byte[] configuration, List<Hook> hooks, String container, Deadline deadline) {
        byte[] changed = configuration;
        for (Hook hook : hooks) {
            byte[] answer = run(hook, changed, container, deadline);
            check(hook, container, changed, answer);
            changed = answer;
        }
        return changed;
    }

    private byte[] run(Hook hook, byte[] configuration, String container, Deadline deadline) {
        List<String> words = hook.args().isEmpty() ? List.of(hook.path()) : hook.args();
        Deadline limit =
                hook.timeout() == null
                        ? deadline
                        : deadline.atMost(Duration.ofSeconds(hook.timeout()));
        Outcome outcome;
        try {
            outcome =
                    commands.run(
                            new Command(
                                    Path.of(hook.path()),
                                    words.subList(1, words.size()),
                                    environment(hook),
                                    configuration,
                                    MAX_BYTES,
                                    words.getFirst()),
                            limit);
        } catch (DeadlineExceededException e) {
            if (deadline.hasPassed()) {
                throw e;
            }
            throw failure(hook, container, "did not end within its timeout and was killed", e);
        } catch (LinuxException e) {
            throw failure(hook, container, "cannot be run: " + e.errno().message(), e);
        }
        if (!outcome.exit().isSuccess()) {
            String said = outcome.stderrText().strip();
            throw failure(
                    hook,
                    container,
                    "ended with exit code "
                            + outcome.exit().shellCode()
                            + (said.isEmpty()
                                    ? " and said nothing"
                                    : ": " + said.substring(0, Math.min(MAX_SAID, said.length()))),
                    null);
        }
        return outcome.stdout();
    }

    private static Map<String, String> environment(Hook hook) {
        if (hook.env().isEmpty()) {
            return ENVIRONMENT;
        }
        Map<String, String> environment = new HashMap<>();
        for (String entry : hook.env()) {
            int equals = entry.indexOf('=');
            environment.put(
                    equals < 0 ? entry : entry.substring(0, equals),
                    equals < 0 ? "" : entry.substring(equals + 1));
        }
        return environment;
    }

    private static void check(Hook hook, String container, byte[] before, byte[] after) {
        JsonNode changed = parsed(hook, container, after);
        if (!changed.isObject() || !changed.path("ociVersion").isTextual()) {
            throw failure(
                    hook,
                    container,
                    "wrote no runtime configuration to its standard output; it must write all of"
                            + " it, changed or not",
                    null);
        }
        JsonNode had = parsed(hook, container, before);
        for (String fixed : FIXED) {
            if (!had.at(fixed).equals(changed.at(fixed))) {
                throw failure(
                        hook,
                        container,
                        "changed "
                                + fixed.substring(1).replace('/', '.')
                                + ", which belongs to Crema; it must leave that as it is",
                        null);
            }
        }
    }

    private static JsonNode parsed(Hook hook, String container, byte[] text) {
        try {
            JsonNode parsed = JSON.readTree(text);
            return parsed == null ? MissingNode.getInstance() : parsed;
        } catch (IOException e) {
            throw failure(hook, container, "wrote something else than JSON: " + e.getMessage(), e);
        }
    }

    private static PodException failure(
            Hook hook, String container, String what, @Nullable Throwable cause) {
        String message =
                "the hook " + hook.path() + " (precreate, hooks_dir) of " + container + " " + what;
        return cause == null
                ? new PodException(ErrorKind.FAILED_PRECONDITION, message)
                : new PodException(ErrorKind.FAILED_PRECONDITION, message, cause);
    }
}
