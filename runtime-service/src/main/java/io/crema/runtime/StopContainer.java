package io.crema.runtime;

import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.StopContainerRequest;
import io.crema.cri.v1.StopContainerResponse;
import io.crema.runtime.spec.StopSignal;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.ProcessIdentity;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stops a container: stop signal, grace, SIGKILL, real end. One stop of a container runs at a time;
 * a later call joins it and can only shorten the grace. Nothing is locked meanwhile, and the stop
 * goes on when its callers have left.
 */
final class StopContainer {
    private static final Logger LOG = LoggerFactory.getLogger(StopContainer.class);
    private static final int SIGKILL = 9;
    private static final int KILLED_EXIT_CODE = 128 + SIGKILL;

    /**
     * A killed process that has not ended by now is stuck in the kernel; we tell so and keep
     * trying.
     */
    private static final Duration KILL_AGAIN_EVERY = Duration.ofSeconds(10);

    private static final int KILL_ATTEMPTS = 30;

    /** A killed process that has not ended by then may be frozen. */
    private static final Duration FROZEN_AFTER = Duration.ofMillis(200);

    private final NodeServices node;
    private final Inventory inventory;
    private final ContainerExits exits;
    private final PodPlugins plugins;
    private final Map<Container, StopInProgress> stops = new ConcurrentHashMap<>();

    StopContainer(
            NodeServices node, Inventory inventory, ContainerExits exits, PodPlugins plugins) {
        this.node = node;
        this.inventory = inventory;
        this.exits = exits;
        this.plugins = plugins;
    }

    StopContainerResponse run(StopContainerRequest request, Deadline deadline) {
        if (request.getTimeout() < 0) {
            throw PodException.invalid("timeout must not be negative: " + request.getTimeout());
        }
        inventory
                .findContainer(request.getContainerId())
                .ifPresent(container ->
                        stop(container, Duration.ofSeconds(request.getTimeout()), deadline));
        return StopContainerResponse.getDefaultInstance();
    }

    /** Whether the container is being killed, so that nothing new may start in it. */
    boolean isKilling(Container container) {
        StopInProgress stop = stops.get(container);
        return stop != null && stop.killing;
    }

    void stop(Container container, Duration grace, Deadline deadline) {
        if (container.state().isAlive()) {
            end(container, grace, deadline);
        }
        plugins.awaitStopTold(container, deadline);
    }

    private void end(Container container, Duration grace, Deadline deadline) {
        Deadline killAt = Deadline.after(grace);
        StopInProgress mine = new StopInProgress(container, killAt);
        StopInProgress stop = stops.computeIfAbsent(container, key -> mine);
        if (stop == mine) {
            Thread.ofVirtual().name("stop " + container).start(stop::perform);
        } else {
            stop.shortenTo(killAt);
        }
        CurrentStep.enter(stop::step);
        try {
            container.ended().get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException(stop.step());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PodException(
                    ErrorKind.CANCELLED, "stop of " + container + " was cancelled", e);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    private final class StopInProgress {
        private final Container container;
        private Deadline killAt;
        private volatile boolean killing;

        StopInProgress(Container container, Deadline killAt) {
            this.container = container;
            this.killAt = killAt;
        }

        String step() {
            return container
                    + " to end after "
                    + (killing ? "SIGKILL" : "its stop signal")
                    + " (the stop goes on)";
        }

        synchronized void shortenTo(Deadline other) {
            if (other.remainingNanos() < killAt.remainingNanos()) {
                killAt = other;
                notifyAll();
            }
        }

        void perform() {
            try {
                if (container.state() instanceof ContainerState.Running && !killAt.hasPassed()) {
                    signal(StopSignal.numberOf(container.effective().getStopSignal()));
                    awaitEndOrKillTime();
                }
                killing = true;
                for (int i = 0; i < KILL_ATTEMPTS && !container.ended().isDone(); i++) {
                    if (i > 0) {
                        LOG.warn(
                                "{} has not ended {} s after SIGKILL; it may be stuck in the kernel (see"
                                        + " /proc/<pid>/stack)",
                                container,
                                i * KILL_AGAIN_EVERY.toSeconds());
                    }
                    kill();
                    await(Deadline.after(FROZEN_AFTER));
                    if (!container.ended().isDone()) {
                        // A frozen process takes no signal, not even this one, on version 1.
                        node.cgroups()
                                .thawContainer(container.record().cgroupParent(), container.id());
                        await(Deadline.after(KILL_AGAIN_EVERY));
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (RuntimeException e) {
                LOG.warn("stop of {} failed: {}", container, e.toString());
            } finally {
                stops.remove(container, this);
            }
        }

        private void awaitEndOrKillTime() throws InterruptedException {
            var _ = container.ended().thenRun(this::wake);
            synchronized (this) {
                while (!container.ended().isDone() && !killAt.hasPassed()) {
                    wait(killAt.remainingMillis());
                }
            }
        }

        private synchronized void wake() {
            notifyAll();
        }

        private void await(Deadline deadline) throws InterruptedException {
            try {
                container.ended().get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
            } catch (TimeoutException e) {
                // The caller looks at the state and tries again.
            } catch (ExecutionException e) {
                throw new IllegalStateException(e);
            }
        }

        /** A start may be bringing its processes to life just now, and is waited for. */
        private void endUnrestored() {
            try {
                container.lock(Deadline.after(KILL_AGAIN_EVERY));
            } catch (DeadlineExceededException e) {
                return; // the caller tries again
            }
            try {
                if (container.state().isAlive() && container.record().awaitsRestore()) {
                    container.observe(
                            new ContainerState.Ended(
                                    node.nowNanos(),
                                    KILLED_EXIT_CODE,
                                    "NeverRestored",
                                    "it was stopped before its checkpoint was restored"));
                    exits.killCgroup(container);
                    return;
                }
            } finally {
                container.lock().unlock();
            }
            kill();
        }

        private void signal(int signal) {
            ProcessIdentity process = container.record().process();
            if (process == null || !LiveProcess.kill(node.linux(), process, signal)) {
                exits.settle(container);
            }
        }

        private void kill() {
            if (container.record().awaitsRestore()) {
                endUnrestored();
                return;
            }
            signal(SIGKILL);
            if (container.config().getLinux().getSecurityContext().getNamespaceOptions().getPid()
                    != NamespaceMode.CONTAINER) {
                // Without a PID namespace of its own nothing else ends its other processes.
                exits.killCgroup(container);
            }
        }
    }
}
