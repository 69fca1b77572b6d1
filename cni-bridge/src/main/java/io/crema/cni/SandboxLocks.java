package io.crema.cni;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One lock per sandbox: the CNI specification forbids two operations on one attachment at a time.
 * The runtime has such locks too; these keep garbage collection apart from an undo still running.
 */
final class SandboxLocks {
    /** Has to be closed by the thread that acquired it. */
    interface Held extends AutoCloseable {
        @Override
        void close();
    }

    private static final class Entry {
        private final ReentrantLock lock = new ReentrantLock();
        private int users;
    }

    private final Map<String, Entry> entries = new HashMap<>();

    Held acquire(String containerId, Deadline deadline) {
        Entry entry;
        synchronized (entries) {
            entry = entries.computeIfAbsent(containerId, id -> new Entry());
            entry.users++;
        }
        boolean isHeld = false;
        try {
            isHeld = entry.lock.tryLock(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new NetworkException(
                    ErrorKind.CANCELLED,
                    "interrupted while another network operation of sandbox "
                            + containerId
                            + " is running",
                    e);
        } finally {
            if (!isHeld) {
                leave(containerId, entry);
            }
        }
        if (!isHeld) {
            throw new DeadlineExceededException(
                    "another network operation of sandbox " + containerId);
        }
        return () -> {
            entry.lock.unlock();
            leave(containerId, entry);
        };
    }

    private void leave(String containerId, Entry entry) {
        synchronized (entries) {
            entry.users--;
            if (entry.users == 0) {
                entries.remove(containerId);
            }
        }
    }
}
