package io.crema.image.layer;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.nio.file.Path;
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
        Walk walk = new Walk(files, files.status(directory));
        walk.children(directory);
        return new DiskUsage(walk.blocks512 * 512, walk.inodes);
    }

    private static final class Walk {
        private final LinuxFiles files;
        private final long device;
        private final Set<Long> linked = new HashSet<>();
        private long blocks512;
        private long inodes = 1;

        Walk(LinuxFiles files, FileStatus root) {
            this.files = files;
            this.device = root.device();
            this.blocks512 = root.blocks512();
        }

        void children(Descriptor directory) {
            for (String name : files.list(directory)) {
                Optional<FileStatus> found = files.statusAt(directory, name);
                if (found.isEmpty() || found.get().device() != device) {
                    continue;
                }
                FileStatus status = found.get();
                if (status.isDirectory()) {
                    count(status);
                    descend(directory, name);
                } else if (status.linkCount() < 2 || linked.add(status.inode())) {
                    count(status);
                }
            }
        }

        private void count(FileStatus status) {
            blocks512 += status.blocks512();
            inodes++;
        }

        private void descend(Descriptor directory, String name) {
            try (Descriptor child = files.openAt(directory, name, DIRECTORY, 0, Set.of())) {
                children(child);
            } catch (LinuxException e) {
                if (!e.errno().is(Errno.ENOENT) && !e.errno().is(Errno.ENOTDIR)) {
                    throw e;
                }
            }
        }
    }
}
