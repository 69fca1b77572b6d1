package io.crema.runtime.stats;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.ImageId;
import io.crema.base.PodSandboxId;
import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.conf.StatsConfiguration;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxNamespaces.InNamespace;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.runtime.cgroup.CgroupHierarchies.Version;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerRecord;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import io.crema.runtime.state.SandboxRecord;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A node made of files in a temporary directory: cgroups of either version, /proc and /sys, read by
 * the real kernel's calls; pods and containers are records.
 */
final class FakeNode {
    static final Instant NOW = Instant.parse("2026-11-21T12:00:00.000000007Z");
    static final long NOW_NANOS = NOW.getEpochSecond() * 1_000_000_000L + 7;
    static final long STARTED_AT_NANOS = NOW_NANOS - 60_000_000_000L;

    final Path root;
    final Layout layout;
    final Inventory inventory = new Inventory();
    final AtomicLong nanoTime = new AtomicLong(1_000_000_000_000L);
    private final Version version;
    private final List<String> controllers;
    private final boolean isHybrid;
    private volatile @Nullable Consumer<Path> beforeOpen;

    private FakeNode(Path root, Version version, List<String> controllers, boolean isHybrid) {
        this.root = root;
        this.version = version;
        this.controllers = controllers;
        this.isHybrid = isHybrid;
        this.layout =
                new Layout(
                        root.resolve("root"),
                        root.resolve("run"),
                        root.resolve("run"),
                        root.resolve("boot"));
        directory(layout.containers());
        directory(root.resolve("proc"));
        directory(root.resolve("sys"));
        hierarchies().roots().forEach(FakeNode::directory);
    }

    static FakeNode versionOne(Path root, String... controllers) {
        return new FakeNode(root, Version.V1, List.of(controllers), false);
    }

    /** Version 1 with all controllers that matter, and version 2 beside them without any. */
    static FakeNode hybrid(Path root) {
        return new FakeNode(
                root,
                Version.V1,
                List.of("cpu", "cpuacct", "memory", "pids", "blkio", "hugetlb"),
                true);
    }

    static FakeNode versionTwo(Path root, String... controllers) {
        return new FakeNode(root, Version.V2, List.of(controllers), false);
    }

    CgroupHierarchies hierarchies() {
        Path mounts = root.resolve("cgroup");
        if (version == Version.V2) {
            return new CgroupHierarchies(
                    version, Map.of(), Optional.of(mounts), Set.copyOf(controllers));
        }
        Map<String, Path> places = new LinkedHashMap<>();
        for (String controller : controllers) {
            places.put(controller, mounts.resolve(controller));
        }
        return new CgroupHierarchies(
                version,
                places,
                isHybrid ? Optional.of(mounts.resolve("unified")) : Optional.empty(),
                Set.of());
    }

    /** What happens to the tree at the moment a file is opened or looked at. */
    void beforeOpen(Consumer<Path> action) {
        beforeOpen = action;
    }

