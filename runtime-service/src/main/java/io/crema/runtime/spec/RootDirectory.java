package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Resolve;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The root file system of a container that does not run yet, as hostile content: every path is
 * resolved as if this directory were /, links cannot lead out of it, and nothing but regular files
 * is ever opened for reading (opening a device node can act on the device).
 */
final class RootDirectory implements AutoCloseable {
    private static final Set<Resolve> INSIDE = EnumSet.of(Resolve.IN_ROOT, Resolve.NO_MAGIC_LINKS);
    private static final Set<OpenFlag> LOOK = EnumSet.of(OpenFlag.PATH);
    private static final Set<OpenFlag> LOOK_AT_LINK = EnumSet.of(OpenFlag.PATH, OpenFlag.NO_FOLLOW);
    private static final int MAX_LINKS = 40; // as the kernel allows
    private static final int DIRECTORY_MODE = 0755;

    private final LinuxFiles files;
    private final Path path;
    private final Descriptor root;

    RootDirectory(LinuxFiles files, Path path) {
        this.files = files;
        this.path = path;
        this.root = files.open(path, EnumSet.of(OpenFlag.PATH, OpenFlag.DIRECTORY), 0);
    }

    /**
     * Reads a regular file whole.
     *
     * @param name relative to the root
     * @return empty when there is no regular file of that name
     */
    Optional<byte[]> read(String name, int maxBytes) {
        Optional<Descriptor> found = find(name);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        try (Descriptor handle = found.get()) {
            FileStatus status = files.status(handle);
            if (!status.isRegularFile()) {
                return Optional.empty();
            }
            if (status.size() > maxBytes) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        "/"
                                + name
                                + " of the image is "
                                + status.size()
                                + " bytes long; at most "
                                + maxBytes
                                + " are read");
            }
            // A handle opened for looking cannot read; the kernel opens the same file again by it.
            try (Descriptor file =
                    files.open(
                            Path.of("/proc/self/fd/" + handle.number()),
                            EnumSet.of(OpenFlag.READ_ONLY, OpenFlag.NO_CTTY),
                            0)) {
                return Optional.of(readAll(file, (int) status.size()));
            }
        }
    }

    private byte[] readAll(Descriptor file, int size) {
        ByteBuffer buffer = ByteBuffer.allocate(size);
        boolean isAtEnd = false;
        while (buffer.hasRemaining() && !isAtEnd) {
            isAtEnd = files.read(file, buffer) < 0;
        }
        return Arrays.copyOf(buffer.array(), buffer.position());
    }

    private Optional<Descriptor> find(String name) {
        try {
            return Optional.of(files.openAt(root, name, LOOK, 0, INSIDE));
        } catch (LinuxException e) {
            // Whatever makes the path lead nowhere (loops, files for directories) is the image's
            // own affair and means that it has no such file.
            if (isAbsence(e.errno())) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private static boolean isAbsence(Errno errno) {
        return errno.is(Errno.ENOENT)
                || errno.is(Errno.ENOTDIR)
                || errno.is(Errno.ELOOP)
                || errno.is(Errno.ENAMETOOLONG);
    }

    boolean isDirectory(String name) {
        return status(name).filter(FileStatus::isDirectory).isPresent();
    }

    /** What a name, with links followed inside the root, leads to. */
    Optional<FileStatus> status(String name) {
        Optional<Descriptor> found = find(name);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        try (Descriptor handle = found.get()) {
            return Optional.of(files.status(handle));
        }
    }

    /**
     * Where a directory really is on the node, with links followed inside the root.
     *
     * @return empty when there is no such directory
     */
    Optional<Path> resolvedDirectory(String name) {
        Optional<Descriptor> found = find(name);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        try (Descriptor handle = found.get()) {
            return files.status(handle).isDirectory()
                    ? Optional.of(Path.of("/proc/self/fd/" + handle.number()).toRealPath())
                    : Optional.empty();
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot find " + name + " in " + path + ": " + e, e);
        }
    }

    /**
     * Makes a directory and those around it where they are missing, following links inside the
     * root, dangling ones too.
     *
     * @param directory absolute in the container
     * @param purpose what it is for, for the message when something else has its name
     * @param uid the owner, as the node counts, of those that are made
     */
    void makeDirectories(String directory, String purpose, int uid, int gid) {
        String relative = relative(directory);
        if (relative.isEmpty() || isDirectory(relative)) {
            return;
        }
        Deque<String> left = new ArrayDeque<>(List.of(relative.split("/")));
        List<String> resolved = new ArrayList<>();
        int links = 0;
        while (!left.isEmpty()) {
            String name = left.pop();
            if (name.isEmpty() || name.equals(".")) {
                continue;
            }
            if (name.equals("..")) {
                if (!resolved.isEmpty()) {
                    resolved.removeLast();
                }
                continue;
            }
            try (Descriptor parent = openResolved(resolved)) {
                Optional<FileStatus> status = files.statusAt(parent, name);
                if (status.isEmpty()) {
                    files.makeDirectoryAt(parent, name, DIRECTORY_MODE);
                    if (uid != 0 || gid != 0) {
                        files.changeOwnerAt(parent, name, uid, gid);
                    }
                } else if (status.get().isSymbolicLink()) {
                    links++;
                    if (links > MAX_LINKS) {
                        throw PodException.invalid(
                                purpose + " " + directory + ": too many symbolic links");
                    }
                    String target = files.readLinkAt(parent, name);
                    if (target.startsWith("/")) {
                        resolved.clear();
                    }
                    pushAll(left, target);
                    continue;
                } else if (!status.get().isDirectory()) {
                    throw PodException.invalid(
                            purpose
                                    + " "
                                    + directory
                                    + ": /"
                                    + String.join("/", resolved)
                                    + (resolved.isEmpty() ? "" : "/")
                                    + name
                                    + " of the image is not a directory");
                }
            }
            resolved.add(name);
        }
    }

    private static void pushAll(Deque<String> left, String target) {
        String[] names = target.split("/", -1);
        for (int i = names.length - 1; i >= 0; i--) {
            left.push(names[i]);
        }
    }

    private Descriptor openResolved(List<String> names) {
        return files.openAt(
                root, names.isEmpty() ? "." : String.join("/", names), LOOK_AT_LINK, 0, INSIDE);
    }

    /** Makes a symbolic link unless something has its name or its directory is missing. */
    void linkIfAbsent(String directory, String name, String target) {
        Optional<Descriptor> parent = find(directory);
        if (parent.isEmpty()) {
            return;
        }
        try (Descriptor handle = parent.get()) {
            if (files.status(handle).isDirectory() && files.statusAt(handle, name).isEmpty()) {
                files.symbolicLinkAt(target, handle, name);
            }
        }
    }

    private static String relative(String absolute) {
        return Path.of("/").relativize(Path.of(absolute).normalize()).toString();
    }

    @Override
    public void close() {
        root.close();
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
