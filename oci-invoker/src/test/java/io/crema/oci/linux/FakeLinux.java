package io.crema.oci.linux;

import io.crema.oci.linux.FakeTree.Node;
import io.crema.oci.linux.FakeTree.Place;
import io.crema.oci.linux.FakeTree.Refused;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A kernel in memory that records every call, for tests without root: a file tree, pipes, a mount
 * table, pinned namespaces and processes that are Java code. {@link LinuxContract} holds it to what
 * the real one does; what it leaves out: permissions, the contents of mounts, namespaces' insides.
 *
 * <p>One monitor guards everything; every change notifies it.
 */
public final class FakeLinux implements Linux {
    private static final int PIPE_SIZE = 64 * 1024;
    private static final int SIGTERM = 15;
    private static final int SIGKILL = 9;
    private static final int FIRST_DESCRIPTOR = 3;
    private static final long FOREVER_MILLIS = 30_000;

    /**
     * One recorded call.
     *
     * @param name the system call's name as failures name it
     * @param arguments its arguments as a text
     */
    public record Call(String name, String arguments) {
        @Override
        public String toString() {
            return name + "(" + arguments + ")";
        }
    }

    /** What a spawned child runs instead of a real executable, on a thread of its own. */
    @FunctionalInterface
    public interface Program {
        int run(FakeProcess process) throws InterruptedException;
    }

    private record Failure(String call, Predicate<String> arguments, Errno errno) {}

    private static final class Stream {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private int readers = 1;
        private int writers = 1;
    }

    private enum Kind {
        FILE,
        PIPE_READ,
        PIPE_WRITE,
        PROCESS,
        SOCKET
    }

    /** An open file description; children share it with us. */
    private static final class Open {
        private final Kind kind;
        private final Set<OpenFlag> flags;
        private @Nullable Node node;
        private @Nullable Stream stream;
        private @Nullable FakeProcess process;
        private @Nullable FakeSocket<Open> socket;
        private int position;
        private int references = 1;
        private boolean isNonBlocking;
        private boolean hasExclusiveLock;
        private boolean hasSharedLock;

        Open(Kind kind, Set<OpenFlag> flags) {
            this.kind = kind;
            this.flags = flags;
        }

        Node node() {
            if (node == null) {
                throw new IllegalStateException("not a file: " + kind);
            }
            return node;
        }

        Stream stream() {
            if (stream == null) {
                throw new IllegalStateException("not a pipe: " + kind);
            }
            return stream;
        }

        FakeSocket<Open> socket() throws Refused {
            if (socket == null) {
                throw new Refused(Errno.ENOTTY);
            }
            return socket;
        }

        FakeProcess process() {
            if (process == null) {
                throw new IllegalStateException("not a pidfd: " + kind);
            }
            return process;
        }
    }

    /** A spawned child as its program sees it. */
    public final class FakeProcess {
        private final int pid;
        private final SpawnRequest request;
        private final Map<Integer, Open> inherited;
        private final List<Integer> signals = new ArrayList<>();
        private Optional<ExitStatus> exit = Optional.empty();

        private FakeProcess(int pid, SpawnRequest request, Map<Integer, Open> inherited) {
            this.pid = pid;
            this.request = request;
            this.inherited = inherited;
        }

        public int pid() {
            return pid;
        }

        public SpawnRequest request() {
            return request;
        }

        /** Writes to one of its descriptors; blocks while a pipe is full. */
        public void write(int descriptor, byte[] bytes) throws InterruptedException {
            synchronized (FakeLinux.this) {
                Open open = descriptorOfChild(descriptor);
                ByteBuffer rest = ByteBuffer.wrap(bytes);
                while (rest.hasRemaining()) {
                    if (exit.isPresent()) {
                        throw new InterruptedException("killed");
                    }
                    int written = guarded("write", "", () -> writeTo(open, rest));
                    if (written == 0) {
                        FakeLinux.this.wait(FOREVER_MILLIS);
                    }
                }
            }
        }

        /** Reads one of its descriptors to the end. */
        public byte[] readAll(int descriptor) throws InterruptedException {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            synchronized (FakeLinux.this) {
                Open open = descriptorOfChild(descriptor);
                ByteBuffer buffer = ByteBuffer.allocate(4096);
                while (true) {
                    if (exit.isPresent()) {
                        throw new InterruptedException("killed");
                    }
                    int count = readFrom(open, buffer.clear());
                    if (count < 0) {
                        return all.toByteArray();
                    } else if (count == 0) {
                        FakeLinux.this.wait(FOREVER_MILLIS);
                    } else {
                        all.write(buffer.array(), 0, count);
                    }
                }
            }
        }

        /** Waits until it gets this signal. */
        public void awaitSignal(int signal) throws InterruptedException {
            synchronized (FakeLinux.this) {
                while (!signals.contains(signal)) {
                    if (exit.isPresent()) {
                        throw new InterruptedException("killed");
                    }
                    FakeLinux.this.wait(FOREVER_MILLIS);
                }
            }
        }

        private Open descriptorOfChild(int number) {
            Open open = inherited.get(number);
            if (open == null) {
                throw new IllegalStateException("child has no descriptor " + number);
            }
            return open;
        }
    }

    private final FakeTree tree = new FakeTree();
    private final List<Call> calls = new ArrayList<>();
    private final List<Failure> failures = new ArrayList<>();
    private final Map<Integer, Open> descriptors = new TreeMap<>();
    private final List<MountEntry> mounts = new ArrayList<>();
    private final Map<Path, Program> programs = new HashMap<>();
    private final Map<Integer, FakeProcess> processes = new LinkedHashMap<>();
    private final Map<Node, FakeSocket<Open>> boundSockets = new HashMap<>();
    private final Map<String, FakeSocket<Open>> tcpListeners = new HashMap<>();
    private int nextMount = 100;
    private int nextPid = 1000;

