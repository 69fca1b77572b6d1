package io.crema.server;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import io.crema.conf.CommandLine;
import io.crema.conf.CommandLineFlag;
import io.crema.conf.ConfigurationException;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import io.crema.conf.LoadedConfiguration;
import io.crema.server.base.CremaVersion;
import io.crema.server.base.ServerException;
import io.crema.server.base.ServerJson;
import io.crema.server.check.Findings;
import io.crema.server.check.NodeCheck;
import io.crema.server.log.Logging;
import java.io.PrintStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.event.Level;

/**
 * The {@code crema} command: without a sub-command it is the daemon. Exit codes: 0 done, 1 failed
 * (the reason is on standard error), 2 wrong usage.
 */
public final class Main {
    private static final int OK = 0;
    private static final int FAILED = 1;
    private static final int USAGE = 2;

    /** A status that takes longer than this comes from a daemon that hangs. */
    private static final Duration STATUS_LIMIT = Duration.ofSeconds(15);

    /** Unpacking the largest archives takes minutes. */
    private static final Duration LOAD_LIMIT = Duration.ofHours(2);

    private final PrintStream out;
    private final PrintStream err;

    Main(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    public static void main(String[] arguments) {
        int code = new Main(System.out, System.err).run(List.of(arguments));
        System.out.flush();
        // Not System.exit: exit hooks and idle pool threads have nothing left to do.
        Runtime.getRuntime().halt(code);
    }

    int run(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        String command = "serve";
        if (!rest.isEmpty() && !rest.getFirst().startsWith("-")) {
            command = rest.removeFirst();
        }
        try {
            if (rest.contains("--help") || rest.contains("-h")) {
                return help();
            }
            return switch (command) {
                case "serve" -> serve(rest);
                case "config" -> config(rest);
                case "check" -> check(rest);
                case "status" -> status(rest);
                case "load" -> load(rest);
                case "pull", "images", "rmi", "save" -> images(command, rest);
                case "version" -> version(rest.contains("--json") || rest.contains("-j"));
                case "train" -> Training.run();
                case "help" -> help();
                default -> usage("unknown command '" + command + "'; see crema help");
            };
        } catch (WrongFlags e) {
            e.problems.forEach(problem -> err.println("crema: " + problem));
            err.println("crema: see crema help");
            return USAGE;
        } catch (ImageCommands.UsageException e) {
            return usage(String.valueOf(e.getMessage()));
        } catch (ConfigurationException e) {
            e.problems().forEach(problem -> err.println("crema: " + problem));
            return FAILED;
        } catch (CremaException e) {
            err.println("crema: " + e.getMessage());
            return FAILED;
        }
    }

    /** Flags that nobody knows or that lack their value, told apart from a wrong file. */
    private static final class WrongFlags extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final transient List<String> problems;

        WrongFlags(ConfigurationException cause) {
            super(cause);
            problems = cause.problems();
        }
    }

    private static Map<String, List<String>> flags(List<String> arguments) {
        try {
            return CommandLine.parse(arguments);
        } catch (ConfigurationException e) {
            throw new WrongFlags(e);
        }
    }

    /** The configuration for a command other than the daemon; its warnings go to the reader. */
    private LoadedConfiguration read(List<String> arguments) {
        Logging.start(Level.WARN);
        LoadedConfiguration loaded =
                new ConfigurationLoader(HostFacts.detect()).load(flags(arguments), System.getenv());
        loaded.warnings().forEach(warning -> err.println("crema: warning: " + warning));
        return loaded;
    }

    private int serve(List<String> arguments) {
        if (arguments.contains("--version") || arguments.contains("-v")) {
            return version(false);
        }
        new Serve(flags(arguments)).run();
        return OK;
    }

    private int config(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        boolean defaults = rest.remove("--default");
        LoadedConfiguration loaded = read(rest);
        out.print(
                defaults
                        ? new ConfigurationLoader(HostFacts.detect()).defaults().toToml()
                        : loaded.toToml());
        return OK;
    }

    private int check(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        boolean json = rest.remove("--json");
        Findings check = NodeCheck.of(read(rest).configuration());
        out.print(json ? check.toJson() : check.toText());
        return check.hasFailures() ? FAILED : OK;
    }

