package io.crema.oci.linux.jna;

import com.sun.jna.LastErrorException;
import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxProcesses;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Processes through libc; the third layer of {@link JnaLinux}. */
abstract class ProcessCalls extends MountCalls implements LinuxProcesses {
    // Larger than posix_spawnattr_t and posix_spawn_file_actions_t of glibc on any architecture.
    private static final int SPAWN_ATTRIBUTES_SIZE = 512;
    private static final int SPAWN_ACTIONS_SIZE = 256;
    private static final int SIGNAL_SET_SIZE = 128;
    private static final short SPAWN_SETPGROUP = 0x02;
    private static final short SPAWN_SETSIGDEF = 0x04;
    private static final short SPAWN_SETSIGMASK = 0x08;
    private static final short SPAWN_SETSID = 0x80;

    private static final int P_ALL = 0;
    private static final int P_PID = 1;
    private static final int WNOHANG = 1;
    private static final int WEXITED = 4;
    private static final int WNOWAIT = 0x01000000;
    private static final int SIGINFO_SIZE = 128;
    private static final int CLD_EXITED = 1;

    private static final int PR_SET_CHILD_SUBREAPER = 36;
    private static final short POLLIN = 1;
    private static final int OOM_SCORE_LOWEST = -1000;
    private static final Path OWN_OOM_SCORE = Path.of("/proc/self/oom_score_adj");

    // posix_spawn only reads its attributes, so all spawns share these two.
    private final Memory groupLeader = attributes(SPAWN_SETPGROUP);
    private final Memory sessionLeader = attributes(SPAWN_SETSID);

    /**
     * Empty signal mask (JVM threads run with signals blocked), default dispositions (somebody may
     * have started us with SIGHUP ignored), and a group or session of the child's own.
     */
    private static Memory attributes(short leadership) {
        Memory memory = new Memory(SPAWN_ATTRIBUTES_SIZE);
        memory.clear();
        long attributes = Pointer.nativeValue(memory);
        try (Memory signals = new Memory(SIGNAL_SET_SIZE)) {
            signals.clear();
            spawnStep("attr_init", LibC.posix_spawnattr_init(attributes));
            spawnStep(
                    "attr_setsigmask",
                    LibC.posix_spawnattr_setsigmask(attributes, Pointer.nativeValue(signals)));
            LibC.sigfillset(Pointer.nativeValue(signals));
            spawnStep(
                    "attr_setsigdefault",
                    LibC.posix_spawnattr_setsigdefault(attributes, Pointer.nativeValue(signals)));
        }
        short flags = (short) (leadership | SPAWN_SETSIGMASK | SPAWN_SETSIGDEF);
        spawnStep("attr_setflags", LibC.posix_spawnattr_setflags(attributes, flags));
        return memory;
    }

    private static void spawnStep(String step, int errorNumber) {
        if (errorNumber != 0) {
            throw new LinuxException("posix_spawn" + step, "", Errno.of(errorNumber));
        }
    }

    @Override
    public int spawn(SpawnRequest request) {
        int highest = 2;
        for (int target : request.descriptors().keySet()) {
            if (target < 0) {
                throw new IllegalArgumentException("descriptor number " + target);
            }
            highest = Math.max(highest, target);
        }
        List<Descriptor> moved = new ArrayList<>();
        try (Scratch scratch = scratches.take()) {
            long actions = scratch.zeroed(SPAWN_ACTIONS_SIZE);
            spawnStep("_file_actions_init", LibC.posix_spawn_file_actions_init(actions));
            try {
                addFileActions(scratch, actions, request.descriptors(), highest, moved);
                if (request.workingDirectory().isPresent()) {
                    String directory = request.workingDirectory().get().toString();
                    spawnStep(
                            "_file_actions_addchdir_np",
                            LibC.posix_spawn_file_actions_addchdir_np(
                                    actions, scratch.string("posix_spawn", directory)));
                }
                return spawn(scratch, actions, request);
            } finally {
                LibC.posix_spawn_file_actions_destroy(actions);
            }
        } finally {
            moved.forEach(Descriptor::close);
        }
    }

    private void addFileActions(
            Scratch scratch,
            long actions,
            Map<Integer, Descriptor> descriptors,
            int highest,
            List<Descriptor> moved) {
        long devNull = scratch.string("posix_spawn", "/dev/null");
        int[] sources = new int[highest + 1];
        for (int target = 0; target <= highest; target++) {
            Descriptor source = descriptors.get(target);
            sources[target] = source == null ? -1 : beyond(highest, source, moved);
        }
        for (int target = 0; target <= highest; target++) {
            if (sources[target] >= 0) {
                spawnStep(
                        "_file_actions_adddup2",
                        LibC.posix_spawn_file_actions_adddup2(actions, sources[target], target));
            } else if (target <= 2) {
                spawnStep(
                        "_file_actions_addopen",
                        LibC.posix_spawn_file_actions_addopen(
                                actions, target, devNull, LibC.O_RDWR, 0));
            } else {
                spawnStep(
                        "_file_actions_addclose",
                        LibC.posix_spawn_file_actions_addclose(actions, target));
            }
        }
        spawnStep(
                "_file_actions_addclosefrom_np",
                LibC.posix_spawn_file_actions_addclosefrom_np(actions, highest + 1));
    }