    public FakeLinux() {
        mounts.add(
                new MountEntry(
                        1,
                        0,
                        Path.of("/"),
                        Path.of("/"),
                        "rw,relatime",
                        List.of("shared:1"),
                        "ext4",
                        "/dev/fake",
                        "rw"));
        tree.makeDirectories(Path.of("/tmp"));
    }

    // What tests ask and arrange

    /** All calls in order. */
    public synchronized List<Call> calls() {
        return List.copyOf(calls);
    }

    /** The calls of one system call in order. */
    public synchronized List<String> calls(String name) {
        return calls.stream().filter(c -> c.name().equals(name)).map(Call::arguments).toList();
    }

    public synchronized void forgetCalls() {
        calls.clear();
    }

    /** Lets the next call of this name fail once. */
    public void failNext(String call, Errno errno) {
        failNext(call, arguments -> true, errno);
    }

    /** Lets the next call of this name whose arguments match fail once. */
    public synchronized void failNext(String call, Predicate<String> arguments, Errno errno) {
        failures.add(new Failure(call, arguments, errno));
    }

    /** Makes a directory and its parents. */
    public synchronized void makeDirectories(Path path) {
        tree.makeDirectories(path);
    }

    /** What spawning this executable runs; anything else is ENOENT. */
    public synchronized void install(Path executable, Program program) {
        programs.put(executable, program);
    }

    /** Descriptors that are open now; a test that ends should have closed all of its own. */
    public synchronized Set<Integer> openDescriptors() {
        return Set.copyOf(descriptors.keySet());
    }

    /** The content of a regular file. */
    public synchronized byte[] content(Path path) {
        return guarded("read", path.toString(), () -> tree.require(path, true).content.clone());
    }

    // Machinery

    @FunctionalInterface
    private interface Action<T> {
        T run() throws Refused;
    }

    private synchronized <T> T call(String name, String arguments, Action<T> action) {
        calls.add(new Call(name, arguments));
        for (int i = 0; i < failures.size(); i++) {
            Failure failure = failures.get(i);
            if (failure.call.equals(name) && failure.arguments.test(arguments)) {
                failures.remove(i);
                throw new LinuxException(name, arguments, failure.errno);
            }
        }
        return guarded(name, arguments, action);
    }

    private <T> T guarded(String name, String arguments, Action<T> action) {
        try {
            return action.run();
        } catch (Refused e) {
            throw new LinuxException(name, arguments, e.errno);
        } finally {
            notifyAll();
        }
    }

    @FunctionalInterface
    private interface Effect {
        void run() throws Refused;
    }

    private void effect(String name, String arguments, Effect effect) {
        call(
                name,
                arguments,
                () -> {
                    effect.run();
                    return true;
                });
    }

    private static String at(Descriptor directory, String name) {
        return directory + ", '" + name + "'";
    }

    private Open opened(Descriptor descriptor) throws Refused {
        return opened(descriptor.number());
    }

    private Open opened(int number) throws Refused {
        Open open = descriptors.get(number);
        if (open == null) {
            throw new Refused(Errno.EBADF);
        }
        return open;
    }

    private Node directory(Descriptor descriptor) throws Refused {
        Node node = opened(descriptor).node();
        if (!node.isDirectory()) {
            throw new Refused(Errno.ENOTDIR);
        }
        return node;
    }

    private static String component(String name) throws Refused {
        if (name.isEmpty()
                || name.equals("..")
                || name.indexOf('/') >= 0
                || name.indexOf('\0') >= 0) {
            throw new Refused(Errno.EINVAL);
        }
        return name;
    }

    private Node child(Descriptor directory, String name) throws Refused {
        Node parent = directory(directory);
        Node node = component(name).equals(".") ? parent : parent.children.get(name);
        if (node == null) {
            throw new Refused(Errno.ENOENT);
        }
        return node;
    }

    private Descriptor descriptor(Open open) {
        int number = FIRST_DESCRIPTOR;
        while (descriptors.containsKey(number)) {
            number++;
        }
        descriptors.put(number, open);
        return new Descriptor(number, this);
    }

    // Files

    @Override
    public Descriptor open(Path path, Set<OpenFlag> flags, int mode) {
        return call(
                "open",
                "'" + path + "', " + flags,
                () -> open(tree.find(path, !keepsLink(flags)), flags, mode));
    }

    @Override
    public Descriptor openAt(
            Descriptor directory,
            String path,
            Set<OpenFlag> flags,
            int mode,
            Set<Resolve> resolve) {
        return call(
                "openat2",
                at(directory, path) + ", " + flags + ", " + resolve,
                () -> {
                    if (path.indexOf('\0') >= 0) {
                        throw new Refused(Errno.EINVAL);
                    }
                    Place place = tree.find(directory(directory), path, resolve, !keepsLink(flags));
                    return open(place, flags, mode);
                });
    }

    // O_EXCL with O_CREAT does not follow a link in the last place either.
    private static boolean keepsLink(Set<OpenFlag> flags) {
        return flags.contains(OpenFlag.NO_FOLLOW) || flags.contains(OpenFlag.EXCLUSIVE);
    }

    private Descriptor open(Place place, Set<OpenFlag> flags, int mode) throws Refused {
        Node node;
        if (place.node().isPresent()) {
            node = place.node().get();
            if (flags.contains(OpenFlag.CREATE) && flags.contains(OpenFlag.EXCLUSIVE)) {
                throw new Refused(Errno.EEXIST);
            }
            if (flags.contains(OpenFlag.DIRECTORY) && !node.isDirectory()) {
                throw new Refused(Errno.ENOTDIR);
            }
            if (node.isSymbolicLink() && !flags.contains(OpenFlag.PATH)) {
                throw new Refused(Errno.ELOOP);
            }
            if (node.isDirectory() && isWriting(flags)) {
                throw new Refused(Errno.EISDIR);
            }
            if (flags.contains(OpenFlag.TRUNCATE)) {
                node.content = new byte[0];
            }
        } else {
            if (!flags.contains(OpenFlag.CREATE)) {
                throw new Refused(Errno.ENOENT);
            }
            node = tree.create(FakeTree.REGULAR | (mode & 07777));
            tree.add(place.directory(), place.name(), node);
        }
        Open open = new Open(Kind.FILE, flags);
        open.node = node;
        return descriptor(open);
    }

