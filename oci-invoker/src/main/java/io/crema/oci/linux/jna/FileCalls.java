package io.crema.oci.linux.jna;

import com.sun.jna.LastErrorException;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.FileNames;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Files through libc; the first layer of {@link JnaLinux}, whose layers are chained by inheritance
 * because each uses the ones before it.
 */
abstract class FileCalls implements LinuxFiles {
    private static final int DIRECTORY_BLOCK = 16 * 1024;
    private static final int ATTRIBUTE_BLOCK = 16 * 1024;
    private static final int ATTRIBUTE_MAX = 64 * 1024;
    private static final int STATX_SIZE = 256;
    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int OPEN_HOW_SIZE = 24;
    // openat2 asks to be repeated when a rename raced with its "..".
    private static final int RESOLVE_ATTEMPTS = 128;

    final Scratch.Pool scratches = new Scratch.Pool();

    static LinuxException failure(String call, String arguments, LastErrorException e) {
        return new LinuxException(call, arguments, Errno.of(e.getErrorCode()));
    }

    static boolean is(LastErrorException e, Errno errno) {
        return e.getErrorCode() == errno.number();
    }

    private static String at(Descriptor directory, String name) {
        return directory + ", '" + name + "'";
    }

    private static int openFlags(Set<OpenFlag> flags) {
        int bits = LibC.O_CLOEXEC;
        for (OpenFlag flag : flags) {
            bits |=
                    switch (flag) {
                        case READ_ONLY -> 0;
                        case WRITE_ONLY -> LibC.O_WRONLY;
                        case READ_WRITE -> LibC.O_RDWR;
                        case CREATE -> LibC.O_CREAT;
                        case EXCLUSIVE -> LibC.O_EXCL;
                        case TRUNCATE -> LibC.O_TRUNC;
                        case APPEND -> LibC.O_APPEND;
                        case DIRECTORY -> LibC.O_DIRECTORY;
                        case NO_FOLLOW -> LibC.O_NOFOLLOW;
                        case PATH -> LibC.O_PATH;
                        case NON_BLOCKING -> LibC.O_NONBLOCK;
                        case NO_CTTY -> LibC.O_NOCTTY;
                    };
        }
        return bits;
    }

    private static long resolveBits(Set<Resolve> resolve) {
        long bits = 0;
        for (Resolve how : resolve) {
            bits |=
                    switch (how) {
                        case NO_CROSS_DEVICE -> 0x01;
                        case NO_MAGIC_LINKS -> 0x02;
                        case NO_SYMLINKS -> 0x04;
                        case BENEATH -> 0x08;
                        case IN_ROOT -> 0x10;
                    };
        }
        return bits;
    }

    @Override
    public Descriptor open(Path path, Set<OpenFlag> flags, int mode) {
        int bits = openFlags(flags);
        try (Scratch scratch = scratches.take()) {
            long name = scratch.string("open", path.toString());
            while (true) {
                try {
                    return new Descriptor(LibC.openat(LibC.AT_FDCWD, name, bits, mode), this);
                } catch (LastErrorException e) {
                    if (!is(e, Errno.EINTR)) {
                        throw failure("open", "'" + path + "', " + flags, e);
                    }
                }
            }
        }
    }

    @Override
    public Descriptor openAt(
            Descriptor directory,
            String path,
            Set<OpenFlag> flags,
            int mode,
            Set<Resolve> resolve) {
        int bits = openFlags(flags);
        try (Scratch scratch = scratches.take()) {
            long how = scratch.block(OPEN_HOW_SIZE);
            scratch.putLong(how, bits);
            // openat2 refuses a mode that would not be used.
            scratch.putLong(how + 8, (bits & LibC.O_CREAT) != 0 ? mode & 07777 : 0);
            scratch.putLong(how + 16, resolveBits(resolve));
            long name = scratch.string("openat2", path);
            int attempt = 0;
            while (true) {
                try {
                    long number =
                            LibC.syscall(
                                    LibC.SYS_OPENAT2, directory.number(), name, how, OPEN_HOW_SIZE);
                    return new Descriptor((int) number, this);
                } catch (LastErrorException e) {
                    boolean again =
                            is(e, Errno.EINTR)
                                    || (is(e, Errno.EAGAIN) && ++attempt < RESOLVE_ATTEMPTS);
                    if (!again) {
                        throw failure(
                                "openat2", at(directory, path) + ", " + flags + ", " + resolve, e);
                    }
                }
            }
        }
    }

