package io.crema.e2e.registry;

import io.crema.e2e.image.ImageArchive;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.Shell;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A registry of the test's own, or the one that {@code -Dcrema.registry=HOST:PORT} names, and the
 * network it shares with the node. {@code -Dcrema.registry.namespace} names the namespace of a
 * Docker daemon, by which Testcontainers then runs it; otherwise it is a process in a namespace of
 * its own.
 */
public final class TestRegistry implements AutoCloseable {
    private final RegistryConfiguration.Access access;
    private final String address;
    private final NetworkNamespace network;
    private final List<AutoCloseable> resources;

    private TestRegistry(
            RegistryConfiguration.Access access,
            String address,
            NetworkNamespace network,
            List<AutoCloseable> resources) {
        this.access = access;
        this.address = address;
        this.network = network;
        this.resources = resources;
    }

    /** The network that registries, nodes and helping servers share. */
    public static NetworkNamespace network() {
        String namespace = System.getProperty("crema.registry.namespace", "");
        if (!namespace.isEmpty()) {
            return NetworkNamespace.named(namespace);
        }
        return System.getProperty("crema.registry", "").isEmpty()
                ? NetworkNamespace.create(
                        "crema-e2e-" + ProcessHandle.current().pid() + "-registry")
                : NetworkNamespace.host();
    }

    /** Ends what {@link #network} made. */
    public static void release(NetworkNamespace network) {
        if (System.getProperty("crema.registry.namespace", "").isEmpty()) {
            network.delete();
        }
    }

    /** A registry open to all. */
    public static TestRegistry open(NetworkNamespace network) {
        String outside = System.getProperty("crema.registry", "");
        RegistryConfiguration.Access anybody = new RegistryConfiguration.Anybody();
        return outside.isEmpty()
                ? start(network, anybody)
                : new TestRegistry(anybody, outside, network, List.of());
    }

    /** A registry with access control; never one from outside. */
    public static TestRegistry start(
            NetworkNamespace network, RegistryConfiguration.Access access) {
        RegistryConfiguration configuration = new RegistryConfiguration(network.freePort(), access);
        List<AutoCloseable> resources = new ArrayList<>();
        if (System.getProperty("crema.registry.namespace", "").isEmpty()) {
            Path directory = temporaryDirectory();
            resources.add(() -> Shell.run("rm", "-rf", directory.toString()));
            try {
                resources.add(new RegistryProcess(network, configuration, directory));
            } catch (RuntimeException e) {
                Closing.all(resources.toArray(AutoCloseable[]::new));
                throw e;
            }
        } else {
            RegistryContainer container = new RegistryContainer(configuration);
            resources.add(container);
            container.start();
        }
        return new TestRegistry(access, configuration.address(), network, resources);
    }

    public String address() {
        return address;
    }

    public RegistryUpload upload() {
        return new RegistryUpload(network, address);
    }

    /** A node in the same network that may pull from here by plain http. */
    public NodeSetup node() {
        return NodeSetup.standard().in(network).withRegistry(address);
    }

    /**
     * Copies an image, or several as an index, by skopeo.
     *
     * @param options more of skopeo's options
     */
    public void push(String repositoryAndTag, List<OciImage> images, String... options) {
        Path layout = temporaryDirectory();
        try {
            ImageArchive.writeLayout(images, "image", layout);
            List<String> command =
                    new ArrayList<>(
                            List.of(
                                    "skopeo",
                                    "--insecure-policy",
                                    "copy",
                                    "--quiet",
                                    "--dest-tls-verify=false"));
            if (images.size() > 1) {
                command.add("--all");
            }
            command.addAll(Arrays.asList(options));
            command.add("oci:" + layout + ":image");
            command.add("docker://" + address + "/" + repositoryAndTag);
            Shell.run(network.enter(command));
        } finally {
            Shell.run("rm", "-rf", layout.toString());
        }
    }

    private static Path temporaryDirectory() {
        try {
            return Files.createTempDirectory("crema-e2e-");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public RegistryConfiguration.Access access() {
        return access;
    }

    @Override
    public void close() {
        Closing.all(resources.reversed().toArray(AutoCloseable[]::new));
    }
}
