package io.crema.base;

/**
 * What went wrong, as a caller can react to it. The server turns each kind into one gRPC code; no
 * other place chooses codes.
 */
public enum ErrorKind {
    /** The request itself is wrong; sending it again cannot help. */
    INVALID_ARGUMENT,
    /** The object that the request names does not exist. */
    NOT_FOUND,
    /** The name is taken by a different object. */
    ALREADY_EXISTS,
    /** The object exists but is in a state that forbids the operation. */
    FAILED_PRECONDITION,
    /** A bound was reached: disk, queue, message or count. */
    RESOURCE_EXHAUSTED,
    /** The caller's time ran out. */
    DEADLINE_EXCEEDED,
    /** The caller went away. */
    CANCELLED,
    /** Something this operation needs is not there now; trying later may help. */
    UNAVAILABLE,
    /** Known, but not built yet. */
    UNIMPLEMENTED,
    /** Credentials are missing or refused. */
    PERMISSION_DENIED,
    /**
     * An error whose text kubelet reads: the message starts with a CRI reason word such as {@code
     * RegistryUnavailable}, and the code must be Unknown because the CRI client strips only that
     * one.
     */
    CRI_REASON,
    /** A fault of this node or of ours. */
    INTERNAL
}
