package io.crema.server.log;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.time.Clock;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.ILoggerFactory;
import org.slf4j.IMarkerFactory;
import org.slf4j.Logger;
import org.slf4j.helpers.BasicMarkerFactory;
import org.slf4j.helpers.NOPLogger;
import org.slf4j.helpers.NOPMDCAdapter;
import org.slf4j.spi.MDCAdapter;
import org.slf4j.spi.SLF4JServiceProvider;

/** What SLF4J finds by its service file. */
public final class LogProvider implements SLF4JServiceProvider {
    /**
     * SLF4J itself makes the provider and keeps it in a static field; this is the one place where
     * ours has to be static too, so that {@link Logging} and the provider mean the same sink.
     */
    static final LogSink SINK =
            new LogSink(new FileOutputStream(FileDescriptor.err), Clock.systemUTC());

    private final Loggers loggers = new Loggers(SINK);
    private final IMarkerFactory markers = new BasicMarkerFactory();
    private final MDCAdapter context = new NOPMDCAdapter();

    @Override
    public ILoggerFactory getLoggerFactory() {
        return loggers;
    }

    @Override
    public IMarkerFactory getMarkerFactory() {
        return markers;
    }

    @Override
    public MDCAdapter getMDCAdapter() {
        return context;
    }

    @Override
    public String getRequestedApiVersion() {
        return "2.0.99";
    }

    @Override
    public void initialize() {
        // The loggers exist already.
    }

    /** Loggers by name; as many as there are classes that log. */
    record Loggers(LogSink sink, ConcurrentHashMap<String, Logger> byName)
            implements ILoggerFactory {
        Loggers(LogSink sink) {
            this(sink, new ConcurrentHashMap<>());
        }

        @Override
        public Logger getLogger(String name) {
            // Netty warns at each connection that a unix socket has no SO_KEEPALIVE, which gRPC
            // sets
            // whatever the transport; there is nothing to learn from it.
            if (name.startsWith("io.netty.bootstrap.")) {
                return NOPLogger.NOP_LOGGER;
            }
            return byName.computeIfAbsent(name, absent -> new LineLogger(absent, sink));
        }
    }
}
