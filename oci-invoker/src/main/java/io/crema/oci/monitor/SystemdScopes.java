package io.crema.oci.monitor;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.Commands;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * Monitors in transient scopes of systemd, made by one D-Bus call through busctl. A scope vanishes
 * by itself with its last process.
 */
final class SystemdScopes implements MonitorPlacement {
    private static final String DEFAULT_SLICE = "system.slice";
    private static final Duration CALL_LIMIT = Duration.ofSeconds(10);
    private static final Duration FIRST_PAUSE = Duration.ofMillis(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);
    private static final int SIGKILL = 9;
    private static final int MAX_OUTPUT_BYTES = 8 * 1024;
    private static final Map<String, String> ENVIRONMENT = Map.of("PATH", "/usr/bin:/bin");

    private record Scope(String slice, String name) {
        static Scope parse(String where) {
            int slash = where.lastIndexOf('/');
            String name = where.substring(slash + 1);
            String slices = slash < 0 ? "" : where.substring(0, slash);
            String slice = slices.substring(slices.lastIndexOf('/') + 1);
            return new Scope(
                    slice.isEmpty() ? DEFAULT_SLICE : slice,
                    name.endsWith(".scope") ? name : name + ".scope");
        }
    }

    private final Children children;
    private final Commands commands;
    private final Path busctl;
    private final Path proc;

    SystemdScopes(Children children, Commands commands, Path busctl, Path proc) {
        this.children = children;
        this.commands = commands;
        this.busctl = busctl;
        this.proc = proc;
    }

    @Override
    public Child start(String where, SpawnRequest request, Deadline deadline) {
        Child child = children.start(request);
        try {
            place(child.pid(), where, deadline);
            return child;
        } catch (RuntimeException e) {
            child.killGroup(SIGKILL);
            throw e;
        }
    }

    void place(int pid, String where, Deadline deadline) {
        Scope scope = Scope.parse(where);
        Outcome outcome = call(arguments(pid, scope), deadline);
        if (!outcome.exit().isSuccess()) {
            throw new OciRuntimeException(
                    ErrorKind.UNAVAILABLE,
                    "systemd did not make scope "
                            + scope.name
                            + " in "
                            + scope.slice
                            + " for the monitor (pid "
                            + pid
                            + "): "
                            + outcome.stderrText().strip());
        }
        // The call only queues the job; the move is what we wait for.
        Deadline limit = deadline.atMost(CALL_LIMIT);
        Duration pause = FIRST_PAUSE;
        String step = "systemd to move the monitor (pid " + pid + ") to " + scope.name;
        while (!isIn(pid, scope.name)) {
            if (limit.hasPassed()) {
                throw new DeadlineExceededException(step);
            }
            Await.pause(pause, step);
            pause = pause.multipliedBy(2);
            pause = pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
        }
    }

    /**
     * KillSignal SIGPIPE (which conmon ignores) lets the containers end first at shutdown and keeps
     * the exit codes; CollectMode lets a failed scope vanish too.
     */
    private static List<String> arguments(int pid, Scope scope) {
        return List.of(
                "--system",
                "--quiet",
                "call",
                "org.freedesktop.systemd1",
                "/org/freedesktop/systemd1",
                "org.freedesktop.systemd1.Manager",
                "StartTransientUnit",
                "ssa(sv)a(sa(sv))",
                scope.name,
                "fail",
                "6",
                "PIDs",
                "au",
                "1",
                Integer.toString(pid),
                "Slice",
                "s",
                scope.slice,
                "Delegate",
                "b",
                "true",
                "DefaultDependencies",
                "b",
                "false",
                "KillSignal",
                "i",
                "13",
                "CollectMode",
                "s",
                "inactive-or-failed",
                "0");
    }

    private boolean isIn(int pid, String scope) {
        try {
            return Files.readString(proc.resolve(pid + "/cgroup")).contains("/" + scope);
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL,
                    "the monitor (pid " + pid + ") ended before systemd had moved it to " + scope,
                    e);
        }
    }

    /** A scope goes with its last process; CollectMode sees to it that a failed one goes too. */
    @Override
    public void remove(String where, Deadline deadline) {}

    private Outcome call(List<String> arguments, Deadline deadline) {
        Command command =
                new Command(busctl, arguments, ENVIRONMENT, new byte[0], MAX_OUTPUT_BYTES);
        try {
            return commands.run(command, deadline.atMost(CALL_LIMIT));
        } catch (LinuxException e) {
            throw new OciRuntimeException(
                    ErrorKind.FAILED_PRECONDITION,
                    "cannot run "
                            + busctl
                            + ", which the systemd cgroup driver needs: "
                            + e.errno().message()
                            + "; install systemd or set cgroup_manager to cgroupfs",
                    e);
        }
    }
}
