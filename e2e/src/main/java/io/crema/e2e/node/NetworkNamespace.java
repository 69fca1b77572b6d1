package io.crema.e2e.node;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * A named network namespace (ip-netns), or the one of this process. Sockets that {@link #call}
 * opens belong to it for good, so a test can serve and fetch there without a process of its own.
 */
public final class NetworkNamespace {
    private static final int CLONE_NEWNET = 0x40000000;

    private final Optional<String> name;

    private NetworkNamespace(Optional<String> name) {
        this.name = name;
    }

    /** Where this process is. */
    public static NetworkNamespace host() {
        return new NetworkNamespace(Optional.empty());
    }

    /** One that exists. */
    public static NetworkNamespace named(String name) {
        return new NetworkNamespace(Optional.of(name));
    }

    /** Makes one with a loopback and no way out. */
    public static NetworkNamespace create(String name) {
        Shell.run("ip", "netns", "add", name);
        NetworkNamespace created = named(name);
        created.run("ip", "link", "set", "lo", "up");
        created.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1");
        return created;
    }

    public void delete() {
        name.ifPresent(value -> Shell.result(List.of("ip", "netns", "del", value)));
    }

    /** Runs a command there; it must succeed. */
    public String run(String... command) {
        return Shell.run(enter(List.of(command)));
    }

    /** The command line that runs a command there. */
    public List<String> enter(List<String> command) {
        if (name.isEmpty()) {
            return command;
        }
        // Not `ip netns exec`, which mounts another /sys and so hides the cgroups.
        List<String> line = new ArrayList<>(List.of("nsenter", "--net=" + path(), "--"));
        line.addAll(command);
        return line;
    }

    /** Runs an action there, on a thread that is thrown away afterwards. */
    public <T> T call(Callable<T> action) {
        FutureTask<T> task =
                new FutureTask<>(() -> {
                    if (name.isPresent()) {
                        enter(path());
                    }
                    return action.call();
                });
        Thread.ofPlatform().daemon().name("network").start(task);
        try {
            return task.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException unchecked) {
                throw unchecked;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            task.cancel(true);
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** A TCP port of the loopback that nobody listens on. */
    public int freePort() {
        return call(() -> {
            try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                return socket.getLocalPort();
            }
        });
    }

    private Path path() {
        return Path.of("/run/netns", name.orElseThrow());
    }

    @SuppressWarnings("restricted") // the whole point: a system call
    private static void enter(Path namespace) {
        Linker linker = Linker.nativeLinker();
        SymbolLookup library = linker.defaultLookup();
        MethodHandle open =
                linker.downcallHandle(
                        library.findOrThrow("open"),
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
        MethodHandle setns =
                linker.downcallHandle(
                        library.findOrThrow("setns"),
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        MethodHandle close =
                linker.downcallHandle(
                        library.findOrThrow("close"),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment path = arena.allocateFrom(namespace.toString());
            int descriptor = (int) open.invokeExact(path, 0);
            if (descriptor < 0) {
                throw new IllegalStateException("cannot open " + namespace);
            }
            int entered = (int) setns.invokeExact(descriptor, CLONE_NEWNET);
            int closed = (int) close.invokeExact(descriptor);
            if (entered != 0 || closed != 0) {
                throw new IllegalStateException("cannot enter " + namespace);
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
