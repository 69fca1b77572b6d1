package io.crema.server;

import io.crema.base.CremaException;
import io.crema.conf.CommandLine;
import io.crema.conf.CommandLineFlag;
import io.crema.conf.ConfigurationException;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import io.crema.conf.LoadedConfiguration;
import io.crema.server.base.CremaVersion;
import io.crema.server.log.Logging;
import java.io.PrintStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * The {@code crema} command: without a sub-command it is the daemon. Exit codes: 0 done, 1 failed
 * (the reason is the last line on standard error), 2 wrong usage.
 */
public final class Main {
    private static final int OK = 0;
    private static final int FAILED = 1;
    private static final int USAGE = 2;

    private final PrintStream out;
    private final PrintStream err;

    private Main(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    public static void main(String[] arguments) {
        int code = new Main(System.out, System.err).run(List.of(arguments));
        System.out.flush();
        // Not System.exit: exit hooks and idle pool threads have nothing left to do.
        Runtime.getRuntime().halt(code);
    }

    private int run(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        String command = "serve";
        if (!rest.isEmpty() && !rest.getFirst().startsWith("-")) {
            command = rest.removeFirst();
        }
        try {
            return switch (command) {
                case "serve" -> serveOrTell(rest);
                case "config" -> config(rest);
                case "check" -> check(rest);
                case "status" -> status(rest);
                case "load" -> load(rest);
                case "version" -> version();
                case "train" -> Training.run();
                case "help" -> help(out, OK);
                default -> {
                    err.println("crema: unknown command '" + command + "'; see crema help");
                    yield USAGE;
                }
            };
        } catch (ConfigurationException e) {
            for (String problem : e.problems()) {
                err.println("crema: " + problem);
            }
            return FAILED;
        } catch (CremaException e) {
            err.println("crema: " + e.getMessage());
            return FAILED;
        }
    }

    private int serveOrTell(List<String> arguments) {
        if (arguments.contains("--version") || arguments.contains("-v")) {
            return version();
        }
        if (arguments.contains("--help") || arguments.contains("-h")) {
            return help(out, OK);
        }
        return serve(load(arguments, true));
    }

    private static LoadedConfiguration load(List<String> arguments, boolean tellWarnings) {
        LoadedConfiguration loaded =
                new ConfigurationLoader(HostFacts.detect()).load(arguments, System.getenv());
        if (tellWarnings) {
            Logging.start(level(loaded));
            Logger log = LoggerFactory.getLogger(Main.class);
            for (String warning : loaded.warnings()) {
                log.warn("{}", warning);
            }
        }
        return loaded;
    }

    private static Level level(LoadedConfiguration loaded) {
        return switch (loaded.configuration().log().level()) {
            case FATAL, PANIC, ERROR -> Level.ERROR;
            case WARN -> Level.WARN;
            case INFO -> Level.INFO;
            case DEBUG -> Level.DEBUG;
            case TRACE -> Level.TRACE;
        };
    }

    private int serve(LoadedConfiguration loaded) {
        if (!NodeCheck.isRoot()) {
            err.println(
                    "crema: must run as root: pods need mounts, namespaces and cgroups. Start it with sudo"
                            + " or as a system service");
            return FAILED;
        }
        Logger log = LoggerFactory.getLogger(Main.class);
        CountDownLatch ended = new CountDownLatch(1);
        CountDownLatch stopped = new CountDownLatch(1);
        Daemon daemon = Daemon.start(loaded);
        try {
            Runtime.getRuntime()
                    .addShutdownHook(
                            Thread.ofPlatform()
                                    .name("stop")
                                    .unstarted(() -> {
                                        ended.countDown();
                                        awaitQuietly(stopped);
                                    }));
            log.info(
                    "serving socket=unix://{} version={} pid={}",
                    loaded.configuration().api().listen(),
                    CremaVersion.VERSION,
                    ProcessHandle.current().pid());
            SystemdNotice.ready();
            awaitQuietly(ended);
            log.info("stopping; pods live on");
        } finally {
            daemon.close();
            stopped.countDown();
        }
        return OK;
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private int config(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        boolean defaults = rest.remove("--default");
        out.print(
                defaults
                        ? new ConfigurationLoader(HostFacts.detect()).defaults().toToml()
                        : load(rest, false).toToml());
        return OK;
    }

    private int check(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        boolean json = rest.remove("--json");
        NodeCheck check = NodeCheck.of(load(rest, false).configuration());
        out.print(json ? check.toJson() : check.toText());
        return check.hasFailures() ? FAILED : OK;
    }

    private int status(List<String> arguments) {
        SocketClient client = client(arguments);
        SocketClient.Answer info = client.ask("GET", "/info");
        out.println(info.body().strip());
        return info.status() == 200 ? OK : FAILED;
    }

    private int load(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        if (rest.isEmpty() || rest.getLast().startsWith("-")) {
            err.println(
                    "crema: usage: crema load [flags] ARCHIVE (an OCI or docker archive, or an OCI layout)");
            return USAGE;
        }
        Path archive = Path.of(rest.removeLast()).toAbsolutePath();
        if (!Files.exists(archive)) {
            err.println("crema: there is no " + archive);
            return FAILED;
        }
        SocketClient.Answer answer =
                client(rest)
                        .ask(
                                "POST",
                                "/load?path="
                                        + URLEncoder.encode(
                                                archive.toString(), StandardCharsets.UTF_8));
        (answer.status() == 200 ? out : err).print(answer.body());
        return answer.status() == 200 ? OK : FAILED;
    }

    private static SocketClient client(List<String> arguments) {
        return new SocketClient(load(arguments, false).configuration().api().listen());
    }

    private int version() {
        out.println("crema version " + CremaVersion.VERSION);
        out.println("CRI: " + CremaVersion.CRI_VERSION);
        out.println("Java: " + Runtime.version());
        return OK;
    }

    private static int help(PrintStream to, int code) {
        to.print(
                """
                crema: a Kubernetes container runtime (CRI v1)

                usage: crema [serve] [flags]        serve kubelet on the socket
                       crema config [--default]     print the effective or the default configuration
                       crema check [--json]         say what this node lacks
                       crema status                 ask the running daemon
                       crema load ARCHIVE           load an OCI or docker archive into the running daemon
                       crema version

                flags (each also as an environment variable, see crema config):
                """);
        for (CommandLineFlag flag : CommandLine.flags()) {
            to.println("  --" + flag.name());
        }
        return code;
    }
}
