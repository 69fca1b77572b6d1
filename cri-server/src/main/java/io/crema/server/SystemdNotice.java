package io.crema.server;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells systemd that the daemon serves (sd_notify(3)), when systemd asked to be told. */
final class SystemdNotice {
    private static final Logger LOG = LoggerFactory.getLogger(SystemdNotice.class);
    private static final byte[] READY = "READY=1".getBytes(StandardCharsets.US_ASCII);

    private SystemdNotice() {}

    static void ready() {
        String socket = System.getenv("NOTIFY_SOCKET");
        if (socket == null || socket.isEmpty()) {
            return;
        }
        try {
            send(socket);
        } catch (IOException | RuntimeException e) {
            LOG.warn("cannot tell systemd that the daemon is ready: {}", e.toString());
        }
    }

    /**
     * Sends one datagram, without the event loop and the bound address that a channel would need.
     *
     * @param address a path; a leading @ stands for the abstract name space, whose names begin with
     *     a zero byte
     */
    static void send(String address) throws IOException {
        String path = address.startsWith("@") ? "\0" + address.substring(1) : address;
        Epoll.ensureAvailability();
        ByteBuffer message = ByteBuffer.allocateDirect(READY.length).put(READY);
        Socket socket = Socket.newSocketDomainDgram();
        try {
            int sent =
                    socket.sendToDomainSocket(
                            message, 0, READY.length, path.getBytes(StandardCharsets.UTF_8));
            if (sent != READY.length) {
                throw new IOException("sent " + sent + " of " + READY.length + " bytes");
            }
        } finally {
            socket.close();
        }
    }
}
