package io.crema.image.layer;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
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
        try {
            files.unlinkAt(parent, name, false);
        } catch (LinuxException e) {
            if (e.errno().is(Errno.ENOENT)) {
                return;
            }
            // Linux says EISDIR; POSIX allows EPERM.
            if (!e.errno().is(Errno.EISDIR) && !e.errno().is(Errno.EPERM)) {
                throw e;
            }
            removeDirectory(parent, name);
        }
    }

    private void removeDirectory(Descriptor parent, String name) {
        try (Descriptor directory = files.openAt(parent, name, DIRECTORY, 0, Set.of())) {
            removeChildren(directory);
        }
        files.unlinkAt(parent, name, true);
    }

    /** Deletes all below a directory. */
    public void removeChildren(Descriptor directory) {
        List<String> names = files.list(directory);
        for (String name : names) {
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
