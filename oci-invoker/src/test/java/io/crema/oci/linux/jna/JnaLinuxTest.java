package io.crema.oci.linux.jna;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.jna.LastErrorException;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxContract;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxFiles.Resolve;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contract and what only the kernel can show. */
@Tag("root")
class JnaLinuxTest extends LinuxContract {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final int SIGWINCH = 28;

    @TempDir private Path temporary;

    @Override
    protected Linux createLinux() {
        return JnaLinux.load();
    }

    @Override
    protected Path createDirectory() {
        try {
            return Files.createDirectory(temporary.resolve("contract"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    protected Path exitsWithSeven() {
        return script("seven", "exit 7");
    }

    @Override
    protected Path runsForEver() {
        return script("for-ever", "exec /bin/sleep 1000");
    }

    private Path script(String name, String text) {
        try {
            Path file = temporary.resolve(name);
            Files.writeString(file, "#!/bin/sh\n" + text + "\n");
            return Files.setPosixFilePermissions(
                    file, PosixFilePermissions.fromString("rwxr-xr-x"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @AfterEach
    void noMountsAreLeft() {
        assertThat(linux.mounts()).noneMatch(e -> e.mountPoint().startsWith(temporary));
    }

    private String run(String script, Map<Integer, Descriptor> descriptors, boolean newSession)
            throws Exception {
        try (Pipe pipe = linux.pipe()) {
            Map<Integer, Descriptor> all = new HashMap<>(descriptors);
            all.put(1, pipe.write());
            int pid =
                    linux.spawn(
                            new SpawnRequest(
                                    Path.of("/bin/sh"),
                                    List.of("sh", "-c", script),
                                    Map.of("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                                    all,
                                    newSession));
            pipe.write().close();
            String output = readFile(pipe.read());
            assertThat(linux.waitFor(pid, SOON)).hasValue(new ExitStatus(0, 0));
            return output;
        }
    }

    @Test
    void childSeesExactlyTheGivenDescriptors() throws Exception {
        writeFile("three", "3");
        writeFile("five", "5");
        Descriptor three = keep(linux.openAt(top, "three", READ, 0, Set.of()));
        Descriptor five = keep(linux.openAt(top, "five", READ, 0, Set.of()));
        // A descriptor without close-on-exec, as some library might leave one.
        int leak = LibC.fcntl(three.number(), 0 /* F_DUPFD */, 40);
        Descriptor leaked = keep(new Descriptor(leak, linux));
        assertThat(leaked.number()).isGreaterThanOrEqualTo(40);
        String output =
                run(
                        "find /proc/$$/fd -mindepth 1 -printf '%f %l\\n'; true",
                        Map.of(3, three, 5, five), false);
        assertThat(output.lines().map(l -> l.replaceAll("pipe:.*", "pipe")).toList())
                .containsExactlyInAnyOrder(
                        "0 /dev/null",
                        "1 pipe",
                        "2 /dev/null",
                        "3 " + directory + "/three",
                        "5 " + directory + "/five");
    }

    @Test
    void descriptorsMayBeSwapped() throws Exception {
        writeFile("a", "content of a\n");
        writeFile("b", "content of b\n");
        // Low numbers that overlap the child's range in the wrong order.
        Descriptor a = keep(linux.openAt(top, "a", READ, 0, Set.of()));
        Descriptor b = keep(linux.openAt(top, "b", READ, 0, Set.of()));
        Map<Integer, Descriptor> swapped = new HashMap<>();
        swapped.put(a.number(), b);
        swapped.put(b.number(), a);
        int highest = Math.max(a.number(), b.number());
        assertThat(highest).isGreaterThan(2);
        String links =
                run(
                        "readlink /proc/$$/fd/" + a.number() + " /proc/$$/fd/" + b.number(),
                        swapped,
                        false);
        assertThat(links).isEqualTo(directory + "/b\n" + directory + "/a\n");
    }

    @Test
    void childHasAnEmptySignalMaskAndDefaultDispositions() throws Exception {
        String status = run("grep -E '^Sig(Blk|Ign)' /proc/self/status", Map.of(), false);
        assertThat(status).contains("SigBlk:\t0000000000000000");
        // glibc keeps its two internal signals, 32 and 33, ignored in spawned children.
        String ignored = status.substring(status.indexOf("SigIgn:") + 7).strip();
        assertThat(Long.parseUnsignedLong(ignored, 16) & ~0x180000000L).isZero();
    }

    @Test
    void childLeadsASessionOrAGroup() throws Exception {
        String script = "echo $$ $(cut -d' ' -f5,6 /proc/$$/stat)";
        String[] session = run(script, Map.of(), true).strip().split(" ", -1);
        assertThat(session[1]).isEqualTo(session[0]);
        assertThat(session[2]).isEqualTo(session[0]);
        String[] group = run(script, Map.of(), false).strip().split(" ", -1);
        assertThat(group[1]).isEqualTo(group[0]);
        assertThat(group[2]).isNotEqualTo(group[0]);
    }

    @Test
    void spawnLeavesNoDescriptorBehind() throws Exception {
        run("true", Map.of(), false);
        int before = ownDescriptors();
        for (int i = 0; i < 20; i++) {
            run("true", Map.of(), false);
            assertFails(
                    Errno.ENOENT,
                    () ->
                            linux.spawn(
                                    new SpawnRequest(
                                            Path.of("/absent"),
                                            List.of("x"),
                                            Map.of(),
                                            Map.of(0, top, 1, top),
                                            false)));
        }
        assertThat(ownDescriptors()).isEqualTo(before);
    }

    private static int ownDescriptors() throws IOException {
        try (var entries = Files.list(Path.of("/proc/self/fd"))) {
            return (int) entries.count();
        }
    }

    @Test
    void longArgumentsAndEnvironmentArrive() throws Exception {
        String argument = "x".repeat(100_000) + "é";
        try (Pipe pipe = linux.pipe()) {
            int pid =
                    linux.spawn(
                            new SpawnRequest(
                                    Path.of("/bin/sh"),
                                    List.of("sh", "-c", "echo ${#1} ${#V}", "sh", argument),
                                    Map.of("V", "y".repeat(100_000)),
                                    Map.of(1, pipe.write()),
                                    false));
            pipe.write().close();
            assertThat(readFile(pipe.read())).isEqualTo("100002 100000\n");
            assertThat(linux.waitFor(pid, SOON)).isPresent();
        }
    }

    @Test
    void childStartsInItsWorkingDirectory() {
        writeFile("here", "");
        int pid = linux.spawn(in(directory));
        assertThat(linux.waitFor(pid, SOON)).hasValue(new ExitStatus(0, 0));
        Path absent = directory.resolve("absent");
        assertThatThrownBy(() -> linux.spawn(in(absent)))
                .hasMessageContaining("in '" + absent + "'")
                .hasMessageContaining("ENOENT");
    }

    private static SpawnRequest in(Path workingDirectory) {
        return new SpawnRequest(
                Path.of("/bin/sh"),
                List.of("sh", "-c", "test -e here"),
                Map.of(),
                Map.of(),
                false,
                Optional.of(workingDirectory));
    }

    @Test
    void waitingStealsNobodyElsesChild() throws Exception {
        Process other = new ProcessBuilder("/bin/sh", "-c", "exit 5").start();
        int pid = linux.spawn(request("exit 6"));
        assertThat(linux.waitFor(pid, SOON)).hasValue(new ExitStatus(6, 0));
        assertThat(other.waitFor()).isEqualTo(5);
    }

    private static SpawnRequest request(String script) {
        return new SpawnRequest(
                Path.of("/bin/sh"), List.of("sh", "-c", script), Map.of(), Map.of(), false);
    }

    @Test
    void interruptedReadsAreRepeated() throws Exception {
        // abs() does nothing with a signal number, and siginterrupt() takes SA_RESTART away.
        NativeLibrary process = NativeLibrary.getProcess();
        Pointer harmless = process.getFunction("abs");
        process.getFunction("signal").invokePointer(new Object[] {SIGWINCH, harmless});
        process.getFunction("siginterrupt").invokeInt(new Object[] {SIGWINCH, 1});
        try (Pipe raw = linux.pipe();
                Pipe repeated = linux.pipe()) {
            // Shows that the signal does interrupt: the bare call fails.
            assertThatThrownBy(() ->
                            whileSignalled(
                                    () -> {
                                        try (Scratch scratch = new Scratch.Pool().take()) {
                                            return (int)
                                                    LibC.read(
                                                            raw.read().number(),
                                                            scratch.block(8),
                                                            8);
                                        }
                                    },
                                    () -> {}))
                    .hasRootCauseInstanceOf(LastErrorException.class);
            int count =
                    whileSignalled(
                            () -> linux.read(repeated.read(), ByteBuffer.allocate(8)),
                            () -> linux.write(repeated.write(), new byte[5], 0, 5));
            assertThat(count).isEqualTo(5);
        }
    }

    @FunctionalInterface
    private interface Blocking {
        int call();
    }

    /**
     * Runs a call that blocks on a thread of its own, signals the thread 20 times, then lets go.
     */
    private static int whileSignalled(Blocking blocking, Runnable release) throws Exception {
        boolean isIntel = System.getProperty("os.arch", "").equals("amd64");
        long sysGettid = isIntel ? 186 : 178;
        long sysTgkill = isIntel ? 234 : 131;
        String inRead = isIntel ? "0 " : "63 ";
        CompletableFuture<Integer> tid = new CompletableFuture<>();
        CompletableFuture<Integer> result = new CompletableFuture<>();
        Thread.ofPlatform()
                .start(() -> {
                    tid.complete((int) LibC.syscall(sysGettid, 0, 0, 0, 0));
                    try {
                        result.complete(blocking.call());
                    } catch (RuntimeException e) {
                        result.completeExceptionally(e);
                    }
                });
        long pid = ProcessHandle.current().pid();
        Path systemCall = Path.of("/proc/self/task/" + tid.get() + "/syscall");
        for (int i = 0; i < 20 && !result.isDone(); i++) {
            while (!result.isDone() && !contentOrNothing(systemCall).startsWith(inRead)) {
                Thread.onSpinWait();
            }
            try {
                LibC.syscall(sysTgkill, pid, tid.get(), SIGWINCH, 0);
            } catch (LastErrorException e) {
                assertThat(e.getErrorCode()).isEqualTo(Errno.ESRCH.number());
            }
        }
        release.run();
        return result.get(10, TimeUnit.SECONDS);
    }

    private static String contentOrNothing(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return ""; // the thread has ended
        }
    }

    @Test
    void errnoBelongsToItsCallOnManyVirtualThreads() throws Exception {
        List<Thread> threads = new ArrayList<>();
        CompletableFuture<Void> wrong = new CompletableFuture<>();
        for (int i = 0; i < 64; i++) {
            boolean wantsDirectory = i % 2 == 0;
            threads.add(
                    Thread.ofVirtual()
                            .start(() -> {
                                for (int n = 0; n < 200; n++) {
                                    Errno expected = wantsDirectory ? Errno.ENOTDIR : Errno.ENOENT;
                                    Path path =
                                            Path.of(
                                                    wantsDirectory
                                                            ? "/proc/self/status"
                                                            : "/proc/self/absent");
                                    try {
                                        assertFails(expected, () -> linux.open(path, DIRECTORY, 0));
                                    } catch (AssertionError e) {
                                        wrong.completeExceptionally(e);
                                    }
                                }
                            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        wrong.complete(null);
        wrong.get();
    }

    // Files

    @Test
    void devicesAreNotReachedThroughMagicLinks() {
        try (Descriptor proc = linux.open(Path.of("/proc/self"), DIRECTORY, 0)) {
            assertFails(
                    Errno.ELOOP,
                    () ->
                            linux.openAt(
                                    proc, "root/etc", READ, 0, EnumSet.of(Resolve.NO_MAGIC_LINKS)));
            assertFails(
                    Errno.EXDEV,
                    () ->
                            linux.openAt(
                                    proc,
                                    "root/etc",
                                    READ,
                                    0,
                                    EnumSet.of(Resolve.NO_CROSS_DEVICE)));
        }
    }

    @Test
    void attributesOfLinksThemselves() {
        writeFile("file", "");
        linux.symbolicLinkAt("file", top, "link");
        linux.setAttributeAt(top, "link", "trusted.crema", new byte[] {1});
        assertThat(linux.attribute(directory.resolve("link"), "trusted.crema")).isPresent();
        assertThat(linux.attribute(directory.resolve("file"), "trusted.crema")).isEmpty();
        try (Descriptor link =
                linux.openAt(
                        top,
                        "link",
                        EnumSet.of(OpenFlag.PATH, OpenFlag.NO_FOLLOW),
                        0,
                        EnumSet.of(Resolve.NO_SYMLINKS))) {
            linux.setAttribute(link, "trusted.crema", new byte[] {2});
        }
        assertThat(linux.attribute(directory.resolve("link"), "trusted.crema"))
                .hasValue(new byte[] {2});
        assertThat(linux.attribute(directory.resolve("file"), "trusted.crema")).isEmpty();
        byte[] large = new byte[3000];
        linux.setAttributeAt(top, "file", "user.large", large);
        assertThat(linux.attribute(directory.resolve("file"), "user.large")).hasValue(large);
        assertThat(linux.attributeNames(Path.of("/proc/self/status"))).isEmpty();
    }

    @Test
    void statusAgreesWithTheJdk() throws IOException {
        writeFile("file", "1234567");
        Map<String, Object> jdk = Files.readAttributes(directory.resolve("file"), "unix:*");
        var ours = status("file");
        assertThat(ours.inode()).isEqualTo(jdk.get("ino"));
        assertThat(ours.device()).isEqualTo(jdk.get("dev"));
        assertThat(ours.mode()).isEqualTo(jdk.get("mode"));
        assertThat((int) ours.linkCount()).isEqualTo(jdk.get("nlink"));
        var store = Files.getFileStore(directory);
        assertThat(linux.fileSystemStatus(directory).totalBytes()).isEqualTo(store.getTotalSpace());
        assertThat(linux.fileSystemStatus(Path.of("/proc")).type()).isEqualTo(0x9fa0);
    }

    @Test
    void descriptorsAreCloseOnExec() {
        try (Descriptor file = linux.openAt(top, "file", CREATE, 0600, Set.of());
                Descriptor path = linux.open(directory, EnumSet.of(OpenFlag.PATH), 0);
                Descriptor process =
                        linux.openProcess((int) ProcessHandle.current().pid()).orElseThrow();
                Pipe pipe = linux.pipe()) {
            for (Descriptor one : List.of(file, path, process, pipe.read(), pipe.write(), top)) {
                assertThat(LibC.fcntl(one.number(), 1 /* F_GETFD */, 0)).isEqualTo(1);
            }
        }
    }

    // Namespaces

    @Test
    void podNamespacesHaveLoopbackHostnameAndSysctls() throws Exception {
        Map<NamespaceKind, Path> pins =
                Map.of(
                        NamespaceKind.NETWORK,
                        directory.resolve("net"),
                        NamespaceKind.IPC,
                        directory.resolve("ipc"),
                        NamespaceKind.UTS,
                        directory.resolve("uts"));
        String hostsBefore = hostView();
        linux.createAndPin(
                pins,
                "pod-7",
                Map.of(
                        "net.ipv4.ip_unprivileged_port_start", "7",
                        "net/ipv4/ping_group_range", "0 42",
                        "net.ipv4.conf.lo.rp_filter", "2",
                        "kernel.shm_rmid_forced", "1",
                        "kernel.msgmax", "4242",
                        "kernel.sem", "251 32001 33 129",
                        "fs.mqueue.msg_max", "99",
                        "kernel.domainname", "example"));
        try {
            assertThat(
                            run(
                                    "nsenter --net=$N/net ip -o addr show lo | grep -c 127.0.0.1;"
                                            + " nsenter --net=$N/net cat"
                                            + " /proc/sys/net/ipv4/ip_unprivileged_port_start"
                                            + " /proc/sys/net/ipv4/ping_group_range"
                                            + " /proc/sys/net/ipv4/conf/lo/rp_filter;"
                                            + " nsenter --ipc=$N/ipc cat"
                                            + " /proc/sys/kernel/shm_rmid_forced"
                                            + " /proc/sys/kernel/msgmax /proc/sys/kernel/sem"
                                            + " /proc/sys/fs/mqueue/msg_max;"
                                            + " nsenter --uts=$N/uts cat"
                                            + " /proc/sys/kernel/hostname"
                                            + " /proc/sys/kernel/domainname",
                                    directory))
                    .isEqualTo(
                            "1\n7\n0\t42\n2\n1\n4242\n251\t32001\t33\t129\n99\npod-7\nexample\n");
            assertThat(hostView()).isEqualTo(hostsBefore);
        } finally {
            linux.unpin(Set.copyOf(pins.values()));
        }
        assertThat(linux.list(top)).isEmpty();
    }

    private String run(String script, Path pins) throws Exception {
        return run("N='" + pins + "'; " + script, Map.of(), false);
    }

    private String hostView() throws Exception {
        return run(
                "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax"
                        + " /proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/hostname"
                        + " /proc/sys/fs/mqueue/msg_max /proc/sys/kernel/domainname",
                Map.of(),
                false);
    }

    @Test
    void loopbackIsUp() {
        Path net = directory.resolve("net");
        linux.createAndPin(Map.of(NamespaceKind.NETWORK, net), "", Map.of());
        try {
            // /proc/net is a link to /proc/self/net, which is the first thread's.
            String routes =
                    linux.inNamespaces(
                            Map.of(NamespaceKind.NETWORK, net),
                            () -> Files.readString(Path.of("/proc/thread-self/net/if_inet6")));
            assertThat(routes).contains(" lo");
        } finally {
            linux.unpin(Set.of(net));
        }
    }

    @Test
    void unknownSysctlLeavesNothing() {
        assertThatThrownBy(() ->
                        linux.createAndPin(
                                Map.of(NamespaceKind.NETWORK, directory.resolve("net")),
                                "",
                                Map.of("net.ipv4.no_such_thing", "1")))
                .hasMessageContaining("net/ipv4/no_such_thing")
                .hasMessageContaining("ENOENT");
        assertFails(
                Errno.EPERM,
                () ->
                        linux.createAndPin(
                                Map.of(NamespaceKind.NETWORK, directory.resolve("net")),
                                "",
                                Map.of("net/../kernel/hostname", "1")));
        assertThat(linux.list(top)).isEmpty();
    }

    @Test
    void theNamespaceDiesWithItsPin() throws Exception {
        Path net = directory.resolve("net");
        linux.createAndPin(Map.of(NamespaceKind.NETWORK, net), "", Map.of());
        String identity = mountAt(net).orElseThrow().root().toString();
        linux.unpin(Set.of(net));
        assertNoThreadIn("net", identity);
        assertThat(linux.mounts()).noneMatch(e -> e.root().toString().equals(identity));
    }

    @Test
    void callersThreadsStayOutside() throws Exception {
        Path uts = directory.resolve("uts");
        String before = Files.readSymbolicLink(Path.of("/proc/thread-self/ns/uts")).toString();
        linux.createAndPin(Map.of(NamespaceKind.UTS, uts), "inside", Map.of());
        try {
            Map<NamespaceKind, Path> inside = Map.of(NamespaceKind.UTS, uts);
            assertThat(
                            linux.inNamespaces(
                                    inside,
                                    () -> Files.readString(Path.of("/proc/sys/kernel/hostname"))))
                    .isEqualTo("inside\n");
            // Virtual callers, and whatever carriers the JVM starts for them meanwhile.
            List<CompletableFuture<String>> seen = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                CompletableFuture<String> one = new CompletableFuture<>();
                seen.add(one);
                Thread.ofVirtual()
                        .start(() -> {
                            linux.inNamespaces(inside, () -> true);
                            try {
                                one.complete(
                                        Files.readSymbolicLink(Path.of("/proc/thread-self/ns/uts"))
                                                .toString());
                            } catch (IOException e) {
                                one.completeExceptionally(e);
                            }
                        });
            }
            for (CompletableFuture<String> one : seen) {
                assertThat(one.get(20, TimeUnit.SECONDS)).isEqualTo(before);
            }
            assertNoThreadIn("uts", inside(uts));
        } finally {
            linux.unpin(Set.of(uts));
        }
    }

    private String inside(Path pin) {
        return mountAt(pin).orElseThrow().root().toString();
    }

    /**
     * No thread of this JVM is in the namespace, but for the throwaway threads themselves, whose
     * end the JVM tells a moment before the kernel has finished it.
     */
    private static void assertNoThreadIn(String kind, String identity) throws IOException {
        long end = System.nanoTime() + SOON.toNanos();
        Set<String> names;
        do {
            names = threadsIn(kind, identity);
            assertThat(names).isSubsetOf("namespace");
        } while (!names.isEmpty() && System.nanoTime() < end);
        assertThat(names).isEmpty();
    }

    private static Set<String> threadsIn(String kind, String identity) throws IOException {
        Set<String> names = new HashSet<>();
        try (var tasks = Files.list(Path.of("/proc/self/task"))) {
            for (Path task : tasks.toList()) {
                try {
                    String name = Files.readString(task.resolve("comm")).strip();
                    Path link = Files.readSymbolicLink(task.resolve("ns/" + kind));
                    if (link.toString().equals(identity)) {
                        names.add(name);
                    }
                } catch (IOException e) {
                    // The thread has ended meanwhile, so it is in no namespace.
                    assertThat(task.resolve("ns/" + kind)).doesNotExist();
                }
            }
        }
        return names;
    }

    @Test
    void wakingTheCallerStartsNoCarrierInside() throws Exception {
        Path uts = directory.resolve("uts");
        linux.createAndPin(Map.of(NamespaceKind.UTS, uts), "", Map.of());
        AtomicBoolean stop = new AtomicBoolean();
        List<Thread> busy = new ArrayList<>();
        try {
            CountDownLatch release = new CountDownLatch(1);
            Thread caller =
                    Thread.ofVirtual()
                            .start(() ->
                                    linux.inNamespaces(
                                            Map.of(NamespaceKind.UTS, uts),
                                            () -> release.await(10, TimeUnit.SECONDS)));
            // With every carrier busy, whoever wakes the caller makes the scheduler want a new one.
            busy.add(Thread.ofVirtual().start(() -> spinUntil(stop)));
            release.countDown();
            caller.join();
            assertNoThreadIn("uts", inside(uts));
        } finally {
            stop.set(true);
            for (Thread thread : busy) {
                thread.join();
            }
            linux.unpin(Set.of(uts));
        }
    }

    private static void spinUntil(AtomicBoolean stop) {
        while (!stop.get()) {
            Thread.onSpinWait();
        }
    }

    @Test
    void entersMountNamespaces() throws Exception {
        // A child in its own mount namespace with a mount that we do not see.
        Path marker = Files.createDirectory(temporary.resolve("marker"));
        Pipe ready = linux.pipe();
        int pid =
                linux.spawn(
                        new SpawnRequest(
                                Path.of("/usr/bin/unshare"),
                                List.of(
                                        "unshare",
                                        "--mount",
                                        "--propagation",
                                        "private",
                                        "sh",
                                        "-c",
                                        "mount -t tmpfs inside "
                                                + marker
                                                + " && touch "
                                                + marker
                                                + "/seen && echo && exec sleep 1000"),
                                Map.of("PATH", "/usr/bin:/bin"),
                                Map.of(1, ready.write()),
                                true));
        try {
            assertThat(linux.read(ready.read(), ByteBuffer.allocate(1))).isEqualTo(1);
            Map<NamespaceKind, Path> inside =
                    Map.of(NamespaceKind.MOUNT, Path.of("/proc/" + pid + "/ns/mnt"));
            assertThat(linux.inNamespaces(inside, () -> Files.exists(marker.resolve("seen"))))
                    .isTrue();
            assertThat(linux.inNamespaces(inside, linux::mounts))
                    .anyMatch(e -> e.mountPoint().equals(marker) && e.source().equals("inside"));
            assertThat(Files.exists(marker.resolve("seen"))).isFalse();
        } finally {
            linux.killGroup(pid, 9);
            linux.waitFor(pid, SOON);
            ready.close();
        }
    }

    @Test
    void oomScoreLimitIsFoundAndOursIsKept() throws IOException {
        Path own = Path.of("/proc/self/oom_score_adj");
        String before = Files.readString(own);
        int lowest = linux.lowestOomScoreAdjustment().orElseThrow();
        assertThat(Files.readString(own)).isEqualTo(before);
        assertThat(lowest).isBetween(-1000, Integer.parseInt(before.strip()));
        if (lowest > -1000) {
            assertThatThrownBy(() -> Files.writeString(own, Integer.toString(lowest - 1)))
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void startTimeAgreesWithProc() throws IOException {
        int pid = (int) ProcessHandle.current().pid();
        String[] fields = Files.readString(Path.of("/proc/self/stat")).split("\\) ", -1);
        long expected = Long.parseLong(fields[fields.length - 1].split(" ", -1)[19]);
        assertThat(linux.startTimeTicks(pid)).hasValue(expected);
    }
}