    @Override
    public void makeDirectoryAt(Descriptor directory, String name, int mode) {
        try (Scratch scratch = scratches.take()) {
            LibC.mkdirat(directory.number(), scratch.component("mkdirat", name), mode);
        } catch (LastErrorException e) {
            throw failure("mkdirat", at(directory, name), e);
        }
    }

    @Override
    public void makeNodeAt(Descriptor directory, String name, int mode, int major, int minor) {
        try (Scratch scratch = scratches.take()) {
            LibC.mknodat(
                    directory.number(),
                    scratch.component("mknodat", name),
                    mode,
                    deviceNumber(major, minor));
        } catch (LastErrorException e) {
            throw failure(
                    "mknodat",
                    at(directory, name)
                            + ", mode 0"
                            + Integer.toOctalString(mode)
                            + ", device "
                            + major
                            + ":"
                            + minor,
                    e);
        }
    }

    private static long deviceNumber(int major, int minor) {
        return ((major & 0xFFFFF000L) << 32)
                | ((major & 0xFFFL) << 8)
                | ((minor & 0xFFFFFF00L) << 12)
                | (minor & 0xFFL);
    }

    @Override
    public void symbolicLinkAt(String target, Descriptor directory, String name) {
        try (Scratch scratch = scratches.take()) {
            LibC.symlinkat(
                    scratch.string("symlinkat", target),
                    directory.number(),
                    scratch.component("symlinkat", name));
        } catch (LastErrorException e) {
            throw failure("symlinkat", "'" + target + "', " + at(directory, name), e);
        }
    }

    @Override
    public void linkAt(
            Descriptor fromDirectory, String fromName, Descriptor toDirectory, String toName) {
        try (Scratch scratch = scratches.take()) {
            LibC.linkat(
                    fromDirectory.number(),
                    scratch.component("linkat", fromName),
                    toDirectory.number(),
                    scratch.component("linkat", toName),
                    0);
        } catch (LastErrorException e) {
            throw failure(
                    "linkat", at(fromDirectory, fromName) + ", " + at(toDirectory, toName), e);
        }
    }

    @Override
    public void unlinkAt(Descriptor directory, String name, boolean isDirectory) {
        try (Scratch scratch = scratches.take()) {
            LibC.unlinkat(
                    directory.number(),
                    scratch.component("unlinkat", name),
                    isDirectory ? LibC.AT_REMOVEDIR : 0);
        } catch (LastErrorException e) {
            throw failure("unlinkat", at(directory, name), e);
        }
    }

    @Override
    public void rename(Path from, Path to) {
        try (Scratch scratch = scratches.take()) {
            LibC.rename(
                    scratch.string("rename", from.toString()),
                    scratch.string("rename", to.toString()));
        } catch (LastErrorException e) {
            throw failure("rename", "'" + from + "', '" + to + "'", e);
        }
    }

    @Override
    public Optional<FileStatus> statusAt(Descriptor directory, String name) {
        try (Scratch scratch = scratches.take()) {
            long path = scratch.component("statx", name);
            return Optional.of(statx(scratch, directory.number(), path, LibC.AT_SYMLINK_NOFOLLOW));
        } catch (LastErrorException e) {
            if (is(e, Errno.ENOENT)) {
                return Optional.empty();
            }
            throw failure("statx", at(directory, name), e);
        }
    }

    @Override
    public FileStatus status(Descriptor descriptor) {
        try (Scratch scratch = scratches.take()) {
            long path = scratch.string("statx", "");
            return statx(scratch, descriptor.number(), path, LibC.AT_EMPTY_PATH);
        } catch (LastErrorException e) {
            throw failure("statx", descriptor.toString(), e);
        }
    }

    @Override
    public Optional<FileStatus> status(Path path, boolean followLinks) {
        try (Scratch scratch = scratches.take()) {
            long name = scratch.string("statx", path.toString());
            int flags = followLinks ? 0 : LibC.AT_SYMLINK_NOFOLLOW;
            return Optional.of(statx(scratch, LibC.AT_FDCWD, name, flags));
        } catch (LastErrorException e) {
            if (is(e, Errno.ENOENT) || is(e, Errno.ENOTDIR)) {
                return Optional.empty();
            }
            throw failure("statx", "'" + path + "'", e);
        }
    }

