package io.crema.e2e;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.e2e.node.TestNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * An NRI plugin that is made with the official stub ({@code e2e/tools/nri-plugin}, built by
 * run-tests): it writes events down and behaves as it is told.
 */
final class NriPlugin implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long WAIT_SECONDS = 20;

    private final Path directory;
    private final Process process;

    private NriPlugin(Path directory, Process process) {
        this.directory = directory;
        this.process = process;
    }

    static Path program() {
        Path program =
                Path.of(
                        System.getProperty(
                                "crema.nri.plugin", "/var/cache/crema-tools/bin/nri-plugin"));
        if (!Files.isExecutable(program)) {
            throw new AssertionError(
                    program
                            + " is not there; e2e/run-tests builds it, or name it by"
                            + " -Dcrema.nri.plugin");
        }
        return program;
    }

    static Path socket(TestNode node) {
        return node.runDirectory().resolve("nri.sock");
    }

    /** Connects one and waits until it is synchronized. */
    static NriPlugin connect(TestNode node, Path parent, String index, String name, String... more)
            throws IOException {
        return connect(node, parent, index, name, "{}", more);
    }

    /**
     * @param behaviour what it does from the beginning
     */
    static NriPlugin connect(
            TestNode node, Path parent, String index, String name, String behaviour, String... more)
            throws IOException {
        Path directory = Files.createTempDirectory(parent, index + "-" + name);
        Files.writeString(directory.resolve("behaviour"), behaviour);
        List<String> command =
                new ArrayList<>(
                        List.of(
                                program().toString(),
                                "-idx",
                                index,
                                "-name",
                                name,
                                "-socket",
                                socket(node).toString(),
                                "-dir",
                                directory.toString()));
        command.addAll(List.of(more));
        Process process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("log").toFile())
                        .start();
        NriPlugin plugin = new NriPlugin(directory, process);
        plugin.await("Synchronize");
        return plugin;
    }

    Path directory() {
        return directory;
    }

    /** What it does from now on: events with adjust, update, fail, hang or die. */
    void behave(String behaviour) throws IOException {
        place("behaviour", behaviour);
    }

    private void place(String name, String text) throws IOException {
        Path fresh = directory.resolve(name + ".new");
        Files.writeString(fresh, text);
        Files.move(
                fresh,
                directory.resolve(name),
                StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
    }

    /** Sends updates of its own accord and gives the answer. */
    JsonNode request(String updates) throws IOException {
        Path response = directory.resolve("response");
        Files.deleteIfExists(response);
        place("request", "{\"update\": " + updates + "}");
        awaitTrue(() -> Files.exists(response), () -> "no answer to " + updates);
        return JSON.readTree(Files.readString(response));
    }

    List<JsonNode> events() {
        return events(directory);
    }

    static List<JsonNode> events(Path directory) {
        List<JsonNode> events = new ArrayList<>();
        Path file = directory.resolve("events");
        if (!Files.exists(file)) {
            return events;
        }
        try {
            for (String line : Files.readAllLines(file)) {
                events.add(JSON.readTree(line));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return events;
    }

    /** The events about a pod or a container. */
    List<JsonNode> eventsOf(String id) {
        return events().stream().filter(event -> isAbout(event, id)).toList();
    }

    private static boolean isAbout(JsonNode event, String id) {
        return event.has("container")
                ? event.path("container").path("id").asText().equals(id)
                : event.path("pod").path("id").asText().equals(id);
    }

    static List<String> names(List<JsonNode> events) {
        return events.stream().map(event -> event.path("event").asText()).toList();
    }

    JsonNode event(String name, String id) {
        return eventsOf(id).stream()
                .filter(event -> event.path("event").asText().equals(name))
                .findFirst()
                .orElseThrow(
                        () -> new AssertionError("no " + name + " of " + id + ": " + events()));
    }

    JsonNode await(String name) {
        return await(name, event -> true);
    }

    JsonNode await(String name, String id) {
        return await(name, event -> isAbout(event, id));
    }

    private JsonNode await(String name, Predicate<JsonNode> which) {
        List<JsonNode> found = new ArrayList<>();
        awaitTrue(
                () -> {
                    events().stream()
                            .filter(event -> event.path("event").asText().equals(name))
                            .filter(which)
                            .findFirst()
                            .ifPresent(found::add);
                    return !found.isEmpty();
                },
                () -> "no " + name + " came: " + names(events()) + " " + log());
        return found.getFirst();
    }

    static void awaitTrue(Supplier<Boolean> condition, Supplier<String> otherwise) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        while (!condition.get()) {
            if (System.nanoTime() > end) {
                throw new AssertionError(otherwise.get());
            }
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }
    }

    private String log() {
        try {
            return Files.readString(directory.resolve("log"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    void awaitEnd() throws InterruptedException {
        if (!process.waitFor(WAIT_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the plugin did not end: " + log());
        }
    }

    boolean isAlive() {
        return process.isAlive();
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            awaitEnd();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
