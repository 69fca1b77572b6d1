package io.crema.e2e.node;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.PodSandbox;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.e2e.client.CriClient;
import io.crema.e2e.image.BusyboxArchive;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A CRI daemon, ours or a peer's, with everything of its own: network namespace without a route
 * out, root and run directory, socket, CNI configuration and address pool. Closing it removes all
 * pods, stops the daemon, and fails when anything was left behind.
 */
public final class TestNode implements AutoCloseable {
    /** The image with busybox that every node has. */
    public static final String BUSYBOX = "localhost/crema/busybox:latest";

    /** What containerd runs as PID 1 of a pod; we need none. */
    static final String PAUSE = "localhost/crema/pause:latest";

    private static final AtomicInteger COUNTER = new AtomicInteger();
    private static final long START_SECONDS = 60;

    private final String name;
    private final Path directory;
    private final Path runDirectory;
    private final NodeSetup setup;
    private final NetworkNamespace network;
    private @Nullable Process daemon;
    private @Nullable CriClient client;

    /** Starts a node with the runtime that {@code -Dcrema.endpoint} names. */
    public static TestNode start() {
        return start(NodeSetup.standard());
    }

    public static TestNode start(NodeSetup setup) {
        TestNode node = new TestNode(setup);
        try {
            node.prepare();
            node.startDaemon();
            node.loadBusybox(BUSYBOX, List.of("sh"));
            if (!setup.runtime().isOurs()) {
                node.loadBusybox(PAUSE, List.of("sleep", "1000000"));
            }
            return node;
        } catch (RuntimeException e) {
            node.endDaemon();
            node.removeEverything();
            throw e;
        }
    }

    private TestNode(NodeSetup setup) {
        this.setup = setup;
        this.name = "crema-e2e-" + ProcessHandle.current().pid() + "-" + COUNTER.incrementAndGet();
        this.directory = Path.of("/var/lib", name);
        this.runDirectory = Path.of("/run", name);
        this.network = setup.network().orElseGet(() -> NetworkNamespace.named(name));
    }