    // struct statx has one layout on all architectures, unlike struct stat.
    private static FileStatus statx(Scratch scratch, int directory, long path, int flags) {
        long at = scratch.block(STATX_SIZE);
        LibC.statx(directory, path, flags, STATX_BASIC_STATS, at);
        return new FileStatus(
                scratch.getShort(at + 28) & 0xFFFF,
                scratch.getInt(at + 20),
                scratch.getInt(at + 24),
                scratch.getLong(at + 40),
                deviceNumber(scratch.getInt(at + 136), scratch.getInt(at + 140)),
                scratch.getLong(at + 32),
                scratch.getInt(at + 16) & 0xFFFFFFFFL,
                scratch.getInt(at + 128),
                scratch.getInt(at + 132),
                scratch.getLong(at + 48),
                scratch.getLong(at + 112),
                scratch.getInt(at + 120));
    }

    @Override
    public String readLinkAt(Descriptor directory, String name) {
        try (Scratch scratch = scratches.take()) {
            int size = 4096;
            long buffer = scratch.block(size);
            int length =
                    (int)
                            LibC.readlinkat(
                                    directory.number(),
                                    scratch.component("readlinkat", name),
                                    buffer,
                                    size);
            return FileNames.decode(scratch.copyOut(buffer, length), 0, length);
        } catch (LastErrorException e) {
            throw failure("readlinkat", at(directory, name), e);
        }
    }

    @Override
    public List<String> list(Descriptor directory) {
        List<String> names = new ArrayList<>();
        try (Scratch scratch = scratches.take()) {
            LibC.lseek(directory.number(), 0, 0);
            long buffer = scratch.block(DIRECTORY_BLOCK);
            while (true) {
                int length = (int) LibC.getdents64(directory.number(), buffer, DIRECTORY_BLOCK);
                if (length == 0) {
                    return names;
                }
                byte[] block = scratch.copyOut(buffer, length);
                // struct linux_dirent64: u64 inode, s64 offset, u16 length, u8 type, name, NUL
                for (int entry = 0; entry < length; ) {
                    int entryLength = scratch.getShort(buffer + entry + 16) & 0xFFFF;
                    int start = entry + 19;
                    int end = start;
                    while (block[end] != 0) {
                        end++;
                    }
                    String name = FileNames.decode(block, start, end - start);
                    if (!name.equals(".") && !name.equals("..")) {
                        names.add(name);
                    }
                    entry += entryLength;
                }
            }
        } catch (LastErrorException e) {
            throw failure("getdents64", directory.toString(), e);
        }
    }

    @Override
    public void changeOwnerAt(Descriptor directory, String name, int uid, int gid) {
        try (Scratch scratch = scratches.take()) {
            LibC.fchownat(
                    directory.number(),
                    scratch.component("fchownat", name),
                    uid,
                    gid,
                    LibC.AT_SYMLINK_NOFOLLOW);
        } catch (LastErrorException e) {
            throw failure("fchownat", at(directory, name) + ", " + owner(uid, gid), e);
        }
    }

    @Override
    public void changeOwner(Descriptor descriptor, int uid, int gid) {
        try {
            LibC.fchown(descriptor.number(), uid, gid);
        } catch (LastErrorException e) {
            throw failure("fchown", descriptor + ", " + owner(uid, gid), e);
        }
    }

    @Override
    public void changeOwner(Path path, int uid, int gid) {
        try (Scratch scratch = scratches.take()) {
            long name = scratch.string("chown", path.toString());
            LibC.fchownat(LibC.AT_FDCWD, name, uid, gid, 0);
        } catch (LastErrorException e) {
            throw failure("chown", "'" + path + "', " + owner(uid, gid), e);
        }
    }

    private static String owner(int uid, int gid) {
        return "uid " + Integer.toUnsignedString(uid) + ", gid " + Integer.toUnsignedString(gid);
    }

    @Override
    public void changeModeAt(Descriptor directory, String name, int mode) {
        try (Scratch scratch = scratches.take()) {
            LibC.fchmodat(directory.number(), scratch.component("fchmodat", name), mode & 07777, 0);
        } catch (LastErrorException e) {
            throw failure("fchmodat", at(directory, name) + ", " + octal(mode), e);
        }
    }

    @Override
    public void changeMode(Descriptor descriptor, int mode) {
        try {
            LibC.fchmod(descriptor.number(), mode & 07777);
        } catch (LastErrorException e) {
            throw failure("fchmod", descriptor + ", " + octal(mode), e);
        }
    }

