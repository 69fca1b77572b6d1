package io.crema.server.log;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;

/** Sets up the log of this process. */
public final class Logging {
    private Logging() {}

    /** Sets the level and takes over what libraries write to java.util.logging. */
    public static void start(Level level) {
        LogProvider.SINK.redirect(new FileOutputStream(FileDescriptor.err));
        LogProvider.SINK.threshold(level);
        java.util.logging.Logger root = java.util.logging.Logger.getLogger("");
        LogManager.getLogManager().reset();
        root.setLevel(java.util.logging.Level.WARNING);
        root.addHandler(new FromJavaLogging());
    }

    /** Changes how much is told from now on. */
    public static void level(Level level) {
        LogProvider.SINK.threshold(level);
    }

    /** gRPC logs through java.util.logging; its warnings belong among our lines. */
    private static final class FromJavaLogging extends Handler {
        private static final SimpleFormatter FORMATTER = new SimpleFormatter();

        @Override
        public void publish(@Nullable LogRecord record) {
            if (record == null) {
                return;
            }
            String name = record.getLoggerName();
            boolean severe =
                    record.getLevel().intValue() >= java.util.logging.Level.SEVERE.intValue();
            String message = FORMATTER.formatMessage(record);
            LogProvider.SINK.write(
                    severe ? Level.ERROR : Level.WARN,
                    name == null ? "" : name.substring(name.lastIndexOf('.') + 1),
                    message,
                    List.of(),
                    record.getThrown());
        }

        @Override
        public void flush() {
            // Every line is flushed when it is written.
        }

        @Override
        public void close() {
            // Standard error stays open.
        }
    }
}
