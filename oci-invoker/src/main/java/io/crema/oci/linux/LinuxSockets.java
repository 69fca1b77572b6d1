package io.crema.oci.linux;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Sockets and terminals, by which the bytes of exec, attach and port-forward reach a container.
 * Every socket is non-blocking: what would have to wait fails with EAGAIN, and the poll loop tells
 * when to try again. Reading and writing are those of {@link LinuxFiles}; one read of a socket of
 * packets gives one packet.
 */
public interface LinuxSockets {
    /** How a unix socket delivers what is written. */
    enum UnixSocket {
        STREAM,
        /** SOCK_SEQPACKET: each write is one packet. */
        PACKETS
    }

    /** The loopback address of either IP family. */
    enum Loopback {
        IPV4("127.0.0.1"),
        IPV6("::1");

        private final String address;

        Loopback(String address) {
            this.address = address;
        }

        public String address() {
            return address;
        }
    }

    /**
     * A unix socket that listens at a new path, which only its owner may connect to. The path may
     * be longer than the 107 bytes of sun_path as long as its last component is short.
     */
    Descriptor listen(Path path, UnixSocket type, int backlog);

    /** The next connection that waits at a listening socket; EAGAIN when there is none. */
    Descriptor accept(Descriptor listener);

    /**
     * Connects to a unix socket; EAGAIN while its backlog is full, ECONNREFUSED when nobody listens
     * there. The path may be long as for {@link #listen}.
     */
    Descriptor connect(Path path, UnixSocket type);

    /**
     * The descriptor that comes with the next message of a unix socket (SCM_RIGHTS); empty when the
     * other side ended or sent none.
     */
    Optional<Descriptor> receiveDescriptor(Descriptor socket);

    /** Sends one byte with a descriptor over a unix socket (SCM_RIGHTS). */
    void sendDescriptor(Descriptor socket, Descriptor sent);

    /**
     * A TCP socket without delay of small writes. It belongs for ever to the network namespace that
     * the calling thread is in now.
     */
    Descriptor tcpSocket(Loopback family);

    /**
     * Starts connecting a TCP socket to a port of the loopback address of its family.
     *
     * @return whether it is connected already; else it becomes writable when the outcome is known,
     *     see {@link #pendingError}
     */
    boolean startConnect(Descriptor socket, Loopback family, int port);

    /** What went wrong with a socket since this was last asked (SO_ERROR). */
    Optional<Errno> pendingError(Descriptor socket);

    /**
     * Tells the other side of a connection that nothing more will be written; does nothing when the
     * connection is gone.
     */
    void shutdownWrite(Descriptor socket);

    /** Sets the size of a terminal, given either of its ends, and signals SIGWINCH in it. */
    void resizeTerminal(Descriptor terminal, int columns, int rows);

    /** How many bytes wait to be read from a pipe, socket or terminal (FIONREAD). */
    int unreadBytes(Descriptor descriptor);

    /** A second descriptor for the same open file, as each direction of a poll needs its own. */
    Descriptor duplicate(Descriptor descriptor);
}
