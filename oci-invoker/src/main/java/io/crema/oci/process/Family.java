package io.crema.oci.process;

import io.crema.base.Deadline;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Knows which children are followed, and reaps those that nobody is there for: orphans that came to
 * us, the subreaper, when their parents ended. A child's end is left alone until it was seen at two
 * sweeps, so that nobody who has just learnt of a child, or who follows it by other means, loses
 * its exit code.
 */
final class Family {
    private static final Logger LOG = LoggerFactory.getLogger(Family.class);
    private static final int MAX_EXPECTED = 256;
    private static final Duration EXPECTED_FOR = Duration.ofMinutes(1);

    private final Linux linux;
    private final Path childrenFile;
    private final Set<Integer> followed = ConcurrentHashMap.newKeySet();
    private final Map<Integer, Deadline> expected = new ConcurrentHashMap<>();
    // Of the loop's thread alone.
    private Set<Integer> seen = Set.of();

    Family(Linux linux) {
        this.linux = linux;
        long own = ProcessHandle.current().pid();
        // The kernel gives orphans to the first thread.
        this.childrenFile = Path.of("/proc/self/task/" + own + "/children");
    }

    void follow(int pid) {
        followed.add(pid);
    }

    void forget(int pid) {
        followed.remove(pid);
    }

    /**
     * Takes note of a process that was killed and that nobody will ask for. It may become our child
     * only when its parent ends, and until it is reaped its PID namespace, a container's, does not
     * end. Beyond a bound it is left to the sweeps.
     */
    void expect(int pid) {
        if (expected.size() < MAX_EXPECTED) {
            expected.put(pid, Deadline.after(EXPECTED_FOR));
        }
    }

    boolean isExpecting() {
        return !expected.isEmpty();
    }

    /** Reaps those that were killed as soon as they have ended. */
    void reapExpected() {
        expected.entrySet()
                .removeIf(entry ->
                        reaped(entry.getKey())
                                || entry.getValue().hasPassed()
                                || isGone(entry.getKey()));
    }

    /** Whether it is done with: reaped here, or its follower's. */
    private boolean reaped(int pid) {
        if (followed.contains(pid)) {
            return true;
        }
        if (!linux.hasEnded(pid)) {
            return false;
        }
        Optional<?> status = linux.waitFor(pid, Duration.ZERO);
        LOG.debug("reaped orphan {}, which was killed: {}", pid, status);
        return true;
    }

    private boolean isGone(int pid) {
        Optional<Descriptor> process = linux.openProcess(pid);
        process.ifPresent(Descriptor::close);
        return process.isEmpty();
    }

    /**
     * One system call while there is nothing to reap.
     *
     * @return whether some child's end waits for being seen again
     */
    boolean sweep() {
        OptionalInt first = linux.endedChild();
        if (first.isEmpty()) {
            seen = Set.of();
            return false;
        }
        Set<Integer> ended = new HashSet<>();
        for (int pid : candidates(first.getAsInt())) {
            if (!followed.contains(pid) && linux.hasEnded(pid)) {
                if (seen.contains(pid)) {
                    Optional<?> status = linux.waitFor(pid, Duration.ZERO);
                    LOG.debug("reaped orphan {}: {}", pid, status);
                } else {
                    ended.add(pid);
                }
            }
        }
        seen = ended;
        return !ended.isEmpty();
    }

    /** All children where the kernel lists them (CONFIG_PROC_CHILDREN), else the first ended. */
    private Set<Integer> candidates(int first) {
        Set<Integer> pids = new HashSet<>();
        pids.add(first);
        try {
            String list =
                    new String(Files.readAllBytes(childrenFile), StandardCharsets.US_ASCII).strip();
            for (String pid : list.split(" ", -1)) {
                if (!pid.isEmpty()) {
                    pids.add(Integer.parseInt(pid));
                }
            }
        } catch (IOException e) {
            // One at a time, then.
        }
        return pids;
    }
}
