package io.crema.oci.runtime;

import io.crema.base.ContainerId;
import io.crema.base.ErrorKind;
import java.util.Locale;

/**
 * What a runtime's error means to the author of a pod: how a caller can react, and a sentence in
 * plain words in front of the runtime's own, where we know one.
 */
public record RuntimeFailure(ErrorKind kind, String text) {
    private static final String QUOTES = "\"'`";

    /**
     * Reads the error of any operation.
     *
     * @param error the runtime's last error line, see {@link RuntimeErrorText}
     */
    public static RuntimeFailure of(String error, ContainerId container) {
        String lower = error.toLowerCase(Locale.ROOT);
        if (RuntimeErrorText.saysNoSuchContainer(error, container)) {
            return plain(ErrorKind.NOT_FOUND, "the OCI runtime knows no such container", error);
        }
        if (lower.contains("cgroups in hybrid mode not supported")) {
            return plain(
                    ErrorKind.FAILED_PRECONDITION,
                    "this runtime cannot work with the host's cgroup layout (v1 and v2 mixed): use"
                            + " runc for this handler, or boot the host with cgroup v2 alone",
                    error);
        }
        if (lower.contains("paused container") || lower.contains("container is paused")) {
            return plain(
                    ErrorKind.FAILED_PRECONDITION,
                    "the container is paused: resume it first",
                    error);
        }
        if (isAboutCommand(lower)) {
            return aboutCommand(error, lower);
        }
        if (lower.contains("chdir to cwd") || lower.startsWith("chdir")) {
            return plain(
                    ErrorKind.INVALID_ARGUMENT,
                    "the working directory cannot be entered by the container's user",
                    error);
        }
        if (lower.contains("container init was oom-killed")) {
            return plain(
                    ErrorKind.RESOURCE_EXHAUSTED,
                    "the container ran out of memory before its command began: raise its memory"
                            + " limit",
                    error);
        }
        if (RuntimeErrorText.saysNotRunning(error)) {
            return new RuntimeFailure(ErrorKind.FAILED_PRECONDITION, error);
        }
        return new RuntimeFailure(ErrorKind.INTERNAL, error);
    }

    // runc: exec: "x": …; crun: executable file `x` …; open executable: …; youki: executable 'x' ….
    private static boolean isAboutCommand(String lower) {
        return lower.contains("exec: ")
                || lower.contains("executable")
                || lower.contains("exec format error");
    }

    private static RuntimeFailure aboutCommand(String error, String lower) {
        String command = command(error);
        if (lower.contains("exec format error")) {
            return ofCommand(
                    command,
                    "is not a program for this machine: the image may be of another architecture,"
                            + " or a script lacks its #! line",
                    error);
        }
        if (lower.contains("not found in $path") && !command.startsWith("/")) {
            return ofCommand(command, "was not found in the container's PATH", error);
        }
        if (lower.contains("no such file or directory") || lower.contains("not found in $path")) {
            return ofCommand(command, "does not exist in the container's file system", error);
        }
        if (lower.contains("permission")
                || lower.contains("is a directory")
                || lower.contains("not executable")) {
            return ofCommand(
                    command,
                    "is not an executable file for the container's user: it may lack the x"
                            + " permission, be a directory, or lie on a noexec mount",
                    error);
        }
        return new RuntimeFailure(ErrorKind.INTERNAL, error);
    }

    private static RuntimeFailure ofCommand(String command, String what, String error) {
        return plain(
                ErrorKind.INVALID_ARGUMENT,
                command.isEmpty()
                        ? "the container's command " + what
                        : "the command \"" + command + "\" " + what,
                error);
    }

    private static RuntimeFailure plain(ErrorKind kind, String sentence, String error) {
        return new RuntimeFailure(kind, sentence + " (" + error + ")");
    }

    /** The quoted name behind the word exec or executable; empty when the runtime gives none. */
    private static String command(String error) {
        int start = error.indexOf("exec: ");
        int from = start >= 0 ? start : Math.max(0, error.indexOf("executable"));
        for (int open = from; open < error.length(); open++) {
            char quote = error.charAt(open);
            if (QUOTES.indexOf(quote) >= 0) {
                int close = error.indexOf(quote, open + 1);
                return close < 0 ? "" : error.substring(open + 1, close);
            }
        }
        return "";
    }
}
