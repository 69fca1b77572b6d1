package io.crema.oci.linux;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An open file descriptor that is closed exactly once. All descriptors are close-on-exec; a child
 * inherits only what its spawn request names.
 */
public final class Descriptor implements AutoCloseable {
    private final int number;
    private final LinuxFiles files;
    private final AtomicBoolean closed = new AtomicBoolean();

    public Descriptor(int number, LinuxFiles files) {
        this.number = number;
        this.files = files;
    }

    /**
     * @throws IllegalStateException when the descriptor was closed
     */
    public int number() {
        if (closed.get()) {
            throw new IllegalStateException("descriptor " + number + " is closed");
        }
        return number;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            files.close(number);
        }
    }

    @Override
    public String toString() {
        return "fd " + number + (closed.get() ? " (closed)" : "");
    }
}
