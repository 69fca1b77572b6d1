package io.crema.runtime.streaming;

import java.util.concurrent.CompletableFuture;

/**
 * A client's connection to a process: one that runs for this client alone (exec), or the main
 * process of a container (attach). All methods may be called from any thread and do not block.
 */
public interface ProcessStreams {
    /**
     * The standard input. {@link ByteSink#end} is its half-close: the process reads the end of the
     * file, its output goes on. For a terminal, end changes nothing but that no input follows. When
     * the request has no stdin, all bytes are dropped.
     */
    ByteSink stdin();

    /**
     * Sets the size of the terminal; ignored without one. A size that comes before the process runs
     * is applied before it runs where that is possible; the last one wins.
     */
    void resize(TerminalSize size);

    /**
     * The client is gone. An exec's process is killed with all it started, also when its start is
     * still under way; an attach only lets go of the container. {@link #end} completes
     * exceptionally then, unless it was complete. Idempotent.
     */
    void cancel();

    /**
     * Completes when it is over. Both outputs were ended before, after all that the process wrote
     * was written to them (a slow sink is waited for; a background child of an exec that keeps the
     * output open is not).
     *
     * <p>Exec: the exit code 0–255, 128 + n after signal n. Attach: 0, when the container ended or
     * its monitor closed the connection. Exceptionally with a {@link io.crema.base.CremaException}
     * when the process could not be started or followed: its message is for the user.
     */
    CompletableFuture<Integer> end();
}
