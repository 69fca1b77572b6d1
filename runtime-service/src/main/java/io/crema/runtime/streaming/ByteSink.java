package io.crema.runtime.streaming;

import java.nio.ByteBuffer;

/**
 * Where one direction of a stream goes: the standard input of a process, a socket in a pod, or a
 * stream of a client. Both sides of the contract implement it for the bytes they receive.
 *
 * <p>Nothing here blocks or throws, and no lock of the caller's may be held across a call. Calls of
 * one sink's {@link #write} and {@link #end} come one at a time and in order, on whatever thread
 * the source runs; {@link #whenWritable} may be called from any thread.
 */
public interface ByteSink {
    /**
     * Takes all of the remaining bytes before it returns; the buffer is the caller's again after
     * that. A sink whose receiver is gone, or that was ended, drops them.
     *
     * <p>A source that was told {@code false} stops reading. Because it may have read more already,
     * a sink still takes what comes; a source sends at most 256 KiB after a {@code false}, so that
     * memory stays bounded.
     *
     * @param bytes at most 64 KiB
     * @return whether more may come at once; if not, wait by {@link #whenWritable}
     */
    boolean write(ByteBuffer bytes);

    /**
     * Runs the action once, as soon as there is room: at once on the caller's thread when there is,
     * later on a thread of the sink's otherwise, also when the receiver is gone. A new action
     * replaces one that still waits. The action must not block.
     */
    void whenWritable(Runnable resume);

    /** No more bytes come, as the end of a file; everything written before arrives first. */
    void end();
}
