package io.crema.image.store;

import io.crema.base.CremaException;

/**
 * One word for why a pull failed, for a counter: the codes of the distribution specification where
 * one fits, as CRI-O has them. Always one of a few.
 */
final class PullFailureReason {
    private PullFailureReason() {}

    static String of(Throwable cause) {
        if (!(cause instanceof CremaException known)) {
            return cause instanceof InterruptedException ? "CANCELLED" : "UNKNOWN";
        }
        String message = String.valueOf(known.getMessage());
        return switch (known.kind()) {
            case CRI_REASON -> criReason(message);
            case PERMISSION_DENIED -> message.contains("(403)") ? "DENIED" : "UNAUTHORIZED";
            case NOT_FOUND ->
                    message.startsWith("manifest unknown") ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN";
            case RESOURCE_EXHAUSTED -> "TOOMANYREQUESTS";
            // Wrong digests and whatever else makes an image unusable.
            case FAILED_PRECONDITION -> "DIGEST_INVALID";
            case INVALID_ARGUMENT -> "MANIFEST_INVALID";
            case DEADLINE_EXCEEDED -> "DEADLINE_EXCEEDED";
            case CANCELLED -> "CANCELLED";
            case UNAVAILABLE -> "UNAVAILABLE";
            case UNIMPLEMENTED -> "UNSUPPORTED";
            case ALREADY_EXISTS, INTERNAL -> "UNKNOWN";
        };
    }

    private static String criReason(String message) {
        if (message.startsWith("SignatureValidationFailed")) {
            return "SIGNATURE_VALIDATION_FAILED";
        }
        if (message.contains("connection refused")) {
            return "CONNECTION_REFUSED";
        }
        if (message.contains("no connection in time")) {
            return "CONNECTION_TIMEOUT";
        }
        return "REGISTRY_UNAVAILABLE";
    }
}