    /** The kernel of this machine; namespaces are not entered. */
    Linux linux() {
        Linux real = JnaLinux.load();
        return (Linux)
                Proxy.newProxyInstance(
                        Linux.class.getClassLoader(),
                        new Class<?>[] {Linux.class},
                        (proxy, method, arguments) -> {
                            if (method.getName().equals("inNamespaces")) {
                                return ((InNamespace<?>) arguments[1]).run();
                            }
                            Consumer<Path> action = beforeOpen;
                            if (action != null
                                    && arguments != null
                                    && arguments[0] instanceof Path path) {
                                action.accept(path);
                            }
                            try {
                                return method.invoke(real, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getCause();
                            }
                        });
    }

    KernelFiles kernel() {
        return new KernelFiles(linux());
    }

    CgroupReader reader() {
        return CgroupReader.of(hierarchies(), kernel(), root.resolve("sys"));
    }

    StatsCalls calls(String... includedMetrics) {
        return calls(Duration.ZERO, includedMetrics);
    }

    StatsCalls calls(Duration period, String... includedMetrics) {
        StatsCalls calls =
                new StatsCalls(
                        inventory,
                        layout,
                        linux(),
                        hierarchies(),
                        new CgroupPlacement(CgroupManager.CGROUPFS),
                        new StatsConfiguration(period, List.of(includedMetrics)),
                        Path.of("/var/lib/images"),
                        Clock.fixed(NOW, ZoneOffset.UTC),
                        nanoTime::get,
                        root.resolve("proc"),
                        root.resolve("sys"));
        if (beforeOpen == null) {
            calls.measureLayers(Deadline.after(Duration.ofSeconds(30)));
        }
        return calls;
    }

    /** Writes a file of a cgroup; the controller names the hierarchy of version 1. */
    void cgroup(String controller, String path, String file, String text) {
        Path mount = root.resolve("cgroup");
        Path hierarchy = version == Version.V2 ? mount : mount.resolve(controller);
        write(hierarchy.resolve(path.substring(1)).resolve(file), text);
    }

    /** Removes a cgroup from all hierarchies. */
    void removeCgroup(String path) {
        for (Path mount : hierarchies().roots()) {
            delete(mount.resolve(path.substring(1)));
        }
    }

    void proc(String file, String text) {
        write(root.resolve("proc").resolve(file), text);
    }

    void sys(String file, String text) {
        write(root.resolve("sys").resolve(file), text);
    }

    /** A process that has started at the given tick. */
    void process(int pid, long startTicks) {
        proc(
                pid + "/stat",
                pid
                        + " (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
                        + startTicks
                        + " 1000 200 18446744073709551615\n");
    }

    PodSandbox pod(String id, PodSandboxConfig config, String cgroupParent) {
        PodSandboxMetadata metadata = config.getMetadata();
        PodSandbox sandbox =
                new PodSandbox(
                        layout,
                        new SandboxRecord(
                                SandboxRecord.VERSION,
                                new PodSandboxId(id),
                                metadata.getName(),
                                metadata.getNamespace(),
                                metadata.getUid(),
                                0,
                                config.toByteArray(),
                                "",
                                "host",
                                cgroupParent,
                                true,
                                List.of("10.0.0.2"),
                                null,
                                null,
                                true,
                                false,
                                STARTED_AT_NANOS,
                                new byte[0],
                                new byte[0]));
        inventory.add(sandbox);
        return sandbox;
    }

    static PodSandboxConfig podConfig(String name, String uid) {
        return PodSandboxConfig.newBuilder()
                .setMetadata(
                        PodSandboxMetadata.newBuilder()
                                .setName(name)
                                .setNamespace("space")
                                .setUid(uid))
                .putLabels("app", name)
                .build();
    }

    /** A running container. */
    Container container(String id, PodSandbox sandbox, String name, ProcessIdentity process) {
        return container(id, sandbox, name, process, STARTED_AT_NANOS, 0);
    }

    Container container(
            String id,
            PodSandbox sandbox,
            String name,
            ProcessIdentity process,
            long startedAtNanos,
            long finishedAtNanos) {
        ContainerConfig config =
                ContainerConfig.newBuilder()
                        .setMetadata(ContainerMetadata.newBuilder().setName(name))
                        .setImage(ImageSpec.newBuilder().setImage("sha256:ab"))
                        .putLabels("name", name)
                        .putAnnotations("note", "kept")
                        .build();
        ContainerStatus effective =
                ContainerStatus.newBuilder()
                        .setImage(ImageSpec.newBuilder().setImage("example.test/" + name + ":1"))
                        .build();
        Container container =
                new Container(
                        layout,
                        new ContainerRecord(
                                ContainerRecord.VERSION,
                                new ContainerId(id),
                                sandbox.id(),
                                name,
                                0,
                                config.toByteArray(),
                                effective.toByteArray(),
                                new ImageId("ab".repeat(32)),
                                "",
                                sandbox.record().cgroupParent(),
                                "/logs/" + name,
                                true,
                                process,
                                process,
                                1,
                                startedAtNanos,
                                startedAtNanos,
                                finishedAtNanos,
                                0,
                                "",
                                ""));
        directory(layout.upper(container.id()));
        inventory.add(container);
        return container;
    }

    static void write(Path file, String text) {
        try {
            directory(Objects.requireNonNull(file.getParent()));
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void directory(Path path) {
        try {
            Files.createDirectories(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void delete(Path tree) {
        if (!Files.exists(tree)) {
            return;
        }
        try (Stream<Path> paths = Files.walk(tree)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
