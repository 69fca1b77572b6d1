package io.crema.e2e.registry;

import io.crema.e2e.node.NetworkNamespace;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A docker-registry run as a plain process. */
public final class RegistryProcess implements AutoCloseable {
    private static final long START_SECONDS = 20;

    private final Process process;

    /**
     * Starts a registry and waits until it listens.
     *
     * @param directory an existing directory for its blobs, configuration and log
     */
    public RegistryProcess(
            NetworkNamespace network, RegistryConfiguration configuration, Path directory) {
        try {
            Path yaml = directory.resolve("registry.yml");
            Path log = directory.resolve("registry.log");
            Files.writeString(
                    yaml,
                    configuration.yaml(
                            Files.createDirectories(directory.resolve("storage")),
                            configuration.secretOr(yaml)));
            this.process =
                    new ProcessBuilder(
                                    network.enter(
                                            List.of("docker-registry", "serve", yaml.toString())))
                            .redirectErrorStream(true)
                            .redirectOutput(log.toFile())
                            .start();
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
            while (!Files.readString(log).contains("listening on")) {
                if (!process.isAlive() || System.nanoTime() > end) {
                    process.destroyForcibly();
                    throw new IllegalStateException(
                            "docker-registry did not start: " + Files.readString(log));
                }
                Thread.sleep(10);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
