package io.crema.runtime.state;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crema.base.ContainerId;
import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerStatus;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.UnaryOperator;

/**
 * A container as the daemon holds it. Readers take {@link #record} and never wait; changes go
 * through {@link #update}, which writes the record before it is seen. The lock orders start, update
 * and remove of one container; it is never held across a grace period.
 */
public final class Container {
    private final Layout layout;
    private final ContainerConfig config;
    private final ReentrantLock lock = new ReentrantLock();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private Changes changes = Changes.UNWATCHED;
    private volatile ContainerRecord record;
    private volatile ContainerStatus effective;

    public Container(Layout layout, ContainerRecord record) {
        this.layout = layout;
        this.record = record;
        try {
            this.config = ContainerConfig.parseFrom(record.config());
            this.effective = ContainerStatus.parseFrom(record.effective());
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException(
                    "the record of container " + record.id() + " holds no ContainerConfig", e);
        }
        if (!record.state().isAlive()) {
            ended.complete(null);
        }
    }

    public ContainerId id() {
        return record.id();
    }

    public PodSandboxId sandbox() {
        return record.sandbox();
    }

    public ContainerRecord record() {
        return record;
    }

    public ContainerState state() {
        return record.state();
    }

    public ContainerConfig config() {
        return config;
    }

    /** The parts of ContainerStatus that do not change with the state. */
    public ContainerStatus effective() {
        return effective;
    }

    public ReentrantLock lock() {
        return lock;
    }

    /**
     * Takes the lock; the caller unlocks it.
     *
     * @throws DeadlineExceededException when another call keeps it that long
     */
    public void lock(Deadline deadline) {
        String step = "another call on " + this + ", which starts, updates or removes it";
        CurrentStep.enter(step);
        try {
            if (!lock.tryLock(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException(step);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PodException(ErrorKind.CANCELLED, "cancelled while waiting for " + step, e);
        }
    }

    /** Completes when the container is no longer created or running. */
    public CompletableFuture<Void> ended() {
        return ended;
    }

    /** Enters an inventory; nothing changes between that and the watcher's being told. */
    synchronized void join(Changes watcher, Runnable entry) {
        entry.run();
        watcher.created(this);
        changes = watcher;
    }

    public void update(UnaryOperator<ContainerRecord> change) {
        boolean nowEnded;
        synchronized (this) {
            ContainerRecord before = record;
            ContainerRecord changed = change.apply(before);
            if (!changed.equals(before)) {
                Records.write(layout.containerRecord(changed.id()), changed);
                record = changed;
                tell(before.state(), changed.state());
            }
            nowEnded = !changed.state().isAlive();
        }
        if (nowEnded) {
            ended.complete(null);
        }
    }

    private void tell(ContainerState before, ContainerState after) {
        switch (after) {
            case ContainerState.Created created -> {}
            case ContainerState.Running running -> {
                if (!(before instanceof ContainerState.Running)) {
                    changes.started(this);
                }
            }
            case ContainerState.Exited exited -> {
                if (before.isAlive()) {
                    changes.stopped(this);
                }
            }
        }
    }

    /**
     * @return whether it ended by this; of several who tell of the same end, one hears so
     */
    public boolean observe(ContainerState.Event event) {
        AtomicBoolean ends = new AtomicBoolean();
        update(before -> {
            ContainerRecord after = before.after(event);
            ends.set(before.state().isAlive() && !after.state().isAlive());
            return after;
        });
        return ends.get();
    }

    public void updateEffective(UnaryOperator<ContainerStatus> change) {
        synchronized (this) {
            ContainerStatus changed = change.apply(effective);
            update(before -> before.withEffective(changed.toByteArray()));
            effective = changed;
        }
    }

    /** The name and the id, for messages. */
    @Override
    public String toString() {
        return "container " + record.name() + " (" + record.id().shortForm() + ")";
    }
}
