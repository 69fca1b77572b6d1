package io.crema.e2e.registry;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.images.builder.ImageFromDockerfile;
import org.testcontainers.images.builder.Transferable;

/**
 * Debian's docker-registry in a container on the network of its Docker daemon. The image is made
 * from the package's binary and the libraries it is linked to: nothing is downloaded.
 */
final class RegistryContainer extends GenericContainer<RegistryContainer> {
    private static final Path BINARY = Path.of("/usr/bin/docker-registry");
    private static final String CONFIGURATION = "/etc/registry/config.yml";
    private static final String SECRET = "/etc/registry/secret";

    /** One image for all registries of this test run. */
    private static final ImageFromDockerfile IMAGE = image();

    RegistryContainer(RegistryConfiguration configuration) {
        super(IMAGE);
        Path none = Path.of(CONFIGURATION);
        withNetworkMode("host");
        withCopyToContainer(
                Transferable.of(configuration.yaml(Path.of("/var/lib/registry"), Path.of(SECRET))),
                CONFIGURATION);
        Path secret = configuration.secretOr(none);
        if (!secret.equals(none)) {
            withCopyToContainer(Transferable.of(bytes(secret)), SECRET);
        }
        // Its port is in another network namespace than this JVM, so the log must tell.
        waitingFor(
                Wait.forLogMessage(".*listening on .*\\n", 1)
                        .withStartupTimeout(Duration.ofSeconds(60)));
    }

    private static ImageFromDockerfile image() {
        StringBuilder recipe = new StringBuilder("FROM scratch\n");
        ImageFromDockerfile image = new ImageFromDockerfile("crema-e2e-registry:latest", true);
        List<Path> files = new ArrayList<>(List.of(BINARY));
        files.addAll(libraries());
        for (Path file : files) {
            String name = file.getFileName().toString();
            image.withFileFromPath(name, file);
            recipe.append("COPY ").append(name).append(' ').append(file).append('\n');
        }
        recipe.append("CMD [\"")
                .append(BINARY)
                .append("\", \"serve\", \"")
                .append(CONFIGURATION)
                .append("\"]\n");
        return image.withFileFromString("Dockerfile", recipe.toString());
    }

    /** The interpreter and libraries that the binary names, as ldd prints them. */
    private static List<Path> libraries() {
        List<Path> found = new ArrayList<>();
        for (String word :
                io.crema.e2e.node.Shell.run("ldd", BINARY.toString()).split("\\s+", -1)) {
            if (word.startsWith("/")) {
                found.add(Path.of(word));
            }
        }
        return found;
    }

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
