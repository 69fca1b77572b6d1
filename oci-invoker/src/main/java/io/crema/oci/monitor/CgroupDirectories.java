package io.crema.oci.monitor;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.process.Child;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Cgroups as directories, on v1, hybrid and v2 alike: one path is taken below every mounted
 * hierarchy, so that in none of them a monitor stays with the daemon.
 *
 * <p>Moving another process costs the kernel an RCU grace period (5 to 15 ms were seen), moving the
 * calling thread costs nothing, and a child begins where its thread is. So on v1 a thread that is
 * thrown away moves itself and starts the monitor. v2 moves whole processes only; there the monitor
 * is moved after its start.
 */
final class CgroupDirectories implements MonitorPlacement {
    private static final String PROCESSES = "cgroup.procs";
    private static final String THREADS = "tasks";
    private static final Path OWN_CGROUPS = Path.of("/proc/self/cgroup");
    private static final String OWN_ROOT_V2 = "0::/";
    private static final List<String> CPUSET_FILES = List.of("cpuset.mems", "cpuset.cpus");
    private static final Duration PAUSE = Duration.ofMillis(2);
    private static final int SIGKILL = 9;

    private record Hierarchy(Path mountPoint, boolean isV2, boolean isCpuset) {}

    private final Linux linux;
    private @Nullable List<Hierarchy> hierarchies; // guarded by this

    CgroupDirectories(Linux linux) {
        this.linux = linux;
    }

    @Override
    public Child start(String where, Supplier<Child> spawn, Deadline deadline) {
        Path relative = relative(where);
        List<Path> threads = new ArrayList<>();
        List<Path> processes = new ArrayList<>();
        for (Hierarchy hierarchy : hierarchies()) {
            Path directory = hierarchy.mountPoint.resolve(relative);
            make(hierarchy, relative);
            if (hierarchy.isV2) {
                processes.add(directory.resolve(PROCESSES));
            } else {
                threads.add(directory.resolve(THREADS));
            }
        }
        Child child = threads.isEmpty() ? spawn.get() : startInside(threads, spawn, deadline);
        try {
            for (Path file : processes) {
                write(file, child.pid());
            }
            return child;
        } catch (RuntimeException e) {
            child.killGroup(SIGKILL);
            throw e;
        }
    }

    private static Child startInside(List<Path> threads, Supplier<Child> spawn, Deadline deadline) {
        CompletableFuture<Child> started = new CompletableFuture<>();
        Thread.ofPlatform()
                .daemon()
                .name("monitor-start")
                .start(() -> startInside(threads, spawn, started));
        try {
            return Await.result(started, deadline, "the start of the monitor in its cgroup");
        } finally {
            started.cancel(false);
        }
    }

    private static void startInside(
            List<Path> threads, Supplier<Child> spawn, CompletableFuture<Child> started) {
        try {
            for (Path file : threads) {
                write(file, 0); // the calling thread
            }
            if (!started.isDone()) {
                Child child = spawn.get();
                if (!started.complete(child)) {
                    child.killGroup(SIGKILL); // nobody waits any more
                }
            }
        } catch (RuntimeException | Error e) {
            started.completeExceptionally(e);
        }
    }

    private static void write(Path file, int number) {
        try {
            Files.write(file, Integer.toString(number).getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL,
                    "cannot move the monitor to its cgroup (" + file + "): " + e,
                    e);
        }
    }

