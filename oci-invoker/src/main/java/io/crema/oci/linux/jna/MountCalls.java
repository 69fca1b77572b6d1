package io.crema.oci.linux.jna;

import com.sun.jna.LastErrorException;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.FileNames;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxMounts;
import io.crema.oci.linux.MountTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Mounts through libc; the second layer of {@link JnaLinux}. */
abstract class MountCalls extends FileCalls implements LinuxMounts {
    private static final int PAGE = 4096;
    private static final int UMOUNT_NOFOLLOW = 8;
    private static final int OPEN_TREE_CLONE = 1;
    private static final int MOVE_MOUNT_F_EMPTY_PATH = 4;
    private static final int AT_RECURSIVE = 0x8000;
    private static final int MOUNT_ATTR_SIZE = 32;
    private static final long MOUNT_ATTR_IDMAP = 0x00100000;
    // Not /proc/self: that is the first thread's table, not the one of a thread inside a namespace.
    private static final Path TABLE = Path.of("/proc/thread-self/mountinfo");

    @Override
    public void mount(String source, Path target, String type, Set<MountFlag> flags, String data) {
        String arguments =
                "'"
                        + source
                        + "', '"
                        + target
                        + "'"
                        + (type.isEmpty() ? "" : ", " + type)
                        + (flags.isEmpty() ? "" : ", " + flags)
                        + (data.isEmpty() ? "" : ", '" + data + "'");
        if (FileNames.encode(data).length >= PAGE) {
            // The kernel would cut the options off silently.
            throw new LinuxException("mount", arguments, Errno.E2BIG);
        }
        try (Scratch scratch = scratches.take()) {
            LibC.mount(
                    scratch.string("mount", source),
                    scratch.string("mount", target.toString()),
                    type.isEmpty() ? 0 : scratch.string("mount", type),
                    mountFlags(flags),
                    data.isEmpty() ? 0 : scratch.string("mount", data));
        } catch (LastErrorException e) {
            throw failure("mount", arguments, e);
        }
    }

    @Override
    public void mountIdMapped(Path source, Path target, Path userNamespace) {
        String arguments = "'" + source + "', '" + target + "', '" + userNamespace + "'";
        try (Scratch scratch = scratches.take();
                Descriptor tree = idMapped(source, userNamespace, arguments)) {
            long nothing = scratch.string("move_mount", "");
            try {
                LibC.syscall(
                        LibC.SYS_MOVE_MOUNT,
                        tree.number(),
                        nothing,
                        LibC.AT_FDCWD,
                        scratch.string("move_mount", target.toString()),
                        MOVE_MOUNT_F_EMPTY_PATH);
            } catch (LastErrorException e) {
                throw failure("move_mount", arguments, e);
            }
        }
    }

    @Override
    public void tryIdMapped(Path source, Path userNamespace) {
        idMapped(source, userNamespace, "'" + source + "', '" + userNamespace + "'").close();
    }

    /** A mount that is nowhere yet; it ends with the descriptor. */
    private Descriptor idMapped(Path source, Path userNamespace, String arguments) {
        Descriptor tree = openTree(source, arguments);
        try (Scratch scratch = scratches.take();
                Descriptor users = open(userNamespace, EnumSet.of(OpenFlag.READ_ONLY), 0)) {
            long attributes = scratch.zeroed(MOUNT_ATTR_SIZE);
            scratch.putLong(attributes, MOUNT_ATTR_IDMAP);
            scratch.putLong(attributes + 24, users.number());
            long nothing = scratch.string("mount_setattr", "");
            try {
                LibC.syscall(
                        LibC.SYS_MOUNT_SETATTR,
                        tree.number(),
                        nothing,
                        LibC.AT_EMPTY_PATH | AT_RECURSIVE,
                        attributes,
                        MOUNT_ATTR_SIZE);
            } catch (LastErrorException e) {
                throw failure("mount_setattr", arguments, e);
            }
            return tree;
        } catch (RuntimeException e) {
            tree.close();
            throw e;
        }
    }

    private Descriptor openTree(Path source, String arguments) {
        try (Scratch scratch = scratches.take()) {
            return new Descriptor(
                    (int)
                            LibC.syscall(
                                    LibC.SYS_OPEN_TREE,
                                    LibC.AT_FDCWD,
                                    scratch.string("open_tree", source.toString()),
                                    OPEN_TREE_CLONE | LibC.O_CLOEXEC | AT_RECURSIVE,
                                    0),
                    this);
        } catch (LastErrorException e) {
            throw failure("open_tree", arguments, e);
        }
    }

    private static long mountFlags(Set<MountFlag> flags) {
        long bits = 0;
        for (MountFlag flag : flags) {
            bits |=
                    switch (flag) {
                        case READ_ONLY -> 1;
                        case NO_SUID -> 2;
                        case NO_DEV -> 4;
                        case NO_EXEC -> 8;
                        case REMOUNT -> 32;
                        case NO_ATIME -> 1024;
                        case BIND -> 4096;
                        case RECURSIVE -> 16384;
                        case PRIVATE -> 1 << 18;
                        case SLAVE -> 1 << 19;
                        case SHARED -> 1 << 20;
                        case RELATIVE_ATIME -> 1 << 21;
                    };
        }
        return bits;
    }

    @Override
    public void unmount(Path target, Set<UnmountFlag> flags) {
        int bits = UMOUNT_NOFOLLOW;
        for (UnmountFlag flag : flags) {
            bits |=
                    switch (flag) {
                        case FORCE -> 1;
                        case DETACH -> 2;
                    };
        }
        try (Scratch scratch = scratches.take()) {
            LibC.umount2(scratch.string("umount2", target.toString()), bits);
        } catch (LastErrorException e) {
            throw failure("umount2", "'" + target + "'" + (flags.isEmpty() ? "" : ", " + flags), e);
        }
    }

    @Override
    public List<MountEntry> mounts() {
        try {
            return MountTable.parse(Files.readAllBytes(TABLE));
        } catch (IOException e) {
            LinuxException failure =
                    new LinuxException("read", "'" + TABLE + "': " + e.getMessage(), Errno.EIO);
            failure.addSuppressed(e);
            throw failure;
        }
    }
}
