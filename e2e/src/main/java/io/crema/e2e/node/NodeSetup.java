package io.crema.e2e.node;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What is special about a test node.
 *
 * @param network a network namespace that outlives the node; empty for one of its own
 * @param registries each HOST:PORT that speaks plain http
 * @param ociRuntime the binary that runs containers
 * @param plugins CNI plugins that run after bridge and portmap, each with directory and type
 * @param debug whether the daemon logs all it can
 * @param configuration a second file of Crema's configuration, in TOML; peers have none
 * @param tmpfsMebibytes size of a tmpfs that holds the daemon's state; empty for the disk
 */
public record NodeSetup(
        RuntimeUnderTest runtime,
        Optional<NetworkNamespace> network,
        List<String> registries,
        Path ociRuntime,
        List<Path> plugins,
        boolean debug,
        String configuration,
        OptionalInt tmpfsMebibytes) {
    public NodeSetup {
        registries = List.copyOf(registries);
        plugins = List.copyOf(plugins);
    }

    /** A node of its own with the runtime that {@code -Dcrema.endpoint} names. */
    public static NodeSetup standard() {
        return of(RuntimeUnderTest.configured());
    }

    public static NodeSetup of(RuntimeUnderTest runtime) {
        return new NodeSetup(
                runtime,
                Optional.empty(),
                List.of(),
                Path.of("/usr/sbin/runc"),
                List.of(),
                true,
                "",
                OptionalInt.empty());
    }

    public NodeSetup in(NetworkNamespace existing) {
        return new NodeSetup(
                runtime,
                Optional.of(existing),
                registries,
                ociRuntime,
                plugins,
                debug,
                configuration,
                tmpfsMebibytes);
    }

    /** Lets the node pull from a registry by plain http. */
    public NodeSetup withRegistry(String hostAndPort) {
        List<String> more = new ArrayList<>(registries);
        more.add(hostAndPort);
        return new NodeSetup(
                runtime, network, more, ociRuntime, plugins, debug, configuration, tmpfsMebibytes);
    }

    public NodeSetup withOciRuntime(Path binary) {
        return new NodeSetup(
                runtime,
                network,
                registries,
                binary,
                plugins,
                debug,
                configuration,
                tmpfsMebibytes);
    }

    /** Adds a CNI plugin to the chain, by its binary. */
    public NodeSetup withPlugin(Path binary) {
        List<Path> more = new ArrayList<>(plugins);
        more.add(binary);
        return new NodeSetup(
                runtime,
                network,
                registries,
                ociRuntime,
                more,
                debug,
                configuration,
                tmpfsMebibytes);
    }

    /** As in production: without the log that tells everything. */
    public NodeSetup quiet() {
        return new NodeSetup(
                runtime,
                network,
                registries,
                ociRuntime,
                plugins,
                false,
                configuration,
                tmpfsMebibytes);
    }

    /** Keeps the daemon's state in memory: fast, and small when told so. */
    public NodeSetup onTmpfs(int mebibytes) {
        return new NodeSetup(
                runtime,
                network,
                registries,
                ociRuntime,
                plugins,
                debug,
                configuration,
                OptionalInt.of(mebibytes));
    }

    /** Adds a file to Crema's configuration, whose options win. */
    public NodeSetup withConfiguration(String toml) {
        return new NodeSetup(
                runtime,
                network,
                registries,
                ociRuntime,
                plugins,
                debug,
                configuration + toml,
                tmpfsMebibytes);
    }
}
