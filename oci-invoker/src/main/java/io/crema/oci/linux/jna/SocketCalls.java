package io.crema.oci.linux.jna;

import com.sun.jna.LastErrorException;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.FileNames;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxSockets;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Optional;

/** Sockets and terminals through libc; the fifth layer of {@link JnaLinux}. */
abstract class SocketCalls extends NamespaceCalls implements LinuxSockets {
    private static final int AF_UNIX = 1;
    private static final int AF_INET = 2;
    private static final int AF_INET6 = 10;
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_SEQPACKET = 5;
    private static final int SOCK_FLAGS = LibC.O_CLOEXEC | LibC.O_NONBLOCK;
    private static final int SHUT_WR = 1;
    private static final int SOL_SOCKET = 1;
    private static final int SO_ERROR = 4;
    private static final int SCM_RIGHTS = 1;
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NODELAY = 1;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final long TIOCSWINSZ = 0x5414;
    private static final long FIONREAD = 0x541B;

    private static final int UNIX_ADDRESS_SIZE = 110;
    private static final int UNIX_PATH_SIZE = 108;
    private static final int IPV4_ADDRESS_SIZE = 16;
    private static final int IPV6_ADDRESS_SIZE = 28;
    // struct msghdr of 64-bit glibc, a buffer vector of one entry, one byte, one descriptor.
    private static final int MESSAGE_SIZE = 56;
    private static final int VECTOR_SIZE = 16;
    private static final int CONTROL_SIZE = 24;

    /** What is done with an address of a unix socket while it is valid. */
    private interface UnixAddress {
        void use(long address) throws LastErrorException;
    }

