package io.crema.oci.linux;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** Mounting, unmounting and the mount table of this process. */
public interface LinuxMounts {
    /** Flags of mount(2). */
    enum MountFlag {
        READ_ONLY,
        NO_SUID,
        NO_DEV,
        NO_EXEC,
        REMOUNT,
        BIND,
        RECURSIVE,
        PRIVATE,
        SLAVE,
        SHARED,
        RELATIVE_ATIME,
        NO_ATIME
    }

    /** Flags of umount2(2); links are never followed. */
    enum UnmountFlag {
        DETACH,
        FORCE
    }

    /**
     * One line of /proc/self/mountinfo (proc(5)).
     *
     * @param optionalFields such as {@code shared:12} and {@code master:3}
     */
    record MountEntry(
            int id,
            int parentId,
            Path root,
            Path mountPoint,
            String options,
            List<String> optionalFields,
            String type,
            String source,
            String superOptions) {
        public boolean isShared() {
            return optionalFields.stream().anyMatch(field -> field.startsWith("shared:"));
        }

        public boolean isSlave() {
            return optionalFields.stream().anyMatch(field -> field.startsWith("master:"));
        }
    }

    /**
     * @param source a path, or the words such as "overlay" and "tmpfs" that show up in the mount
     *     table
     * @param type empty for a bind mount or a change of propagation
     * @param data the file system's own options, at most one page long
     */
    void mount(String source, Path target, String type, Set<MountFlag> flags, String data);

    /**
     * Mounts a file or directory and everything mounted below it a second time, with owners shifted
     * as a user namespace maps them (mount_setattr(2), MOUNT_ATTR_IDMAP).
     *
     * @param target existing, a directory exactly when the source is one
     * @param userNamespace a pin of the user namespace
     */
    void mountIdMapped(Path source, Path target, Path userNamespace);

    /**
     * As {@link #mountIdMapped}, but the mount is nowhere and gone when this returns: what the file
     * system says to it is all that was to be known.
     */
    void tryIdMapped(Path source, Path userNamespace);

    void unmount(Path target, Set<UnmountFlag> flags);

    /** The mount table; octal escapes in paths are resolved. */
    List<MountEntry> mounts();
}
