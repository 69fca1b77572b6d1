package io.crema.oci.monitor;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
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
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Cgroups as directories, on v1, hybrid and v2 alike: one path is taken below every mounted
 * hierarchy, so that in none of them a monitor stays with the daemon.
 *
 * <p>Moving another process costs the kernel an RCU grace period (5 to 15 ms were seen), moving
 * oneself costs nothing where threads can be moved, which is v1. So there a shell moves itself and
 * becomes the monitor. A thread of ours could do the same still cheaper, but as long as it is
 * there, our pid is listed in the pod's cgroup and whoever kills what is in it would kill us. v2
 * moves whole processes only, so there the monitor is moved after its start.
 */
final class CgroupDirectories implements MonitorPlacement {
    private static final String PROCESSES = "cgroup.procs";
    private static final String THREADS = "tasks";
    private static final Path OWN_CGROUPS = Path.of("/proc/self/cgroup");
    private static final String OWN_ROOT_V2 = "0::/";
    private static final List<String> CPUSET_FILES = List.of("cpuset.mems", "cpuset.cpus");
    private static final Path SHELL = Path.of("/bin/sh");
    // Count of files, files, command. 0 stands for the writer itself.
    private static final String MOVE_AND_BECOME =
            "n=$1; shift; while [ $n -gt 0 ]; do echo 0 > \"$1\" || exit 125;"
                    + " shift; n=$((n - 1)); done; exec \"$@\"";
    private static final Duration PAUSE = Duration.ofMillis(2);
    private static final int SIGKILL = 9;

    private record Hierarchy(Path mountPoint, boolean isV2, boolean isCpuset) {}

    private final Linux linux;
    private final Children children;
    private final boolean hasShell;
    private final Supplier<List<MountEntry>> mounts;
    private @Nullable List<Hierarchy> hierarchies; // guarded by this

    CgroupDirectories(Linux linux, Children children) {
        this(linux, children, Files.isExecutable(SHELL), linux::mounts);
    }

    CgroupDirectories(
            Linux linux, Children children, boolean hasShell, Supplier<List<MountEntry>> mounts) {
        this.linux = linux;
        this.children = children;
        this.hasShell = hasShell;
        this.mounts = mounts;
    }

    @Override
    public Child start(String where, SpawnRequest request, Deadline deadline) {
        Path relative = relative(where);
        List<Path> movesItself = new ArrayList<>();
        List<Path> isMoved = new ArrayList<>();
        for (Hierarchy hierarchy : hierarchies()) {
            Path directory = hierarchy.mountPoint.resolve(relative);
            make(hierarchy, relative);
            if (!hierarchy.isV2 && hasShell) {
                movesItself.add(directory.resolve(THREADS));
            } else {
                isMoved.add(directory.resolve(PROCESSES));
            }
        }
        deadline.check("the start of the monitor in cgroup " + where);
        Child child =
                children.start(movesItself.isEmpty() ? request : wrapped(movesItself, request));
        try {
            for (Path file : isMoved) {
                write(file, child.pid());
            }
            return child;
        } catch (RuntimeException e) {
            child.killGroup(SIGKILL);
            throw e;
        }
    }

    /** The same process, begun as a shell. */
    private static SpawnRequest wrapped(List<Path> files, SpawnRequest request) {
        List<String> arguments = new ArrayList<>();
        arguments.addAll(List.of("sh", "-c", MOVE_AND_BECOME, "sh"));
        arguments.add(Integer.toString(files.size()));
        files.forEach(file -> arguments.add(file.toString()));
        arguments.add(request.executable().toString());
        List<String> own = request.arguments();
        arguments.addAll(own.subList(1, own.size()));
        return new SpawnRequest(
                SHELL,
                arguments,
                request.environment(),
                request.descriptors(),
                request.newSession(),
                request.workingDirectory());
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
            known = read(mounts.get(), OWN_CGROUPS);
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