    private static String octal(int mode) {
        return "0" + Integer.toOctalString(mode);
    }

    @Override
    public void changeTimesAt(Descriptor directory, String name, long seconds, int nanos) {
        try (Scratch scratch = scratches.take()) {
            LibC.utimensat(
                    directory.number(),
                    scratch.component("utimensat", name),
                    times(scratch, seconds, nanos),
                    LibC.AT_SYMLINK_NOFOLLOW);
        } catch (LastErrorException e) {
            throw failure("utimensat", at(directory, name) + ", " + seconds + " s", e);
        }
    }

    @Override
    public void changeTimes(Descriptor descriptor, long seconds, int nanos) {
        try (Scratch scratch = scratches.take()) {
            LibC.futimens(descriptor.number(), times(scratch, seconds, nanos));
        } catch (LastErrorException e) {
            throw failure("futimens", descriptor + ", " + seconds + " s", e);
        }
    }

    private static long times(Scratch scratch, long seconds, int nanos) {
        long times = scratch.block(32);
        scratch.putLong(times, seconds);
        scratch.putLong(times + 8, nanos);
        scratch.putLong(times + 16, seconds);
        scratch.putLong(times + 24, nanos);
        return times;
    }

    @Override
    public void setAttribute(Descriptor descriptor, String name, byte[] value) {
        try (Scratch scratch = scratches.take()) {
            long attribute = scratch.string("fsetxattr", name);
            long bytes = scratch.block(value.length);
            scratch.copyIn(bytes, value, 0, value.length);
            try {
                LibC.fsetxattr(descriptor.number(), attribute, bytes, value.length, 0);
            } catch (LastErrorException e) {
                if (!is(e, Errno.EBADF)) {
                    throw e;
                }
                // Opened with O_PATH it is no file, but still leads to one.
                long path = scratch.string("setxattr", "/proc/self/fd/" + descriptor.number());
                LibC.setxattr(path, attribute, bytes, value.length, 0);
            }
        } catch (LastErrorException e) {
            throw failure("fsetxattr", descriptor + ", '" + name + "'", e);
        }
    }

    @Override
    public void setAttributeAt(Descriptor directory, String name, String attribute, byte[] value) {
        try (Scratch scratch = scratches.take()) {
            scratch.component("lsetxattr", name);
            long path =
                    scratch.string("lsetxattr", "/proc/self/fd/" + directory.number() + "/" + name);
            long attributeName = scratch.string("lsetxattr", attribute);
            long bytes = scratch.block(value.length);
            scratch.copyIn(bytes, value, 0, value.length);
            LibC.lsetxattr(path, attributeName, bytes, value.length, 0);
        } catch (LastErrorException e) {
            throw failure("lsetxattr", at(directory, name) + ", '" + attribute + "'", e);
        }
    }

    @Override
    public List<String> attributeNames(Path path) {
        return attributeNames(path.toString(), "'" + path + "'");
    }

    @Override
    public List<String> attributeNamesAt(Descriptor directory, String name) {
        return attributeNames(insideOf(directory, name), at(directory, name));
    }

    /** A path to a name in an open directory, for the calls that take no directory. */
    private static String insideOf(Descriptor directory, String name) {
        if (name.isEmpty() || name.indexOf('/') >= 0 || name.equals("..")) {
            throw new LinuxException("lgetxattr", at(directory, name), Errno.EINVAL);
        }
        return "/proc/self/fd/" + directory.number() + "/" + name;
    }

    private List<String> attributeNames(String path, String arguments) {
        try (Scratch scratch = scratches.take()) {
            long name = scratch.string("llistxattr", path);
            int size = ATTRIBUTE_BLOCK;
            while (true) {
                try {
                    long buffer = scratch.block(size);
                    int length = (int) LibC.llistxattr(name, buffer, size);
                    return splitNames(scratch.copyOut(buffer, length));
                } catch (LastErrorException e) {
                    if (!is(e, Errno.ERANGE) || size == ATTRIBUTE_MAX) {
                        throw e;
                    }
                    size = ATTRIBUTE_MAX;
                }
            }
        } catch (LastErrorException e) {
            if (is(e, Errno.EOPNOTSUPP)) {
                return List.of();
            }
            throw failure("llistxattr", arguments, e);
        }
    }

