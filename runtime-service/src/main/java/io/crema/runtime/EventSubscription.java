package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerEventResponse;
import io.crema.runtime.state.PodException;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.Queue;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The events that one caller of GetContainerEvents has not taken yet, bounded in number and size.
 * When more come the subscription ends. Thread safe.
 */
public final class EventSubscription implements AutoCloseable {
    static final int MAX_EVENTS = 1000;
    static final long MAX_BYTES = 8 << 20;

    private final Runnable arrived;
    private final Consumer<EventSubscription> closer;
    private final IntConsumer dropped;
    private final Queue<ContainerEventResponse> waiting = new ArrayDeque<>();
    private long waitingBytes;
    private @Nullable PodException end;

    EventSubscription(Runnable arrived, Consumer<EventSubscription> closer, IntConsumer dropped) {
        this.arrived = arrived;
        this.closer = closer;
        this.dropped = dropped;
    }

    void offer(ContainerEventResponse event) {
        synchronized (this) {
            if (end != null) {
                return;
            }
            waitingBytes += event.getSerializedSize();
            if (waiting.size() < MAX_EVENTS && waitingBytes <= MAX_BYTES) {
                waiting.add(event);
            } else {
                dropped.accept(waiting.size() + 1);
                waiting.clear();
                end =
                        new PodException(
                                ErrorKind.RESOURCE_EXHAUSTED,
                                "more events came than were taken ("
                                        + MAX_EVENTS
                                        + " may wait); some are lost: list pods and containers and"
                                        + " subscribe again");
            }
        }
        arrived.run();
    }

    void end(PodException why) {
        synchronized (this) {
            if (end == null) {
                end = why;
            }
        }
        arrived.run();
    }

    /**
     * The next event; empty when there is none yet.
     *
     * @throws PodException when the subscription has ended and every event was taken
     */
    public synchronized Optional<ContainerEventResponse> next() {
        ContainerEventResponse event = waiting.poll();
        if (event == null && end != null) {
            throw end;
        }
        if (event != null) {
            waitingBytes -= event.getSerializedSize();
        }
        return Optional.ofNullable(event);
    }

    /** Whether no event will ever come again, and none is waiting. */
    public synchronized boolean isOver() {
        return end != null && waiting.isEmpty();
    }

    /** The caller has gone. */
    @Override
    public void close() {
        closer.accept(this);
        synchronized (this) {
            waiting.clear();
            waitingBytes = 0;
        }
    }
}
