package io.crema.runtime.state;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crema.base.PodSandboxId;
import io.crema.cri.v1.PodSandboxConfig;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.UnaryOperator;

/**
 * A pod sandbox as the daemon holds it. Readers take {@link #record} and never wait; changes go
 * through {@link #update}, which writes the record before it is seen. The lock orders steps on one
 * pod (pod before container) and is never held across a plugin, a pull or a grace period.
 */
public final class PodSandbox {
    private final Layout layout;
    private final PodSandboxConfig config;
    private final ReentrantLock lock = new ReentrantLock();
    private final AtomicBoolean stopTold = new AtomicBoolean();
    private final AtomicBoolean stopAnnounced = new AtomicBoolean();
    private volatile Changes changes = Changes.UNWATCHED;
    private volatile SandboxRecord record;
    private volatile boolean alive = true;

    public PodSandbox(Layout layout, SandboxRecord record) {
        this.layout = layout;
        this.record = record;
        try {
            this.config = PodSandboxConfig.parseFrom(record.config());
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException(
                    "the record of pod sandbox " + record.id() + " holds no PodSandboxConfig", e);
        }
    }

    public PodSandboxId id() {
        return record.id();
    }

    public SandboxRecord record() {
        return record;
    }

    public PodSandboxConfig config() {
        return config;
    }

    public ReentrantLock lock() {
        return lock;
    }

    /** Whether containers can be created in it now. */
    public boolean isReady() {
        return record.complete() && !record.stopped() && alive;
    }

    /** The pod's init process or its namespaces are gone. */
    public void lost() {
        alive = false;
        tellStopped();
    }

    /** Enters an inventory. */
    void join(Changes watcher, Runnable entry) {
        entry.run();
        changes = watcher;
        watcher.created(this);
    }

    /** It is no longer ready and what it held has been let go of; told once. */
    public void tellStopped() {
        // No monitor is held: a watcher that looks at a pod may be the one that finds it lost.
        if (stopTold.compareAndSet(false, true)) {
            changes.stopped(this);
        }
    }

    /**
     * Whether who asks is to tell NRI plugins that its containers have ended. Not kept across a
     * restart: better twice than never.
     */
    public boolean isFirstToAnnounceStop() {
        return stopAnnounced.compareAndSet(false, true);
    }

    public void update(UnaryOperator<SandboxRecord> change) {
        synchronized (this) {
            SandboxRecord changed = change.apply(record);
            if (!changed.equals(record)) {
                Records.write(layout.sandboxRecord(changed.id()), changed);
                record = changed;
            }
        }
    }

    /** namespace/name and the id, for messages. */
    @Override
    public String toString() {
        return "pod sandbox "
                + record.namespace()
                + "/"
                + record.name()
                + " ("
                + record.id().shortForm()
                + ")";
    }
}
