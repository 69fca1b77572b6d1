package io.crema.server.grpc;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Turns what a call threw into the status that its caller sees. No other place chooses gRPC codes.
 */
final class StatusMapper {
    /**
     * A status message travels in a trailer and kubelet keeps it in events; longer ones are cut.
     */
    static final int MAX_MESSAGE_CHARS = 4096;

    private StatusMapper() {}

    /**
     * The answer to a failed call.
     *
     * @param reference stands in both the answer and the log when the failure is a fault of ours
     */
    record Failure(Status status, @Nullable String reference) {}

    static Failure failure(Throwable thrown) {
        return switch (thrown) {
            case CremaException known ->
                    new Failure(status(code(known.kind()), messageOf(known)), null);
            case StatusRuntimeException status -> new Failure(status.getStatus(), null);
            case StatusException status -> new Failure(status.getStatus(), null);
            default -> {
                String reference =
                        String.format(Locale.ROOT, "%08x", ThreadLocalRandom.current().nextInt());
                yield new Failure(
                        status(
                                Status.Code.INTERNAL,
                                "internal error, see the log of crema at reference "
                                        + reference
                                        + ": "
                                        + thrown),
                        reference);
            }
        };
    }

    static Status.Code code(ErrorKind kind) {
        return switch (kind) {
            case INVALID_ARGUMENT -> Status.Code.INVALID_ARGUMENT;
            case NOT_FOUND -> Status.Code.NOT_FOUND;
            case ALREADY_EXISTS -> Status.Code.ALREADY_EXISTS;
            case FAILED_PRECONDITION -> Status.Code.FAILED_PRECONDITION;
            case RESOURCE_EXHAUSTED -> Status.Code.RESOURCE_EXHAUSTED;
            case DEADLINE_EXCEEDED -> Status.Code.DEADLINE_EXCEEDED;
            case CANCELLED -> Status.Code.CANCELLED;
            case UNAVAILABLE -> Status.Code.UNAVAILABLE;
            case UNIMPLEMENTED -> Status.Code.UNIMPLEMENTED;
            case PERMISSION_DENIED -> Status.Code.PERMISSION_DENIED;
            // The CRI client strips only Unknown before kubelet reads the reason word.
            case CRI_REASON -> Status.Code.UNKNOWN;
            case INTERNAL -> Status.Code.INTERNAL;
        };
    }

    private static Status status(Status.Code code, String message) {
        return code.toStatus()
                .withDescription(
                        message.length() <= MAX_MESSAGE_CHARS
                                ? message
                                : message.substring(0, MAX_MESSAGE_CHARS - 1) + "…");
    }

    private static String messageOf(Throwable thrown) {
        String message = thrown.getMessage();
        return message == null ? thrown.getClass().getSimpleName() : message;
    }
}
