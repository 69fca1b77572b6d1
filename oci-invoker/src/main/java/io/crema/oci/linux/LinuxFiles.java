package io.crema.oci.linux;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Files by descriptor and by names relative to a directory descriptor, so that a hostile archive
 * cannot lead a path elsewhere. A name given beside a directory is a single component unless the
 * method says otherwise; anything with a slash, "..", and the empty name fail with EINVAL. Every
 * method throws {@link LinuxException} with the call and errno. Calls interrupted by a signal
 * (EINTR) are repeated inside. Names that are not UTF-8 are mapped as {@link FileNames} describes.
 */
public interface LinuxFiles {
    /** Flags of open(2); O_CLOEXEC is always added. */
    enum OpenFlag {
        READ_ONLY,
        WRITE_ONLY,
        READ_WRITE,
        CREATE,
        EXCLUSIVE,
        TRUNCATE,
        APPEND,
        DIRECTORY,
        NO_FOLLOW,
        PATH,
        NON_BLOCKING,
        NO_CTTY
    }

    /** How openat2(2) resolves a path. */
    enum Resolve {
        /** Refuse to leave the directory: absolute links and .. beyond it fail with EXDEV. */
        BENEATH,
        /** The directory is the root: absolute links and .. are taken relative to it. */
        IN_ROOT,
        NO_SYMLINKS,
        NO_MAGIC_LINKS,
        NO_CROSS_DEVICE
    }

    /**
     * What fstatat(2) tells. The mode has the file type in its upper bits; times are since 1970.
     */
    record FileStatus(
            int mode,
            int uid,
            int gid,
            long size,
            long device,
            long inode,
            long linkCount,
            int deviceMajor,
            int deviceMinor,
            long blocks512,
            long modifiedSeconds,
            int modifiedNanos) {
        public boolean isDirectory() {
            return (mode & 0170000) == 0040000;
        }

        public boolean isRegularFile() {
            return (mode & 0170000) == 0100000;
        }

        public boolean isSymbolicLink() {
            return (mode & 0170000) == 0120000;
        }

        public boolean isCharacterDevice() {
            return (mode & 0170000) == 0020000;
        }

        public boolean isBlockDevice() {
            return (mode & 0170000) == 0060000;
        }
    }

    /** What statfs(2) tells, in bytes where it counts blocks. */
    record FileSystemStatus(
            long type,
            long totalBytes,
            long freeBytes,
            long availableBytes,
            long inodes,
            long freeInodes) {}

    /** Both ends of a pipe. */
    record Pipe(Descriptor read, Descriptor write) implements AutoCloseable {
        @Override
        public void close() {
            read.close();
            write.close();
        }
    }

    Descriptor open(Path path, Set<OpenFlag> flags, int mode);

    /** Opens a path of one or more components below a directory, by openat2(2). */
    Descriptor openAt(
            Descriptor directory, String path, Set<OpenFlag> flags, int mode, Set<Resolve> resolve);

    void makeDirectoryAt(Descriptor directory, String name, int mode);

    /** Makes a device, fifo or socket node; mode includes the file type. */
    void makeNodeAt(Descriptor directory, String name, int mode, int major, int minor);

    void symbolicLinkAt(String target, Descriptor directory, String name);

    /** Makes a second name for a file without following a symbolic link. */
    void linkAt(Descriptor fromDirectory, String fromName, Descriptor toDirectory, String toName);

    /** Removes a name; for a directory it must be empty and {@code isDirectory} true. */
    void unlinkAt(Descriptor directory, String name, boolean isDirectory);

    /** rename(2) of names that may be absolute paths when the directories are absent. */
    void rename(Path from, Path to);

    Optional<FileStatus> statusAt(Descriptor directory, String name);

    FileStatus status(Descriptor descriptor);

    Optional<FileStatus> status(Path path, boolean followLinks);

    String readLinkAt(Descriptor directory, String name);

    /** Names in a directory without . and .., in the order the kernel gives them. */
    List<String> list(Descriptor directory);

    /** Changes the owner of a name itself, never of what a symbolic link points to. */
    void changeOwnerAt(Descriptor directory, String name, int uid, int gid);

    void changeOwner(Descriptor descriptor, int uid, int gid);

    void changeOwner(Path path, int uid, int gid);

    /** Changes permission bits; must not be used on a symbolic link. */
    void changeModeAt(Descriptor directory, String name, int mode);

    void changeMode(Descriptor descriptor, int mode);

    /** Sets the modification time of a name itself, and the access time to the same. */
    void changeTimesAt(Descriptor directory, String name, long seconds, int nanos);

    void changeTimes(Descriptor descriptor, long seconds, int nanos);

    /**
     * Sets an extended attribute of what was opened; of a symbolic link, when that was opened
     * itself (PATH and NO_FOLLOW).
     */
    void setAttribute(Descriptor descriptor, String name, byte[] value);

    /** Sets an extended attribute of a name itself (lsetxattr through /proc/self/fd). */
    void setAttributeAt(Descriptor directory, String name, String attribute, byte[] value);

    List<String> attributeNames(Path path);

    Optional<byte[]> attribute(Path path, String name);

    /** Names of the extended attributes of a name itself; of the directory when that is ".". */
    List<String> attributeNamesAt(Descriptor directory, String name);

    /** An extended attribute of a name itself; of the directory when that is ".". */
    Optional<byte[]> attributeAt(Descriptor directory, String name, String attribute);

    /**
     * Reads into the buffer; −1 at the end. Blocks the calling carrier thread: see the caller's
     * rule.
     */
    int read(Descriptor descriptor, ByteBuffer buffer);

    /** Writes all that remains in the buffer. */
    void write(Descriptor descriptor, ByteBuffer buffer);

    /** Writes as much as one write(2) takes and returns the count. */
    int writeSome(Descriptor descriptor, ByteBuffer buffer);

    void write(Descriptor descriptor, byte[] bytes, int offset, int length);

    long seek(Descriptor descriptor, long offset);

    void truncate(Descriptor descriptor, long size);

    void sync(Descriptor descriptor);

    /** Flushes the whole file system that the descriptor lies on. */
    void syncFileSystem(Descriptor descriptor);

    FileSystemStatus fileSystemStatus(Path path);

    /**
     * Sets O_NONBLOCK on an open file: reads and writes then fail with EAGAIN instead of waiting.
     */
    void setNonBlocking(Descriptor descriptor);

    /** A pipe with both ends close-on-exec. */
    Pipe pipe();

    void makeFifo(Path path, int mode);

    /**
     * A copy of a file in memory that nobody can change any more (memfd_create, sealed), to be
     * executed by its descriptor.
     */
    Descriptor sealedCopy(Path file);

    /**
     * Takes an advisory lock on an open file without waiting.
     *
     * @return false when somebody else holds it
     */
    boolean tryLock(Descriptor descriptor, boolean exclusive);

    /** Closes a raw descriptor; for {@link Descriptor} only. */
    void close(int number);
}
