package io.crema.image.layer;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Deletes trees by descriptors, never following a link, so that what lies in them cannot lead the
 * deletion elsewhere.
 */
public final class TreeRemoval {
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);

    private final LinuxFiles files;

    public TreeRemoval(LinuxFiles files) {
        this.files = files;
    }

    /** Deletes a name and all below it; does nothing when it is not there. */
    public void remove(Descriptor parent, String name) {
        if (!removeFile(parent, name)) {
            removeDirectory(parent, name);
        }
    }

    /** A directory on the way down. */
    private static final class Level {
        private final String name;
        private final long parentInode;
        private final Iterator<String> names;

        Level(String name, long parentInode, List<String> names) {
            this.name = name;
            this.parentInode = parentInode;
            this.names = names.iterator();
        }
    }

    /**
     * Goes down and up again with two descriptors at a time, because a container can nest
     * directories deeper than there are descriptors or stack.
     */
    private void removeDirectory(Descriptor parent, String name) {
        Deque<Level> levels = new ArrayDeque<>();
        Descriptor at = files.openAt(parent, name, DIRECTORY, 0, Set.of());
        try {
            levels.push(new Level(name, 0, files.list(at)));
            while (true) {
                Level level = levels.element();
                if (level.names.hasNext()) {
                    String child = level.names.next();
                    if (!removeFile(at, child)) {
                        long inode = files.status(at).inode();
                        Descriptor down = files.openAt(at, child, DIRECTORY, 0, Set.of());
                        at.close();
                        at = down;
                        levels.push(new Level(child, inode, files.list(at)));
                    }
                    continue;
                }
                levels.pop();
                if (levels.isEmpty()) {
                    break;
                }
                Descriptor up = files.openAt(at, "..", DIRECTORY, 0, Set.of());
                at.close();
                at = up;
                if (files.status(at).inode() != level.parentInode) {
                    throw new LinuxException(
                            "unlinkat",
                            "'" + name + "' was moved while it was deleted",
                            Errno.EBUSY);
                }
                files.unlinkAt(at, level.name, true);
            }
        } finally {
            at.close();
        }
        files.unlinkAt(parent, name, true);
    }

    /** Whether the name is gone; false when it is a directory. */
    private boolean removeFile(Descriptor parent, String name) {
        try {
            files.unlinkAt(parent, name, false);
            return true;
        } catch (LinuxException e) {
            if (e.errno().is(Errno.ENOENT)) {
                return true;
            }
            // Linux says EISDIR; POSIX allows EPERM.
            if (e.errno().is(Errno.EISDIR) || e.errno().is(Errno.EPERM)) {
                return false;
            }
            throw e;
        }
    }

    /** Deletes all below a directory. */
    public void removeChildren(Descriptor directory) {
        for (String name : files.list(directory)) {
            remove(directory, name);
        }
    }

    /** Deletes the overlay whiteouts directly in a directory and returns how many there were. */
    int removeWhiteouts(Descriptor directory) {
        int removed = 0;
        for (String name : files.list(directory)) {
            Optional<FileStatus> status = files.statusAt(directory, name);
            if (status.isPresent() && Overlay.isWhiteout(status.get())) {
                files.unlinkAt(directory, name, false);
                removed++;
            }
        }
        return removed;
    }
}
