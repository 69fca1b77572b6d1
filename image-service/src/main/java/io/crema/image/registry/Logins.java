package io.crema.image.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.Deadline;
import io.crema.image.Images.Credentials;
import io.crema.image.reference.ImageReference;
import io.crema.oci.process.Commands;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds who we are at a host, in this order: the request's credentials when they are for that host,
 * the file that was left for this pull, the configured global file, then the files of
 * containers-auth.json(5), each with its credential helpers. Files are read at every question: they
 * change, and questions are few.
 */
final class Logins {
    /** In registries.conf's credential-helpers: the auth files themselves. */
    private static final String AUTH_FILES = "containers-auth.json";

    private static final Duration HELPER_TIME = Duration.ofSeconds(30);

    private static final Logger LOG = LoggerFactory.getLogger(Logins.class);

    private final List<Path> files;
    private final Map<String, String> environment;
    private final Optional<Commands> commands;

    /**
     * @param globalFile asked before all others
     * @param environment of the daemon: REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, HOME, PATH
     * @param commands runs credential helpers; without it they are skipped
     */
    Logins(
            Optional<Path> globalFile,
            Map<String, String> environment,
            Optional<Commands> commands) {
        this.files = files(globalFile, environment);
        this.environment = Map.copyOf(environment);
        this.commands = commands;
    }

    private static List<Path> files(Optional<Path> globalFile, Map<String, String> environment) {
        List<Path> files = new ArrayList<>();
        globalFile.ifPresent(files::add);
        String named = environment.getOrDefault("REGISTRY_AUTH_FILE", "");
        if (!named.isEmpty()) {
            files.add(Path.of(named));
        }
        String runtime = environment.getOrDefault("XDG_RUNTIME_DIR", "");
        files.add(
                Path.of(
                        runtime.isEmpty() ? "/run/containers/0" : runtime + "/containers",
                        "auth.json"));
        Path home = Path.of(environment.getOrDefault("HOME", "/root"));
        String config = environment.getOrDefault("XDG_CONFIG_HOME", "");
        files.add(
                (config.isEmpty() ? home.resolve(".config") : Path.of(config))
                        .resolve("containers/auth.json"));
        files.add(home.resolve(".docker/config.json"));
        return List.copyOf(files);
    }

    /**
     * Who we are for one place of an image.
     *
     * @param requested what the user asked for
     * @param physical the same image where it is fetched, perhaps at a mirror
     * @param given the request's credentials
     */
    Login find(
            ImageReference requested,
            ImageReference physical,
            Credentials given,
            RegistriesConfiguration registries,
            Deadline deadline) {
        if (areFor(requested, physical, given)) {
            Credentials plain = AuthFile.unpacked(given.withoutAuthFile(), "the request");
            if (!plain.equals(Credentials.none())) {
                return new Login(plain, "the request");
            }
        }
        if (!given.authFile().isEmpty()) {
            AuthFile left =
                    AuthFile.parse(
                            Path.of(given.authFileSource()),
                            given.authFile().getBytes(StandardCharsets.UTF_8));
            Optional<Login> found = find(left, physical, deadline);
            if (found.isPresent()) {
                return found.get();
            }
        }
        List<String> helpers = registries.credentialHelpers();
        if (helpers.isEmpty() || helpers.contains(AUTH_FILES)) {
            for (Path path : files) {
                Optional<Login> found = find(AuthFile.read(path), physical, deadline);
                if (found.isPresent()) {
                    return found.get();
                }
            }
        }
        for (String helper : helpers) {
            if (!helper.equals(AUTH_FILES)) {
                Optional<Credentials> found = ask(helper, physical.registry(), deadline);
                if (found.isPresent()) {
                    return new Login(found.get(), "docker-credential-" + helper);
                }
            }
        }
        return Login.anonymous();
    }

    private Optional<Login> find(AuthFile file, ImageReference physical, Deadline deadline) {
        Optional<String> helper = file.helper(physical.registry());
        Optional<Credentials> found =
                helper.isPresent()
                        ? ask(helper.get(), physical.registry(), deadline)
                        : Optional.empty();
        return found.or(() -> file.find(physical))
                .map(credentials -> new Login(credentials, file.file().toString()));
    }

    /**
     * Credentials belong to the server they name, or else to the registry of the requested name;
     * never to a mirror that happens to stand in for it.
     */
    private static boolean areFor(
            ImageReference requested, ImageReference physical, Credentials given) {
        if (given.serverAddress().isEmpty()) {
            return requested.registry().equals(physical.registry());
        }
        String server = AuthFile.normalKey(given.serverAddress());
        int slash = server.indexOf('/');
        return (slash < 0 ? server : server.substring(0, slash)).equals(physical.registry());
    }

    /** The docker-credential-helpers protocol: host on stdin, JSON on stdout. */
    private Optional<Credentials> ask(String helper, String host, Deadline deadline) {
        if (commands.isEmpty()) {
            LOG.warn("credential helper {} is not asked: this program runs no helpers", helper);
            return Optional.empty();
        }
        Optional<Path> program = program("docker-credential-" + helper);
        if (program.isEmpty()) {
            LOG.warn("credential helper docker-credential-{} is not in PATH, skipped", helper);
            return Optional.empty();
        }
        Outcome outcome =
                commands.get()
                        .run(
                                new Command(
                                        program.get(),
                                        List.of("get"),
                                        environment,
                                        host.getBytes(StandardCharsets.UTF_8),
                                        1 << 20),
                                deadline.atMost(HELPER_TIME));
        try {
            JsonNode answer = Json.parse(outcome.stdout());
            String user = answer.path("Username").asText("");
            String secret = answer.path("Secret").asText("");
            if (!secret.isEmpty()) {
                return Optional.of(
                        AuthFile.unpacked(new Credentials(user, secret, "", "", "", ""), helper));
            }
        } catch (JsonProcessingException e) {
            // Helpers say "credentials not found in native keychain" in plain words.
            LOG.debug("docker-credential-{} has nothing for {}", helper, host);
        }
        return Optional.empty();
    }

    private Optional<Path> program(String name) {
        for (String directory :
                environment.getOrDefault("PATH", "/usr/bin").split(File.pathSeparator, -1)) {
            Path candidate = Path.of(directory, name);
            if (!directory.isEmpty() && Files.isExecutable(candidate)) {
                return Optional.of(candidate);
            }
        }
        return Optional.empty();
    }
}
