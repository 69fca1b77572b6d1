package io.crema.server;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import io.crema.conf.LoadedConfiguration;
import io.crema.server.base.CremaVersion;
import io.crema.server.base.ServerException;
import io.crema.server.check.NodeCheck;
import io.crema.server.log.Logging;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * The daemon's life: SIGTERM and SIGINT end it with exit code 0, SIGHUP reads the configuration
 * again.
 */
final class Serve {
    private static final Logger LOG = LoggerFactory.getLogger(Serve.class);

    private final Map<String, List<String>> flags;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final CountDownLatch stopped = new CountDownLatch(1);

    Serve(Map<String, List<String>> flags) {
        this.flags = flags;
    }

    /** Returns when the daemon was told to stop and has stopped. */
    void run() {
        if (!NodeCheck.isRoot()) {
            throw new ServerException(
                    ErrorKind.PERMISSION_DENIED,
                    "must run as root: pods need mounts, namespaces and cgroups. Start it with sudo"
                            + " or as a system service");
        }
        serve(() -> await(ended));
    }

    /** Serves as long as the given work takes. */
    void serve(Runnable meanwhile) {
        long begun = System.nanoTime();
        LoadedConfiguration loaded = read();
        Logging.start(level(loaded));
        for (String warning : loaded.warnings()) {
            LOG.warn("{}", warning);
        }
        Daemon daemon = Daemon.start(loaded);
        try {
            Runtime.getRuntime()
                    .addShutdownHook(Thread.ofPlatform().name("stop").unstarted(this::stop));
            Signals.on("HUP", () -> reload(daemon));
            LOG.atInfo()
                    .addKeyValue("socket", "unix://" + loaded.configuration().api().listen())
                    .addKeyValue("version", CremaVersion.VERSION)
                    .addKeyValue("pid", ProcessHandle.current().pid())
                    .addKeyValue("ready_ms", (System.nanoTime() - begun) / 1_000_000)
                    .log("serving");
            SystemdNotice.ready();
            meanwhile.run();
            LOG.info("stopping; pods live on");
        } finally {
            daemon.close();
            stopped.countDown();
        }
    }

    /**
     * The shutdown hook. While it runs, the JVM is about to exit with the signal's code; being told
     * to stop is no failure, so this ends the process itself.
     */
    private void stop() {
        ended.countDown();
        await(stopped);
        Runtime.getRuntime().halt(0);
    }

    private LoadedConfiguration read() {
        return new ConfigurationLoader(HostFacts.detect()).load(flags, System.getenv());
    }

    private void reload(Daemon daemon) {
        try {
            daemon.reload(read());
        } catch (CremaException e) {
            LOG.atError()
                    .addKeyValue("error", e.getMessage())
                    .log("Unable to reload configuration");
        }
    }

    static Level level(LoadedConfiguration loaded) {
        return switch (loaded.configuration().log().level()) {
            case FATAL, PANIC, ERROR -> Level.ERROR;
            case WARN -> Level.WARN;
            case INFO -> Level.INFO;
            case DEBUG -> Level.DEBUG;
            case TRACE -> Level.TRACE;
        };
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
