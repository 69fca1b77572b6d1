package io.crema.oci.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Pipe;
import io.crema.oci.linux.LinuxFiles.Resolve;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.linux.LinuxMounts.MountFlag;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.linux.LinuxPolling.Interest;
import io.crema.oci.linux.LinuxPolling.Poll;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.linux.LinuxSockets.Loopback;
import io.crema.oci.linux.LinuxSockets.UnixSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every {@link Linux} does; run against the kernel and against the fake. */
public abstract class LinuxContract {
    protected static final Set<OpenFlag> DIRECTORY =
            EnumSet.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY);
    protected static final Set<OpenFlag> READ = EnumSet.of(OpenFlag.READ_ONLY);
    protected static final Set<OpenFlag> CREATE =
            EnumSet.of(OpenFlag.READ_WRITE, OpenFlag.CREATE, OpenFlag.EXCLUSIVE);
    private static final Duration SOON = Duration.ofSeconds(10);

    protected Linux linux;
    protected Path directory;
    protected Descriptor top;
    private final List<Descriptor> opened = new ArrayList<>();

    protected abstract Linux createLinux();

    /** An empty directory of this implementation. */
    protected abstract Path createDirectory();

    /** An executable that ends with code 7 at once. */
    protected abstract Path exitsWithSeven();

    /** An executable that runs until it is killed. */
    protected abstract Path runsForEver();

    @BeforeEach
    void open() {
        linux = createLinux();
        directory = createDirectory();
        top = keep(linux.open(directory, DIRECTORY, 0));
    }

    @AfterEach
    void close() {
        opened.forEach(Descriptor::close);
    }

    protected Descriptor keep(Descriptor descriptor) {
        opened.add(descriptor);
        return descriptor;
    }

    protected void writeFile(String name, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        try (Descriptor file = linux.openAt(top, name, CREATE, 0600, Set.of())) {
            linux.write(file, bytes, 0, bytes.length);
        }
    }

    protected String readFile(Descriptor file) {
        ByteBuffer buffer = ByteBuffer.allocate(100_000);
        while (linux.read(file, buffer) >= 0) {
            // to the end
        }
        return new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8);
    }

    protected FileStatus status(String name) {
        return linux.statusAt(top, name).orElseThrow();
    }

    protected static void assertFails(Errno errno, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        LinuxException.class,
                        failure -> assertThat(failure.errno()).isEqualTo(errno));
    }

    @Test
    void failureNamesCallArgumentsAndErrno() {
        assertThatThrownBy(() -> linux.open(directory.resolve("absent"), READ, 0))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("open(")
                .hasMessageContaining(directory + "/absent")
                .hasMessageContaining("no such file or directory (ENOENT)");
    }

    @Test
    void fullDiskIsResourceExhaustion() {
        assertThat(new LinuxException("write", "", Errno.ENOSPC).kind())
                .isEqualTo(ErrorKind.RESOURCE_EXHAUSTED);
    }

    @Test
    void closesOnce() {
        Descriptor first = linux.openAt(top, "a", CREATE, 0600, Set.of());
        int number = first.number();
        first.close();
        try (Descriptor second = linux.openAt(top, "b", CREATE, 0600, Set.of())) {
            assertThat(second.number()).isEqualTo(number);
            first.close();
            assertThat(linux.status(second).isRegularFile()).isTrue();
        }
        assertThatThrownBy(first::number).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void closingAnUnknownNumberIsReported() {
        assertFails(Errno.EBADF, () -> linux.close(900_000));
    }

    @Test
    void writesAndReadsHeapAndDirectBuffers() {
        String text = "crema".repeat(15_000);
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Descriptor file = keep(linux.openAt(top, "file", CREATE, 0640, Set.of()));
        linux.write(file, ByteBuffer.allocateDirect(bytes.length).put(bytes).flip());
        linux.write(file, bytes, 5, 10);
        linux.write(file, ByteBuffer.wrap(bytes, 0, 5));
        assertThat(linux.status(file).size()).isEqualTo(bytes.length + 15);
        assertThat(linux.seek(file, 0)).isZero();
        assertThat(readFile(file)).isEqualTo(text + "cremacremacrema");

        linux.seek(file, 1);
        ByteBuffer direct = ByteBuffer.allocateDirect(10).position(3).limit(7);
        assertThat(linux.read(file, direct)).isEqualTo(4);
        assertThat(direct.position()).isEqualTo(7);
        byte[] got = new byte[4];
        direct.get(3, got);
        assertThat(new String(got, StandardCharsets.UTF_8)).isEqualTo("rema");
    }

    @Test
    void truncatesAndSyncs() {
        writeFile("file", "123456");
        Descriptor file =
                keep(linux.openAt(top, "file", EnumSet.of(OpenFlag.READ_WRITE), 0, Set.of()));
        linux.truncate(file, 3);
        linux.sync(file);
        linux.syncFileSystem(file);
        assertThat(readFile(file)).isEqualTo("123");
    }

    @Test
    void exclusiveCreationRefusesWhatExists() {
        writeFile("file", "");
        linux.symbolicLinkAt("elsewhere", top, "link");
        assertFails(Errno.EEXIST, () -> linux.openAt(top, "file", CREATE, 0600, Set.of()));
        assertFails(Errno.EEXIST, () -> linux.openAt(top, "link", CREATE, 0600, Set.of()));
    }

    @Test
    void namesAreSingleComponents() {
        linux.makeDirectoryAt(top, "inner", 0755);
        for (String name : List.of("inner/x", "/x", "..", "", "a\0b")) {
            assertFails(Errno.EINVAL, () -> linux.makeDirectoryAt(top, name, 0755));
            assertFails(Errno.EINVAL, () -> linux.unlinkAt(top, name, true));
            assertFails(Errno.EINVAL, () -> linux.statusAt(top, name));
            assertFails(Errno.EINVAL, () -> linux.symbolicLinkAt("t", top, name));
            assertFails(Errno.EINVAL, () -> linux.changeOwnerAt(top, name, 1, 1));
        }
        assertFails(Errno.EINVAL, () -> linux.openAt(top, "a\0b", READ, 0, Set.of()));
    }

    @Test
    void namesNeedNotBeUtf8() {
        String latin1 = FileNames.decode(new byte[] {'h', (byte) 0xE9, '.'}, 0, 3);
        String nordic = "Főtanúsítvány-日本-\uD83D\uDE00";
        writeFile(latin1, "l");
        writeFile(nordic, "n");
        assertThat(linux.list(top)).containsExactlyInAnyOrder(latin1, nordic);
        assertThat(status(latin1).size()).isEqualTo(1);
        linux.symbolicLinkAt(latin1, top, "link");
        assertThat(linux.readLinkAt(top, "link")).isEqualTo(latin1);
    }

    @Test
    void openAtConfinesToTheDirectory() {
        linux.makeDirectoryAt(top, "root", 0755);
        linux.makeDirectoryAt(top, "outside", 0755);
        writeFile("outside/secret", "secret");
        Descriptor root = keep(linux.openAt(top, "root", DIRECTORY, 0, Set.of()));
        linux.symbolicLinkAt("../outside", root, "up");
        linux.symbolicLinkAt(directory + "/outside", root, "absolute");
        linux.symbolicLinkAt("loop", root, "loop");
        for (String escape : List.of("../outside/secret", "up/secret", "absolute/secret")) {
            assertFails(
                    Errno.EXDEV,
                    () -> linux.openAt(root, escape, READ, 0, EnumSet.of(Resolve.BENEATH)));
            assertFails(
                    Errno.ENOENT,
                    () -> linux.openAt(root, escape, READ, 0, EnumSet.of(Resolve.IN_ROOT)));
        }
        assertFails(
                Errno.EXDEV,
                () ->
                        linux.openAt(
                                root,
                                directory + "/outside",
                                READ,
                                0,
                                EnumSet.of(Resolve.BENEATH)));
        assertFails(
                Errno.ELOOP,
                () -> linux.openAt(root, "up", READ, 0, EnumSet.of(Resolve.NO_SYMLINKS)));
        assertFails(
                Errno.ELOOP,
                () -> linux.openAt(root, "loop", READ, 0, EnumSet.of(Resolve.IN_ROOT)));
        assertThat(readFile(keep(linux.openAt(root, "up/secret", READ, 0, Set.of()))))
                .isEqualTo("secret");
    }

    @Test
    void openAtWithinARootFollowsAbsoluteLinksInside() {
        linux.makeDirectoryAt(top, "etc", 0755);
        writeFile("etc/passwd", "inside");
        linux.symbolicLinkAt("/etc/passwd", top, "link");
        Descriptor file =
                keep(linux.openAt(top, "../../link", READ, 0, EnumSet.of(Resolve.IN_ROOT)));
        assertThat(readFile(file)).isEqualTo("inside");
        linux.unlinkAt(top, "link", false);
    }

    @Test
    void statusTellsTypeOwnerModeAndTime() {
        writeFile("file", "12345");
        linux.changeOwnerAt(top, "file", 1234, 70000);
        linux.changeModeAt(top, "file", 04751);
        linux.changeTimesAt(top, "file", 1_000_000_007L, 89);
        FileStatus file = status("file");
        assertThat(file.isRegularFile()).isTrue();
        assertThat(file.mode()).isEqualTo(0104751);
        assertThat(file.uid()).isEqualTo(1234);
        assertThat(file.gid()).isEqualTo(70000);
        assertThat(file.size()).isEqualTo(5);
        assertThat(file.linkCount()).isEqualTo(1);
        assertThat(file.modifiedSeconds()).isEqualTo(1_000_000_007L);
        assertThat(file.modifiedNanos()).isEqualTo(89);
        assertThat(file.blocks512()).isPositive();
        assertThat(status(".")).isEqualTo(linux.status(top));
        assertThat(linux.statusAt(top, "absent")).isEmpty();
        assertThat(linux.status(directory.resolve("absent/deeper"), true)).isEmpty();
        assertThat(linux.status(directory.resolve("file/deeper"), true)).isEmpty();
        assertThat(linux.status(directory, true).orElseThrow().isDirectory()).isTrue();
    }

    @Test
    void changesThroughDescriptors() {
        Descriptor file = keep(linux.openAt(top, "file", CREATE, 0600, Set.of()));
        linux.changeOwner(file, 5, 6);
        linux.changeMode(file, 0444);
        linux.changeTimes(file, -5, 1);
        FileStatus status = status("file");
        assertThat(List.of(status.uid(), status.gid(), status.mode() & 07777))
                .containsExactly(5, 6, 0444);
        assertThat(status.modifiedSeconds()).isEqualTo(-5);
        linux.changeOwner(directory.resolve("file"), 7, 8);
        assertThat(status("file").uid()).isEqualTo(7);
    }

    @Test
    void linksThemselvesAreChanged() {
        writeFile("file", "");
        linux.symbolicLinkAt("file", top, "link");
        linux.changeOwnerAt(top, "link", 42, 43);
        linux.changeTimesAt(top, "link", 77, 0);
        assertThat(status("link").isSymbolicLink()).isTrue();
        assertThat(status("link").uid()).isEqualTo(42);
        assertThat(status("link").modifiedSeconds()).isEqualTo(77);
        assertThat(status("file").uid()).isNotEqualTo(42);
        assertThat(linux.status(directory.resolve("link"), false).orElseThrow().isSymbolicLink())
                .isTrue();
        assertThat(linux.status(directory.resolve("link"), true).orElseThrow().isRegularFile())
                .isTrue();
        assertThat(linux.readLinkAt(top, "link")).isEqualTo("file");
        assertFails(Errno.EINVAL, () -> linux.readLinkAt(top, "file"));
    }

    @Test
    void makesNodesAndFifos() {
        linux.makeNodeAt(top, "whiteout", 0020000, 0, 0);
        linux.makeNodeAt(top, "null", 0020666, 1, 3);
        linux.makeNodeAt(top, "block", 0060600, 259, 300_000);
        linux.makeFifo(directory.resolve("fifo"), 0600);
        assertThat(status("whiteout").isCharacterDevice()).isTrue();
        assertThat(status("whiteout").deviceMajor()).isZero();
        assertThat(status("null").deviceMajor()).isEqualTo(1);
        assertThat(status("null").deviceMinor()).isEqualTo(3);
        assertThat(status("block").isBlockDevice()).isTrue();
        assertThat(status("block").deviceMajor()).isEqualTo(259);
        assertThat(status("block").deviceMinor()).isEqualTo(300_000);
        assertThat(status("fifo").mode() & 0170000).isEqualTo(0010000);
    }

    @Test
    void hardLinksShareTheFile() {
        writeFile("file", "x");
        linux.makeDirectoryAt(top, "inner", 0755);
        Descriptor inner = keep(linux.openAt(top, "inner", DIRECTORY, 0, Set.of()));
        linux.linkAt(top, "file", inner, "second");
        assertThat(linux.statusAt(inner, "second").orElseThrow().inode())
                .isEqualTo(status("file").inode());
        assertThat(status("file").linkCount()).isEqualTo(2);
        assertFails(Errno.EEXIST, () -> linux.linkAt(top, "file", inner, "second"));
        // A link is linked itself, not what it points to.
        linux.symbolicLinkAt("file", top, "link");
        linux.linkAt(top, "link", inner, "third");
        assertThat(linux.statusAt(inner, "third").orElseThrow().isSymbolicLink()).isTrue();
    }

    @Test
    void removes() {
        writeFile("file", "");
        linux.makeDirectoryAt(top, "inner", 0755);
        writeFile("inner/file", "");
        assertFails(Errno.ENOTEMPTY, () -> linux.unlinkAt(top, "inner", true));
        assertFails(Errno.EISDIR, () -> linux.unlinkAt(top, "inner", false));
        assertFails(Errno.ENOTDIR, () -> linux.unlinkAt(top, "file", true));
        assertFails(Errno.ENOENT, () -> linux.unlinkAt(top, "absent", false));
        try (Descriptor inner = linux.openAt(top, "inner", DIRECTORY, 0, Set.of())) {
            linux.unlinkAt(inner, "file", false);
        }
        linux.unlinkAt(top, "inner", true);
        linux.unlinkAt(top, "file", false);
        assertThat(linux.list(top)).isEmpty();
    }

    @Test
    void renames() {
        writeFile("from", "new");
        writeFile("to", "old");
        linux.rename(directory.resolve("from"), directory.resolve("to"));
        assertThat(linux.list(top)).containsExactly("to");
        assertThat(readFile(keep(linux.openAt(top, "to", READ, 0, Set.of())))).isEqualTo("new");
        assertFails(
                Errno.ENOENT,
                () -> linux.rename(directory.resolve("from"), directory.resolve("to")));
    }

    @Test
    void listsManyNamesRepeatedly() {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 1200; i++) {
            names.add("a-rather-long-file-name-" + i);
            writeFile(names.getLast(), "");
        }
        assertThat(linux.list(top)).containsExactlyInAnyOrderElementsOf(names);
        assertThat(linux.list(top)).hasSize(names.size());
    }

    @Test
    void extendedAttributes() {
        Descriptor file = keep(linux.openAt(top, "file", CREATE, 0600, Set.of()));
        linux.setAttribute(file, "user.a", new byte[] {1, 0, 2});
        linux.setAttributeAt(top, "file", "user.b", new byte[0]);
        Descriptor place = keep(linux.openAt(top, "file", EnumSet.of(OpenFlag.PATH), 0, Set.of()));
        linux.setAttribute(place, "user.d", new byte[] {4});
        Path path = directory.resolve("file");
        assertThat(linux.attribute(path, "user.d")).hasValue(new byte[] {4});
        assertThat(linux.attributeNames(path)).contains("user.a", "user.b");
        assertThat(linux.attribute(path, "user.a")).hasValue(new byte[] {1, 0, 2});
        assertThat(linux.attribute(path, "user.b")).hasValue(new byte[0]);
        assertThat(linux.attribute(path, "user.c")).isEmpty();
        assertThat(linux.attributeNamesAt(top, "file")).contains("user.a", "user.b");
        assertThat(linux.attributeAt(top, "file", "user.a")).hasValue(new byte[] {1, 0, 2});
        assertThat(linux.attributeAt(top, "file", "user.c")).isEmpty();
        assertFails(Errno.EINVAL, () -> linux.attributeAt(top, "../file", "user.a"));
        assertFails(
                Errno.EINVAL, () -> linux.setAttributeAt(top, "../file", "user.b", new byte[0]));
    }

    @Test
    void fileSystemStatusCountsBytes() {
        var status = linux.fileSystemStatus(directory);
        assertThat(status.totalBytes()).isGreaterThan(1 << 20);
        assertThat(status.freeBytes()).isBetween(0L, status.totalBytes());
        assertThat(status.availableBytes()).isLessThanOrEqualTo(status.freeBytes());
        assertFails(Errno.ENOENT, () -> linux.fileSystemStatus(directory.resolve("absent")));
    }

    @Test
    void locksExcludeEachOther() {
        writeFile("lock", "");
        Descriptor first = keep(linux.openAt(top, "lock", READ, 0, Set.of()));
        Descriptor second = keep(linux.openAt(top, "lock", READ, 0, Set.of()));
        assertThat(linux.tryLock(first, false)).isTrue();
        assertThat(linux.tryLock(second, false)).isTrue();
        assertThat(linux.tryLock(first, true)).isFalse();
        second.close();
        assertThat(linux.tryLock(first, true)).isTrue();
        Descriptor third = keep(linux.openAt(top, "lock", READ, 0, Set.of()));
        assertThat(linux.tryLock(third, false)).isFalse();
        first.close();
        assertThat(linux.tryLock(third, true)).isTrue();
    }

    @Test
    void pipesEndAndBreak() {
        try (Pipe pipe = linux.pipe()) {
            linux.setNonBlocking(pipe.read());
            ByteBuffer buffer = ByteBuffer.allocate(10);
            assertFails(Errno.EAGAIN, () -> linux.read(pipe.read(), buffer));
            linux.write(pipe.write(), new byte[] {1, 2, 3}, 0, 3);
            assertThat(linux.read(pipe.read(), buffer)).isEqualTo(3);
            pipe.write().close();
            assertThat(linux.read(pipe.read(), buffer)).isEqualTo(-1);
        }
        try (Pipe pipe = linux.pipe()) {
            pipe.read().close();
            assertFails(Errno.EPIPE, () -> linux.write(pipe.write(), new byte[1], 0, 1));
        }
    }

    @Test
    void fullPipeTakesNoMore() {
        try (Pipe pipe = linux.pipe()) {
            linux.setNonBlocking(pipe.write());
            ByteBuffer bytes = ByteBuffer.allocate(1 << 20);
            assertFails(Errno.EAGAIN, () -> linux.write(pipe.write(), bytes));
            assertThat(bytes.position()).isEqualTo(65536);
        }
    }

    // Mounts

    @Test
    void mountsBindsRemountsAndUnmounts() {
        linux.makeDirectoryAt(top, "source", 0755);
        linux.makeDirectoryAt(top, "target with space", 0755);
        Path source = directory.resolve("source");
        Path target = directory.resolve("target with space");
        linux.mount(source.toString(), target, "", EnumSet.of(MountFlag.BIND), "");
        linux.mount("none", target, "", EnumSet.of(MountFlag.PRIVATE), "");
        MountEntry entry = mountAt(target).orElseThrow();
        assertThat(entry.isShared()).isFalse();
        assertThat(entry.options()).startsWith("rw");
        linux.mount(
                "none",
                target,
                "",
                EnumSet.of(
                        MountFlag.BIND, MountFlag.REMOUNT, MountFlag.READ_ONLY, MountFlag.NO_SUID),
                "");
        assertThat(mountAt(target).orElseThrow().options()).startsWith("ro,nosuid");
        linux.mount("none", target, "", EnumSet.of(MountFlag.SHARED), "");
        assertThat(mountAt(target).orElseThrow().isShared()).isTrue();
        linux.unmount(target, Set.of());
        assertThat(mountAt(target)).isEmpty();
        assertFails(Errno.EINVAL, () -> linux.unmount(target, Set.of()));
        assertFails(Errno.ENOENT, () -> linux.unmount(directory.resolve("absent"), Set.of()));
        assertFails(
                Errno.ENOENT,
                () -> linux.mount("tmpfs", directory.resolve("absent"), "tmpfs", Set.of(), ""));
    }

    @Test
    void busyMountsAreDetached() {
        linux.mount("crema", directory, "tmpfs", EnumSet.of(MountFlag.NO_DEV), "size=64k,mode=750");
        MountEntry entry = mountAt(directory).orElseThrow();
        assertThat(entry.type()).isEqualTo("tmpfs");
        assertThat(entry.source()).isEqualTo("crema");
        assertThat(entry.superOptions()).contains("size=64k");
        Path inner = directory.resolve("inner");
        try (Descriptor mounted = linux.open(directory, DIRECTORY, 0)) {
            if (linux.statusAt(mounted, "inner").isEmpty()) {
                linux.makeDirectoryAt(mounted, "inner", 0755);
            }
        }
        linux.mount("inner", inner, "tmpfs", Set.of(), "");
        assertFails(Errno.EBUSY, () -> linux.unmount(directory, Set.of()));
        linux.unmount(directory, EnumSet.of(UnmountFlag.DETACH));
        assertThat(mountAt(directory)).isEmpty();
        assertThat(mountAt(inner)).isEmpty();
    }

    @Test
    void tooLongMountOptionsAreRefusedInsteadOfCut() {
        assertFails(
                Errno.E2BIG,
                () -> linux.mount("x", directory, "tmpfs", Set.of(), "x".repeat(4096)));
    }

    protected Optional<MountEntry> mountAt(Path path) {
        return linux.mounts().stream().filter(e -> e.mountPoint().equals(path)).findAny();
    }

    // Namespaces

    @Test
    void namespacesArePinnedAndUnpinned() {
        Path net = directory.resolve("net");
        Path uts = directory.resolve("uts");
        linux.createAndPin(
                Map.of(NamespaceKind.NETWORK, net, NamespaceKind.UTS, uts), "pod", Map.of());
        assertThat(mountAt(net).orElseThrow().type()).isEqualTo("nsfs");
        assertThat(mountAt(net).orElseThrow().root().toString()).startsWith("net:[");
        assertThat(linux.inNamespaces(Map.of(NamespaceKind.NETWORK, net), () -> "done"))
                .isEqualTo("done");
        linux.unpin(Set.of(net, uts));
        linux.unpin(Set.of(net, uts));
        assertThat(mountAt(net)).isEmpty();
        assertThat(linux.list(top)).isEmpty();
    }

    @Test
    void failedPinLeavesNothing() {
        writeFile("uts", "in the way");
        assertFails(
                Errno.EEXIST,
                () ->
                        linux.createAndPin(
                                Map.of(
                                        NamespaceKind.NETWORK,
                                        directory.resolve("net"),
                                        NamespaceKind.IPC,
                                        directory.resolve("ipc"),
                                        NamespaceKind.UTS,
                                        directory.resolve("uts")),
                                "",
                                Map.of()));
        assertThat(linux.list(top)).containsExactly("uts");
        assertThat(linux.mounts()).noneMatch(e -> e.mountPoint().startsWith(directory));
    }

    @Test
    void sysctlsOfTheHostAreRefused() {
        for (String name : List.of("net.ipv4.ip_forward", "kernel.msgmax")) {
            assertFails(
                    Errno.EPERM,
                    () ->
                            linux.createAndPin(
                                    Map.of(NamespaceKind.UTS, directory.resolve("uts")),
                                    "",
                                    Map.of(name, "1")));
        }
        assertThat(linux.list(top)).isEmpty();
    }

    @Test
    void workInNamespacesFailsWithItsOwnException() {
        Path uts = directory.resolve("uts");
        linux.createAndPin(Map.of(NamespaceKind.UTS, uts), "", Map.of());
        try {
            assertThatThrownBy(() ->
                            linux.inNamespaces(
                                    Map.of(NamespaceKind.UTS, uts),
                                    () -> {
                                        throw new ArithmeticException("mine");
                                    }))
                    .isInstanceOf(ArithmeticException.class)
                    .hasMessage("mine");
        } finally {
            linux.unpin(Set.of(uts));
        }
    }

    @Test
    void ordinaryFilesAreNoNamespaces() {
        writeFile("file", "");
        assertFails(
                Errno.EINVAL,
                () ->
                        linux.inNamespaces(
                                Map.of(NamespaceKind.NETWORK, directory.resolve("file")),
                                () -> true));
    }

    // Processes

    private SpawnRequest request(Path executable) {
        return new SpawnRequest(
                executable, List.of(executable.toString()), Map.of(), Map.of(), true);
    }

    @Test
    void childExitsAndIsReapedOnce() {
        int pid = linux.spawn(request(exitsWithSeven()));
        assertThat(linux.waitFor(pid, SOON)).hasValue(new ExitStatus(7, 0));
        assertFails(Errno.ECHILD, () -> linux.waitFor(pid, Duration.ZERO));
        assertThat(linux.openProcess(pid)).isEmpty();
        assertThat(linux.kill(pid, 0)).isFalse();
        assertThat(linux.startTimeTicks(pid)).isEmpty();
    }

    @Test
    void childIsFollowedByPidfdAndKilled() {
        int pid = linux.spawn(request(runsForEver()));
        try (Descriptor process = linux.openProcess(pid).orElseThrow()) {
            assertThat(linux.waitFor(pid, Duration.ZERO)).isEmpty();
            assertThat(linux.awaitEnd(process, Duration.ofMillis(1))).isFalse();
            assertThat(linux.startTimeTicks(pid)).isPresent();
            assertThat(linux.kill(process, 0)).isTrue();
            assertThat(linux.kill(process, 15)).isTrue();
            assertThat(linux.awaitEnd(process, SOON)).isTrue();
            ExitStatus exit = linux.waitFor(pid, Duration.ZERO).orElseThrow();
            assertThat(exit).isEqualTo(new ExitStatus(0, 15));
            assertThat(exit.shellCode()).isEqualTo(143);
            assertThat(exit.isSuccess()).isFalse();
            assertThat(linux.kill(process, 15)).isFalse();
        }
    }

    @Test
    void childLeadsAGroupThatIsKilledAsAWhole() {
        int pid = linux.spawn(request(runsForEver()));
        assertThat(linux.killGroup(pid, 9)).isTrue();
        assertThat(linux.waitFor(pid, SOON)).hasValue(new ExitStatus(0, 9));
        assertThat(linux.killGroup(pid, 9)).isFalse();
    }

    @Test
    void signalsToEverybodyAreRefused() {
        for (int pid : new int[] {0, -1, -7}) {
            assertThatThrownBy(() -> linux.kill(pid, 0))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> linux.killGroup(pid, 0))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void missingExecutableIsReported() {
        assertThatThrownBy(() -> linux.spawn(request(directory.resolve("absent"))))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("posix_spawn")
                .hasMessageContaining(directory + "/absent")
                .hasMessageContaining("ENOENT");
    }

    // Sockets and terminals

    @Test
    void unixStreamsCarryBytesBothWaysAndEndEachOnItsOwn() {
        Path path = directory.resolve("stream");
        try (Descriptor listener = linux.listen(path, UnixSocket.STREAM, 1)) {
            assertThat(linux.status(path, false).orElseThrow().mode() & 0777).isEqualTo(0600);
            assertFails(Errno.EAGAIN, () -> linux.accept(listener));
            try (Descriptor client = linux.connect(path, UnixSocket.STREAM);
                    Descriptor server = linux.accept(listener)) {
                assertFails(Errno.EAGAIN, () -> linux.read(client, ByteBuffer.allocate(1)));
                linux.write(client, new byte[] {1, 2, 3}, 0, 3);
                assertThat(linux.unreadBytes(server)).isEqualTo(3);
                ByteBuffer received = ByteBuffer.allocate(8);
                assertThat(linux.read(server, received)).isEqualTo(3);
                linux.shutdownWrite(client);
                assertThat(linux.read(server, received)).isEqualTo(-1);
                linux.write(server, new byte[] {4}, 0, 1);
                assertThat(linux.read(client, received)).isEqualTo(1);
                assertThat(received.array()).startsWith(1, 2, 3, 4);
                assertFails(Errno.EPIPE, () -> linux.write(client, new byte[1], 0, 1));
            }
        }
    }

    @Test
    void packetsKeepTheirBorders() {
        Path path = directory.resolve("packets");
        try (Descriptor listener = linux.listen(path, UnixSocket.PACKETS, 1);
                Descriptor client = linux.connect(path, UnixSocket.PACKETS);
                Descriptor server = linux.accept(listener)) {
            linux.write(server, new byte[5], 0, 5);
            linux.write(server, new byte[2], 0, 2);
            assertThat(linux.read(client, ByteBuffer.allocate(100))).isEqualTo(5);
            assertThat(linux.read(client, ByteBuffer.allocate(1))).isEqualTo(1);
            assertFails(Errno.EAGAIN, () -> linux.read(client, ByteBuffer.allocate(1)));
            linux.shutdownWrite(server);
            assertThat(linux.read(client, ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @Test
    void fullSocketTakesNoMoreUntilItIsRead() {
        Path path = directory.resolve("full");
        try (Descriptor listener = linux.listen(path, UnixSocket.STREAM, 1);
                Descriptor client = linux.connect(path, UnixSocket.STREAM);
                Descriptor server = linux.accept(listener);
                Poll poll = linux.openPoll()) {
            ByteBuffer much = ByteBuffer.allocate(64 << 20);
            assertFails(
                    Errno.EAGAIN,
                    () -> {
                        while (much.hasRemaining()) {
                            var _ = linux.writeSome(client, much);
                        }
                    });
            poll.add(client, Interest.WRITABLE, 1);
            assertThat(ready(poll, Duration.ofMillis(1))).isEmpty();
            ByteBuffer some = ByteBuffer.allocate(64 << 10);
            int left = much.position();
            while (left > 0) {
                left -= linux.read(server, some.clear());
            }
            assertThat(ready(poll, SOON)).containsExactly(1L);
        }
    }

    @Test
    void unixSocketsRefuseAndQueueAsTheKernelSays() {
        Path path = directory.resolve("queue");
        assertFails(Errno.ENOENT, () -> linux.connect(path, UnixSocket.STREAM));
        Descriptor first;
        try (Descriptor listener = linux.listen(path, UnixSocket.STREAM, 0)) {
            assertThat(listener.number()).isPositive();
            assertFails(Errno.EADDRINUSE, () -> linux.listen(path, UnixSocket.STREAM, 0));
            first = linux.connect(path, UnixSocket.STREAM);
            assertFails(Errno.EAGAIN, () -> linux.connect(path, UnixSocket.STREAM));
        }
        assertFails(Errno.ECONNREFUSED, () -> linux.connect(path, UnixSocket.STREAM));
        first.close();
    }

    @Test
    void unixSocketsMayLieBehindLongPaths() {
        Path deep = directory;
        for (int i = 0; i < 3; i++) {
            String name = Character.toString('a' + i).repeat(80);
            try (Descriptor parent = linux.open(deep, DIRECTORY, 0)) {
                linux.makeDirectoryAt(parent, name, 0755);
            }
            deep = deep.resolve(name);
        }
        Path path = deep.resolve("attach");
        try (Descriptor listener = linux.listen(path, UnixSocket.PACKETS, 1);
                Descriptor client = linux.connect(path, UnixSocket.PACKETS);
                Descriptor server = linux.accept(listener)) {
            linux.write(client, new byte[1], 0, 1);
            assertThat(linux.unreadBytes(server)).isEqualTo(1);
        }
    }

    @Test
    void descriptorsTravelOverUnixSockets() {
        Path path = directory.resolve("rights");
        try (Pipe pipe = linux.pipe();
                Descriptor listener = linux.listen(path, UnixSocket.STREAM, 1);
                Descriptor client = linux.connect(path, UnixSocket.STREAM);
                Descriptor server = linux.accept(listener)) {
            assertFails(Errno.EAGAIN, () -> linux.receiveDescriptor(server));
            linux.sendDescriptor(client, pipe.write());
            linux.write(client, new byte[1], 0, 1);
            pipe.write().close();
            try (Descriptor received = linux.receiveDescriptor(server).orElseThrow()) {
                linux.write(received, new byte[] {9}, 0, 1);
                assertThat(linux.unreadBytes(pipe.read())).isEqualTo(1);
            }
            assertThat(linux.receiveDescriptor(server)).isEmpty();
            linux.shutdownWrite(client);
            assertThat(linux.receiveDescriptor(server)).isEmpty();
        }
    }

    @Test
    void refusedTcpConnectionsTellSo() {
        for (Loopback family : Loopback.values()) {
            // Port 1 (tcpmux) is nobody's; the outcome is told at once or a moment later.
            try (Descriptor socket = linux.tcpSocket(family);
                    Poll poll = linux.openPoll()) {
                Errno outcome;
                try {
                    assertThat(linux.startConnect(socket, family, 1)).isFalse();
                    poll.add(socket, Interest.WRITABLE, 1);
                    assertThat(ready(poll, SOON)).containsExactly(1L);
                    outcome = linux.pendingError(socket).orElseThrow();
                } catch (LinuxException e) {
                    outcome = e.errno();
                }
                assertThat(outcome).isEqualTo(Errno.ECONNREFUSED);
                assertThat(linux.pendingError(socket)).isEmpty();
            }
        }
    }

    @Test
    void duplicatesShareTheOpenFile() {
        try (Pipe pipe = linux.pipe()) {
            Descriptor second = linux.duplicate(pipe.write());
            assertThat(second.number()).isNotEqualTo(pipe.write().number());
            pipe.write().close();
            linux.write(second, new byte[1], 0, 1);
            second.close();
            assertThat(linux.read(pipe.read(), ByteBuffer.allocate(2))).isEqualTo(1);
            assertThat(linux.read(pipe.read(), ByteBuffer.allocate(2))).isEqualTo(-1);
        }
    }

    @Test
    void onlyTerminalsHaveASize() {
        try (Pipe pipe = linux.pipe()) {
            assertFails(Errno.ENOTTY, () -> linux.resizeTerminal(pipe.read(), 80, 24));
        }
    }

    // Polling

    @Test
    void pollTellsTokensOfReadyDescriptors() {
        try (Poll poll = linux.openPoll();
                Pipe first = linux.pipe();
                Pipe second = linux.pipe()) {
            poll.add(first.read(), Interest.READABLE, 17);
            poll.add(second.read(), Interest.READABLE, Long.MAX_VALUE);
            poll.add(second.write(), Interest.WRITABLE, 19);
            assertThat(ready(poll, SOON)).containsExactly(19L);
            poll.remove(second.write());
            assertThat(ready(poll, Duration.ofMillis(1))).isEmpty();
            first.write().close();
            linux.write(second.write(), new byte[1], 0, 1);
            assertThat(ready(poll, SOON)).containsExactlyInAnyOrder(17L, Long.MAX_VALUE);
            poll.remove(first.read());
            assertThat(ready(poll, SOON)).containsExactly(Long.MAX_VALUE);
            poll.remove(second.read());
            assertFails(Errno.ENOENT, () -> poll.remove(second.read()));
        }
    }

    @Test
    void pollIsWokenBeforeAndWhileWaiting() throws InterruptedException {
        try (Poll poll = linux.openPoll()) {
            poll.wake();
            poll.wake();
            assertThat(ready(poll, SOON)).isEmpty();
            assertThat(ready(poll, Duration.ofMillis(1))).isEmpty();
            long start = System.nanoTime();
            Thread waker = Thread.ofPlatform().start(poll::wake);
            assertThat(ready(poll, SOON)).isEmpty();
            waker.join();
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(SOON);
        }
    }

    private static List<Long> ready(Poll poll, Duration timeout) {
        long[] tokens = new long[8];
        int count = poll.await(tokens, timeout);
        List<Long> ready = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            ready.add(tokens[i]);
        }
        return ready;
    }
}