    /**
     * A source that sits inside the range of the child's numbers could be overwritten before it is
     * copied, so it is moved out of it first.
     */
    private int beyond(int highest, Descriptor source, List<Descriptor> moved) {
        int number = source.number();
        if (number > highest) {
            return number;
        }
        try {
            int copy = LibC.fcntl(number, LibC.F_DUPFD_CLOEXEC, highest + 1);
            moved.add(new Descriptor(copy, this));
            return copy;
        } catch (LastErrorException e) {
            throw failure("fcntl", source + ", F_DUPFD_CLOEXEC", e);
        }
    }

    private int spawn(Scratch scratch, long actions, SpawnRequest request) {
        long pid = scratch.zeroed(8);
        long path = scratch.string("posix_spawn", request.executable().toString());
        int argumentCount = request.arguments().size();
        long arguments = scratch.block(8 * (argumentCount + 1));
        int index = 0;
        for (String argument : request.arguments()) {
            scratch.putLong(arguments + 8L * index++, scratch.string("posix_spawn", argument));
        }
        scratch.putLong(arguments + 8L * index, 0);
        long environment = scratch.block(8 * (request.environment().size() + 1));
        index = 0;
        for (Map.Entry<String, String> variable : request.environment().entrySet()) {
            String text = variable.getKey() + "=" + variable.getValue();
            scratch.putLong(environment + 8L * index++, scratch.string("posix_spawn", text));
        }
        scratch.putLong(environment + 8L * index, 0);
        Memory attributes = request.newSession() ? sessionLeader : groupLeader;
        int error =
                LibC.posix_spawn(
                        pid,
                        path,
                        actions,
                        Pointer.nativeValue(attributes),
                        arguments,
                        environment);
        if (error != 0) {
            throw new LinuxException(
                    "posix_spawn",
                    "'"
                            + request.executable()
                            + "'"
                            + request.workingDirectory().map(d -> ", in '" + d + "'").orElse(""),
                    Errno.of(error));
        }
        return scratch.getInt(pid);
    }

    @Override
    public Optional<ExitStatus> waitFor(int pid, Duration timeout) {
        requireSingleProcess(pid);
        Optional<ExitStatus> status = reap(pid);
        if (status.isPresent() || timeout.isZero() || timeout.isNegative()) {
            return status;
        }
        Optional<Descriptor> process = openProcess(pid);
        if (process.isPresent()) {
            try (Descriptor descriptor = process.get()) {
                awaitEnd(descriptor, timeout);
            }
        }
        return reap(pid);
    }

    private Optional<ExitStatus> reap(int pid) {
        try (Scratch scratch = scratches.take()) {
            long info = scratch.zeroed(SIGINFO_SIZE);
            LibC.waitid(P_PID, pid, info, WEXITED | WNOHANG);
            if (scratch.getInt(info + 16) == 0) {
                return Optional.empty();
            }
            int status = scratch.getInt(info + 24);
            return Optional.of(
                    scratch.getInt(info + 8) == CLD_EXITED
                            ? new ExitStatus(status, 0)
                            : new ExitStatus(0, status));
        } catch (LastErrorException e) {
            throw failure("waitid", "pid " + pid, e);
        }
    }

    @Override
    public OptionalInt endedChild() {
        return ended(P_ALL, 0);
    }

    @Override
    public boolean hasEnded(int pid) {
        requireSingleProcess(pid);
        return ended(P_PID, pid).isPresent();
    }

    private OptionalInt ended(int idType, int id) {
        try (Scratch scratch = scratches.take()) {
            long info = scratch.zeroed(SIGINFO_SIZE);
            LibC.waitid(idType, id, info, WEXITED | WNOHANG | WNOWAIT);
            int pid = scratch.getInt(info + 16);
            return pid == 0 ? OptionalInt.empty() : OptionalInt.of(pid);
        } catch (LastErrorException e) {
            if (is(e, Errno.ECHILD)) {
                return OptionalInt.empty();
            }
            throw failure("waitid", "pid " + id, e);
        }
    }

    @Override
    public boolean kill(int pid, int signal) {
        requireSingleProcess(pid);
        return send("pid " + pid, pid, signal);
    }

