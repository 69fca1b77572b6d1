package io.crema.base;

/** A wait ended because its deadline passed; the message names the step that was waiting. */
public final class DeadlineExceededException extends CremaException {
    public DeadlineExceededException(String step) {
        super(
                ErrorKind.DEADLINE_EXCEEDED,
                "time ran out while waiting for " + step + "; the operation may still finish",
                null);
    }
}