    @Override
    public Descriptor listen(Path path, UnixSocket type, int backlog) {
        Descriptor socket = unixSocket(path, type);
        try {
            atUnixAddress("bind", path, at -> LibC.bind(socket.number(), at, UNIX_ADDRESS_SIZE));
            try {
                changeMode(path, 0600);
                LibC.listen(socket.number(), backlog);
            } catch (LastErrorException e) {
                throw failure("listen", "'" + path + "'", e);
            }
            return socket;
        } catch (RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    private void changeMode(Path path, int mode) {
        try (Scratch scratch = scratches.take()) {
            LibC.fchmodat(LibC.AT_FDCWD, scratch.string("fchmodat", path.toString()), mode, 0);
        } catch (LastErrorException e) {
            throw failure("fchmodat", "'" + path + "'", e);
        }
    }

    @Override
    public Descriptor connect(Path path, UnixSocket type) {
        Descriptor socket = unixSocket(path, type);
        try {
            atUnixAddress(
                    "connect", path, at -> LibC.connect(socket.number(), at, UNIX_ADDRESS_SIZE));
            return socket;
        } catch (RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    private Descriptor unixSocket(Path path, UnixSocket type) {
        int kind =
                switch (type) {
                    case STREAM -> SOCK_STREAM;
                    case PACKETS -> SOCK_SEQPACKET;
                };
        try {
            return new Descriptor(LibC.socket(AF_UNIX, kind | SOCK_FLAGS, 0), this);
        } catch (LastErrorException e) {
            throw failure("socket", "AF_UNIX for '" + path + "'", e);
        }
    }

    /** A path that does not fit is named through a descriptor of its directory. */
    private void atUnixAddress(String call, Path path, UnixAddress use) {
        byte[] name = FileNames.encode(path.toString());
        if (name.length < UNIX_PATH_SIZE) {
            atUnixAddress(call, path, name, use);
            return;
        }
        Path directory = path.getParent();
        Path last = path.getFileName();
        if (directory == null || last == null) {
            throw new LinuxException(call, "'" + path + "'", Errno.EINVAL);
        }
        try (Descriptor open = open(directory, EnumSet.of(OpenFlag.PATH, OpenFlag.DIRECTORY), 0)) {
            byte[] shorter = FileNames.encode("/proc/self/fd/" + open.number() + "/" + last);
            if (shorter.length >= UNIX_PATH_SIZE) {
                throw new LinuxException(call, "'" + path + "'", Errno.ENAMETOOLONG);
            }
            atUnixAddress(call, path, shorter, use);
        }
    }

    private void atUnixAddress(String call, Path path, byte[] name, UnixAddress use) {
        try (Scratch scratch = scratches.take()) {
            long address = scratch.zeroed(UNIX_ADDRESS_SIZE);
            scratch.putShort(address, (short) AF_UNIX);
            scratch.copyIn(address + 2, name, 0, name.length);
            use.use(address);
        } catch (LastErrorException e) {
            throw failure(call, "'" + path + "'", e);
        }
    }

    @Override
    public Descriptor accept(Descriptor listener) {
        while (true) {
            try {
                return new Descriptor(LibC.accept4(listener.number(), 0, 0, SOCK_FLAGS), this);
            } catch (LastErrorException e) {
                if (!is(e, Errno.EINTR)) {
                    throw failure("accept4", listener.toString(), e);
                }
            }
        }
    }

    @Override
    public Optional<Descriptor> receiveDescriptor(Descriptor socket) {
        try (Scratch scratch = scratches.take()) {
            long message = message(scratch);
            long control = scratch.getLong(message + 32);
            while (true) {
                try {
                    LibC.recvmsg(socket.number(), message, MSG_CMSG_CLOEXEC);
                    break;
                } catch (LastErrorException e) {
                    if (!is(e, Errno.EINTR)) {
                        throw failure("recvmsg", socket.toString(), e);
                    }
                }
            }
            boolean hasDescriptor =
                    scratch.getLong(message + 40) >= CONTROL_SIZE - 4
                            && scratch.getInt(control + 8) == SOL_SOCKET
                            && scratch.getInt(control + 12) == SCM_RIGHTS;
            return hasDescriptor
                    ? Optional.of(new Descriptor(scratch.getInt(control + 16), this))
                    : Optional.empty();
        }
    }

    @Override
    public void sendDescriptor(Descriptor socket, Descriptor sent) {
        try (Scratch scratch = scratches.take()) {
            long message = message(scratch);
            long control = scratch.getLong(message + 32);
            scratch.putLong(control, CONTROL_SIZE - 4);
            scratch.putInt(control + 8, SOL_SOCKET);
            scratch.putInt(control + 12, SCM_RIGHTS);
            scratch.putInt(control + 16, sent.number());
            LibC.sendmsg(socket.number(), message, 0);
        } catch (LastErrorException e) {
            throw failure("sendmsg", socket + ", SCM_RIGHTS", e);
        }
    }

    /** A msghdr with room for one byte and for one descriptor. */
    private static long message(Scratch scratch) {
        long message = scratch.zeroed(MESSAGE_SIZE);
        long vector = scratch.zeroed(VECTOR_SIZE);
        long control = scratch.zeroed(CONTROL_SIZE);
        long content = scratch.zeroed(8);
        scratch.putLong(vector, content);
        scratch.putLong(vector + 8, 1);
        scratch.putLong(message + 16, vector);
        scratch.putLong(message + 24, 1);
        scratch.putLong(message + 32, control);
        scratch.putLong(message + 40, CONTROL_SIZE);
        return message;
    }

    @Override
    public Descriptor tcpSocket(Loopback family) {
        int domain =
                switch (family) {
                    case IPV4 -> AF_INET;
                    case IPV6 -> AF_INET6;
                };
        Descriptor socket;
        try {
            socket = new Descriptor(LibC.socket(domain, SOCK_STREAM | SOCK_FLAGS, 0), this);
        } catch (LastErrorException e) {
            throw failure("socket", family + ", TCP", e);
        }
        try (Scratch scratch = scratches.take()) {
            long on = scratch.zeroed(4);
            scratch.putInt(on, 1);
            LibC.setsockopt(socket.number(), IPPROTO_TCP, TCP_NODELAY, on, 4);
            return socket;
        } catch (LastErrorException e) {
            socket.close();
            throw failure("setsockopt", "TCP_NODELAY", e);
        }
    }

    @Override
    public boolean startConnect(Descriptor socket, Loopback family, int port) {
        try (Scratch scratch = scratches.take()) {
            long address = scratch.zeroed(IPV6_ADDRESS_SIZE);
            int size =
                    switch (family) {
                        case IPV4 -> {
                            scratch.putShort(address, (short) AF_INET);
                            scratch.putByte(address + 4, (byte) 127);
                            scratch.putByte(address + 7, (byte) 1);
                            yield IPV4_ADDRESS_SIZE;
                        }
                        case IPV6 -> {
                            scratch.putShort(address, (short) AF_INET6);
                            scratch.putByte(address + 23, (byte) 1);
                            yield IPV6_ADDRESS_SIZE;
                        }
                    };
            scratch.putByte(address + 2, (byte) (port >> 8));
            scratch.putByte(address + 3, (byte) port);
            LibC.connect(socket.number(), address, size);
            return true;
        } catch (LastErrorException e) {
            // An interrupted connect goes on, as if it had been in progress.
            if (is(e, Errno.EINPROGRESS) || is(e, Errno.EINTR)) {
                return false;
            }
            throw failure("connect", family.address() + " port " + port, e);
        }
    }

    @Override
    public Optional<Errno> pendingError(Descriptor socket) {
        try (Scratch scratch = scratches.take()) {
            long error = scratch.zeroed(4);
            long length = scratch.zeroed(4);
            scratch.putInt(length, 4);
            LibC.getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, error, length);
            int number = scratch.getInt(error);
            return number == 0 ? Optional.empty() : Optional.of(Errno.of(number));
        } catch (LastErrorException e) {
            throw failure("getsockopt", socket + ", SO_ERROR", e);
        }
    }

    @Override
    public void shutdownWrite(Descriptor socket) {
        try {
            LibC.shutdown(socket.number(), SHUT_WR);
        } catch (LastErrorException e) {
            if (!is(e, Errno.ENOTCONN)) {
                throw failure("shutdown", socket.toString(), e);
            }
        }
    }

    @Override
    public void resizeTerminal(Descriptor terminal, int columns, int rows) {
        try (Scratch scratch = scratches.take()) {
            long size = scratch.zeroed(8);
            scratch.putShort(size, (short) rows);
            scratch.putShort(size + 2, (short) columns);
            LibC.ioctl(terminal.number(), TIOCSWINSZ, size);
        } catch (LastErrorException e) {
            throw failure("ioctl", terminal + ", TIOCSWINSZ " + columns + "x" + rows, e);
        }
    }

    @Override
    public int unreadBytes(Descriptor descriptor) {
        try (Scratch scratch = scratches.take()) {
            long count = scratch.zeroed(4);
            LibC.ioctl(descriptor.number(), FIONREAD, count);
            return scratch.getInt(count);
        } catch (LastErrorException e) {
            throw failure("ioctl", descriptor + ", FIONREAD", e);
        }
    }

    @Override
    public Descriptor duplicate(Descriptor descriptor) {
        try {
            return new Descriptor(LibC.fcntl(descriptor.number(), LibC.F_DUPFD_CLOEXEC, 0), this);
        } catch (LastErrorException e) {
            throw failure("fcntl", descriptor + ", F_DUPFD_CLOEXEC", e);
        }
    }
}