    private int status(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        boolean json = rest.remove("--json");
        String subject = "status";
        if (!rest.isEmpty() && !rest.getFirst().startsWith("-")) {
            subject = rest.removeFirst();
        }
        if (!List.of("status", "info", "config").contains(subject)) {
            return usage("crema status knows info and config, not '" + subject + "'");
        }
        SocketClient.Answer answer = client(read(rest)).ask("GET", "/" + subject, STATUS_LIMIT);
        if (answer.status() != 200) {
            err.println("crema: " + answer.body().strip());
            return FAILED;
        }
        boolean forReader = subject.equals("status") && !json;
        out.println((forReader ? StatusText.of(answer.body()) : answer.body()).stripTrailing());
        return OK;
    }

    private int images(String command, List<String> rest) {
        ImageCommands commands =
                new ImageCommands(
                        out,
                        err,
                        System.in,
                        name -> Optional.ofNullable(System.getenv(name)),
                        flags -> client(read(flags)));
        switch (command) {
            case "pull" -> commands.pull(rest);
            case "images" -> commands.images(rest);
            case "rmi" -> commands.remove(rest);
            default -> commands.save(rest);
        }
        return OK;
    }

    private int load(List<String> arguments) {
        List<String> rest = new ArrayList<>(arguments);
        if (rest.isEmpty() || rest.getLast().startsWith("-")) {
            return usage(
                    "usage: crema load [flags] ARCHIVE (an OCI or docker archive, or the directory"
                            + " of an OCI layout)");
        }
        Path archive = Path.of(rest.removeLast()).toAbsolutePath();
        LoadedConfiguration loaded = read(rest);
        if (!Files.exists(archive)) {
            err.println("crema: there is no " + archive);
            return FAILED;
        }
        SocketClient.Answer answer;
        try {
            answer =
                    client(loaded)
                            .ask(
                                    "POST",
                                    "/load?path="
                                            + URLEncoder.encode(
                                                    archive.toString(), StandardCharsets.UTF_8),
                                    LOAD_LIMIT);
        } catch (ServerException e) {
            if (e.kind() != ErrorKind.UNAVAILABLE) {
                throw e;
            }
            out.print(ArchiveLoading.loadWithoutDaemon(loaded.configuration(), archive));
            return OK;
        }
        if (answer.status() != 200) {
            err.println("crema: " + answer.body().strip());
            return FAILED;
        }
        out.print(answer.body());
        return OK;
    }

    private static SocketClient client(LoadedConfiguration loaded) {
        return new SocketClient(loaded.configuration().api().listen());
    }

    private int version(boolean json) {
        if (json) {
            out.println(
                    new String(
                            ServerJson.write(
                                    Map.of(
                                            "version",
                                            CremaVersion.VERSION,
                                            "criVersion",
                                            CremaVersion.CRI_VERSION,
                                            "javaVersion",
                                            Runtime.version().toString())),
                            StandardCharsets.UTF_8));
            return OK;
        }
        out.println("crema version " + CremaVersion.VERSION);
        out.println("CRI: " + CremaVersion.CRI_VERSION);
        out.println("Java: " + Runtime.version());
        return OK;
    }

    private int usage(String problem) {
        err.println("crema: " + problem);
        return USAGE;
    }

    private int help() {
        out.print(
                """
                crema: a Kubernetes container runtime (CRI v1)

                usage: crema [serve] [flags]          serve kubelet on the socket
                       crema config [--default]       print the effective or the default configuration
                       crema check [--json]           say what this node lacks
                       crema status [--json]          ask the running daemon; also: status info, status config
                       crema pull [flags] IMAGE…      pull images, with a progress bar on a terminal; --creds-stdin, --authfile FILE, --quiet
                       crema images [--json|--quiet]  list images
                       crema rmi [flags] IMAGE…       remove images
                       crema load [flags] ARCHIVE     load an OCI or docker archive
                       crema save --output FILE [--format oci-archive|oci] IMAGE…
                                                      save images; their layers get new digests, and so they new ids
                       crema version [--json]

                flags, each also an environment variable:
                """);
        for (CommandLineFlag flag : CommandLine.flags()) {
            out.printf(
                    "  %s%s  (%s)%n      %s%n",
                    String.join(", ", flag.names()),
                    flag.isSwitch() ? "" : " VALUE",
                    flag.environmentVariable(),
                    flag.documentation());
        }
        return OK;
    }
}
