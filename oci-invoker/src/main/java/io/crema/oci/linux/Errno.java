package io.crema.oci.linux;

import org.jspecify.annotations.Nullable;

/** An error number of Linux with its symbolic name, as in errno(3). */
public record Errno(int number, String name, String message) {
    public static final Errno EPERM = new Errno(1, "EPERM", "operation not permitted");
    public static final Errno ENOENT = new Errno(2, "ENOENT", "no such file or directory");
    public static final Errno ESRCH = new Errno(3, "ESRCH", "no such process");
    public static final Errno EINTR = new Errno(4, "EINTR", "interrupted system call");
    public static final Errno EIO = new Errno(5, "EIO", "input/output error");
    public static final Errno ENXIO = new Errno(6, "ENXIO", "no such device or address");
    public static final Errno E2BIG = new Errno(7, "E2BIG", "argument list too long");
    public static final Errno ENOEXEC = new Errno(8, "ENOEXEC", "exec format error");
    public static final Errno EBADF = new Errno(9, "EBADF", "bad file descriptor");
    public static final Errno ECHILD = new Errno(10, "ECHILD", "no child processes");
    public static final Errno EAGAIN = new Errno(11, "EAGAIN", "resource temporarily unavailable");
    public static final Errno ENOMEM = new Errno(12, "ENOMEM", "cannot allocate memory");
    public static final Errno EACCES = new Errno(13, "EACCES", "permission denied");
    public static final Errno EFAULT = new Errno(14, "EFAULT", "bad address");
    public static final Errno EBUSY = new Errno(16, "EBUSY", "device or resource busy");
    public static final Errno EEXIST = new Errno(17, "EEXIST", "file exists");
    public static final Errno EXDEV = new Errno(18, "EXDEV", "cross-device link or path escape");
    public static final Errno ENODEV = new Errno(19, "ENODEV", "no such device");
    public static final Errno ENOTDIR = new Errno(20, "ENOTDIR", "not a directory");
    public static final Errno EISDIR = new Errno(21, "EISDIR", "is a directory");
    public static final Errno EINVAL = new Errno(22, "EINVAL", "invalid argument");
    public static final Errno ENFILE = new Errno(23, "ENFILE", "too many open files in the system");
    public static final Errno EMFILE = new Errno(24, "EMFILE", "too many open files");
    public static final Errno ENOTTY =
            new Errno(25, "ENOTTY", "inappropriate operation for this device");
    public static final Errno ETXTBSY = new Errno(26, "ETXTBSY", "text file is busy");
    public static final Errno EFBIG = new Errno(27, "EFBIG", "file too large");
    public static final Errno ENOSPC = new Errno(28, "ENOSPC", "no space left on device");
    public static final Errno ESPIPE = new Errno(29, "ESPIPE", "illegal seek");
    public static final Errno EROFS = new Errno(30, "EROFS", "read-only file system");
    public static final Errno EMLINK = new Errno(31, "EMLINK", "too many links");
    public static final Errno EPIPE = new Errno(32, "EPIPE", "broken pipe");
    public static final Errno ERANGE = new Errno(34, "ERANGE", "result too large");
    public static final Errno ENAMETOOLONG = new Errno(36, "ENAMETOOLONG", "file name too long");
    public static final Errno ENOSYS = new Errno(38, "ENOSYS", "function not implemented");
    public static final Errno ENOTEMPTY = new Errno(39, "ENOTEMPTY", "directory not empty");
    public static final Errno ELOOP = new Errno(40, "ELOOP", "too many symbolic links");
    public static final Errno ENODATA = new Errno(61, "ENODATA", "no data available");
    public static final Errno EOVERFLOW = new Errno(75, "EOVERFLOW", "value too large");
    public static final Errno EUSERS = new Errno(87, "EUSERS", "too many users (or namespaces)");
    public static final Errno EPROTONOSUPPORT =
            new Errno(93, "EPROTONOSUPPORT", "protocol not supported");
    public static final Errno EOPNOTSUPP = new Errno(95, "EOPNOTSUPP", "operation not supported");
    public static final Errno EAFNOSUPPORT =
            new Errno(97, "EAFNOSUPPORT", "address family not supported");
    public static final Errno EADDRINUSE = new Errno(98, "EADDRINUSE", "address already in use");
    public static final Errno EADDRNOTAVAIL =
            new Errno(99, "EADDRNOTAVAIL", "cannot assign requested address");
    public static final Errno ENETUNREACH = new Errno(101, "ENETUNREACH", "network is unreachable");
    public static final Errno ECONNRESET = new Errno(104, "ECONNRESET", "connection reset by peer");
    public static final Errno ENOTCONN = new Errno(107, "ENOTCONN", "not connected");
    public static final Errno ETIMEDOUT = new Errno(110, "ETIMEDOUT", "connection timed out");
    public static final Errno ECONNREFUSED = new Errno(111, "ECONNREFUSED", "connection refused");
    public static final Errno EHOSTUNREACH = new Errno(113, "EHOSTUNREACH", "no route to host");
    public static final Errno EINPROGRESS =
            new Errno(115, "EINPROGRESS", "operation now in progress");
    public static final Errno ESTALE = new Errno(116, "ESTALE", "stale file handle");
    public static final Errno EUCLEAN = new Errno(117, "EUCLEAN", "file system needs cleaning");
    public static final Errno EDQUOT = new Errno(122, "EDQUOT", "disk quota exceeded");

    private static final Errno[] KNOWN = {
        EPERM,
        ENOENT,
        ESRCH,
        EINTR,
        EIO,
        ENXIO,
        E2BIG,
        ENOEXEC,
        EBADF,
        ECHILD,
        EAGAIN,
        ENOMEM,
        EACCES,
        EFAULT,
        EBUSY,
        EEXIST,
        EXDEV,
        ENODEV,
        ENOTDIR,
        EISDIR,
        EINVAL,
        ENFILE,
        EMFILE,
        ENOTTY,
        ETXTBSY,
        EFBIG,
        ENOSPC,
        ESPIPE,
        EROFS,
        EMLINK,
        EPIPE,
        ERANGE,
        ENAMETOOLONG,
        ENOSYS,
        ENOTEMPTY,
        ELOOP,
        ENODATA,
        EOVERFLOW,
        EUSERS,
        EPROTONOSUPPORT,
        EOPNOTSUPP,
        EAFNOSUPPORT,
        EADDRINUSE,
        EADDRNOTAVAIL,
        ENETUNREACH,
        ECONNRESET,
        ENOTCONN,
        ETIMEDOUT,
        ECONNREFUSED,
        EHOSTUNREACH,
        EINPROGRESS,
        ESTALE,
        EUCLEAN,
        EDQUOT,
    };

    private static final @Nullable Errno[] BY_NUMBER = byNumber();

    /** The error with this number, with a generic name when it is none of the above. */
    public static Errno of(int number) {
        Errno known = number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
        return known != null
                ? known
                : new Errno(number, "errno " + number, "error number " + number);
    }

    public boolean is(Errno other) {
        return number == other.number;
    }

    @Override
    public String toString() {
        return name;
    }

    private static @Nullable Errno[] byNumber() {
        @Nullable Errno[] table = new @Nullable Errno[KNOWN[KNOWN.length - 1].number + 1];
        for (Errno errno : KNOWN) {
            table[errno.number] = errno;
        }
        return table;
    }
}
