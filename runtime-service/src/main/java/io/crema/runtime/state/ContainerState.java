package io.crema.runtime.state;

/**
 * The state of a container as the CRI tells it, derived from facts so that it cannot contradict
 * them.
 *
 * <pre>
 * Created ──started──▶ Running ──ended──▶ Exited
 *    └────────start failed, or ended────────▲
 * </pre>
 *
 * Exited is terminal. What is only in flight (starting, stopping, removing) is no state and is
 * never written down. There is no Unknown: when a process and its monitor are both gone without an
 * exit code the container has ended, with code 255 and the reason Unknown.
 */
public sealed interface ContainerState {
    /** The process exists and waits for the start. */
    record Created() implements ContainerState {}

    /** The process runs. Times are nanoseconds since 1970. */
    record Running(long startedAtNanos) implements ContainerState {}

    /**
     * The process has ended.
     *
     * @param startedAtNanos 0 when it never started
     */
    record Exited(
            long startedAtNanos, long finishedAtNanos, int exitCode, String reason, String message)
            implements ContainerState {}

    /** Something observed about a container. */
    sealed interface Event {}

    /** The OCI runtime's start succeeded. */
    record Started(long atNanos) implements Event {}

    /** The process ended; for a failed start with the reason StartError. */
    record Ended(long atNanos, int exitCode, String reason, String message) implements Event {}

    /** The state after an observation; an observation that comes late changes nothing. */
    default ContainerState after(Event event) {
        return switch (this) {
            case Exited exited -> exited;
            case Created created ->
                    switch (event) {
                        case Started started -> new Running(started.atNanos());
                        case Ended ended -> exited(0, ended);
                    };
            case Running running ->
                    switch (event) {
                        case Started started -> running;
                        case Ended ended -> exited(running.startedAtNanos(), ended);
                    };
        };
    }

    default boolean isAlive() {
        return switch (this) {
            case Created created -> true;
            case Running running -> true;
            case Exited exited -> false;
        };
    }

    private static Exited exited(long startedAtNanos, Ended ended) {
        return new Exited(
                startedAtNanos, ended.atNanos(), ended.exitCode(), ended.reason(), ended.message());
    }
}
