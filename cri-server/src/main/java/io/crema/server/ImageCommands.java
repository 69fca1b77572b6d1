package io.crema.server;

import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.ErrorKind;
import io.crema.server.base.ServerException;
import io.crema.server.base.ServerJson;
import java.io.Console;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;

/**
 * The commands about images: pull, images, rmi, save. They ask the running daemon over its socket;
 * the daemon does the work and owns the store.
 */
final class ImageCommands {
    /** A command used in a way that it has not; the message is its usage. */
    static final class UsageException extends RuntimeException {
        private static final long serialVersionUID = 1;

        UsageException(String usage) {
            super(usage);
        }
    }

    private static final Duration QUICK = Duration.ofSeconds(30);

    /** Pulling and saving the largest images takes that long on slow disks. */
    private static final Duration LONG = Duration.ofHours(12);

    private static final Duration REDRAW = Duration.ofMillis(250);
    private static final int SHOWN_ID = 13;
    private static final int MAX_CREDENTIALS_BYTES = 64 << 10;

    /** USER:PASSWORD for pulls. */
    static final String CREDENTIALS_VARIABLE = "CREMA_CREDS";

    private final PrintStream out;
    private final PrintStream err;
    private final InputStream in;
    private final Function<String, Optional<String>> environment;
    private final Function<List<String>, SocketClient> clients;

    /**
     * @param in where credentials may come from
     * @param environment what a variable is, where it is set
     * @param clients makes a client of the flags that every command takes
     */
    ImageCommands(
            PrintStream out,
            PrintStream err,
            InputStream in,
            Function<String, Optional<String>> environment,
            Function<List<String>, SocketClient> clients) {
        this.out = out;
        this.err = err;
        this.in = in;
        this.environment = environment;
        this.clients = clients;
    }

    /** Takes {@code --name VALUE} or {@code --name=VALUE} out of the arguments; empty if absent. */
    private static String take(List<String> arguments, String name) {
        for (int i = 0; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            if (argument.startsWith(name + "=")) {
                arguments.remove(i);
                return argument.substring(name.length() + 1);
            }
            if (argument.equals(name) && i + 1 < arguments.size()) {
                arguments.remove(i);
                return arguments.remove(i);
            }
        }
        return "";
    }

    private static boolean takeSwitch(List<String> arguments, String name, String shortName) {
        return arguments.removeAll(List.of(name, shortName));
    }

