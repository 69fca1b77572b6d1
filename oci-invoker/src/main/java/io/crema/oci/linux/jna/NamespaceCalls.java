package io.crema.oci.linux.jna;

import com.sun.jna.LastErrorException;
import io.crema.base.CleanupStack;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxNamespaces;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Namespaces through libc; the fourth layer of {@link JnaLinux}.
 *
 * <p>The thread that enters a namespace must not wake virtual threads by itself: the scheduler
 * would start a missing carrier thread from it, and a new thread inherits the namespaces of its
 * creator for ever. So nothing here takes a lock or completes a future inside; the result is left
 * in a field and the caller waits for the thread's end, which the JVM signals through a thread of
 * its own.
 */
abstract class NamespaceCalls extends ProcessCalls implements LinuxNamespaces {
    private static final Set<NamespaceKind> CREATABLE =
            EnumSet.of(NamespaceKind.NETWORK, NamespaceKind.IPC, NamespaceKind.UTS);
    private static final int CLONE_FS = 0x200;
    private static final int AF_INET = 2;
    private static final int SOCK_DGRAM_CLOEXEC = 2 | LibC.O_CLOEXEC;
    private static final long SIOCGIFFLAGS = 0x8913;
    private static final long SIOCSIFFLAGS = 0x8914;
    private static final int IFREQ_SIZE = 40;
    private static final int IFREQ_FLAGS = 16;
    private static final short IFF_UP = 1;
    // More mounts than this on one pin are none of ours.
    private static final int STACKED_PINS_MAX = 16;

    private static int cloneFlag(NamespaceKind kind) {
        return switch (kind) {
            case NETWORK -> 0x40000000;
            case IPC -> 0x08000000;
            case UTS -> 0x04000000;
            case PID -> 0x20000000;
            case MOUNT -> 0x00020000;
            case USER -> 0x10000000;
            case CGROUP -> 0x02000000;
        };
    }

    @Override
    public void createAndPin(
            Map<NamespaceKind, Path> pins, String hostname, Map<String, String> sysctls) {
        for (NamespaceKind kind : pins.keySet()) {
            if (!CREATABLE.contains(kind)) {
                throw new IllegalArgumentException(
                        kind + " namespaces cannot be made by a thread and pinned");
            }
        }
        Map<Path, String> settings = new LinkedHashMap<>();
        sysctls.forEach((name, value) -> settings.put(sysctlFile(name, pins.keySet()), value));
        onThreadOfItsOwn(
                "make namespaces",
                () ->
                        CleanupStack.run(undo -> {
                            createAndPin(pins, hostname, settings, undo);
                            return true;
                        }));
    }

    private void createAndPin(
            Map<NamespaceKind, Path> pins,
            String hostname,
            Map<Path, String> settings,
            CleanupStack undo) {
        int flags = 0;
        for (NamespaceKind kind : pins.keySet()) {
            flags |= cloneFlag(kind);
        }
        try {
            LibC.unshare(flags);
        } catch (LastErrorException e) {
            throw failure("unshare", pins.keySet().toString(), e);
        }
        if (pins.containsKey(NamespaceKind.NETWORK)) {
            bringUpLoopback();
        }
        if (pins.containsKey(NamespaceKind.UTS) && !hostname.isEmpty()) {
            setHostname(hostname);
        }
        settings.forEach(this::writeSysctl);
        pin("thread-self", pins, undo);
    }

    private void pin(String process, Map<NamespaceKind, Path> pins, CleanupStack undo) {
        pins.forEach((kind, pin) -> {
            open(pin, CREATE_PIN, 0444).close();
            undo.push("unpin " + pin, () -> unpin(pin));
            mount(
                    "/proc/" + process + "/ns/" + kind.fileName(),
                    pin,
                    "",
                    EnumSet.of(MountFlag.BIND),
                    "");
        });
    }

