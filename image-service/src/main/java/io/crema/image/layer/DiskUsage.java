package io.crema.image.layer;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Resolve;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * What a tree occupies on disk, from the block counts of its files as du(1) counts: hard links
 * once, never across a mount point. Names that vanish meanwhile are passed over.
 *
 * @param inodes files of all types, the tree's root included
 */
public record DiskUsage(long bytes, long inodes) {
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);

    private static final Set<Resolve> INSIDE =
            Set.of(Resolve.BENEATH, Resolve.NO_SYMLINKS, Resolve.NO_CROSS_DEVICE);

    /**
     * Walks the tree.
     *
     * @return nothing used when there is no such directory
     */
    public static DiskUsage of(LinuxFiles files, Path directory) {
        try (Descriptor descriptor = files.open(directory, DIRECTORY, 0)) {
            return of(files, descriptor);
        } catch (LinuxException e) {
            if (e.errno().is(Errno.ENOENT)) {
                return new DiskUsage(0, 0);
            }
            throw e;
        }
    }

    static DiskUsage of(LinuxFiles files, Descriptor directory) {
        Walk walk = new Walk(files, directory);
        walk.all();
        return new DiskUsage(walk.blocks512 * 512, walk.inodes);
    }

    /**
     * Uses one descriptor at a time: a container can nest directories deeper than there are any.
     */
    private static final class Walk {
        private final LinuxFiles files;
        private final Descriptor root;
        private final long device;
        private final Set<Long> linked = new HashSet<>();
        private final Deque<String> ahead = new ArrayDeque<>();
        private long blocks512;
        private long inodes = 1;

        Walk(LinuxFiles files, Descriptor root) {
            this.files = files;
            this.root = root;
            FileStatus status = files.status(root);
            this.device = status.device();
            this.blocks512 = status.blocks512();
        }

        void all() {
            children(root, "");
            while (!ahead.isEmpty()) {
                String path = ahead.pop();
                try (Descriptor directory = files.openAt(root, path, DIRECTORY, 0, INSIDE)) {
                    children(directory, path + "/");
                } catch (LinuxException e) {
                    boolean gone =
                            e.errno().is(Errno.ENOENT)
                                    || e.errno().is(Errno.ENOTDIR)
                                    || e.errno().is(Errno.ELOOP)
                                    || e.errno().is(Errno.EXDEV)
                                    || e.errno().is(Errno.ENAMETOOLONG);
                    if (!gone) {
                        throw e;
                    }
                }
            }
        }

        private void children(Descriptor directory, String prefix) {
            for (String name : files.list(directory)) {
                Optional<FileStatus> found = files.statusAt(directory, name);
                if (found.isEmpty() || found.get().device() != device) {
                    continue;
                }
                FileStatus status = found.get();
                if (status.isDirectory()) {
                    ahead.push(prefix + name);
                } else if (status.linkCount() > 1 && !linked.add(status.inode())) {
                    continue;
                }
                blocks512 += status.blocks512();
                inodes++;
            }
        }
    }
}
