package io.crema.oci.linux;

import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.Resolve;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The file tree of {@link FakeLinux}, in memory. Directories of the real file system show up as
 * empty directories when a test names them, so that a temporary directory can be used as it is.
 */
final class FakeTree {
    static final int DIRECTORY = 0040000;
    static final int REGULAR = 0100000;
    static final int SYMBOLIC_LINK = 0120000;
    static final int FIFO = 0010000;
    static final int SOCKET = 0140000;
    private static final int TYPE_MASK = 0170000;
    private static final int LINKS_MAX = 40;
    private static final long DEVICE = 0x2A;

    /** A file of any type. */
    static final class Node {
        final long inode;
        final Map<String, Node> children = new LinkedHashMap<>();
        final Map<String, byte[]> attributes = new LinkedHashMap<>();
        @Nullable Node parent;
        int mode;
        int uid;
        int gid;
        int major;
        int minor;
        int links = 1;
        long seconds;
        int nanos;
        byte[] content = new byte[0];
        String target = "";
        boolean isExclusivelyLocked;
        int sharedLocks;

        Node(long inode, int mode) {
            this.inode = inode;
            this.mode = mode;
        }

        boolean isDirectory() {
            return (mode & TYPE_MASK) == DIRECTORY;
        }

        boolean isSymbolicLink() {
            return (mode & TYPE_MASK) == SYMBOLIC_LINK;
        }

        FileStatus status() {
            long size = isSymbolicLink() ? target.length() : content.length;
            return new FileStatus(
                    mode,
                    uid,
                    gid,
                    size,
                    DEVICE,
                    inode,
                    links,
                    major,
                    minor,
                    (size + 4095) / 4096 * 8,
                    seconds,
                    nanos);
        }
    }

    /** Where a path leads: the directory that holds (or would hold) the last name, and the file. */
    record Place(Node directory, String name, Optional<Node> node) {}

    /** Refusal in the kernel's words, to be dressed as an exception by the caller. */
    static final class Refused extends Exception {
        final Errno errno;

        Refused(Errno errno) {
            super(errno.name());
            this.errno = errno;
        }
    }

    private long nextInode = 2;
    final Node root = new Node(1, DIRECTORY | 0755);

    FakeTree() {
        root.parent = root;
    }

    Node create(int mode) {
        return new Node(nextInode++, mode);
    }

    Node makeDirectories(Path path) {
        Node directory = root;
        for (Path name : path) {
            Node parent = directory;
            directory =
                    directory.children.computeIfAbsent(
                            name.toString(), n -> attached(create(DIRECTORY | 0755), parent));
        }
        return directory;
    }

    void add(Node directory, String name, Node node) throws Refused {
        if (directory.children.putIfAbsent(name, attached(node, directory)) != null) {
            throw new Refused(Errno.EEXIST);
        }
    }

    private static Node attached(Node node, Node parent) {
        if (node.isDirectory()) {
            node.parent = parent;
        }
        return node;
    }

    Place find(Path path, boolean followLast) throws Refused {
        if (Files.isDirectory(path)) {
            makeDirectories(path);
        }
        return find(root, path.toString(), Set.of(), followLast);
    }

    Node require(Path path, boolean followLast) throws Refused {
        return find(path, followLast).node().orElseThrow(() -> new Refused(Errno.ENOENT));
    }

    /** Walks like openat2(2). */
    Place find(Node from, String path, Set<Resolve> resolve, boolean followLast) throws Refused {
        boolean isConfined = resolve.contains(Resolve.IN_ROOT);
        boolean isBeneath = resolve.contains(Resolve.BENEATH);
        Node top = isConfined || isBeneath ? from : root;
        if (path.isEmpty()) {
            throw new Refused(Errno.ENOENT);
        }
        if (path.startsWith("/") && isBeneath) {
            throw new Refused(Errno.EXDEV);
        }
        Node directory = path.startsWith("/") ? top : from;
        Deque<String> names = new ArrayDeque<>();
        push(names, path);
        boolean mustBeDirectory = path.endsWith("/");
        int links = 0;
        Place place = new Place(directory, ".", Optional.of(directory));
        while (!names.isEmpty()) {
            if (!directory.isDirectory()) {
                throw new Refused(Errno.ENOTDIR);
            }
            String name = names.pop();
            boolean isLast = names.isEmpty();
            if (name.equals("..")) {
                if (directory == top && isBeneath) {
                    throw new Refused(Errno.EXDEV);
                }
                Node parent = directory.parent;
                directory = directory == top || parent == null ? directory : parent;
                place = new Place(directory, ".", Optional.of(directory));
                continue;
            }
            Node node = name.equals(".") ? directory : directory.children.get(name);
            if (node == null) {
                if (isLast) {
                    return new Place(directory, name, Optional.empty());
                }
                throw new Refused(Errno.ENOENT);
            }
            if (node.isSymbolicLink() && (!isLast || followLast)) {
                if (resolve.contains(Resolve.NO_SYMLINKS) || ++links > LINKS_MAX) {
                    throw new Refused(Errno.ELOOP);
                }
                if (node.target.startsWith("/")) {
                    if (isBeneath) {
                        throw new Refused(Errno.EXDEV);
                    }
                    directory = top;
                }
                place = new Place(directory, ".", Optional.of(directory));
                push(names, node.target);
                continue;
            }
            place = new Place(directory, name, Optional.of(node));
            if (!isLast) {
                directory = node;
            }
        }
        if (mustBeDirectory && !place.node().orElseThrow().isDirectory()) {
            throw new Refused(Errno.ENOTDIR);
        }
        return place;
    }

    private static void push(Deque<String> names, String path) {
        String[] parts = path.split("/", -1);
        for (int i = parts.length - 1; i >= 0; i--) {
            if (!parts[i].isEmpty()) {
                names.push(parts[i]);
            }
        }
    }
}
