package io.crema.oci.monitor;

import io.crema.oci.process.StreamWriter;
import java.util.concurrent.CompletableFuture;

/** A process that runs in a container for one client, and its streams. Nothing here blocks. */
public interface ExecStreams {
    /** Its standard input or terminal; bytes are dropped when it is to have no input. */
    StreamWriter stdin();

    /** Sets the size of its terminal, as soon as there is one. */
    void resize(int columns, int rows);

    /** Kills it with all it started, also while it is being started. Idempotent. */
    void cancel();

    /**
     * Its exit code, 128 + n after signal n, once all its output was taken; exceptionally with an
     * {@link io.crema.oci.runtime.OciRuntimeException} when it could not be started or was
     * cancelled.
     */
    CompletableFuture<Integer> end();
}
