package io.crema.runtime.cgroup;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxProcesses;
import io.crema.oci.spec.LinuxResources;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.locks.LockSupport;

/**
 * What this daemon does to cgroups by itself: the directory of a pod without a process (cAdvisor
 * finds the pod's network by it), and ending everything in a cgroup when nobody else can. The
 * cgroups of containers are made and removed by the OCI runtime. Thread safe.
 */
public final class Cgroups {
    private static final int SIGKILL = 9;
    private static final Duration SHORTEST_PAUSE = Duration.ofMillis(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);

    /** A freezer that does not settle within this is killed unfrozen. */
    private static final Duration FREEZE_PATIENCE = Duration.ofMillis(200);

    private final CgroupHierarchies hierarchies;
    private final LinuxProcesses processes;

    public Cgroups(CgroupHierarchies hierarchies, LinuxProcesses processes) {
        this.hierarchies = hierarchies;
        this.processes = processes;
    }

    public CgroupHierarchies hierarchies() {
        return hierarchies;
    }

    /** Makes a cgroup, and those around it, in every hierarchy; no error when it is there. */
    public void create(CgroupPath cgroup) {
        for (Path root : hierarchies.roots()) {
            Path directory = cgroup.below(root);
            try {
                Files.createDirectories(directory);
            } catch (IOException e) {
                throw new PodException(
                        ErrorKind.INTERNAL, "cannot make the cgroup " + directory + ": " + e, e);
            }
        }
    }

    /**
     * Removes a cgroup and those inside it from every hierarchy; no error when it is gone. Waits
     * for processes that are ending, but ends none.
     */
    public void remove(CgroupPath cgroup, Deadline deadline) {
        for (Path root : hierarchies.roots()) {
            Path directory = cgroup.below(root);
            Pause pause = new Pause();
            Optional<IOException> failure = tryRemove(directory);
            while (failure.isPresent()) {
                if (deadline.hasPassed()) {
                    throw new PodException(
                            ErrorKind.DEADLINE_EXCEEDED,
                            "cannot remove the cgroup "
                                    + directory
                                    + ": processes "
                                    + pidsBelow(directory)
                                    + " are in it",
                            failure.get());
                }
                pause.take(deadline);
                failure = tryRemove(directory);
            }
        }
    }

    // The kernel's files inside need no removal; rmdir of the directory is all.
    private static Optional<IOException> tryRemove(Path directory) {
        try {
            Files.deleteIfExists(directory);
            return Optional.empty();
        } catch (IOException e) {
            for (Path child : children(directory)) {
                tryRemove(child);
            }
            try {
                Files.deleteIfExists(directory);
                return Optional.empty();
            } catch (IOException again) {
                return Optional.of(again);
            }
        }
    }

    /** All processes in a cgroup and in those inside it. */
    public List<Integer> processes(CgroupPath cgroup) {
        return pidsBelow(cgroup.below(processHierarchy()));
    }

    /**
     * Ends every process in a cgroup and in those inside it by SIGKILL and waits until they are
     * gone.
     */
    public void killAll(CgroupPath cgroup, Deadline deadline) {
        Path directory = cgroup.below(processHierarchy());
        Pause pause = new Pause();
        while (true) {
            if (hierarchies.isUnified()) {
                killUnified(directory);
            } else {
                killFrozen(directory, deadline);
            }
            List<Integer> left = pidsBelow(directory);
            if (left.isEmpty()) {
                return;
            }
            if (deadline.hasPassed()) {
                throw new PodException(
                        ErrorKind.DEADLINE_EXCEEDED,
                        "processes "
                                + left
                                + " of the cgroup "
                                + cgroup
                                + " survive SIGKILL; they probably wait for a device or a network"
                                + " file system");
            }
            pause.take(deadline);
        }
    }

    private void killUnified(Path directory) {
        Path kill = directory.resolve("cgroup.kill");
        if (Files.exists(kill)) {
            try {
                CgroupFiles.tryWrite(kill, "1");
                return;
            } catch (NoSuchFileException e) {
                return; // the cgroup went away meanwhile
            } catch (IOException e) {
                // Threaded cgroups refuse; their processes can be killed one by one.
            }
        }
        kill(pidsBelow(directory)); // before Linux 5.14
    }

    // Frozen processes cannot fork while we go through them; the signal takes effect when they
    // thaw.
    private void killFrozen(Path directory, Deadline deadline) {
        Path state = directory.resolve("freezer.state");
        boolean frozen = Files.exists(state) && freeze(state, deadline.atMost(FREEZE_PATIENCE));
        try {
            kill(pidsBelow(directory));
        } finally {
            if (frozen) {
                thaw(state);
            }
        }
    }

    private static boolean freeze(Path state, Deadline deadline) {
        Pause pause = new Pause();
        try {
            CgroupFiles.tryWrite(state, "FROZEN");
            while (!deadline.hasPassed()
                    && CgroupFiles.read(state).orElse("FROZEN").equals("FREEZING")) {
                pause.take(deadline);
            }
            return true;
        } catch (IOException e) {
            return false; // gone, or the root; killing works without
        }
    }