    @Override
    public void pin(int process, Map<NamespaceKind, Path> pins) {
        CleanupStack.run(undo -> {
            pin(Integer.toString(process), pins, undo);
            return true;
        });
    }

    @Override
    public void setUp(Map<NamespaceKind, Path> pins, String hostname) {
        Map<NamespaceKind, Path> entered = new EnumMap<>(NamespaceKind.class);
        pins.forEach((kind, pin) -> {
            if (kind == NamespaceKind.NETWORK || kind == NamespaceKind.UTS) {
                entered.put(kind, pin);
            }
        });
        inNamespaces(
                entered,
                () -> {
                    if (entered.containsKey(NamespaceKind.NETWORK)) {
                        bringUpLoopback();
                    }
                    if (entered.containsKey(NamespaceKind.UTS) && !hostname.isEmpty()) {
                        setHostname(hostname);
                    }
                    return true;
                });
    }

    private static final Set<OpenFlag> CREATE_PIN =
            EnumSet.of(OpenFlag.READ_ONLY, OpenFlag.CREATE, OpenFlag.EXCLUSIVE, OpenFlag.NO_FOLLOW);

    private void bringUpLoopback() {
        try (Scratch scratch = scratches.take();
                Descriptor socket =
                        new Descriptor(LibC.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0), this)) {
            long request = scratch.zeroed(IFREQ_SIZE);
            scratch.putByte(request, (byte) 'l');
            scratch.putByte(request + 1, (byte) 'o');
            LibC.ioctl(socket.number(), SIOCGIFFLAGS, request);
            short flags = scratch.getShort(request + IFREQ_FLAGS);
            scratch.putShort(request + IFREQ_FLAGS, (short) (flags | IFF_UP));
            LibC.ioctl(socket.number(), SIOCSIFFLAGS, request);
        } catch (LastErrorException e) {
            throw failure("ioctl", "SIOCSIFFLAGS, lo up", e);
        }
    }

    private void setHostname(String hostname) {
        byte[] bytes = hostname.getBytes(StandardCharsets.UTF_8);
        try (Scratch scratch = scratches.take()) {
            LibC.sethostname(scratch.string("sethostname", hostname), bytes.length);
        } catch (LastErrorException e) {
            throw failure("sethostname", "'" + hostname + "'", e);
        }
    }

    /**
     * The kernel looks up net.*, the IPC names and the UTS names in the namespaces of the thread
     * that opens the file. A name that belongs to no new namespace would change the host.
     */
    private static Path sysctlFile(String name, Set<NamespaceKind> created) {
        String path = sysctlPath(name);
        boolean inside =
                (path.startsWith("net/") && created.contains(NamespaceKind.NETWORK))
                        || (isIpc(path) && created.contains(NamespaceKind.IPC))
                        || (path.equals("kernel/domainname")
                                && created.contains(NamespaceKind.UTS));
        if (!inside || path.contains("..")) {
            throw new LinuxException(
                    "sysctl",
                    "'" + name + "', which none of the new namespaces " + created + " holds",
                    Errno.EPERM);
        }
        return Path.of("/proc/sys", path);
    }

    private static boolean isIpc(String path) {
        return path.startsWith("kernel/shm")
                || path.startsWith("kernel/msg")
                || path.equals("kernel/sem")
                || path.startsWith("fs/mqueue/");
    }

    /** As sysctl(8): the first separator tells whether dots or slashes separate. */
    private static String sysctlPath(String name) {
        int dot = name.indexOf('.');
        int slash = name.indexOf('/');
        if (slash >= 0 && (dot < 0 || slash < dot)) {
            return name;
        }
        StringBuilder path = new StringBuilder(name.length());
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            path.append(c == '.' ? '/' : c == '/' ? '.' : c);
        }
        return path.toString();
    }

    private void writeSysctl(Path file, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        try (Descriptor descriptor = open(file, EnumSet.of(OpenFlag.WRITE_ONLY), 0)) {
            write(descriptor, bytes, 0, bytes.length);
        } catch (LinuxException e) {
            throw new LinuxException(e.call(), "sysctl " + file + " = '" + value + "'", e.errno());
        }
    }

    @Override
    public void unpin(Set<Path> pins) {
        LinuxException failure = null;
        for (Path pin : pins) {
            try {
                unpin(pin);
            } catch (LinuxException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private void unpin(Path pin) {
        for (int i = 0; i < STACKED_PINS_MAX; i++) {
            try {
                unmount(pin, EnumSet.of(UnmountFlag.DETACH));
            } catch (LinuxException e) {
                if (e.errno().is(Errno.ENOENT)) {
                    return;
                }
                if (e.errno().is(Errno.EINVAL)) { // not a mount point, or no longer one
                    break;
                }
                throw e;
            }
        }
        try (Scratch scratch = scratches.take()) {
            LibC.unlinkat(LibC.AT_FDCWD, scratch.string("unlink", pin.toString()), 0);
        } catch (LastErrorException e) {
            if (!is(e, Errno.ENOENT)) {
                throw failure("unlink", "'" + pin + "'", e);
            }
        }
    }

    @Override
    public <T> T inNamespaces(Map<NamespaceKind, Path> namespaces, InNamespace<T> work) {
        if (namespaces.containsKey(NamespaceKind.USER)) {
            throw new IllegalArgumentException(
                    "a process with several threads cannot enter a user namespace (setns(2))");
        }
        List<Descriptor> opened = new ArrayList<>();
        try {
            Map<NamespaceKind, Descriptor> targets = new EnumMap<>(NamespaceKind.class);
            namespaces.forEach((kind, path) -> {
                Descriptor target = open(path, EnumSet.of(OpenFlag.READ_ONLY), 0);
                opened.add(target);
                targets.put(kind, target);
            });
            return onThreadOfItsOwn(
                    "work in namespaces " + namespaces,
                    () -> {
                        enter(targets);
                        return work.run();
                    });
        } finally {
            opened.forEach(Descriptor::close);
        }
    }

    private static void enter(Map<NamespaceKind, Descriptor> targets) {
        try {
            if (targets.containsKey(NamespaceKind.MOUNT)) {
                // Root and working directory are shared between threads; setns(2) wants our own.
                LibC.unshare(CLONE_FS);
            }
        } catch (LastErrorException e) {
            throw failure("unshare", "CLONE_FS", e);
        }
        for (NamespaceKind kind : NamespaceKind.values()) {
            Descriptor target = targets.get(kind);
            if (target != null) {
                try {
                    LibC.setns(target.number(), cloneFlag(kind));
                } catch (LastErrorException e) {
                    throw failure("setns", target + ", " + kind, e);
                }
            }
        }
    }

    private static <T> T onThreadOfItsOwn(String what, InNamespace<T> work) {
        Errand<T> errand = new Errand<>(work);
        Thread thread = Thread.ofPlatform().daemon().name("namespace").unstarted(errand);
        thread.start();
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                // The work decides what an interrupt means; leaving it alone would lose its result.
                interrupted = true;
                thread.interrupt();
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return errand.result(what);
    }

    /** Carries the outcome from the thread in the namespace to the caller, through plain fields. */
    private static final class Errand<T> implements Runnable {
        private final InNamespace<T> work;
        private @Nullable T result;
        private @Nullable Throwable failure;

        Errand(InNamespace<T> work) {
            this.work = work;
        }

        @Override
        public void run() {
            try {
                result = work.run();
            } catch (Throwable e) {
                failure = e;
            }
        }

        @SuppressWarnings("NullAway") // the work may itself answer null when T allows it
        T result(String what) {
            switch (failure) {
                case null -> {
                    return result;
                }
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case IOException e -> throw new UncheckedIOException(what, e);
                case Throwable e -> throw new IllegalStateException(what + " failed", e);
            }
        }
    }
}
