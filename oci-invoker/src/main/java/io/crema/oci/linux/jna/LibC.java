package io.crema.oci.linux.jna;

import com.sun.jna.LastErrorException;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;

/**
 * The functions of glibc that we call, direct-mapped with plain numbers only: pointers are
 * addresses in a {@link Scratch}, sizes are 64 bits wide.
 *
 * <p>A function that sets errno is declared to throw {@link LastErrorException}: JNA then reads
 * errno in the same native transition as the call, so that neither the JVM nor a move of a virtual
 * thread to another carrier can come between.
 */
final class LibC {
    static final int AT_FDCWD = -100;
    static final int AT_SYMLINK_NOFOLLOW = 0x100;
    static final int AT_EMPTY_PATH = 0x1000;
    static final int AT_REMOVEDIR = 0x200;

    private static final boolean IS_ARM = isArm();
    static final int O_WRONLY = 1;
    static final int O_RDWR = 2;
    static final int O_CREAT = 0100;
    static final int O_EXCL = 0200;
    static final int O_NOCTTY = 0400;
    static final int O_TRUNC = 01000;
    static final int O_APPEND = 02000;
    static final int O_NONBLOCK = 04000;
    static final int O_DIRECTORY = IS_ARM ? 040000 : 0200000;
    static final int O_NOFOLLOW = IS_ARM ? 0100000 : 0400000;
    static final int O_CLOEXEC = 02000000;
    static final int O_PATH = 010000000;

    static final int F_GETFL = 3;
    static final int F_SETFL = 4;
    static final int F_DUPFD_CLOEXEC = 1030;
    static final int F_ADD_SEALS = 1033;
    // Against more seals, shrinking, growing and writing.
    static final int ALL_SEALS = 0xf;
    static final int MFD_CLOEXEC = 1;
    static final int MFD_ALLOW_SEALING = 2;

    static final int LOCK_SH = 1;
    static final int LOCK_EX = 2;
    static final int LOCK_NB = 4;

    // The same on every 64-bit architecture that has the asm-generic numbers, and on x86_64.
    static final long SYS_PIDFD_SEND_SIGNAL = 424;
    static final long SYS_OPEN_TREE = 428;
    static final long SYS_MOVE_MOUNT = 429;
    static final long SYS_PIDFD_OPEN = 434;
    static final long SYS_MOUNT_SETATTR = 442;
    static final long SYS_OPENAT2 = 437;

    static {
        // To learn where libraries lie, JNA would run "ldconfig -p" as a child and read it all,
        // which costs 25 ms of our start.
        if (System.getProperty("jna.platform.library.path") == null) {
            String triplet = IS_ARM ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
            System.setProperty(
                    "jna.platform.library.path",
                    "/usr/lib/"
                            + triplet
                            + ":/lib/"
                            + triplet
                            + ":/usr/lib64:/lib64:/usr/lib:/lib");
        }
        Native.register(LibC.class, NativeLibrary.getProcess());
    }

    private LibC() {}

    private static boolean isArm() {
        String architecture = System.getProperty("os.arch", "");
        return switch (architecture) {
            case "amd64" -> false;
            case "aarch64" -> true;
            default ->
                    throw new UnsupportedOperationException(
                            "crema knows the system calls of x86_64 and aarch64, not of "
                                    + architecture);
        };
    }

    /** epoll_event is packed on x86_64 only. */
    static int epollDataOffset() {
        return IS_ARM ? 8 : 4;
    }

    static int epollEventSize() {
        return IS_ARM ? 16 : 12;
    }

    // Files
    static native int openat(int directory, long path, int flags, int mode)
            throws LastErrorException;

    static native long syscall(long number, long a, long b, long c, long d)
            throws LastErrorException;

    static native long syscall(long number, long a, long b, long c, long d, long e)
            throws LastErrorException;

    static native int close(int descriptor) throws LastErrorException;

    static native int mkdirat(int directory, long path, int mode) throws LastErrorException;

    static native int mknodat(int directory, long path, int mode, long device)
            throws LastErrorException;

    static native int symlinkat(long target, int directory, long path) throws LastErrorException;

    static native int linkat(int fromDirectory, long from, int toDirectory, long to, int flags)
            throws LastErrorException;

    static native int unlinkat(int directory, long path, int flags) throws LastErrorException;

    static native int rename(long from, long to) throws LastErrorException;

    static native int statx(int directory, long path, int flags, int mask, long buffer)
            throws LastErrorException;

    static native long readlinkat(int directory, long path, long buffer, long size)
            throws LastErrorException;

    static native long getdents64(int descriptor, long buffer, long size) throws LastErrorException;

    static native int fchownat(int directory, long path, int uid, int gid, int flags)
            throws LastErrorException;