    private static void thaw(Path state) {
        try {
            CgroupFiles.tryWrite(state, "THAWED");
        } catch (NoSuchFileException e) {
            return; // the cgroup is gone
        } catch (IOException e) {
            if (Files.exists(state)) {
                throw new PodException(
                        ErrorKind.INTERNAL, "cannot thaw the cgroup " + state + ": " + e, e);
            }
        }
    }

    private void kill(List<Integer> pids) {
        for (int pid : pids) {
            processes.kill(pid, SIGKILL);
        }
    }

    /** Lets the processes of a cgroup run; those that a cgroup above freezes stay frozen. */
    public void thaw(CgroupPath cgroup) {
        if (hierarchies.isUnified()) {
            Path file = cgroup.below(processHierarchy()).resolve("cgroup.freeze");
            if (Files.exists(file)) {
                CgroupFiles.write(file, "0");
            }
        } else {
            Path state = cgroup.below(processHierarchy()).resolve("freezer.state");
            if (Files.exists(state)) {
                thaw(state);
            }
        }
    }

    /** Sets limits of a cgroup; those left out stay as they are. */
    public void apply(CgroupPath cgroup, LinuxResources resources) {
        new CgroupLimits(hierarchies, cgroup).apply(resources);
    }

    /**
     * Refuses a pod whose own limit leaves too little memory to start a container in it.
     *
     * @param minimumBytes what the OCI runtime needs (container_min_memory)
     */
    public void requireMemory(CgroupPath pod, long minimumBytes) {
        OptionalLong limit = memoryLimit(pod);
        if (limit.isPresent() && limit.getAsLong() < minimumBytes) {
            throw PodException.invalid(
                    "linux.cgroup_parent: the memory limit of "
                            + limit.getAsLong()
                            + " bytes of "
                            + pod
                            + " is below the minimum of "
                            + minimumBytes
                            + " bytes that the OCI runtime needs to start a container"
                            + " (container_min_memory)");
        }
    }

    /** The memory limit of a cgroup in bytes; empty for none. */
    public OptionalLong memoryLimit(CgroupPath cgroup) {
        return memory(cgroup, "memory.limit_in_bytes", "memory.max");
    }

    /** The memory that a cgroup uses, page cache included; empty when it is not there. */
    public OptionalLong memoryUsage(CgroupPath cgroup) {
        return memory(cgroup, "memory.usage_in_bytes", "memory.current");
    }

    /**
     * How many processes of a cgroup the kernel has killed because memory ran out, whichever limit
     * it was. The kernel counts before it kills. With version 2 those of cgroups below are counted
     * in. Empty when the cgroup, or the figure, is not there.
     */
    public OptionalLong outOfMemoryKills(CgroupPath cgroup) {
        Optional<Path> directory = hierarchies.directory("memory", cgroup);
        return directory.isEmpty()
                ? OptionalLong.empty()
                : CgroupFiles.readKeyed(
                        directory
                                .get()
                                .resolve(
                                        hierarchies.isUnified()
                                                ? "memory.events"
                                                : "memory.oom_control"),
                        "oom_kill");
    }

    private OptionalLong memory(CgroupPath cgroup, String version1, String version2) {
        Optional<Path> directory = hierarchies.directory("memory", cgroup);
        if (directory.isEmpty()) {
            return OptionalLong.empty();
        }
        return CgroupFiles.readLimit(
                directory.get().resolve(hierarchies.isUnified() ? version2 : version1));
    }

    /** The hierarchy that is asked for processes: one in which they can be frozen, if there is. */
    private Path processHierarchy() {
        if (hierarchies.isUnified()) {
            return hierarchies.unified().orElseThrow();
        }
        return hierarchies
                .mountOf("freezer")
                .or(() -> hierarchies.mountOf("pids"))
                .orElseGet(() -> hierarchies.roots().getFirst());
    }

    private static List<Integer> pidsBelow(Path directory) {
        List<Integer> pids = new ArrayList<>();
        collectPids(directory, pids);
        return pids;
    }

    private static void collectPids(Path directory, List<Integer> pids) {
        String text = CgroupFiles.read(directory.resolve("cgroup.procs")).orElse("");
        int start = 0;
        while (start < text.length()) {
            int end = text.indexOf('\n', start);
            end = end < 0 ? text.length() : end;
            if (end > start) {
                int pid = Integer.parseInt(text, start, end, 10);
                if (pid > 0) { // 0 stands for a process of a foreign PID namespace
                    pids.add(pid);
                }
            }
            start = end + 1;
        }
        for (Path child : children(directory)) {
            collectPids(child, pids);
        }
    }

    private static List<Path> children(Path directory) {
        List<Path> children = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                    children.add(entry);
                }
            }
        } catch (IOException e) {
            return List.of(); // gone
        }
        return children;
    }

    /** Waits a little longer each time. */
    private static final class Pause {
        private Duration next = SHORTEST_PAUSE;

        void take(Deadline deadline) {
            Duration pause = next.compareTo(deadline.remaining()) < 0 ? next : deadline.remaining();
            LockSupport.parkNanos(pause.toNanos());
            next = next.multipliedBy(2);
            if (next.compareTo(LONGEST_PAUSE) > 0) {
                next = LONGEST_PAUSE;
            }
        }
    }
}
