package io.crema.oci.runtime;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.ContainerId;
import java.util.Locale;
import java.util.Optional;

/**
 * Finds the one line in a runtime's log or standard error that tells why it failed. runc and crun
 * write {@code {"level":"error","msg":…}} lines, youki {@code {"level":"ERROR","message":…}} lines
 * and then the same as plain text with a stack trace. Of several error lines the last one is the
 * outermost and speaks of what was asked for.
 */
public final class RuntimeErrorText {
    private static final int MAX_LENGTH = 2048;
    private static final String YOUKI_PREFIX = "error in executing command: ";
    private static final String PLAIN_PREFIX = "Error: ";
    private static final String PLAIN_MESSAGE = " msg=\"";
    private static final String CAUSE = "Caused by:";
    private static final String TRACE = "Stack backtrace:";

    private RuntimeErrorText() {}

    /** The last meaningful error; empty when the output says nothing. */
    public static Optional<String> last(String output) {
        String error = "";
        StringBuilder plain = new StringBuilder();
        for (String line : output.split("\n", -1)) {
            if (line.startsWith("{")) {
                String message = jsonError(line);
                error = message.isEmpty() ? error : message;
            } else {
                appendPlain(plain, line);
            }
        }
        String text = error.isEmpty() ? lastPlain(plain.toString()) : error;
        if (text.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(text.length() > MAX_LENGTH ? text.substring(0, MAX_LENGTH) + "…" : text);
    }

    /** Whether an error means that the runtime knows no such container. */
    static boolean saysNoSuchContainer(String error, ContainerId container) {
        String lower = error.toLowerCase(Locale.ROOT);
        String id = container.value();
        // runc: container does not exist; youki: container <id> does not exist, and for exec
        // container state directory does not exist;
        // crun: error opening file `<root>/<id>/status`: No such file or directory, and
        // cannot open directory '<root>/<id>': No such file or directory.
        return lower.contains("container does not exist")
                || lower.contains("container state directory does not exist")
                || lower.contains(id + " does not exist")
                || lower.contains(id + "` does not exist")
                || (lower.contains("no such file or directory")
                        && (lower.contains("/" + id + "/status")
                                || lower.contains("/" + id + "'")));
    }

    /** Whether an error means that the container has ended or was never started. */
    static boolean saysNotRunning(String error) {
        String lower = error.toLowerCase(Locale.ROOT);
        return lower.contains("container not running")
                || lower.contains("is not running")
                || lower.contains("process already finished")
                || lower.contains("no such process")
                || lower.contains("container that has stopped")
                || lower.contains("in a stopped container")
                || lower.contains("incompatible container status");
    }

    /** Whether a deletion came too early because a killed process had not ended yet. */
    static boolean saysCgroupIsBusy(String error) {
        String lower = error.toLowerCase(Locale.ROOT);
        // youki: io error: at <cgroup>: could not delete; runc: unable to remove … busy.
        return lower.contains("could not delete") || lower.contains("resource busy");
    }

    /** The message of a log line at an error level, else nothing. */
    private static String jsonError(String line) {
        JsonNode entry;
        try {
            entry = RuntimeJson.READER.readTree(line);
        } catch (JsonProcessingException e) {
            return ""; // cut off by the bound on output, or not a log line at all
        }
        String level = entry.path("level").asText().toLowerCase(Locale.ROOT);
        if (!level.equals("error") && !level.equals("fatal") && !level.equals("panic")) {
            return "";
        }
        String message = entry.path("msg").asText(entry.path("message").asText());
        return joined(
                message.startsWith(YOUKI_PREFIX)
                        ? message.substring(YOUKI_PREFIX.length())
                        : message);
    }

    /** Puts the causes behind the error into its line and drops the stack trace. */
    private static String joined(String message) {
        int trace = message.indexOf(TRACE);
        StringBuilder line = new StringBuilder();
        for (String part : (trace < 0 ? message : message.substring(0, trace)).split("\n", -1)) {
            String words = part.strip();
            if (!words.isEmpty() && !words.equals(CAUSE)) {
                line.append(line.isEmpty() ? "" : ": ").append(words);
            }
        }
        return line.toString();
    }

    private static void appendPlain(StringBuilder plain, String line) {
        // A new error begins; what was before is the way to it.
        if (line.startsWith(PLAIN_PREFIX)) {
            plain.setLength(0);
        }
        plain.append(line).append('\n');
    }

    private static String lastPlain(String text) {
        if (text.startsWith(PLAIN_PREFIX)) {
            return joined(text.substring(PLAIN_PREFIX.length()));
        }
        String stripped = text.strip();
        String line = stripped.substring(stripped.lastIndexOf('\n') + 1);
        int message = line.indexOf(PLAIN_MESSAGE);
        if (message < 0) {
            return line;
        }
        String quoted = line.substring(message + PLAIN_MESSAGE.length());
        return (quoted.endsWith("\"") ? quoted.substring(0, quoted.length() - 1) : quoted)
                .replace("\\\"", "\"");
    }
}