    private static boolean isWriting(Set<OpenFlag> flags) {
        return flags.contains(OpenFlag.WRITE_ONLY)
                || flags.contains(OpenFlag.READ_WRITE)
                || flags.contains(OpenFlag.CREATE);
    }

    @Override
    public void makeDirectoryAt(Descriptor directory, String name, int mode) {
        effect(
                "mkdirat",
                at(directory, name),
                () -> addNew(directory, name, tree.create(FakeTree.DIRECTORY | (mode & 07777))));
    }

    private void addNew(Descriptor directory, String name, Node node) throws Refused {
        if (component(name).equals(".")) {
            throw new Refused(Errno.EEXIST);
        }
        tree.add(directory(directory), name, node);
    }

    @Override
    public void makeNodeAt(Descriptor directory, String name, int mode, int major, int minor) {
        effect(
                "mknodat",
                at(directory, name) + ", 0" + Integer.toOctalString(mode),
                () -> {
                    Node node = tree.create(mode);
                    node.major = major;
                    node.minor = minor;
                    addNew(directory, name, node);
                });
    }

    @Override
    public void symbolicLinkAt(String target, Descriptor directory, String name) {
        effect(
                "symlinkat",
                "'" + target + "', " + at(directory, name),
                () -> {
                    if (target.isEmpty()) {
                        throw new Refused(Errno.ENOENT);
                    }
                    Node node = tree.create(FakeTree.SYMBOLIC_LINK | 0777);
                    node.target = target;
                    addNew(directory, name, node);
                });
    }

    @Override
    public void linkAt(
            Descriptor fromDirectory, String fromName, Descriptor toDirectory, String toName) {
        effect(
                "linkat",
                at(fromDirectory, fromName) + ", " + at(toDirectory, toName),
                () -> {
                    Node node = child(fromDirectory, fromName);
                    if (node.isDirectory()) {
                        throw new Refused(Errno.EPERM);
                    }
                    addNew(toDirectory, toName, node);
                    node.links++;
                });
    }

    @Override
    public void unlinkAt(Descriptor directory, String name, boolean isDirectory) {
        effect(
                "unlinkat",
                at(directory, name),
                () -> {
                    Node node = child(directory, name);
                    if (isDirectory && !node.isDirectory()) {
                        throw new Refused(Errno.ENOTDIR);
                    }
                    if (!isDirectory && node.isDirectory()) {
                        throw new Refused(Errno.EISDIR);
                    }
                    if (!node.children.isEmpty()) {
                        throw new Refused(Errno.ENOTEMPTY);
                    }
                    directory(directory).children.remove(name);
                    node.links--;
                });
    }

    @Override
    public void rename(Path from, Path to) {
        effect(
                "rename",
                "'" + from + "', '" + to + "'",
                () -> {
                    Place source = tree.find(from, false);
                    Node node = source.node().orElseThrow(() -> new Refused(Errno.ENOENT));
                    Place target = tree.find(to, false);
                    Optional<Node> replaced = target.node();
                    if (replaced.isPresent()) {
                        checkReplaceable(node, replaced.get());
                        target.directory().children.remove(target.name());
                    }
                    source.directory().children.remove(source.name());
                    tree.add(target.directory(), target.name(), node);
                });
    }

    private static void checkReplaceable(Node node, Node replaced) throws Refused {
        if (replaced.isDirectory() && !node.isDirectory()) {
            throw new Refused(Errno.EISDIR);
        }
        if (!replaced.isDirectory() && node.isDirectory()) {
            throw new Refused(Errno.ENOTDIR);
        }
        if (!replaced.children.isEmpty()) {
            throw new Refused(Errno.ENOTEMPTY);
        }
    }

    @Override
    public Optional<FileStatus> statusAt(Descriptor directory, String name) {
        return call(
                "statx",
                at(directory, name),
                () -> {
                    Node parent = directory(directory);
                    Node node = component(name).equals(".") ? parent : parent.children.get(name);
                    return Optional.ofNullable(node).map(Node::status);
                });
    }

    @Override
    public FileStatus status(Descriptor descriptor) {
        return call("statx", descriptor.toString(), () -> opened(descriptor).node().status());
    }

    @Override
    public Optional<FileStatus> status(Path path, boolean followLinks) {
        return call(
                "statx",
                "'" + path + "'",
                () -> {
                    try {
                        return tree.find(path, followLinks).node().map(Node::status);
                    } catch (Refused e) {
                        if (e.errno.is(Errno.ENOENT) || e.errno.is(Errno.ENOTDIR)) {
                            return Optional.empty();
                        }
                        throw e;
                    }
                });
    }

    @Override
    public String readLinkAt(Descriptor directory, String name) {
        return call(
                "readlinkat",
                at(directory, name),
                () -> {
                    Node node = child(directory, name);
                    if (!node.isSymbolicLink()) {
                        throw new Refused(Errno.EINVAL);
                    }
                    return node.target;
                });
    }

    @Override
    public List<String> list(Descriptor directory) {
        return call(
                "getdents64",
                directory.toString(),
                () -> List.copyOf(directory(directory).children.keySet()));
    }

    @Override
    public void changeOwnerAt(Descriptor directory, String name, int uid, int gid) {
        effect(
                "fchownat",
                at(directory, name) + ", " + uid + ", " + gid,
                () -> own(child(directory, name), uid, gid));
    }

    @Override
    public void changeOwner(Descriptor descriptor, int uid, int gid) {
        effect(
                "fchown",
                descriptor + ", " + uid + ", " + gid,
                () -> own(opened(descriptor).node(), uid, gid));
    }

    @Override
    public void changeOwner(Path path, int uid, int gid) {
        effect(
                "chown",
                "'" + path + "', " + uid + ", " + gid,
                () -> own(tree.require(path, true), uid, gid));
    }

