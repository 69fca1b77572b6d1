package io.crema.runtime.streaming;

import java.util.concurrent.CompletableFuture;

/**
 * One connection to a port in a pod, a byte stream each way. All methods may be called from any
 * thread and do not block.
 */
public interface PortConnection {
    /**
     * Towards the pod; {@link ByteSink#end} shuts down this direction only. What comes before the
     * connection stands is kept, and {@code write} answers {@code false} until then. When the pod
     * has closed or reset the connection, bytes are dropped.
     */
    ByteSink toPod();

    /** Closes the connection at once and drops what is under way. Idempotent. */
    void cancel();

    /**
     * Completes when both directions have ended. The sink of the other direction is ended as soon
     * as the pod ends its direction, which may be long before; a reset by the pod ends both.
     * Exceptionally with a {@link io.crema.base.CremaException} when nothing listens, the pod is
     * being stopped or it was cancelled: its message is for the user; the sink is ended after that.
     */
    CompletableFuture<Void> end();
}
