package io.crema.oci.linux;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Starting, signalling and reaping processes. */
public interface LinuxProcesses {
    /**
     * What posix_spawn is to start. The child gets exactly the descriptors named here, an empty
     * signal mask and default signal dispositions.
     *
     * @param executable absolute path
     * @param arguments all of argv, argv[0] included
     * @param environment all of it; nothing is inherited
     * @param descriptors child's number → our descriptor; 0, 1 and 2 are /dev/null when not given
     * @param newSession whether the child leads a session of its own (setsid); otherwise it leads a
     *     process group of its own in our session. Either way {@link #killGroup} with its pid
     *     reaches it and its descendants.
     * @param workingDirectory ours when absent
     */
    record SpawnRequest(
            Path executable,
            List<String> arguments,
            Map<String, String> environment,
            Map<Integer, Descriptor> descriptors,
            boolean newSession,
            Optional<Path> workingDirectory) {
        public SpawnRequest {
            arguments = List.copyOf(arguments);
            environment = Map.copyOf(environment);
            descriptors = Map.copyOf(descriptors);
        }

        /** A child in our own working directory. */
        public SpawnRequest(
                Path executable,
                List<String> arguments,
                Map<String, String> environment,
                Map<Integer, Descriptor> descriptors,
                boolean newSession) {
            this(executable, arguments, environment, descriptors, newSession, Optional.empty());
        }
    }

    /** How a child ended: an exit code or the number of the signal that killed it. */
    record ExitStatus(int code, int signal) {
        /** The shell's convention: 128 + signal for a killed process. */
        public int shellCode() {
            return signal == 0 ? code : 128 + signal;
        }

        public boolean isSuccess() {
            return code == 0 && signal == 0;
        }
    }

    /** Starts a child and returns its pid. */
    int spawn(SpawnRequest request);

    /**
     * Waits for and reaps one child of ours by waitid(P_PID); empty when the time is over. Blocks
     * the calling carrier thread: only a zero timeout is fit for a virtual thread.
     */
    Optional<ExitStatus> waitFor(int pid, Duration timeout);

    /** A child of ours that has ended and is not reaped yet; it stays so. */
    OptionalInt endedChild();

    /** Whether this is a child of ours that has ended and is not reaped yet; it stays so. */
    boolean hasEnded(int pid);

    /**
     * Sends a signal.
     *
     * @return false when there is no such process
     */
    boolean kill(int pid, int signal);

    /**
     * Sends a signal to every process of a process group.
     *
     * @return false when the group has no process
     */
    boolean killGroup(int processGroup, int signal);

    /** A pidfd, readable when the process has ended; empty when there is no such process. */
    Optional<Descriptor> openProcess(int pid);

    /**
     * Waits until the process behind a pidfd has ended. Blocks the calling carrier thread; virtual
     * threads ask the poll loop instead.
     *
     * @return false when the time is over
     */
    boolean awaitEnd(Descriptor process, Duration timeout);

    /** Sends a signal through a pidfd; false when the process has ended. */
    boolean kill(Descriptor process, int signal);

    /**
     * Field 22 of /proc/pid/stat: when the process started, in clock ticks; empty when it has
     * ended, reaped or not.
     */
    Optional<Long> startTimeTicks(int pid);

    /** Makes orphaned grandchildren our children (PR_SET_CHILD_SUBREAPER). */
    void becomeSubreaper();

    /** The lowest oom_score_adj this process may set, found by asking the kernel. */
    OptionalInt lowestOomScoreAdjustment();
}
