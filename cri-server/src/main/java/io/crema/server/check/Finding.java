package io.crema.server.check;

/**
 * One line of the check.
 *
 * @param remedy what to do; empty when there is nothing to do
 */
public record Finding(Grade grade, String subject, String detail, String remedy) {
    /** How grave a finding is. */
    public enum Grade {
        OK,
        /** Something that some pods need is missing. */
        WARN,
        /** No pod can run. */
        FAIL
    }
}
