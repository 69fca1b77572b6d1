package io.crema.conf;

import java.util.Locale;
import java.util.Set;

/**
 * A resource limit of a process, written {@code name=soft:hard} or {@code name=both}.
 *
 * @param name without RLIMIT_, in lower case: nofile
 * @param soft -1 for unlimited
 * @param hard -1 for unlimited
 */
public record Ulimit(String name, long soft, long hard) {
    private static final Set<String> NAMES =
            Set.of(
                    "as",
                    "core",
                    "cpu",
                    "data",
                    "fsize",
                    "locks",
                    "memlock",
                    "msgqueue",
                    "nice",
                    "nofile",
                    "nproc",
                    "rss",
                    "rtprio",
                    "rttime",
                    "sigpending",
                    "stack");

    public Ulimit {
        Require.that(NAMES.contains(name), "unknown ulimit '" + name + "'; known are " + NAMES);
        Require.atLeast("soft limit of " + name, -1, soft);
        Require.atLeast("hard limit of " + name, -1, hard);
        Require.that(
                hard == -1 || (soft != -1 && soft <= hard),
                "the soft limit of " + name + " must not exceed its hard limit");
    }

    /**
     * @throws IllegalArgumentException when the text is not {@code name=soft:hard}
     */
    public static Ulimit parse(String text) {
        int equals = text.indexOf('=');
        Require.that(equals > 0, "a ulimit must be name=soft:hard, not '" + text + "'");
        String name = text.substring(0, equals);
        String limits = text.substring(equals + 1);
        int colon = limits.indexOf(':');
        try {
            return colon < 0
                    ? new Ulimit(name, number(limits), number(limits))
                    : new Ulimit(
                            name,
                            number(limits.substring(0, colon)),
                            number(limits.substring(colon + 1)));
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "a ulimit must be name=soft:hard with numbers, not '" + text + "'", e);
        }
    }

    private static long number(String text) {
        return text.equals("unlimited") ? -1 : Long.parseLong(text);
    }

    /** The name in the OCI runtime specification: RLIMIT_NOFILE. */
    public String rlimit() {
        return "RLIMIT_" + name.toUpperCase(Locale.ROOT);
    }

    @Override
    public String toString() {
        return name + "=" + soft + ":" + hard;
    }
}
