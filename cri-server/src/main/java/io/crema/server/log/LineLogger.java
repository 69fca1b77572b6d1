package io.crema.server.log;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Marker;
import org.slf4j.event.KeyValuePair;
import org.slf4j.event.Level;
import org.slf4j.event.LoggingEvent;
import org.slf4j.helpers.LegacyAbstractLogger;
import org.slf4j.helpers.MessageFormatter;
import org.slf4j.spi.LoggingEventAware;

/** One named logger; shows its name without the packages. */
final class LineLogger extends LegacyAbstractLogger implements LoggingEventAware {
    private static final long serialVersionUID = 1;

    private final transient LogSink sink;
    private final String shortName;
    private final boolean quiet;

    LineLogger(String name, LogSink sink) {
        this.name = name;
        this.sink = sink;
        this.shortName = name.substring(name.lastIndexOf('.') + 1);
        this.quiet = LogSink.isQuiet(name);
    }

    @Override
    public boolean isTraceEnabled() {
        return sink.enabled(Level.TRACE, quiet);
    }

    @Override
    public boolean isDebugEnabled() {
        return sink.enabled(Level.DEBUG, quiet);
    }

    @Override
    public boolean isInfoEnabled() {
        return sink.enabled(Level.INFO, quiet);
    }

    @Override
    public boolean isWarnEnabled() {
        return sink.enabled(Level.WARN, quiet);
    }

    @Override
    public boolean isErrorEnabled() {
        return sink.enabled(Level.ERROR, quiet);
    }

    @Override
    public void log(LoggingEvent event) {
        List<Object> arguments = event.getArguments();
        List<KeyValuePair> pairs = event.getKeyValuePairs();
        sink.write(
                event.getLevel(),
                shortName,
                text(event.getMessage(), arguments == null ? null : arguments.toArray()),
                pairs == null ? List.of() : pairs,
                event.getThrowable());
    }

    @Override
    protected @Nullable String getFullyQualifiedCallerName() {
        return null;
    }

    @Override
    protected void handleNormalizedLoggingCall(
            Level level,
            @Nullable Marker marker,
            String pattern,
            @Nullable Object @Nullable [] arguments,
            @Nullable Throwable thrown) {
        sink.write(level, shortName, text(pattern, arguments), List.of(), thrown);
    }

    private static String text(@Nullable String pattern, @Nullable Object @Nullable [] arguments) {
        if (pattern == null) {
            return "";
        }
        return arguments == null
                ? pattern
                : String.valueOf(MessageFormatter.basicArrayFormat(pattern, arguments));
    }
}