    private static void own(Node node, int uid, int gid) {
        node.uid = uid == -1 ? node.uid : uid;
        node.gid = gid == -1 ? node.gid : gid;
    }

    @Override
    public void changeModeAt(Descriptor directory, String name, int mode) {
        effect(
                "fchmodat",
                at(directory, name) + ", 0" + Integer.toOctalString(mode),
                () -> permit(child(directory, name), mode));
    }

    @Override
    public void changeMode(Descriptor descriptor, int mode) {
        effect(
                "fchmod",
                descriptor + ", 0" + Integer.toOctalString(mode),
                () -> permit(opened(descriptor).node(), mode));
    }

    private static void permit(Node node, int mode) {
        node.mode = (node.mode & ~07777) | (mode & 07777);
    }

    @Override
    public void changeTimesAt(Descriptor directory, String name, long seconds, int nanos) {
        effect(
                "utimensat",
                at(directory, name) + ", " + seconds,
                () -> date(child(directory, name), seconds, nanos));
    }

    @Override
    public void changeTimes(Descriptor descriptor, long seconds, int nanos) {
        effect(
                "futimens",
                descriptor + ", " + seconds,
                () -> date(opened(descriptor).node(), seconds, nanos));
    }

    private static void date(Node node, long seconds, int nanos) {
        node.seconds = seconds;
        node.nanos = nanos;
    }

    @Override
    public void setAttribute(Descriptor descriptor, String name, byte[] value) {
        effect(
                "fsetxattr",
                descriptor + ", '" + name + "'",
                () -> opened(descriptor).node().attributes.put(name, value.clone()));
    }

    @Override
    public void setAttributeAt(Descriptor directory, String name, String attribute, byte[] value) {
        effect(
                "lsetxattr",
                at(directory, name) + ", '" + attribute + "'",
                () -> child(directory, name).attributes.put(attribute, value.clone()));
    }

    @Override
    public List<String> attributeNamesAt(Descriptor directory, String name) {
        return call(
                "llistxattr",
                at(directory, name),
                () -> List.copyOf(child(directory, name).attributes.keySet()));
    }

    @Override
    public Optional<byte[]> attributeAt(Descriptor directory, String name, String attribute) {
        return call(
                "lgetxattr",
                at(directory, name) + ", '" + attribute + "'",
                () ->
                        Optional.ofNullable(child(directory, name).attributes.get(attribute))
                                .map(byte[]::clone));
    }

    @Override
    public List<String> attributeNames(Path path) {
        return call(
                "llistxattr",
                "'" + path + "'",
                () -> List.copyOf(tree.require(path, false).attributes.keySet()));
    }

    @Override
    public Optional<byte[]> attribute(Path path, String name) {
        return call(
                "lgetxattr",
                "'" + path + "', '" + name + "'",
                () ->
                        Optional.ofNullable(tree.require(path, false).attributes.get(name))
                                .map(byte[]::clone));
    }

    @Override
    public synchronized int read(Descriptor descriptor, ByteBuffer buffer) {
        calls.add(new Call("read", descriptor.toString()));
        return guarded(
                "read",
                descriptor.toString(),
                () -> {
                    Open open = opened(descriptor);
                    if (!buffer.hasRemaining()) {
                        return 0;
                    }
                    while (true) {
                        int count = readFrom(open, buffer);
                        if (count != 0) {
                            return count;
                        }
                        blockOn(open);
                    }
                });
    }

