package io.crema.oci.userns;

import io.crema.base.CleanupStack;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.Commands;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import io.crema.oci.process.PollLoop;
import io.crema.oci.runtime.OciRuntimeException;
import io.crema.oci.spec.RuntimeSpec.IdMapping;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/**
 * Makes user namespaces together with the namespaces that they own. A process with several threads
 * can do neither, so util-linux does: {@code unshare} holds them open while we write its id maps
 * and pin them, and {@code nsenter} writes kernel parameters as their root. Thread safe.
 */
public final class UserNamespaces {
    private static final int SIGKILL = 9;
    private static final int MAX_TEXT = 4096;
    private static final Map<String, String> ENVIRONMENT =
            Map.of("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL", "C");

    /** Says that it runs, then waits to be killed; ends when we die. */
    private static final String HOLD = "echo; read -r line";

    private static final String WRITE = "printf %s \"$2\" > \"$1\"";

    private final Linux linux;
    private final PollLoop loop;
    private final Commands commands;

    public UserNamespaces(Linux linux, PollLoop loop, Commands commands) {
        this.linux = linux;
        this.loop = loop;
        this.commands = commands;
    }

    /**
     * Makes a user namespace and others inside it, and pins them all; lo is up and the host name
     * set. On failure nothing stays pinned.
     *
     * @param pins USER and any of NETWORK, IPC and UTS
     * @param hostname empty for the host's own
     * @param sysctls by dotted name, written as root of the namespace; the caller has checked that
     *     each belongs to one of the new namespaces
     */
    public void createAndPin(
            Map<NamespaceKind, Path> pins,
            List<IdMapping> uids,
            List<IdMapping> gids,
            String hostname,
            Map<String, String> sysctls,
            Deadline deadline) {
        CleanupStack.run(undo -> {
            hold(pins.keySet(), uids, gids, deadline, pid -> linux.pin(pid, pins));
            undo.push("unpin " + pins.values(), () -> linux.unpin(Set.copyOf(pins.values())));
            linux.setUp(pins, hostname);
            sysctls.forEach((name, value) -> write(pins, name, value, deadline));
            return true;
        });
    }

    /**
     * Makes a user namespace for as long as something is done with it.
     *
     * @param work gets the namespace's file
     */
    public void with(
            List<IdMapping> uids, List<IdMapping> gids, Deadline deadline, Consumer<Path> work) {
        hold(
                Set.of(NamespaceKind.USER),
                uids,
                gids,
                deadline,
                pid -> work.accept(Path.of("/proc", Integer.toString(pid), "ns/user")));
    }

    private void hold(
            Set<NamespaceKind> kinds,
            List<IdMapping> uids,
            List<IdMapping> gids,
            Deadline deadline,
            IntConsumer held) {
        List<String> arguments = new ArrayList<>(List.of("unshare"));
        for (NamespaceKind kind : kinds) {
            arguments.add(option(kind));
        }
        arguments.addAll(List.of("--", "/bin/sh", "-c", HOLD));
        try (Pipe input = linux.pipe();
                Pipe output = linux.pipe()) {
            Child child =
                    new Children(linux, loop)
                            .start(
                                    new SpawnRequest(
                                            program("unshare"),
                                            arguments,
                                            ENVIRONMENT,
                                            Map.of(
                                                    0,
                                                    input.read(),
                                                    1,
                                                    output.write(),
                                                    2,
                                                    output.write()),
                                            false));
            try {
                output.write().close();
                String said = said(output.read(), deadline);
                if (!said.startsWith("\n")) {
                    throw failure("unshare: " + said.strip());
                }
                writeMap(child.pid(), "uid_map", uids);
                writeMap(child.pid(), "gid_map", gids);
                held.accept(child.pid());
            } finally {
                child.killGroup(SIGKILL);
            }
        }
    }

    private static String option(NamespaceKind kind) {
        return switch (kind) {
            case USER -> "--user";
            case NETWORK -> "--net";
            case IPC -> "--ipc";
            case UTS -> "--uts";
            case PID, MOUNT, CGROUP ->
                    throw new IllegalArgumentException(kind + " namespaces are not pinned");
        };
    }

    private String said(Descriptor from, Deadline deadline) {
        String step = "unshare to make a user namespace";
        try {
            loop.readable(from).get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException(step);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OciRuntimeException(
                    ErrorKind.CANCELLED, "the caller went away while waiting for " + step, e);
        } catch (ExecutionException e) {
            throw new OciRuntimeException(ErrorKind.INTERNAL, "cannot wait for " + step, e);
        }
        ByteBuffer buffer = ByteBuffer.allocate(MAX_TEXT);
        int count = linux.read(from, buffer);
        return count <= 0
                ? "it ended without a word"
                : new String(buffer.array(), 0, count, StandardCharsets.UTF_8);
    }

    private static void writeMap(int pid, String name, List<IdMapping> mappings) {
        StringBuilder text = new StringBuilder();
        for (IdMapping one : mappings) {
            text.append(one.containerID()).append(' ');
            text.append(one.hostID()).append(' ');
            text.append(one.size()).append('\n');
        }
        Path file = Path.of("/proc", Integer.toString(pid), name);
        try {
            Files.writeString(file, text); // the kernel wants all of it in one write
        } catch (IOException e) {
            throw new OciRuntimeException(
                    ErrorKind.FAILED_PRECONDITION,
                    "the kernel refuses the mapping "
                            + text.toString().strip()
                            + " in "
                            + file
                            + ": "
                            + e.getMessage(),
                    e);
        }
    }

    private void write(
            Map<NamespaceKind, Path> pins, String name, String value, Deadline deadline) {
        List<String> arguments = new ArrayList<>();
        new LinkedHashMap<>(pins).forEach((kind, pin) -> arguments.add(option(kind) + "=" + pin));
        String file = "/proc/sys/" + name.replace('.', '/');
        arguments.addAll(
                List.of(
                        "--setuid",
                        "0",
                        "--setgid",
                        "0",
                        "--",
                        "/bin/sh",
                        "-c",
                        WRITE,
                        "sh",
                        file));
        arguments.add(value);
        Outcome outcome =
                commands.run(
                        new Command(
                                program("nsenter"), arguments, ENVIRONMENT, new byte[0], MAX_TEXT),
                        deadline);
        if (!outcome.exit().isSuccess()) {
            throw failure("sysctl " + name + " = '" + value + "': " + outcome.stderrText().strip());
        }
    }

    private static Path program(String name) {
        for (String directory : List.of("/usr/bin", "/bin", "/usr/sbin")) {
            Path program = Path.of(directory, name);
            if (Files.isExecutable(program)) {
                return program;
            }
        }
        throw failure(name + " is not installed; install the package util-linux");
    }

    private static CremaException failure(String what) {
        return new OciRuntimeException(
                ErrorKind.FAILED_PRECONDITION, "cannot make a user namespace: " + what, null);
    }
}