    static native int fchown(int descriptor, int uid, int gid) throws LastErrorException;

    static native int fchmodat(int directory, long path, int mode, int flags)
            throws LastErrorException;

    static native int fchmod(int descriptor, int mode) throws LastErrorException;

    static native int utimensat(int directory, long path, long times, int flags)
            throws LastErrorException;

    static native int futimens(int descriptor, long times) throws LastErrorException;

    static native int fsetxattr(int descriptor, long name, long value, long size, int flags)
            throws LastErrorException;

    static native int setxattr(long path, long name, long value, long size, int flags)
            throws LastErrorException;

    static native int lsetxattr(long path, long name, long value, long size, int flags)
            throws LastErrorException;

    static native long llistxattr(long path, long buffer, long size) throws LastErrorException;

    static native long lgetxattr(long path, long name, long buffer, long size)
            throws LastErrorException;

    static native long read(int descriptor, long buffer, long size) throws LastErrorException;

    static native long write(int descriptor, long buffer, long size) throws LastErrorException;

    static native long lseek(int descriptor, long offset, int whence) throws LastErrorException;

    static native int ftruncate(int descriptor, long size) throws LastErrorException;

    static native int fsync(int descriptor) throws LastErrorException;

    static native int syncfs(int descriptor) throws LastErrorException;

    static native int statfs(long path, long buffer) throws LastErrorException;

    static native int pipe2(long descriptors, int flags) throws LastErrorException;

    static native int memfd_create(long name, int flags) throws LastErrorException;

    static native int mkfifo(long path, int mode) throws LastErrorException;

    static native int flock(int descriptor, int operation) throws LastErrorException;

    static native int fcntl(int descriptor, int command, int argument) throws LastErrorException;

    // Mounts
    static native int mount(long source, long target, long type, long flags, long data)
            throws LastErrorException;

    static native int umount2(long target, int flags) throws LastErrorException;

    // Namespaces
    static native int unshare(int flags) throws LastErrorException;

    static native int setns(int descriptor, int kind) throws LastErrorException;

    static native int sethostname(long name, long length) throws LastErrorException;

    static native int socket(int family, int type, int protocol) throws LastErrorException;

    static native int ioctl(int descriptor, long request, long argument) throws LastErrorException;

    // Sockets
    static native int bind(int socket, long address, int length) throws LastErrorException;

    static native int listen(int socket, int backlog) throws LastErrorException;

    static native int accept4(int socket, long address, long length, int flags)
            throws LastErrorException;

    static native int connect(int socket, long address, int length) throws LastErrorException;

    static native int shutdown(int socket, int how) throws LastErrorException;

    static native long recvmsg(int socket, long message, int flags) throws LastErrorException;

    static native long sendmsg(int socket, long message, int flags) throws LastErrorException;

    static native int getsockopt(int socket, int level, int option, long value, long length)
            throws LastErrorException;

    static native int setsockopt(int socket, int level, int option, long value, int length)
            throws LastErrorException;

    // Processes; the posix_spawn family returns its error number and leaves errno alone
    static native int posix_spawn(
            long pid,
            long path,
            long fileActions,
            long attributes,
            long arguments,
            long environment);

    static native int posix_spawn_file_actions_init(long actions);

    static native int posix_spawn_file_actions_destroy(long actions);

    static native int posix_spawn_file_actions_adddup2(long actions, int from, int to);

    static native int posix_spawn_file_actions_addopen(
            long actions, int descriptor, long path, int flags, int mode);

    static native int posix_spawn_file_actions_addclose(long actions, int descriptor);

    static native int posix_spawn_file_actions_addclosefrom_np(long actions, int from);

    static native int posix_spawn_file_actions_addchdir_np(long actions, long path);

    static native int posix_spawnattr_init(long attributes);

    static native int posix_spawnattr_setflags(long attributes, short flags);

    static native int posix_spawnattr_setsigmask(long attributes, long signals);

    static native int posix_spawnattr_setsigdefault(long attributes, long signals);

    static native int sigfillset(long signals);

    static native int waitid(int idType, int id, long info, int options) throws LastErrorException;

    static native int kill(int pid, int signal) throws LastErrorException;

    static native int prctl(int option, long a, long b, long c, long d) throws LastErrorException;

    static native int poll(long descriptors, long count, int timeoutMillis)
            throws LastErrorException;

    // Polling
    static native int epoll_create1(int flags) throws LastErrorException;

    static native int epoll_ctl(int poll, int operation, int descriptor, long event)
            throws LastErrorException;

    static native int epoll_wait(int poll, long events, int maxEvents, int timeoutMillis)
            throws LastErrorException;

    static native int eventfd(int initial, int flags) throws LastErrorException;
}
