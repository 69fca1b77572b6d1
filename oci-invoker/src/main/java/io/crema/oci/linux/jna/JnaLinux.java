package io.crema.oci.linux.jna;

import com.sun.jna.LastErrorException;
import io.crema.oci.linux.Linux;

/** The kernel of this machine, through glibc and JNA. Thread safe; one instance serves all. */
public final class JnaLinux extends SocketCalls implements Linux {
    private JnaLinux() {}

    /**
     * Loads JNA's native part and binds to glibc.
     *
     * @throws UnsupportedOperationException on an architecture whose numbers we do not know
     */
    public static Linux load() {
        return new JnaLinux();
    }

    @Override
    public Poll openPoll() {
        try {
            return EpollPoll.open(this, scratches);
        } catch (LastErrorException e) {
            throw failure("epoll_create1", "", e);
        }
    }
}
