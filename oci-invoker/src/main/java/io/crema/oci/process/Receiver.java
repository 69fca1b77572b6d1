package io.crema.oci.process;

import java.nio.ByteBuffer;

/**
 * Where a {@link StreamReader} puts what it reads. Nothing here blocks or throws; calls of {@link
 * #write} come one at a time.
 */
public interface Receiver {
    /**
     * Takes all remaining bytes before it returns.
     *
     * @param bytes what one read(2) gave, so for a socket of packets exactly one packet
     * @return false to be given no more until {@link #whenWritable} says so
     */
    boolean write(ByteBuffer bytes);

    /** Runs the action once as soon as there is room, also when nobody listens any more. */
    void whenWritable(Runnable resume);
}