    private void prepare() {
        try {
            Files.createDirectories(directory);
            if (setup.tmpfsMebibytes().isPresent()) {
                Shell.run(
                        "mount",
                        "-t",
                        "tmpfs",
                        "-o",
                        "mode=755,size=" + setup.tmpfsMebibytes().getAsInt() + "m",
                        name,
                        directory.toString());
            }
            Files.createDirectories(directory.resolve("cni"));
            Files.createDirectories(runDirectory);
            if (setup.network().isEmpty()) {
                NetworkNamespace.create(name);
            }
            Files.writeString(directory.resolve("cni/10-e2e.conflist"), conflist());
            setup.runtime().configure(this);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void loadBusybox(String reference, List<String> command) {
        Path archive = directory.resolve("image.tar");
        try {
            BusyboxArchive.write(Path.of("/bin/busybox"), reference, command, archive);
            load(archive);
            Files.delete(archive);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Loads an OCI or docker archive without a registry. */
    public void load(Path archive) {
        setup.runtime().load(this, archive);
    }

    /**
     * The line of one of Crema's own commands with this node's configuration.
     *
     * @param subcommand load, status, check and so on
     */
    public List<String> crema(String subcommand, String... arguments) {
        List<String> line = new ArrayList<>(RuntimeUnderTest.CREMA.command(this));
        line.add(1, subcommand);
        line.addAll(Arrays.asList(arguments));
        return line;
    }

    public RuntimeUnderTest runtime() {
        return setup.runtime();
    }

    NodeSetup setup() {
        return setup;
    }

    public String name() {
        return name;
    }

    public Path directory() {
        return directory;
    }

    public Path runDirectory() {
        return runDirectory;
    }

    public Path socket() {
        return runDirectory.resolve("cri.sock");
    }

    /** Programs that a test puts here are found before those of the machine. */
    public Path programs() {
        return directory.resolve("bin");
    }

    public Path log() {
        return directory.resolve("daemon.log");
    }

    public NetworkNamespace network() {
        return network;
    }

    public CriClient client() {
        return Objects.requireNonNull(client, "the daemon does not run");
    }

    public TestImages images() {
        return new TestImages(this);
    }

    public long daemonPid() {
        return Objects.requireNonNull(daemon, "the daemon does not run").pid();
    }

    /** Runs a command inside the node's network namespace; it must succeed. */
    public String inNamespace(String... command) {
        return network.run(command);
    }

    /** Ends the daemon at once, as a crash would. */
    public void kill() {
        endDaemon();
    }

    private void endDaemon() {
        if (client != null) {
            client.close();
            client = null;
        }
        if (daemon != null) {
            daemon.destroyForcibly();
            await(daemon);
            daemon = null;
        }
    }

    /** Ends the daemon as systemd would. */
    public void stop() {
        if (daemon != null) {
            daemon.destroy();
            await(daemon);
        }
        endDaemon();
    }

    public void restart() {
        stop();
        startDaemon();
    }

    /**
     * Starts the daemon and waits until it answers.
     *
     * @return how long that took
     */
    @CanIgnoreReturnValue
    public Duration startDaemon() {
        try {
            ProcessBuilder builder =
                    new ProcessBuilder(network.enter(setup.runtime().command(this)))
                            .redirectErrorStream(true)
                            .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()));
            builder.environment().putAll(setup.runtime().environment());
            builder.environment().merge("PATH", "", (path, none) -> programs() + ":" + path);
            long begin = System.nanoTime();
            Process started = builder.start();
            daemon = started;
            while (true) {
                if (!started.isAlive()
                        || System.nanoTime() - begin > TimeUnit.SECONDS.toNanos(START_SECONDS)) {
                    started.destroyForcibly();
                    throw new IllegalStateException(
                            "the daemon did not start: " + Files.readString(log()));
                }
                if (accepts()) {
                    CriClient candidate = new CriClient(socket());
                    if (answers(candidate)) {
                        client = candidate;
                        return Duration.ofNanos(System.nanoTime() - begin);
                    }
                    candidate.close();
                }
                Thread.sleep(2);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** Cheaper than a whole client. */
    private boolean accepts() {
        if (!Files.exists(socket())) {
            return false;
        }
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            return channel.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    private boolean answers(CriClient candidate) {
        try {
            return !candidate
                    .runtime()
                    .version(io.crema.cri.v1.VersionRequest.getDefaultInstance())
                    .getRuntimeName()
                    .isEmpty();
        } catch (io.grpc.StatusRuntimeException e) {
            return false;
        }
    }

    /** Stops and removes every pod. */
    public void removeAllPods() {
        for (PodSandbox pod :
                client().runtime()
                        .listPodSandbox(ListPodSandboxRequest.getDefaultInstance())
                        .getItemsList()) {
            client().runtime()
                    .stopPodSandbox(
                            StopPodSandboxRequest.newBuilder()
                                    .setPodSandboxId(pod.getId())
                                    .build());
            client().runtime()
                    .removePodSandbox(
                            RemovePodSandboxRequest.newBuilder()
                                    .setPodSandboxId(pod.getId())
                                    .build());
        }
    }

    /** The monitors or shims beside the daemon: processes whose command line names this node. */
    public List<Long> helpers() {
        return Leaks.helpers(this);
    }

    /** What the daemon holds although no pod exists; nothing is known about peers. */
    public List<String> leaks() {
        return setup.runtime().isOurs() ? Leaks.of(this) : List.of();
    }

    @Override
    public void close() {
        try {
            if (daemon == null || !daemon.isAlive()) {
                startDaemon();
            }
            removeAllPods();
            List<String> leaks = leaks();
            stop();
            if (!leaks.isEmpty()) {
                throw new AssertionError("left behind after all pods were removed: " + leaks);
            }
        } finally {
            endDaemon();
            removeEverything();
        }
    }

    private void removeEverything() {
        // Only there when something has failed: a daemon that cannot remove its pods.
        for (long process : Leaks.processes(this)) {
            ProcessHandle.of(process).ifPresent(ProcessHandle::destroyForcibly);
        }
        for (Path place : List.of(directory, runDirectory)) {
            for (String mount : Leaks.mountsBelow(place).reversed()) {
                Shell.result(List.of("umount", "-l", mount));
            }
            if (place.equals(directory) && setup.tmpfsMebibytes().isPresent()) {
                Shell.result(List.of("umount", "-l", directory.toString()));
            }
            Shell.run("rm", "-rf", "--one-file-system", place.toString());
        }
        Shell.result(
                List.of(
                        "sh",
                        "-c",
                        "find /sys/fs/cgroup -depth -type d -path '*/"
                                + name
                                + "*' -exec rmdir {} +"));
        if (setup.network().isPresent()) {
            Shell.result(network.enter(List.of("ip", "link", "del", bridge())));
        } else {
            network.delete();
        }
    }

    /** A bridge name of its own, because several nodes may share a namespace. */
    private String bridge() {
        return "e2e" + name.substring(name.lastIndexOf('-') + 1);
    }

    private static void await(Process process) {
        try {
            if (!process.waitFor(30, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IllegalStateException("the daemon did not stop within 30 s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private String conflist() {
        StringBuilder more = new StringBuilder();
        for (Path plugin : setup.plugins()) {
            more.append(",\n  { \"type\": \"").append(plugin.getFileName()).append("\" }");
        }
        return """
        { "cniVersion": "1.0.0", "name": "e2e", "plugins": [
          { "type": "bridge", "bridge": "%s", "isGateway": true, "ipMasq": true, "hairpinMode": true,
            "ipam": { "type": "host-local", "dataDir": "%s",
              "ranges": [[{ "subnet": "10.87.0.0/16" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
          { "type": "portmap", "capabilities": { "portMappings": true } }%s ] }
        """
                .formatted(bridge(), directory.resolve("ipam"), more);
    }

    /** The directories to look for CNI plugins in. */
    List<Path> pluginDirectories() {
        List<Path> directories = new ArrayList<>();
        setup.plugins().forEach(plugin -> directories.add(plugin.getParent()));
        directories.add(Path.of("/usr/lib/cni"));
        return directories.stream().distinct().toList();
    }
}