    @Override
    public boolean killGroup(int processGroup, int signal) {
        // kill(-1) is every process there is, kill(0) our own group.
        if (processGroup <= 1) {
            throw new IllegalArgumentException("process group " + processGroup);
        }
        return send("process group " + processGroup, -processGroup, signal);
    }

    private static boolean send(String whom, int target, int signal) {
        try {
            LibC.kill(target, signal);
            return true;
        } catch (LastErrorException e) {
            if (is(e, Errno.ESRCH)) {
                return false;
            }
            throw failure("kill", whom + ", signal " + signal, e);
        }
    }

    private static void requireSingleProcess(int pid) {
        if (pid <= 0) {
            throw new IllegalArgumentException("pid " + pid);
        }
    }

    @Override
    public Optional<Descriptor> openProcess(int pid) {
        requireSingleProcess(pid);
        try {
            return Optional.of(
                    new Descriptor((int) LibC.syscall(LibC.SYS_PIDFD_OPEN, pid, 0, 0, 0), this));
        } catch (LastErrorException e) {
            if (is(e, Errno.ESRCH)) {
                return Optional.empty();
            }
            throw failure("pidfd_open", "pid " + pid, e);
        }
    }

    @Override
    public boolean awaitEnd(Descriptor process, Duration timeout) {
        long end = System.nanoTime() + timeout.toNanos();
        try (Scratch scratch = scratches.take()) {
            long entry = scratch.zeroed(8);
            while (true) {
                long left = Math.max(0, end - System.nanoTime());
                scratch.putInt(entry, process.number());
                scratch.putShort(entry + 4, POLLIN);
                try {
                    if (LibC.poll(entry, 1, millis(left)) > 0) {
                        return true;
                    }
                } catch (LastErrorException e) {
                    if (!is(e, Errno.EINTR)) {
                        throw failure("poll", process.toString(), e);
                    }
                }
                if (left == 0) {
                    return false;
                }
            }
        }
    }

    /** Rounded up, so that a wait never ends early. */
    static int millis(long nanos) {
        return (int) Math.min(Integer.MAX_VALUE, (nanos + 999_999) / 1_000_000);
    }

    @Override
    public boolean kill(Descriptor process, int signal) {
        try {
            LibC.syscall(LibC.SYS_PIDFD_SEND_SIGNAL, process.number(), signal, 0, 0);
            return true;
        } catch (LastErrorException e) {
            if (is(e, Errno.ESRCH)) {
                return false;
            }
            throw failure("pidfd_send_signal", process + ", signal " + signal, e);
        }
    }

    @Override
    public Optional<Long> startTimeTicks(int pid) {
        requireSingleProcess(pid);
        Path file = Path.of("/proc/" + pid + "/stat");
        String line;
        try {
            line = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            // The file can be opened and the process be gone when it is read (ESRCH).
            if (!Files.exists(file)) {
                return Optional.empty();
            }
            throw new LinuxException("read", "'" + file + "': " + e.getMessage(), Errno.EIO);
        }
        // Field 2 is the command in parentheses and may contain anything, so count from the last.
        int position = line.lastIndexOf(')') + 2;
        char state = line.charAt(position);
        if (state == 'Z' || state == 'X') {
            return Optional.empty();
        }
        for (int field = 3; field < 22; field++) {
            position = line.indexOf(' ', position) + 1;
        }
        return Optional.of(Long.parseLong(line, position, line.indexOf(' ', position), 10));
    }

    @Override
    public void becomeSubreaper() {
        try {
            LibC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        } catch (LastErrorException e) {
            throw failure("prctl", "PR_SET_CHILD_SUBREAPER", e);
        }
    }

    /**
     * The kernel keeps the limit to itself, so this tries values by halving the range and puts our
     * own value back; raising it again is always allowed.
     */
    @Override
    public synchronized OptionalInt lowestOomScoreAdjustment() {
        int own;
        try {
            own = Integer.parseInt(Files.readString(OWN_OOM_SCORE).strip());
        } catch (IOException e) {
            return OptionalInt.empty();
        }
        int lowest = own;
        int refused = OOM_SCORE_LOWEST - 1;
        try {
            int next = OOM_SCORE_LOWEST;
            while (lowest - refused > 1) {
                if (setOwnOomScore(next)) {
                    lowest = next;
                } else {
                    refused = next;
                }
                next = Math.floorDiv(lowest + refused, 2);
            }
        } finally {
            setOwnOomScore(own);
        }
        return OptionalInt.of(lowest);
    }

    private static boolean setOwnOomScore(int value) {
        try {
            Files.writeString(OWN_OOM_SCORE, Integer.toString(value));
            return true;
        } catch (IOException e) {
            return false;
        }
    }
}
