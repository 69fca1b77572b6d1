package io.crema.runtime.stats;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Resolve;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * One walk over a tree that a container may change, and shape to its liking, meanwhile. It counts
 * blocks as du(1) does: hard links once, never on another file system. It stays beneath the root,
 * follows no symbolic link, has one descriptor open at a time, rests often, and has bounds on
 * entries and memory; what lies beyond them is not counted.
 */
final class LayerWalk {
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);
    private static final Set<Resolve> INSIDE =
            Set.of(Resolve.BENEATH, Resolve.NO_SYMLINKS, Resolve.NO_CROSS_DEVICE);
    private static final long ENTRIES_MAX = 8_000_000;
    private static final int HARD_LINKS_MAX = 100_000;

    /** Of the paths of directories that are still to be looked into, all together. */
    private static final long AHEAD_MAX_BYTES = 16 << 20;

    private static final int BYTES_PER_PATH = 64;

    /** A directory with more bytes in names is read piece by piece instead of as a whole. */
    private static final long NAMES_MAX_BYTES = 1 << 20;

    private static final int ENTRIES_BETWEEN_RESTS = 512;
    private static final long REST_MILLIS = 1;

    private final LinuxFiles files;
    private final long namesMaxBytes;
    private final long device;
    private final Set<Long> linked = new HashSet<>();
    private final Deque<String> ahead = new ArrayDeque<>();
    private long aheadBytes;
    private long blocks512;
    private long inodes = 1;

    private LayerWalk(LinuxFiles files, long namesMaxBytes, FileStatus root) {
        this.files = files;
        this.namesMaxBytes = namesMaxBytes;
        this.device = root.device();
        this.blocks512 = root.blocks512();
    }

    /** Space and files of all kinds, the root directory included. */
    record Size(long bytes, long inodes) {}

    /** Nothing when there is no such directory. */
    static Size of(LinuxFiles files, Path root) throws InterruptedException {
        return of(files, root, NAMES_MAX_BYTES);
    }

    static Size of(LinuxFiles files, Path root, long namesMaxBytes) throws InterruptedException {
        try (Descriptor directory = files.open(root, DIRECTORY, 0)) {
            FileStatus status = files.status(directory);
            LayerWalk walk = new LayerWalk(files, namesMaxBytes, status);
            walk.all(directory, status);
            return new Size(walk.blocks512 * 512, walk.inodes);
        } catch (LinuxException e) {
            if (hasVanished(e)) {
                return new Size(0, 0);
            }
            throw e;
        }
    }

    private void all(Descriptor root, FileStatus status) throws InterruptedException {
        entries(root, status, "");
        while (!ahead.isEmpty()) {
            String path = ahead.pop();
            aheadBytes -= BYTES_PER_PATH + path.length();
            try (Descriptor directory = files.openAt(root, path, DIRECTORY, 0, INSIDE)) {
                entries(directory, files.status(directory), path + "/");
            } catch (LinuxException e) {
                if (!hasVanished(e)) {
                    throw e;
                }
            }
        }
    }

    private void entries(Descriptor directory, FileStatus status, String prefix)
            throws InterruptedException {
        if (status.size() <= namesMaxBytes) {
            for (String name : files.list(directory)) {
                entry(directory, name, prefix);
            }
            return;
        }
        Path opened = Path.of("/proc/self/fd/" + directory.number());
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(opened)) {
            for (Path entry : entries) {
                entry(directory, entry.getFileName().toString(), prefix);
            }
        } catch (DirectoryIteratorException | IOException e) {
            return; // removed meanwhile
        }
    }

    private void entry(Descriptor directory, String name, String prefix)
            throws InterruptedException {
        if (inodes >= ENTRIES_MAX) {
            return;
        }
        Optional<FileStatus> found = files.statusAt(directory, name);
        if (found.isEmpty() || found.get().device() != device) {
            return;
        }
        FileStatus status = found.get();
        if (status.isDirectory()) {
            lookInto(prefix + name);
        } else if (status.linkCount() > 1
                && linked.size() < HARD_LINKS_MAX
                && !linked.add(status.inode())) {
            return;
        }
        blocks512 += status.blocks512();
        inodes++;
        if (inodes % ENTRIES_BETWEEN_RESTS == 0) {
            Thread.sleep(REST_MILLIS);
        }
    }

    private void lookInto(String path) {
        long bytes = (long) BYTES_PER_PATH + path.length();
        if (aheadBytes + bytes <= AHEAD_MAX_BYTES) {
            ahead.push(path);
            aheadBytes += bytes;
        }
    }

    /** Also what a container has put in its place, or has nested too deeply for any path. */
    private static boolean hasVanished(LinuxException e) {
        return e.errno().is(Errno.ENOENT)
                || e.errno().is(Errno.ENOTDIR)
                || e.errno().is(Errno.ELOOP)
                || e.errno().is(Errno.EXDEV)
                || e.errno().is(Errno.ENAMETOOLONG);
    }
}
