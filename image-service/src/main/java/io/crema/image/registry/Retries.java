package io.crema.image.registry;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Counts the attempts of one piece of work and pauses between them: doubling pauses with jitter, or
 * what the registry asks for. Not thread safe.
 */
final class Retries {
    private final TransferPolicy policy;
    private final Deadline deadline;
    private int failures;

    Retries(TransferPolicy policy, Deadline deadline) {
        this.policy = policy;
        this.deadline = deadline;
    }

    /** The work got somewhere: what failed before counts no more. */
    void progressed() {
        failures = 0;
    }

    /**
     * Waits before the next attempt.
     *
     * @param failure why there is one; thrown when there is none
     * @param asked how long the registry wants us to wait; zero for nothing
     */
    void pause(ImageException failure, Duration asked) {
        failures++;
        if (failures >= policy.attempts() || asked.compareTo(policy.longestPause()) > 0) {
            throw failure;
        }
        long doubled = policy.firstPause().toMillis() << Math.min(failures - 1, 16);
        long bound = Math.max(1, Math.min(doubled, policy.longestPause().toMillis()));
        // Half fixed, half random: many nodes that failed together do not come back together.
        long millis = bound / 2 + ThreadLocalRandom.current().nextLong(bound / 2 + 1);
        millis = Math.max(millis, asked.toMillis());
        if (millis >= deadline.remainingMillis()) {
            throw failure;
        }
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw cancelled(failure);
        }
    }

    static ImageException cancelled(Throwable cause) {
        return new ImageException(ErrorKind.CANCELLED, "the pull was cancelled", cause);
    }
}