    private static List<String> splitNames(byte[] block) {
        List<String> names = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < block.length; i++) {
            if (block[i] == 0) {
                names.add(FileNames.decode(block, start, i - start));
                start = i + 1;
            }
        }
        return names;
    }

    @Override
    public Optional<byte[]> attribute(Path path, String name) {
        return attribute(path.toString(), name, "'" + path + "', '" + name + "'");
    }

    @Override
    public Optional<byte[]> attributeAt(Descriptor directory, String name, String attribute) {
        return attribute(
                insideOf(directory, name),
                attribute,
                at(directory, name) + ", '" + attribute + "'");
    }

    private Optional<byte[]> attribute(String path, String name, String arguments) {
        try (Scratch scratch = scratches.take()) {
            long file = scratch.string("lgetxattr", path);
            long attribute = scratch.string("lgetxattr", name);
            int size = ATTRIBUTE_BLOCK;
            while (true) {
                try {
                    long buffer = scratch.block(size);
                    int length = (int) LibC.lgetxattr(file, attribute, buffer, size);
                    return Optional.of(scratch.copyOut(buffer, length));
                } catch (LastErrorException e) {
                    if (!is(e, Errno.ERANGE) || size == ATTRIBUTE_MAX) {
                        throw e;
                    }
                    size = ATTRIBUTE_MAX;
                }
            }
        } catch (LastErrorException e) {
            if (is(e, Errno.ENODATA) || is(e, Errno.EOPNOTSUPP)) {
                return Optional.empty();
            }
            throw failure("lgetxattr", arguments, e);
        }
    }

    @Override
    public int read(Descriptor descriptor, ByteBuffer buffer) {
        int wanted = buffer.remaining();
        if (wanted == 0) {
            return 0;
        }
        if (buffer.isDirect()) {
            try {
                int count = read(descriptor, Scratch.addressOf(buffer), wanted);
                if (count > 0) {
                    buffer.position(buffer.position() + count);
                }
                return count;
            } finally {
                Reference.reachabilityFence(buffer);
            }
        }
        try (Scratch scratch = scratches.take()) {
            int size = Math.min(wanted, Scratch.SIZE);
            long block = scratch.block(size);
            int count = read(descriptor, block, size);
            if (count > 0) {
                scratch.copyOut(block, buffer, count);
            }
            return count;
        }
    }

    private static int read(Descriptor descriptor, long address, int size) {
        while (true) {
            try {
                int count = (int) LibC.read(descriptor.number(), address, size);
                return count == 0 ? -1 : count;
            } catch (LastErrorException e) {
                if (!is(e, Errno.EINTR)) {
                    throw failure("read", descriptor.toString(), e);
                }
            }
        }
    }

    @Override
    public void write(Descriptor descriptor, ByteBuffer buffer) {
        while (buffer.hasRemaining()) {
            writeSome(descriptor, buffer);
        }
    }

    @Override
    public int writeSome(Descriptor descriptor, ByteBuffer buffer) {
        int wanted = buffer.remaining();
        int count;
        if (buffer.isDirect()) {
            try {
                count = write(descriptor, Scratch.addressOf(buffer), wanted);
            } finally {
                Reference.reachabilityFence(buffer);
            }
        } else {
            try (Scratch scratch = scratches.take()) {
                int size = Math.min(wanted, Scratch.SIZE);
                long block = scratch.block(size);
                scratch.copyIn(block, buffer, size);
                count = write(descriptor, block, size);
            }
        }
        buffer.position(buffer.position() + count);
        return count;
    }

    @Override
    public void write(Descriptor descriptor, byte[] bytes, int offset, int length) {
        write(descriptor, ByteBuffer.wrap(bytes, offset, length));
    }

    private static int write(Descriptor descriptor, long address, int size) {
        while (true) {
            try {
                return (int) LibC.write(descriptor.number(), address, size);
            } catch (LastErrorException e) {
                if (!is(e, Errno.EINTR)) {
                    throw failure("write", descriptor + ", " + size + " bytes", e);
                }
            }
        }
    }

    @Override
    public long seek(Descriptor descriptor, long offset) {
        try {
            return LibC.lseek(descriptor.number(), offset, 0);
        } catch (LastErrorException e) {
            throw failure("lseek", descriptor + ", " + offset, e);
        }
    }

    @Override
    public void truncate(Descriptor descriptor, long size) {
        try {
            LibC.ftruncate(descriptor.number(), size);
        } catch (LastErrorException e) {
            throw failure("ftruncate", descriptor + ", " + size, e);
        }
    }

    @Override
    public void sync(Descriptor descriptor) {
        try {
            LibC.fsync(descriptor.number());
        } catch (LastErrorException e) {
            throw failure("fsync", descriptor.toString(), e);
        }
    }

    @Override
    public void syncFileSystem(Descriptor descriptor) {
        try {
            LibC.syncfs(descriptor.number());
        } catch (LastErrorException e) {
            throw failure("syncfs", descriptor.toString(), e);
        }
    }

    @Override
    public FileSystemStatus fileSystemStatus(Path path) {
        try (Scratch scratch = scratches.take()) {
            long at = scratch.zeroed(120);
            LibC.statfs(scratch.string("statfs", path.toString()), at);
            long fragment = scratch.getLong(at + 72);
            long unit = fragment != 0 ? fragment : scratch.getLong(at + 8);
            return new FileSystemStatus(
                    scratch.getLong(at),
                    scratch.getLong(at + 16) * unit,
                    scratch.getLong(at + 24) * unit,
                    scratch.getLong(at + 32) * unit,
                    scratch.getLong(at + 40),
                    scratch.getLong(at + 48));
        } catch (LastErrorException e) {
            throw failure("statfs", "'" + path + "'", e);
        }
    }

    @Override
    public void setNonBlocking(Descriptor descriptor) {
        try {
            int flags = LibC.fcntl(descriptor.number(), LibC.F_GETFL, 0);
            LibC.fcntl(descriptor.number(), LibC.F_SETFL, flags | LibC.O_NONBLOCK);
        } catch (LastErrorException e) {
            throw failure("fcntl", descriptor + ", O_NONBLOCK", e);
        }
    }

    @Override
    public Pipe pipe() {
        try (Scratch scratch = scratches.take()) {
            long both = scratch.block(8);
            LibC.pipe2(both, LibC.O_CLOEXEC);
            return new Pipe(
                    new Descriptor(scratch.getInt(both), this),
                    new Descriptor(scratch.getInt(both + 4), this));
        } catch (LastErrorException e) {
            throw failure("pipe2", "", e);
        }
    }

    @Override
    public void makeFifo(Path path, int mode) {
        try (Scratch scratch = scratches.take()) {
            LibC.mkfifo(scratch.string("mkfifo", path.toString()), mode);
        } catch (LastErrorException e) {
            throw failure("mkfifo", "'" + path + "'", e);
        }
    }

    @Override
    public Descriptor sealedCopy(Path file) {
        String name = String.valueOf(file.getFileName());
        Descriptor copy;
        try (Scratch scratch = scratches.take()) {
            long text = scratch.string("memfd_create", name);
            int flags = LibC.MFD_CLOEXEC | LibC.MFD_ALLOW_SEALING;
            copy = new Descriptor(LibC.memfd_create(text, flags), this);
        } catch (LastErrorException e) {
            throw failure("memfd_create", "'" + name + "'", e);
        }
        try (Descriptor source = open(file, Set.of(OpenFlag.READ_ONLY), 0)) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
            while (read(source, buffer) >= 0) {
                write(copy, buffer.flip());
                buffer.clear();
            }
            LibC.fcntl(copy.number(), LibC.F_ADD_SEALS, LibC.ALL_SEALS);
            return copy;
        } catch (LastErrorException e) {
            copy.close();
            throw failure("fcntl", copy + ", F_ADD_SEALS", e);
        } catch (RuntimeException e) {
            copy.close();
            throw e;
        }
    }

    @Override
    public boolean tryLock(Descriptor descriptor, boolean exclusive) {
        int operation = (exclusive ? LibC.LOCK_EX : LibC.LOCK_SH) | LibC.LOCK_NB;
        while (true) {
            try {
                LibC.flock(descriptor.number(), operation);
                return true;
            } catch (LastErrorException e) {
                if (is(e, Errno.EAGAIN)) {
                    return false;
                }
                if (!is(e, Errno.EINTR)) {
                    throw failure("flock", descriptor.toString(), e);
                }
            }
        }
    }

    @Override
    public void close(int number) {
        try {
            LibC.close(number);
        } catch (LastErrorException e) {
            // Linux has freed the number even when it reports EINTR: repeating could close the
            // descriptor of somebody else.
            if (!is(e, Errno.EINTR)) {
                throw failure("close", "fd " + number, e);
            }
        }
    }
}
