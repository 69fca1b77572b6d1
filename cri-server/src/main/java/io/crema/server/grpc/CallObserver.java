package io.crema.server.grpc;

import java.time.Duration;

/** Told of each answered call, for metrics. Must not block. */
@FunctionalInterface
public interface CallObserver {
    /**
     * @param method the bare method name
     * @param code the gRPC code's name
     * @param duration from the request's arrival until its answer
     */
    void answered(String method, String code, Duration duration);

    /**
     * A call's time ran out.
     *
     * @param step what it was waiting for, in words that may name pods and containers; may be empty
     */
    default void late(String method, String step) {}
}
