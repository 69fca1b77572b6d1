package io.crema.runtime.ttrpc;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;

/** A call failed: the other side refused it, did not answer in time, or is gone. */
public final class RpcException extends CremaException {
    /** What became of the call. */
    public enum Failure {
        /** The other side answered with an error. */
        REFUSED,
        /** No answer came in time. */
        TIMED_OUT,
        /** The connection ended before the answer. */
        CLOSED,
        /** The request is longer than a message may be; nothing was sent. */
        OVERSIZED
    }

    /** The codes of gRPC that matter here. */
    public static final int INVALID_ARGUMENT = 3;

    public static final int RESOURCE_EXHAUSTED = 8;
    public static final int FAILED_PRECONDITION = 9;
    public static final int UNIMPLEMENTED = 12;
    public static final int INTERNAL = 13;

    private final Failure failure;
    private final int code;
    private final String reason;

    private RpcException(Failure failure, int code, String reason) {
        super(
                failure == Failure.TIMED_OUT ? ErrorKind.UNAVAILABLE : ErrorKind.INTERNAL,
                reason,
                null);
        this.failure = failure;
        this.code = code;
        this.reason = reason;
    }

    /** With a code of gRPC. */
    public static RpcException refused(int code, String words) {
        return new RpcException(Failure.REFUSED, code, words);
    }

    static RpcException timedOut(String words) {
        return new RpcException(Failure.TIMED_OUT, 0, words);
    }

    static RpcException closed(String words) {
        return new RpcException(Failure.CLOSED, 0, words);
    }

    static RpcException oversized(int bytes) {
        return new RpcException(
                Failure.OVERSIZED,
                0,
                "a message of "
                        + bytes
                        + " bytes is longer than the most, "
                        + Frame.MOST_PAYLOAD_BYTES);
    }

    public Failure failure() {
        return failure;
    }

    /** The code that the other side answered with. */
    public int code() {
        return code;
    }

    public String reason() {
        return reason;
    }
}