    /** Makes the directory and those above it; a new v1 cpuset is empty and takes no process. */
    private static void make(Hierarchy hierarchy, Path relative) {
        Path directory = hierarchy.mountPoint.resolve(relative);
        try {
            if (Files.isDirectory(directory)) {
                return;
            }
            if (!hierarchy.isCpuset) {
                Files.createDirectories(directory);
                return;
            }
            Path parent = hierarchy.mountPoint;
            for (Path name : relative) {
                Path child = parent.resolve(name);
                Files.createDirectories(child);
                for (String file : CPUSET_FILES) {
                    if (Files.readString(child.resolve(file)).isBlank()) {
                        Files.write(child.resolve(file), Files.readAllBytes(parent.resolve(file)));
                    }
                }
                parent = child;
            }
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL, "cannot make cgroup " + directory + ": " + e, e);
        }
    }

    @Override
    public void remove(String where, Deadline deadline) {
        Path relative = relative(where);
        for (Hierarchy hierarchy : hierarchies()) {
            Path directory = hierarchy.mountPoint.resolve(relative);
            while (!isGone(directory)) {
                if (deadline.hasPassed()) {
                    throw new DeadlineExceededException("the processes in cgroup " + directory);
                }
                Await.pause(PAUSE, "the end of the processes in cgroup " + directory);
            }
        }
    }

    /** Kills whatever runs in a cgroup and below it, and removes both. */
    void destroy(String where, Deadline deadline) {
        Path relative = relative(where);
        for (Hierarchy hierarchy : hierarchies()) {
            destroy(hierarchy.mountPoint.resolve(relative), deadline);
        }
    }

    private void destroy(Path directory, Deadline deadline) {
        for (Path child : children(directory)) {
            destroy(child, deadline);
        }
        while (!isGone(directory)) {
            if (deadline.hasPassed()) {
                throw new DeadlineExceededException("the processes in cgroup " + directory);
            }
            for (int pid : processes(directory)) {
                linux.kill(pid, SIGKILL);
            }
            Await.pause(PAUSE, "the end of the processes in cgroup " + directory);
        }
    }

    private static boolean isGone(Path directory) {
        try {
            Files.delete(directory);
            return true;
        } catch (NoSuchFileException e) {
            return true;
        } catch (IOException e) {
            return false; // EBUSY: a process has not ended yet
        }
    }

    private static List<Path> children(Path directory) {
        List<Path> children = new ArrayList<>();
        try (DirectoryStream<Path> names =
                Files.newDirectoryStream(directory, Files::isDirectory)) {
            names.forEach(children::add);
        } catch (IOException e) {
            return List.of(); // gone
        }
        return children;
    }

    private static List<Integer> processes(Path directory) {
        try {
            List<Integer> pids = new ArrayList<>();
            for (String line : Files.readAllLines(directory.resolve(PROCESSES))) {
                pids.add(Integer.parseInt(line));
            }
            return pids;
        } catch (IOException e) {
            return List.of(); // gone
        }
    }

    private static Path relative(String where) {
        Path path = Path.of("/").resolve(where).normalize();
        if (path.getNameCount() == 0) {
            throw new IllegalArgumentException("not a cgroup of its own: '" + where + "'");
        }
        return Path.of("/").relativize(path);
    }

    private synchronized List<Hierarchy> hierarchies() {
        List<Hierarchy> known = hierarchies;
        if (known == null) {
            known = read(linux.mounts(), OWN_CGROUPS);
            hierarchies = known;
        }
        return known;
    }

    /**
     * One mount of each hierarchy; the first in the table is the one the system uses. The v2 part
     * of a hybrid layout is left alone when we are in its root: it has no controllers then, and
     * nobody would be stopped with us.
     */
    private static List<Hierarchy> read(List<MountEntry> mounts, Path ownCgroups) {
        List<Hierarchy> found = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        for (MountEntry mount : mounts) {
            boolean isV2 = mount.type().equals("cgroup2");
            if ((isV2 || mount.type().equals("cgroup"))
                    && seen.add(isV2 ? mount.type() : mount.superOptions())) {
                boolean isCpuset = !isV2 && options(mount).contains("cpuset");
                found.add(new Hierarchy(mount.mountPoint(), isV2, isCpuset));
            }
        }
        if (found.isEmpty()) {
            throw new OciRuntimeException(
                    ErrorKind.FAILED_PRECONDITION,
                    "no cgroup file system is mounted; mount one at /sys/fs/cgroup");
        }
        if (found.size() > 1 && isInRootOfV2(ownCgroups)) {
            found.removeIf(Hierarchy::isV2);
        }
        return List.copyOf(found);
    }

    private static boolean isInRootOfV2(Path ownCgroups) {
        try {
            return Files.readAllLines(ownCgroups).contains(OWN_ROOT_V2);
        } catch (IOException e) {
            return false;
        }
    }

    private static List<String> options(MountEntry mount) {
        return List.of(mount.superOptions().split(",", -1));
    }
}