    /** Until anything changes; the caller looks again. */
    @SuppressWarnings("WaitNotInLoop")
    private void blockOn(Open open) throws Refused {
        if (open.isNonBlocking) {
            throw new Refused(Errno.EAGAIN);
        }
        try {
            wait(FOREVER_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Refused(Errno.EINTR);
        }
    }

    /** Zero when a pipe has nothing now. */
    private int readFrom(Open open, ByteBuffer buffer) {
        if (open.socket != null) {
            int read = open.socket.read(buffer);
            notifyAll();
            return read;
        }
        byte[] bytes =
                switch (open.kind) {
                    case FILE -> remaining(open);
                    case PIPE_READ -> open.stream().bytes.toByteArray();
                    case PIPE_WRITE, PROCESS, SOCKET ->
                            throw new IllegalStateException("not readable");
                };
        if (bytes.length == 0) {
            boolean hasWriters = open.kind == Kind.PIPE_READ && open.stream().writers > 0;
            return hasWriters ? 0 : -1;
        }
        int count = Math.min(bytes.length, buffer.remaining());
        buffer.put(bytes, 0, count);
        if (open.kind == Kind.FILE) {
            open.position += count;
        } else {
            open.stream().bytes.reset();
            open.stream().bytes.write(bytes, count, bytes.length - count);
            notifyAll();
        }
        return count;
    }

    private static byte[] remaining(Open open) {
        byte[] content = open.node().content;
        return Arrays.copyOfRange(content, Math.min(open.position, content.length), content.length);
    }

    @Override
    public void write(Descriptor descriptor, ByteBuffer buffer) {
        while (buffer.hasRemaining()) {
            var _ = writeSome(descriptor, buffer);
        }
    }

    @Override
    public void write(Descriptor descriptor, byte[] bytes, int offset, int length) {
        write(descriptor, ByteBuffer.wrap(bytes, offset, length));
    }

    @Override
    public int writeSome(Descriptor descriptor, ByteBuffer buffer) {
        return call(
                "write",
                descriptor + ", " + buffer.remaining() + " bytes",
                () -> {
                    Open open = opened(descriptor);
                    while (true) {
                        if (open.kind == Kind.PIPE_WRITE && open.stream().readers == 0) {
                            throw new Refused(Errno.EPIPE);
                        }
                        if (open.kind == Kind.FILE && !isWriting(open.flags)) {
                            throw new Refused(Errno.EBADF);
                        }
                        int count = writeTo(open, buffer);
                        if (count > 0) {
                            return count;
                        }
                        blockOn(open);
                    }
                });
    }

    /** Zero when a pipe is full. */
    private int writeTo(Open open, ByteBuffer buffer) throws Refused {
        if (open.socket != null) {
            int written = open.socket.write(buffer);
            notifyAll();
            return written;
        }
        if (open.kind == Kind.FILE) {
            int count = buffer.remaining();
            Node node = open.node();
            int start = open.flags.contains(OpenFlag.APPEND) ? node.content.length : open.position;
            byte[] content =
                    Arrays.copyOf(node.content, Math.max(node.content.length, start + count));
            buffer.get(content, start, count);
            node.content = content;
            open.position = start + count;
            return count;
        }
        Stream stream = open.stream();
        int count = Math.min(buffer.remaining(), PIPE_SIZE - stream.bytes.size());
        byte[] bytes = new byte[count];
        buffer.get(bytes);
        stream.bytes.writeBytes(bytes);
        notifyAll();
        return count;
    }

    @Override
    public long seek(Descriptor descriptor, long offset) {
        return call(
                "lseek",
                descriptor + ", " + offset,
                () -> {
                    opened(descriptor).position = (int) offset;
                    return offset;
                });
    }

    @Override
    public void truncate(Descriptor descriptor, long size) {
        effect(
                "ftruncate",
                descriptor + ", " + size,
                () -> {
                    Node node = opened(descriptor).node();
                    node.content = Arrays.copyOf(node.content, (int) size);
                });
    }

    @Override
    public void sync(Descriptor descriptor) {
        effect("fsync", descriptor.toString(), () -> opened(descriptor));
    }

    @Override
    public void syncFileSystem(Descriptor descriptor) {
        effect("syncfs", descriptor.toString(), () -> opened(descriptor));
    }

    @Override
    public FileSystemStatus fileSystemStatus(Path path) {
        return call(
                "statfs",
                "'" + path + "'",
                () -> {
                    tree.require(path, true);
                    long gib = 1L << 30;
                    return new FileSystemStatus(
                            0xEF53, 100 * gib, 60 * gib, 50 * gib, 1_000_000, 900_000);
                });
    }

    @Override
    public void setNonBlocking(Descriptor descriptor) {
        effect("fcntl", descriptor + ", O_NONBLOCK", () -> opened(descriptor).isNonBlocking = true);
    }

    @Override
    public Pipe pipe() {
        return call(
                "pipe2",
                "",
                () -> {
                    Stream stream = new Stream();
                    Open read = new Open(Kind.PIPE_READ, Set.of());
                    read.stream = stream;
                    Open write = new Open(Kind.PIPE_WRITE, Set.of());
                    write.stream = stream;
                    return new Pipe(descriptor(read), descriptor(write));
                });
    }

    @Override
    public Descriptor sealedCopy(Path file) {
        return open(file, Set.of(OpenFlag.READ_ONLY), 0);
    }

    @Override
    public void makeFifo(Path path, int mode) {
        effect(
                "mkfifo",
                "'" + path + "'",
                () -> {
                    Place place = tree.find(path, false);
                    tree.add(
                            place.directory(),
                            place.name(),
                            tree.create(FakeTree.FIFO | (mode & 07777)));
                });
    }

    @Override
    public boolean tryLock(Descriptor descriptor, boolean exclusive) {
        return call(
                "flock",
                descriptor.toString(),
                () -> {
                    Open open = opened(descriptor);
                    unlock(open);
                    Node node = open.node();
                    if (node.isExclusivelyLocked || (exclusive && node.sharedLocks > 0)) {
                        return false;
                    }
                    open.hasExclusiveLock = exclusive;
                    open.hasSharedLock = !exclusive;
                    node.isExclusivelyLocked = exclusive;
                    node.sharedLocks += exclusive ? 0 : 1;
                    return true;
                });
    }

    private static void unlock(Open open) {
        if (open.hasExclusiveLock) {
            open.node().isExclusivelyLocked = false;
        }
        if (open.hasSharedLock) {
            open.node().sharedLocks--;
        }
        open.hasExclusiveLock = false;
        open.hasSharedLock = false;
    }

    @Override
    public void close(int number) {
        effect(
                "close",
                "fd " + number,
                () -> {
                    Open open = opened(number);
                    descriptors.remove(number);
                    release(open);
                });
    }

    private static void release(Open open) {
        if (--open.references > 0) {
            return;
        }
        switch (open.kind) {
            case FILE -> unlock(open);
            case PIPE_READ -> open.stream().readers--;
            case PIPE_WRITE -> open.stream().writers--;
            case PROCESS -> {}
            case SOCKET -> {
                if (open.socket != null) {
                    open.socket.close();
                }
            }
        }
    }

    // Mounts

    @Override
    public void mount(String source, Path target, String type, Set<MountFlag> flags, String data) {
        effect(
                "mount",
                "'" + source + "', '" + target + "', " + type + ", " + flags + ", '" + data + "'",
                () -> mountUnrecorded(source, target, type, flags, data));
    }

    private void mountUnrecorded(
            String source, Path target, String type, Set<MountFlag> flags, String data)
            throws Refused {
        if (data.length() >= 4096) {
            throw new Refused(Errno.E2BIG);
        }
        if (!Files.exists(target)) {
            tree.require(target, true);
        }
        Set<MountFlag> propagation = EnumSet.noneOf(MountFlag.class);
        propagation.addAll(flags);
        propagation.retainAll(EnumSet.of(MountFlag.PRIVATE, MountFlag.SLAVE, MountFlag.SHARED));
        boolean isChange = flags.contains(MountFlag.REMOUNT) || !propagation.isEmpty();
        if (isChange) {
            int index = indexOf(target);
            if (index < 0) {
                throw new Refused(Errno.EINVAL);
            }
            mounts.set(index, changed(mounts.get(index), flags, propagation));
            return;
        }
        if (flags.contains(MountFlag.BIND)) {
            Path bound = Path.of(source);
            if (!Files.exists(bound) && !source.startsWith("/proc/")) {
                tree.require(bound, true);
            }
        }
        int id = nextMount++;
        mounts.add(
                new MountEntry(
                        id,
                        1,
                        Path.of("/"),
                        target,
                        options(flags),
                        List.of(),
                        flags.contains(MountFlag.BIND) ? "ext4" : type,
                        source,
                        data.isEmpty() ? "rw" : "rw," + data));
    }

    private static MountEntry changed(
            MountEntry entry, Set<MountFlag> flags, Set<MountFlag> propagation) {
        List<String> optional = entry.optionalFields();
        for (MountFlag kind : propagation) {
            optional =
                    switch (kind) {
                        case SHARED -> List.of("shared:" + entry.id());
                        case SLAVE -> List.of("master:" + entry.id());
                        default -> List.of();
                    };
        }
        return new MountEntry(
                entry.id(),
                entry.parentId(),
                entry.root(),
                entry.mountPoint(),
                flags.contains(MountFlag.REMOUNT) ? options(flags) : entry.options(),
                optional,
                entry.type(),
                entry.source(),
                entry.superOptions());
    }

    private static String options(Set<MountFlag> flags) {
        StringBuilder options =
                new StringBuilder(flags.contains(MountFlag.READ_ONLY) ? "ro" : "rw");
        if (flags.contains(MountFlag.NO_SUID)) {
            options.append(",nosuid");
        }
        if (flags.contains(MountFlag.NO_DEV)) {
            options.append(",nodev");
        }
        if (flags.contains(MountFlag.NO_EXEC)) {
            options.append(",noexec");
        }
        return options.append(",relatime").toString();
    }

    /** The newest mount on a path, −1 when there is none. */
    private int indexOf(Path target) {
        for (int i = mounts.size() - 1; i >= 0; i--) {
            if (mounts.get(i).mountPoint().equals(target)) {
                return i;
            }
        }
        return -1;
    }

    @Override
    public void unmount(Path target, Set<UnmountFlag> flags) {
        effect("umount2", "'" + target + "', " + flags, () -> unmountUnrecorded(target, flags));
    }

    private void unmountUnrecorded(Path target, Set<UnmountFlag> flags) throws Refused {
        int index = indexOf(target);
        if (index < 0) {
            if (!Files.exists(target)) {
                tree.require(target, false);
            }
            throw new Refused(Errno.EINVAL);
        }
        boolean hasInner =
                mounts.stream()
                        .anyMatch(inner ->
                                inner.mountPoint().startsWith(target)
                                        && !inner.mountPoint().equals(target));
        if (hasInner && !flags.contains(UnmountFlag.DETACH)) {
            throw new Refused(Errno.EBUSY);
        }
        mounts.remove(index);
        if (indexOf(target) < 0) {
            mounts.removeIf(inner -> inner.mountPoint().startsWith(target));
        }
    }

    @Override
    public synchronized List<MountEntry> mounts() {
        return List.copyOf(mounts);
    }

    // Namespaces

    @Override
    public void mountIdMapped(Path source, Path target, Path userNamespace) {
        effect(
                "mount_setattr",
                "'" + source + "', '" + target + "', '" + userNamespace + "'",
                () ->
                        mountUnrecorded(
                                source.toString(), target, "", EnumSet.of(MountFlag.BIND), ""));
    }

    @Override
    public void tryIdMapped(Path source, Path userNamespace) {
        effect("mount_setattr", "'" + source + "', '" + userNamespace + "'", () -> {});
    }

    @Override
    public void pin(int process, Map<NamespaceKind, Path> pins) {
        createAndPin(pins, "", Map.of());
    }

    @Override
    public void setUp(Map<NamespaceKind, Path> pins, String hostname) {
        effect("setns", pins.keySet() + ", '" + hostname + "'", () -> {});
    }

    @Override
    public void createAndPin(
            Map<NamespaceKind, Path> pins, String hostname, Map<String, String> sysctls) {
        effect(
                "unshare",
                pins.keySet() + ", '" + hostname + "', " + sysctls,
                () -> {
                    for (String name : sysctls.keySet()) {
                        boolean isInside =
                                name.startsWith("net.")
                                        ? pins.containsKey(NamespaceKind.NETWORK)
                                        : pins.containsKey(NamespaceKind.IPC);
                        if (!isInside) {
                            throw new Refused(Errno.EPERM);
                        }
                    }
                    List<Path> done = new ArrayList<>();
                    try {
                        for (Map.Entry<NamespaceKind, Path> pin : pins.entrySet()) {
                            pin(pin.getKey(), pin.getValue());
                            done.add(pin.getValue());
                        }
                    } catch (Refused e) {
                        for (Path pin : done) {
                            unpinOne(pin);
                        }
                        throw e;
                    }
                });
    }

    private void pin(NamespaceKind kind, Path pin) throws Refused {
        Place place = tree.find(pin, false);
        tree.add(place.directory(), place.name(), tree.create(FakeTree.REGULAR | 0444));
        mounts.add(
                new MountEntry(
                        nextMount,
                        1,
                        Path.of(kind.fileName() + ":[" + (4026530000L + nextMount++) + "]"),
                        pin,
                        "rw",
                        List.of(),
                        "nsfs",
                        "nsfs",
                        "rw"));
    }

    @Override
    public void unpin(Set<Path> pins) {
        effect(
                "unpin",
                pins.toString(),
                () -> {
                    for (Path pin : pins) {
                        unpinOne(pin);
                    }
                });
    }

    private void unpinOne(Path pin) throws Refused {
        int index = indexOf(pin);
        if (index >= 0) {
            mounts.remove(index);
        }
        try {
            Place place = tree.find(pin, false);
            place.directory().children.remove(place.name());
        } catch (Refused e) {
            if (!e.errno.is(Errno.ENOENT)) {
                throw e;
            }
        }
    }

    @Override
    public <T> T inNamespaces(Map<NamespaceKind, Path> namespaces, InNamespace<T> work) {
        effect(
                "setns",
                namespaces.toString(),
                () -> {
                    for (Path path : namespaces.values()) {
                        if (path.startsWith("/proc")) {
                            continue;
                        }
                        tree.require(path, true);
                        int index = indexOf(path);
                        if (index < 0 || !mounts.get(index).type().equals("nsfs")) {
                            throw new Refused(Errno.EINVAL);
                        }
                    }
                });
        try {
            return work.run();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    // Processes

    @Override
    public int spawn(SpawnRequest request) {
        return call(
                "posix_spawn",
                "'" + request.executable() + "', " + request.arguments(),
                () -> {
                    Program program = programs.get(request.executable());
                    if (program == null) {
                        throw new Refused(Errno.ENOENT);
                    }
                    Map<Integer, Open> inherited = new HashMap<>();
                    for (Map.Entry<Integer, Descriptor> entry : request.descriptors().entrySet()) {
                        Open open = opened(entry.getValue());
                        open.references++;
                        inherited.put(entry.getKey(), open);
                    }
                    FakeProcess process = new FakeProcess(nextPid++, request, inherited);
                    processes.put(process.pid, process);
                    Thread.ofVirtual().start(() -> run(program, process));
                    return process.pid;
                });
    }

    private void run(Program program, FakeProcess process) {
        int code;
        try {
            code = program.run(process);
        } catch (InterruptedException e) {
            return; // killed
        }
        end(process, new ExitStatus(code, 0));
    }

    private synchronized void end(FakeProcess process, ExitStatus status) {
        if (process.exit.isEmpty()) {
            process.exit = Optional.of(status);
            process.inherited.values().forEach(FakeLinux::release);
            notifyAll();
        }
    }

    @Override
    public synchronized Optional<ExitStatus> waitFor(int pid, Duration timeout) {
        FakeProcess process = processes.get(pid);
        if (process == null) {
            throw new LinuxException("waitid", "pid " + pid, Errno.ECHILD);
        }
        if (waitUntil(() -> process.exit.isPresent(), timeout)) {
            processes.remove(pid);
            return process.exit;
        }
        return Optional.empty();
    }

    private boolean waitUntil(BooleanSupplier condition, Duration timeout) {
        long end = System.nanoTime() + timeout.toNanos();
        while (!condition.getAsBoolean()) {
            long millis = (end - System.nanoTime() + 999_999) / 1_000_000;
            if (millis <= 0) {
                return false;
            }
            try {
                wait(millis);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return condition.getAsBoolean();
            }
        }
        return true;
    }

    @Override
    public boolean kill(int pid, int signal) {
        requireSingle(pid);
        return call("kill", pid + ", " + signal, () -> signal(processes.get(pid), signal));
    }

    private static void requireSingle(int pid) {
        if (pid <= 0) {
            throw new IllegalArgumentException("pid " + pid);
        }
    }

    private boolean signal(@Nullable FakeProcess process, int signal) {
        if (process == null) {
            return false;
        }
        process.signals.add(signal);
        if (signal == SIGKILL || signal == SIGTERM) {
            end(process, new ExitStatus(0, signal));
        }
        return true;
    }

    @Override
    public boolean killGroup(int processGroup, int signal) {
        if (processGroup <= 1) {
            throw new IllegalArgumentException("process group " + processGroup);
        }
        return call(
                "kill",
                -processGroup + ", " + signal,
                () -> signal(processes.get(processGroup), signal));
    }

    @Override
    public Optional<Descriptor> openProcess(int pid) {
        requireSingle(pid);
        return call(
                "pidfd_open",
                "pid " + pid,
                () -> {
                    FakeProcess process = processes.get(pid);
                    if (process == null) {
                        return Optional.empty();
                    }
                    Open open = new Open(Kind.PROCESS, Set.of());
                    open.process = process;
                    return Optional.of(descriptor(open));
                });
    }

    @Override
    public synchronized boolean awaitEnd(Descriptor process, Duration timeout) {
        return guarded(
                "poll",
                process.toString(),
                () -> {
                    FakeProcess awaited = opened(process).process();
                    return waitUntil(() -> awaited.exit.isPresent(), timeout);
                });
    }

    @Override
    public boolean kill(Descriptor process, int signal) {
        return call(
                "pidfd_send_signal",
                process + ", " + signal,
                () -> {
                    FakeProcess target = opened(process).process();
                    return processes.containsKey(target.pid) && signal(target, signal);
                });
    }

    @Override
    public synchronized Optional<Long> startTimeTicks(int pid) {
        requireSingle(pid);
        FakeProcess process = processes.get(pid);
        return process != null && process.exit.isEmpty() ? Optional.of(pid * 7L) : Optional.empty();
    }

    @Override
    public synchronized OptionalInt endedChild() {
        return processes.values().stream()
                .filter(process -> process.exit.isPresent())
                .mapToInt(process -> process.pid)
                .findFirst();
    }

    @Override
    public synchronized boolean hasEnded(int pid) {
        FakeProcess process = processes.get(pid);
        return process != null && process.exit.isPresent();
    }

    @Override
    public void becomeSubreaper() {
        effect("prctl", "PR_SET_CHILD_SUBREAPER", () -> {});
    }

    @Override
    public OptionalInt lowestOomScoreAdjustment() {
        return OptionalInt.of(0);
    }

    // Sockets and terminals

    /** A listening TCP socket at a port of a loopback address, the same in every namespace. */
    public Descriptor listenTcp(Loopback family, int port) {
        return call(
                "listen",
                family.address() + " port " + port,
                () -> {
                    Open open = socket(false);
                    open.socket().listen(128);
                    tcpListeners.put(family.address() + " " + port, open.socket());
                    return descriptor(open);
                });
    }

    private static Open socket(boolean packets) {
        Open open = new Open(Kind.SOCKET, Set.of());
        open.socket = new FakeSocket<>(packets);
        open.isNonBlocking = true;
        return open;
    }

    @Override
    public Descriptor listen(Path path, UnixSocket type, int backlog) {
        return call(
                "bind",
                "'" + path + "'",
                () -> {
                    Place place = tree.find(path, false);
                    if (place.node().isPresent()) {
                        throw new Refused(Errno.EADDRINUSE);
                    }
                    Node node = tree.create(FakeTree.SOCKET | 0600);
                    tree.add(place.directory(), place.name(), node);
                    Open open = socket(type == UnixSocket.PACKETS);
                    open.socket().listen(backlog);
                    boundSockets.put(node, open.socket());
                    return descriptor(open);
                });
    }

    @Override
    public Descriptor accept(Descriptor listener) {
        return call(
                "accept4",
                listener.toString(),
                () -> {
                    Open open = socket(false);
                    open.socket = opened(listener).socket().accept();
                    return descriptor(open);
                });
    }

    @Override
    public Descriptor connect(Path path, UnixSocket type) {
        return call(
                "connect",
                "'" + path + "'",
                () -> {
                    Open open = socket(type == UnixSocket.PACKETS);
                    open.socket().connectTo(boundSockets.get(tree.require(path, true)));
                    return descriptor(open);
                });
    }

    @Override
    public Optional<Descriptor> receiveDescriptor(Descriptor socket) {
        return call(
                "recvmsg",
                socket.toString(),
                () -> Optional.ofNullable(opened(socket).socket().receive()).map(this::descriptor));
    }

    @Override
    public void sendDescriptor(Descriptor socket, Descriptor sent) {
        effect(
                "sendmsg",
                socket + ", SCM_RIGHTS",
                () -> {
                    Open open = opened(sent);
                    opened(socket).socket().send(open);
                    open.references++;
                });
    }

    @Override
    public Descriptor tcpSocket(Loopback family) {
        return call("socket", family + ", TCP", () -> descriptor(socket(false)));
    }

    @Override
    public boolean startConnect(Descriptor socket, Loopback family, int port) {
        return call(
                "connect",
                family.address() + " port " + port,
                () -> {
                    FakeSocket<Open> own = opened(socket).socket();
                    try {
                        own.connectTo(tcpListeners.get(family.address() + " " + port));
                    } catch (Refused e) {
                        own.fail(e.errno);
                    }
                    return false;
                });
    }

    @Override
    public Optional<Errno> pendingError(Descriptor socket) {
        return call(
                "getsockopt",
                socket + ", SO_ERROR",
                () -> Optional.ofNullable(opened(socket).socket().takeError()));
    }

    @Override
    public void shutdownWrite(Descriptor socket) {
        effect("shutdown", socket.toString(), () -> opened(socket).socket().shutdownWrite());
    }

    @Override
    public void resizeTerminal(Descriptor terminal, int columns, int rows) {
        effect(
                "ioctl",
                terminal + ", TIOCSWINSZ " + columns + "x" + rows,
                () -> {
                    opened(terminal);
                    throw new Refused(Errno.ENOTTY);
                });
    }

    @Override
    public int unreadBytes(Descriptor descriptor) {
        return call(
                "ioctl",
                descriptor + ", FIONREAD",
                () -> {
                    Open open = opened(descriptor);
                    return open.stream == null ? open.socket().unread() : open.stream.bytes.size();
                });
    }

    @Override
    public Descriptor duplicate(Descriptor descriptor) {
        return call(
                "fcntl",
                descriptor + ", F_DUPFD_CLOEXEC",
                () -> {
                    Open open = opened(descriptor);
                    open.references++;
                    return descriptor(open);
                });
    }

    // Polling

    @Override
    public Poll openPoll() {
        return new FakePoll();
    }

    private final class FakePoll implements Poll {
        private record Watched(int number, Interest interest, long token) {}

        private final Map<Integer, Watched> watched = new LinkedHashMap<>();
        private boolean isWoken;

        @Override
        public void add(Descriptor descriptor, Interest interest, long token) {
            synchronized (FakeLinux.this) {
                guarded(
                        "epoll_ctl",
                        "add " + descriptor,
                        () -> {
                            opened(descriptor);
                            int number = descriptor.number();
                            Watched added = new Watched(number, interest, token);
                            if (watched.putIfAbsent(number, added) != null) {
                                throw new Refused(Errno.EEXIST);
                            }
                            return true;
                        });
            }
        }

        @Override
        public void remove(Descriptor descriptor) {
            synchronized (FakeLinux.this) {
                guarded(
                        "epoll_ctl",
                        "remove " + descriptor,
                        () -> {
                            if (watched.remove(descriptor.number()) == null) {
                                throw new Refused(Errno.ENOENT);
                            }
                            return true;
                        });
            }
        }

        @Override
        public int await(long[] tokens, Duration timeout) {
            synchronized (FakeLinux.this) {
                waitUntil(
                        () -> isWoken || watched.values().stream().anyMatch(this::isReady),
                        timeout);
                isWoken = false;
                int count = 0;
                for (Watched one : watched.values()) {
                    if (count < tokens.length && isReady(one)) {
                        tokens[count++] = one.token;
                    }
                }
                return count;
            }
        }

        private boolean isReady(Watched one) {
            Open open = descriptors.get(one.number);
            if (open == null) {
                return false;
            }
            return switch (open.kind) {
                case FILE -> true;
                case PIPE_READ -> open.stream().bytes.size() > 0 || open.stream().writers == 0;
                case PIPE_WRITE ->
                        open.stream().bytes.size() < PIPE_SIZE || open.stream().readers == 0;
                case PROCESS -> open.process().exit.isPresent();
                case SOCKET ->
                        open.socket != null
                                && switch (one.interest) {
                                    case READABLE -> open.socket.isReadable();
                                    case WRITABLE -> open.socket.isWritable();
                                };
            };
        }

        @Override
        public void wake() {
            synchronized (FakeLinux.this) {
                isWoken = true;
                FakeLinux.this.notifyAll();
            }
        }

        @Override
        public void close() {
            synchronized (FakeLinux.this) {
                watched.clear();
            }
        }
    }
}
