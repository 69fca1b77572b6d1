package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerEventResponse;
import io.crema.cri.v1.ContainerEventType;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.PodSandboxStatus;
import io.crema.runtime.state.Changes;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * GetContainerEvents: tells subscribers of each change with the statuses of the whole pod at that
 * moment. Events have an order, and what an event says is at least as new as its time: kubelet
 * replaces what it knows of a pod by the status with the later time. Whoever brings a change about
 * never waits for a subscriber; one that does not keep up loses its subscription and is told so,
 * because an event left out in silence would be missed for ever.
 */
public final class PodEvents implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PodEvents.class);

    /** Kubelet has one; tools may watch, too. */
    static final int MAX_SUBSCRIPTIONS = 64;

    private final Inventory inventory;
    private final boolean enabled;
    private final RuntimeCounters counters;
    private final LongSupplier nowNanos;
    private final Function<PodSandbox, PodSandboxStatus> sandboxStatus;
    private final Function<Container, ContainerStatus> containerStatus;

    /** Makes the order of events: whoever holds it reads the statuses and puts the event in. */
    private final ReentrantLock order = new ReentrantLock();

    private final List<EventSubscription> subscriptions = new CopyOnWriteArrayList<>();
    private boolean closed;

    /**
     * @param enabled {@code enable_pod_events}
     * @param nowNanos nanoseconds since 1970
     */
    PodEvents(
            Inventory inventory,
            boolean enabled,
            RuntimeCounters counters,
            LongSupplier nowNanos,
            Function<PodSandbox, PodSandboxStatus> sandboxStatus,
            Function<Container, ContainerStatus> containerStatus) {
        this.inventory = inventory;
        this.enabled = enabled;
        this.counters = counters;
        this.nowNanos = nowNanos;
        this.sandboxStatus = sandboxStatus;
        this.containerStatus = containerStatus;
    }

    /**
     * All events from now on.
     *
     * @param arrived called when there may be something to take; must not wait
     * @throws PodException when events are turned off, or there are too many subscriptions
     */
    public EventSubscription subscribe(Runnable arrived) {
        if (!enabled) {
            throw new PodException(
                    ErrorKind.UNIMPLEMENTED,
                    "events are turned off by enable_pod_events = false in [crio.runtime]");
        }
        EventSubscription subscription =
                new EventSubscription(arrived, subscriptions::remove, counters::droppedEvents);
        order.lock();
        try {
            if (closed) {
                throw stopping();
            }
            if (subscriptions.size() >= MAX_SUBSCRIPTIONS) {
                throw new PodException(
                        ErrorKind.RESOURCE_EXHAUSTED,
                        "GetContainerEvents has "
                                + MAX_SUBSCRIPTIONS
                                + " callers already; end one of them");
            }
            subscriptions.add(subscription);
        } finally {
            order.unlock();
        }
        return subscription;
    }

    /** What an inventory is to be watched by. */
    Changes changes() {
        return new Changes() {
            @Override
            public void created(PodSandbox sandbox) {
                tell(sandbox, ContainerEventType.CONTAINER_CREATED_EVENT);
                tell(sandbox, ContainerEventType.CONTAINER_STARTED_EVENT);
            }

            @Override
            public void stopped(PodSandbox sandbox) {
                tell(sandbox, ContainerEventType.CONTAINER_STOPPED_EVENT);
            }

            @Override
            public void deleted(PodSandbox sandbox) {
                tell(sandbox, ContainerEventType.CONTAINER_DELETED_EVENT);
            }

            @Override
            public void created(Container container) {
                tell(container, ContainerEventType.CONTAINER_CREATED_EVENT);
            }

            @Override
            public void started(Container container) {
                tell(container, ContainerEventType.CONTAINER_STARTED_EVENT);
            }

            @Override
            public void stopped(Container container) {
                tell(container, ContainerEventType.CONTAINER_STOPPED_EVENT);
            }

            @Override
            public void deleted(Container container) {
                tell(container, ContainerEventType.CONTAINER_DELETED_EVENT);
            }
        };
    }

    private void tell(PodSandbox sandbox, ContainerEventType type) {
        tell(sandbox.id().value(), sandbox, type);
    }

    private void tell(Container container, ContainerEventType type) {
        if (!subscriptions.isEmpty()) {
            inventory
                    .sandbox(container.sandbox())
                    .ifPresent(sandbox -> tell(container.id().value(), sandbox, type));
        }
    }

    private void tell(String id, PodSandbox sandbox, ContainerEventType type) {
        if (subscriptions.isEmpty()) {
            return;
        }
        order.lock();
        try {
            ContainerEventResponse event = event(id, sandbox, type);
            for (EventSubscription subscription : subscriptions) {
                subscription.offer(event);
            }
        } catch (RuntimeException e) {
            // The change itself has happened and must not fail for want of a messenger.
            LOG.error("cannot tell {} of {}, ending all subscriptions", type, sandbox, e);
            endAll(
                    new PodException(
                            ErrorKind.INTERNAL,
                            "an event of " + sandbox + " could not be told; list again"));
        } finally {
            order.unlock();
        }
    }

    private ContainerEventResponse event(String id, PodSandbox sandbox, ContainerEventType type) {
        ContainerEventResponse.Builder event =
                ContainerEventResponse.newBuilder()
                        .setContainerId(id)
                        .setContainerEventType(type)
                        .setCreatedAt(nowNanos.getAsLong())
                        .setPodSandboxStatus(sandboxStatus.apply(sandbox));
        for (Container container : inventory.containersOf(sandbox.id())) {
            event.addContainersStatuses(containerStatus.apply(container));
        }
        return event.build();
    }

    private void endAll(PodException why) {
        subscriptions.forEach(subscription -> subscription.end(why));
        subscriptions.clear();
    }

    private static PodException stopping() {
        return new PodException(ErrorKind.UNAVAILABLE, "crema is stopping");
    }

    /** Ends all subscriptions, so that no call is in the way of a stopping server. */
    @Override
    public void close() {
        order.lock();
        try {
            closed = true;
            endAll(stopping());
        } finally {
            order.unlock();
        }
    }
}
