package io.crema.oci.monitor;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Kills an OCI runtime that runs a process in a container, that process, and all that descends from
 * both. OCI runtimes make such a process the leader of a session, so its orphans, whose new parent
 * is the container's first process, are known by their session. Only a child that is an orphan and
 * leads a session of its own, a daemon in earnest, escapes.
 */
final class ProcessTree {
    private static final Path PROC = Path.of("/proc");
    private static final int SIGKILL = 9;
    private static final int ROUNDS = 20;
    private static final Duration PAUSE = Duration.ofMillis(2);

    private record Entry(int parent, int session, long startTicks, boolean isDead) {}

    private ProcessTree() {}

    /**
     * Kills until nothing of it is left, a bounded number of times.
     *
     * @param launcher the OCI runtime, which leads a session of its own
     * @param process what the runtime started, when that is known already
     */
    static void kill(Linux linux, Children children, Child launcher, Optional<Child> process) {
        Set<Integer> sessions = new HashSet<>();
        for (int round = 0; round < ROUNDS; round++) {
            Set<Integer> roots = new HashSet<>();
            addLiving(launcher, roots);
            process.ifPresent(child -> addLiving(child, roots));
            sessions.addAll(roots);
            if (sessions.isEmpty()) {
                return;
            }
            Map<Integer, Entry> members = members(roots, sessions);
            if (members.isEmpty()) {
                return;
            }
            members.forEach((pid, entry) -> kill(linux, children, pid, entry));
            Await.pause(PAUSE, "the end of killed processes");
        }
    }

    /** The number of a child that was reaped may be somebody else's. */
    private static void addLiving(Child child, Set<Integer> roots) {
        if (!child.hasEnded()) {
            roots.add(child.pid());
        }
    }

    /** The descriptor pins the process, so that a recycled pid is noticed before it is killed. */
    private static void kill(Linux linux, Children children, int pid, Entry entry) {
        Optional<Descriptor> process = linux.openProcess(pid);
        if (process.isEmpty()) {
            return;
        }
        try (Descriptor descriptor = process.get()) {
            if (linux.startTimeTicks(pid).equals(Optional.of(entry.startTicks))) {
                linux.kill(descriptor, SIGKILL);
                children.expectEnd(pid);
            }
        }
    }

    /** Adds to the sessions those that the members are found in, for when their leader is gone. */
    private static Map<Integer, Entry> members(Set<Integer> roots, Set<Integer> sessions) {
        Map<Integer, Entry> all = all();
        Map<Integer, Entry> members = new HashMap<>();
        boolean isGrowing = true;
        while (isGrowing) {
            isGrowing = false;
            for (Map.Entry<Integer, Entry> candidate : all.entrySet()) {
                Entry entry = candidate.getValue();
                if (roots.contains(candidate.getKey())
                        || members.containsKey(entry.parent)
                        || sessions.contains(entry.session)) {
                    isGrowing |= members.put(candidate.getKey(), entry) == null;
                    if (entry.session > 1) { // 0 and 1 are those of the kernel and of init
                        sessions.add(entry.session);
                    }
                }
            }
        }
        members.values().removeIf(Entry::isDead);
        return members;
    }

    private static Map<Integer, Entry> all() {
        Map<Integer, Entry> all = new HashMap<>();
        try (DirectoryStream<Path> names = Files.newDirectoryStream(PROC, ProcessTree::isProcess)) {
            for (Path directory : names) {
                int pid = Integer.parseInt(directory.getFileName().toString());
                read(directory).ifPresent(entry -> all.put(pid, entry));
            }
        } catch (IOException e) {
            throw new IllegalStateException("cannot read " + PROC, e);
        }
        return all;
    }

    private static boolean isProcess(Path directory) {
        char first = directory.getFileName().toString().charAt(0);
        return first >= '1' && first <= '9';
    }

    /** Fields 3 (state), 4 (parent), 6 (session) and 22 (start) of /proc/pid/stat, proc(5). */
    private static Optional<Entry> read(Path directory) {
        String line;
        try {
            line =
                    new String(
                            Files.readAllBytes(directory.resolve("stat")),
                            StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return Optional.empty(); // ended meanwhile
        }
        // Field 2 may contain anything, so count from its closing parenthesis.
        String[] fields = line.substring(line.lastIndexOf(')') + 2).split(" ", 21);
        char state = fields[0].charAt(0);
        return Optional.of(
                new Entry(
                        Integer.parseInt(fields[1]),
                        Integer.parseInt(fields[3]),
                        Long.parseLong(fields[19]),
                        state == 'Z' || state == 'X'));
    }
}