    /** Takes what stands at the end and is no flag: the images. */
    private static List<String> names(List<String> arguments, String usage) {
        List<String> names = new ArrayList<>();
        while (!arguments.isEmpty() && !arguments.getLast().startsWith("-")) {
            // The value of a flag of the configuration belongs to the flag.
            if (arguments.size() > 1
                    && arguments.get(arguments.size() - 2).startsWith("-")
                    && !arguments.get(arguments.size() - 2).contains("=")) {
                break;
            }
            names.addFirst(arguments.removeLast());
        }
        if (names.isEmpty()) {
            throw new UsageException(usage);
        }
        return names;
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    /** The answer's text; what the daemon refuses becomes an exception. */
    private static String ask(SocketClient client, String method, String path, Duration limit) {
        SocketClient.Answer answer = client.ask(method, path, limit);
        if (answer.status() != 200) {
            throw new ServerException(ErrorKind.INTERNAL, answer.body().strip());
        }
        return answer.body().strip();
    }

    // ---- pull ----

    void pull(List<String> arguments) {
        String authFile = take(arguments, "--authfile");
        if (!authFile.isEmpty() && !Files.isReadable(Path.of(authFile))) {
            throw new ServerException(
                    ErrorKind.INVALID_ARGUMENT,
                    "credentials file "
                            + authFile
                            + " is not there or cannot be read; make it with 'skopeo login"
                            + " --authfile FILE REGISTRY'");
        }
        String credentials = credentials(arguments);
        boolean quiet = takeSwitch(arguments, "--quiet", "-q");
        List<String> names =
                names(
                        arguments,
                        "usage: crema pull [--creds-stdin | --creds USER:PASSWORD]"
                                + " [--authfile FILE] [--quiet] [flags]"
                                + " IMAGE… ("
                                + CREDENTIALS_VARIABLE
                                + " is read, too)");
        SocketClient client = clients.apply(arguments);
        for (String name : names) {
            String path = "/crema/pull?image=" + encode(name);
            if (!credentials.isEmpty()) {
                path += "&credentials=" + encode(credentials);
            }
            if (!authFile.isEmpty()) {
                path += "&authfile=" + encode(Path.of(authFile).toAbsolutePath().toString());
            }
            out.println(pull(client, name, path, !quiet && isTerminal()));
        }
    }

    /**
     * USER:PASSWORD from wherever it was given; empty for nowhere: then the daemon's files count.
     */
    private String credentials(List<String> arguments) {
        String given = take(arguments, "--creds");
        if (!given.isEmpty()) {
            err.println(
                    "warning: every user of this machine can read --creds in the list of processes;"
                            + " give them by --creds-stdin or in "
                            + CREDENTIALS_VARIABLE);
            return given;
        }
        String found;
        if (arguments.remove("--creds-stdin")) {
            try {
                String text =
                        new String(in.readNBytes(MAX_CREDENTIALS_BYTES), StandardCharsets.UTF_8);
                found = text.lines().findFirst().orElse("");
            } catch (IOException e) {
                throw new ServerException(
                        ErrorKind.INVALID_ARGUMENT, "cannot read credentials: " + e, e);
            }
        } else {
            found = environment.apply(CREDENTIALS_VARIABLE).orElse("");
            if (found.isEmpty()) {
                return "";
            }
        }
        if (found.indexOf(':') <= 0) {
            throw new ServerException(
                    ErrorKind.INVALID_ARGUMENT, "credentials are one line: USER:PASSWORD");
        }
        return found;
    }

    private static boolean isTerminal() {
        return Optional.ofNullable(System.console()).filter(Console::isTerminal).isPresent();
    }

    private String pull(SocketClient client, String name, String path, boolean bar) {
        CompletableFuture<String> pulled = new CompletableFuture<>();
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        pulled.complete(ask(client, "POST", path, LONG));
                    } catch (RuntimeException e) {
                        pulled.completeExceptionally(e);
                    }
                });
        boolean drawn = false;
        try {
            while (true) {
                try {
                    return pulled.get(REDRAW.toMillis(), TimeUnit.MILLISECONDS);
                } catch (TimeoutException e) {
                    if (bar) {
                        drawn |= draw(client, name);
                    }
                }
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof ServerException known
                    ? known
                    : new ServerException(
                            ErrorKind.INTERNAL, String.valueOf(e.getCause()), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ServerException(ErrorKind.CANCELLED, "interrupted; the daemon goes on", e);
        } finally {
            if (drawn) {
                err.print("\r\u001b[K");
                err.flush();
            }
        }
    }

    /** Whether there was anything to draw. */
    private boolean draw(SocketClient client, String name) {
        try {
            JsonNode pulls =
                    ServerJson.MAPPER
                            .readTree(ask(client, "GET", "/crema/pulls", QUICK))
                            .path("pulls");
            for (JsonNode pull : pulls) {
                if (pull.path("reference").asText().equals(name)) {
                    err.print("\r\u001b[K" + bar(pull));
                    err.flush();
                    return true;
                }
            }
        } catch (IOException | ServerException e) {
            // The pull itself tells what is wrong.
        }
        return false;
    }

    /** One line: a bar, bytes, layers, rate and what is left. */
    static String bar(JsonNode pull) {
        long size = pull.path("size_bytes").asLong();
        long done = Math.min(size, pull.path("done_bytes").asLong());
        if (size == 0) {
            return pull.path("reference").asText() + "  " + pull.path("phase").asText();
        }
        int width = 24;
        int filled = Math.toIntExact(width * done / size);
        int whole = 0;
        for (JsonNode layer : pull.path("layers")) {
            if (layer.path("done_bytes").asLong() >= layer.path("size_bytes").asLong()) {
                whole++;
            }
        }
        StringBuilder line = new StringBuilder(pull.path("reference").asText());
        line.append("  [").append("#".repeat(filled)).append(" ".repeat(width - filled));
        line.append("] ").append(100 * done / size).append(" %  ");
        line.append(mebibytes(done)).append('/').append(mebibytes(size)).append(" MiB  ");
        line.append(whole).append('/').append(pull.path("layers").size()).append(" layers  ");
        line.append(mebibytes(pull.path("bytes_per_second").asLong())).append(" MiB/s");
        if (pull.has("seconds_left")) {
            line.append("  ").append(pull.path("seconds_left").asLong()).append(" s left");
        }
        return line.toString();
    }

    private static String mebibytes(long bytes) {
        return String.format(Locale.ROOT, "%.1f", bytes / 1048576.0);
    }

    // ---- images ----

    void images(List<String> arguments) {
        boolean json = arguments.remove("--json");
        boolean ids = takeSwitch(arguments, "--quiet", "-q");
        String text = ask(clients.apply(arguments), "GET", "/crema/images", QUICK);
        if (json) {
            out.println(text);
            return;
        }
        JsonNode images;
        try {
            images = ServerJson.MAPPER.readTree(text).path("images");
        } catch (IOException e) {
            throw new ServerException(
                    ErrorKind.INTERNAL, "the daemon's answer is not JSON: " + e.getMessage(), e);
        }
        if (ids) {
            images.forEach(image -> out.println(image.path("id").asText()));
            return;
        }
        out.print(table(images));
    }

    /** A line for each name, in the order of names. */
    static String table(JsonNode images) {
        Map<String, String[]> rows = new TreeMap<>();
        for (JsonNode image : images) {
            String id = image.path("id").asText();
            String kind =
                    (image.has("artifact_type") ? "artifact" : "image")
                            + (image.path("pinned").asBoolean() ? ", pinned" : "");
            List<String> names = new ArrayList<>();
            image.path("repo_tags").forEach(tag -> names.add(tag.asText()));
            if (names.isEmpty()) {
                image.path("repo_digests").forEach(digest -> names.add(digest.asText()));
            }
            for (String name : names.isEmpty() ? List.of("<none>") : names) {
                rows.put(
                        name + " " + id,
                        new String[] {
                            name,
                            id.substring(0, Math.min(SHOWN_ID, id.length())),
                            mebibytes(image.path("size_bytes").asLong()) + " MiB",
                            kind
                        });
            }
        }
        int width = "IMAGE".length();
        for (String[] row : rows.values()) {
            width = Math.max(width, row[0].length());
        }
        String format = "%-" + width + "s  %-" + SHOWN_ID + "s  %12s  %s";
        StringJoiner table = new StringJoiner("\n", "", "\n");
        table.add(String.format(Locale.ROOT, format, "IMAGE", "ID", "SIZE", "KIND"));
        for (String[] row : rows.values()) {
            table.add(String.format(Locale.ROOT, format, row[0], row[1], row[2], row[3]));
        }
        return table.toString();
    }

    // ---- rmi, save ----

    void remove(List<String> arguments) {
        List<String> names = names(arguments, "usage: crema rmi [flags] IMAGE…");
        SocketClient client = clients.apply(arguments);
        for (String name : names) {
            out.println(ask(client, "POST", "/crema/rmi?image=" + encode(name), QUICK));
        }
    }

    void save(List<String> arguments) {
        String usage =
                "usage: crema save --output FILE [--format oci-archive|oci] [flags] IMAGE… (oci is"
                        + " a directory)";
        String output = take(arguments, "--output");
        if (output.isEmpty()) {
            output = take(arguments, "-o");
        }
        String format = take(arguments, "--format");
        List<String> names = names(arguments, usage);
        if (output.isEmpty()) {
            throw new UsageException(usage);
        }
        StringBuilder path =
                new StringBuilder("/crema/save?path=")
                        .append(encode(Path.of(output).toAbsolutePath().normalize().toString()));
        if (!format.isEmpty()) {
            path.append("&format=").append(encode(format));
        }
        names.forEach(name -> path.append("&image=").append(encode(name)));
        out.println(ask(clients.apply(arguments), "POST", path.toString(), LONG));
    }
}
