package io.crema.oci.monitor;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.runtime.OciRuntimeException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Parking on the futures of the poll loop, with failures in this package's words. */
final class Await {
    private Await() {}

    /**
     * @param step what is waited for, in words for the error message
     */
    static <T> T result(CompletableFuture<T> future, Deadline deadline, String step) {
        try {
            return future.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException(step);
        } catch (InterruptedException e) {
            throw interrupted(step, e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof OciRuntimeException failure) {
                throw failure;
            }
            throw new OciRuntimeException(
                    ErrorKind.INTERNAL, "cannot wait for " + step + ": " + e.getCause(), e);
        }
    }

    static void pause(Duration duration, String step) {
        try {
            Thread.sleep(duration);
        } catch (InterruptedException e) {
            throw interrupted(step, e);
        }
    }

    private static OciRuntimeException interrupted(String step, InterruptedException e) {
        Thread.currentThread().interrupt();
        return new OciRuntimeException(
                ErrorKind.CANCELLED, "the caller went away while waiting for " + step, e);
    }
}
