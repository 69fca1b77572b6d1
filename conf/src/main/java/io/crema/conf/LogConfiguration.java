package io.crema.conf;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * The daemon's own log and limits of container logs (keys of {@code [crio.runtime]}).
 *
 * @param filter a regular expression that messages must match; empty for all
 * @param file absent for standard error
 * @param containerLogSizeMaxBytes a container log is cut when it grows beyond; absent for never
 * @param containerLogsToJournal whether container logs also go to the journal
 */
public record LogConfiguration(
        LogLevel level,
        String filter,
        LogFormat format,
        Optional<Path> file,
        OptionalLong containerLogSizeMaxBytes,
        boolean containerLogsToJournal) {
    /** The monitor reads that much at once. */
    private static final long MIN_LOG_SIZE = 8192;

    /** How much the daemon tells; each level includes those before it. */
    public enum LogLevel {
        FATAL("fatal"),
        PANIC("panic"),
        ERROR("error"),
        WARN("warn"),
        INFO("info"),
        DEBUG("debug"),
        TRACE("trace");

        private final String word;

        LogLevel(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    /** How the daemon writes its log. */
    public enum LogFormat {
        TEXT("text"),
        JSON("json");

        private final String word;

        LogFormat(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    public LogConfiguration {
        file = Require.absolute("file", file);
        containerLogSizeMaxBytes.ifPresent(
                size -> Require.atLeast("log_size_max", MIN_LOG_SIZE, size));
        try {
            Pattern.compile(filter);
        } catch (PatternSyntaxException e) {
            throw new IllegalArgumentException(
                    "log_filter must be a regular expression: " + e.getMessage(), e);
        }
    }
}
