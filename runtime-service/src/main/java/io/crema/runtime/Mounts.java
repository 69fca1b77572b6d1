package io.crema.runtime;

import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.EnumSet;

/** Questions and steps about mount points. */
final class Mounts {
    /** A stack of mounts on one place deeper than this is somebody else's. */
    private static final int MAX_STACKED = 16;

    private Mounts() {}

    /**
     * Whether something is mounted exactly there; a pin is a file of another device than its
     * directory.
     */
    static boolean isMountPoint(Linux linux, Path path) {
        Path parent = path.getParent();
        if (parent == null || !Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        var status = linux.status(path, false);
        var around = linux.status(parent, false);
        return status.isPresent()
                && around.isPresent()
                && status.get().device() != around.get().device();
    }

    /** Undoes the mounts for one step in a container's directory, which a crash leaves behind. */
    static void unmountPassing(Linux linux, Path container) {
        unmountAll(linux, container.resolve(RestoreContainer.VIEW));
        unmountAll(linux, container.resolve(CheckpointDirectory.LOWER));
    }

    /** Unmounts everything stacked on a place; nothing mounted there is no error. */
    static void unmountAll(Linux linux, Path target) {
        for (int i = 0; i < MAX_STACKED; i++) {
            try {
                linux.unmount(target, EnumSet.of(UnmountFlag.DETACH));
            } catch (LinuxException e) {
                if (e.errno().is(Errno.EINVAL) || e.errno().is(Errno.ENOENT)) {
                    return;
                }
                throw e;
            }
        }
    }
}
