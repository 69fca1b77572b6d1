package io.crema.oci.monitor;

import io.crema.oci.process.StreamWriter;
import java.util.concurrent.CompletableFuture;

/** One client's connection to the streams of a container's first process. */
public interface AttachedStreams {
    /** The container's standard input; bytes are dropped when it has none or it was closed. */
    StreamWriter stdin();

    /** Lets go of the container, which does not notice. Idempotent. */
    void detach();

    /**
     * Completed when the container has ended and all of its output was handed on, or on {@link
     * #detach}; exceptionally with an {@link io.crema.oci.runtime.OciRuntimeException} when the
     * client was too slow or the connection broke.
     */
    CompletableFuture<Void> over();
}
