package io.crema.server.log;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.KeyValuePair;
import org.slf4j.event.Level;

/** Where all loggers write; one line is one write, so that lines of several threads never mix. */
final class LogSink {
    /** Names of loggers whose debug output would drown ours. */
    private static final String[] QUIET_PREFIXES = {
        "io.netty.", "io.grpc.", "jdk.", "sun.", "java."
    };

    /** The longest line kept in memory for the next one. */
    private static final int MAX_KEPT_CHARS = 8192;

    private final Clock clock;
    private OutputStream out;
    private StringBuilder line = new StringBuilder(512);
    private volatile int threshold = Level.INFO.toInt();

    LogSink(OutputStream out, Clock clock) {
        this.out = out;
        this.clock = clock;
    }

    void threshold(Level level) {
        threshold = level.toInt();
    }

    synchronized void redirect(OutputStream newOut) {
        out = Objects.requireNonNull(newOut);
    }

    /** Whether loggers of libraries are held to warnings. */
    static boolean isQuiet(String loggerName) {
        for (String prefix : QUIET_PREFIXES) {
            if (loggerName.startsWith(prefix)) {
                return true;
            }
        }
        return false;
    }

    boolean enabled(Level level, boolean quiet) {
        int number = level.toInt();
        return number >= threshold && (!quiet || number >= Level.WARN.toInt());
    }

    synchronized void write(
            Level level,
            String logger,
            String message,
            Iterable<KeyValuePair> pairs,
            @Nullable Throwable thrown) {
        StringBuilder text = line;
        text.setLength(0);
        text.append("time=");
        LineFormat.appendTime(text, clock.instant());
        LineFormat.appendPair(text, "level", word(level));
        LineFormat.appendPair(text, "logger", logger);
        LineFormat.appendPair(text, "msg", message);
        for (KeyValuePair pair : pairs) {
            LineFormat.appendPair(text, pair.key, pair.value);
        }
        if (thrown != null) {
            LineFormat.appendStackTrace(text, thrown);
        }
        text.append('\n');
        try {
            out.write(text.toString().getBytes(StandardCharsets.UTF_8));
            out.flush();
        } catch (IOException e) {
            // Nobody reads our standard error any more; there is no better place to say so.
        }
        if (text.capacity() > MAX_KEPT_CHARS) {
            line = new StringBuilder(512);
        }
    }

    private static String word(Level level) {
        return switch (level) {
            case ERROR -> "error";
            case WARN -> "warn";
            case INFO -> "info";
            case DEBUG -> "debug";
            case TRACE -> "trace";
        };
    }
}
