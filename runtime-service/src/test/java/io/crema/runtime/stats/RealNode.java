package io.crema.runtime.stats;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.PodSandboxId;
import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.conf.StatsConfiguration;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.runtime.cgroup.CgroupPath;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.cgroup.Cgroups;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Pods made of real cgroups, network namespaces and processes of this machine, without an OCI
 * runtime. Whatever it made is gone when it is closed.
 */
final class RealNode implements AutoCloseable {
    private static final List<String> CONTROLLERS =
            List.of("cpu", "cpuacct", "memory", "pids", "blkio");

    private final Linux linux = JnaLinux.load();
    private final CgroupHierarchies hierarchies = CgroupHierarchies.detect(Path.of("/"));
    private final Cgroups cgroups = new Cgroups(hierarchies, linux);
    private final CgroupPlacement placement = new CgroupPlacement(CgroupManager.CGROUPFS);
    private final FakeNode records;
    private final List<Process> processes = new ArrayList<>();
    private final List<CgroupPath> made = new ArrayList<>();
    private final Set<Path> pins = new LinkedHashSet<>();

    RealNode(Path directory) {
        records = FakeNode.versionTwo(directory);
    }

    /** A pod with a network namespace that has the interfaces eth0 and peer, both up. */
    PodSandbox pod(String name) throws IOException, InterruptedException {
        String id = PodSandboxId.random().value();
        PodSandbox pod = records.pod(id, FakeNode.podConfig(name, "uid-" + id), "/poduid-" + id);
        create(placement.parentDirectory(pod.record().cgroupParent()));
        Path pin = namespace(pod);
        Files.createDirectories(records.layout.namespaceDirectory(pod.id()));
        pins.add(pin);
        linux.createAndPin(Map.of(NamespaceKind.NETWORK, pin), "", Map.of());
        finish(inside(pin, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer"));
        finish(inside(pin, "ip", "link", "set", "eth0", "up"));
        finish(inside(pin, "ip", "link", "set", "peer", "up"));
        return pod;
    }

    Path namespace(PodSandbox pod) {
        return records.layout.namespace(pod.id(), NamespaceKind.NETWORK);
    }

    /** A command in the pod's network namespace. */
    static ProcessBuilder inside(Path namespace, String... command) {
        List<String> all = new ArrayList<>(List.of("nsenter", "--net=" + namespace, "--"));
        all.addAll(List.of(command));
        return new ProcessBuilder(all).redirectErrorStream(true).redirectOutput(Redirect.DISCARD);
    }

    private static void finish(ProcessBuilder command) throws IOException, InterruptedException {
        Process process = command.start();
        if (!process.waitFor(30, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroyForcibly();
            throw new IllegalStateException(command.command() + " failed");
        }
    }

    /** A running container whose process runs a shell script in the pod's network. */
    Container container(PodSandbox pod, String name, String script) throws IOException {
        ContainerId id = ContainerId.random();
        CgroupPath cgroup = placement.directory(pod.record().cgroupParent(), id.value());
        create(cgroup);
        // The script starts when it is in its cgroup.
        Process process =
                inside(namespace(pod), "sh", "-c", "read start; " + script)
                        .redirectInput(Redirect.PIPE)
                        .start();
        processes.add(process);
        int pid = Math.toIntExact(process.pid());
        for (Path root : roots()) {
            Files.writeString(
                    cgroup.below(root).resolve("cgroup.procs"),
                    Integer.toString(pid),
                    StandardOpenOption.WRITE);
        }
        process.getOutputStream().write('\n');
        process.getOutputStream().flush();
        ProcessIdentity identity =
                new ProcessIdentity(pid, linux.startTimeTicks(pid).orElseThrow());
        return records.container(id.value(), pod, name, identity);
    }

    /**
     * The hierarchies that an OCI runtime uses and that take processes without further settings.
     */
    private Set<Path> roots() {
        Set<Path> roots = new LinkedHashSet<>();
        for (String controller : CONTROLLERS) {
            hierarchies.mountOf(controller).ifPresent(roots::add);
        }
        hierarchies.unified().ifPresent(roots::add);
        return roots;
    }

    private void create(CgroupPath cgroup) throws IOException {
        made.add(cgroup);
        for (Path root : roots()) {
            Path directory = cgroup.below(root);
            Files.createDirectories(directory);
            if (hierarchies.isUnified() && cgroup.value().lastIndexOf('/') == 0) {
                Files.writeString(
                        directory.resolve("cgroup.subtree_control"),
                        "+cpu +memory +pids",
                        StandardOpenOption.WRITE);
            }
        }
    }

    StatsCalls calls() {
        return new StatsCalls(
                records.inventory,
                records.layout,
                linux,
                hierarchies,
                placement,
                new StatsConfiguration(Duration.ZERO, List.of("all")),
                Path.of("/"),
                Clock.systemUTC());
    }

    Linux linux() {
        return linux;
    }

    FakeNode records() {
        return records;
    }

    @Override
    public void close() throws IOException {
        for (Process process : processes) {
            process.destroyForcibly();
        }
        for (Process process : processes) {
            process.onExit().orTimeout(30, TimeUnit.SECONDS).join();
        }
        for (CgroupPath cgroup : made.reversed()) {
            cgroups.remove(cgroup, Deadline.after(Duration.ofSeconds(30)));
            if (hierarchies.unified().isPresent()) {
                Files.deleteIfExists(cgroup.below(hierarchies.unified().get()));
            }
        }
        linux.unpin(pins);
    }
}
