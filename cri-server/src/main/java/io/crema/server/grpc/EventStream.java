package io.crema.server.grpc;

import io.crema.base.CremaException;
import io.crema.cri.v1.ContainerEventResponse;
import io.crema.runtime.EventSubscription;
import io.crema.runtime.PodEvents;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One call of GetContainerEvents. Events go out when the connection takes them; whoever makes them
 * only leaves them in the subscription and has a thread begin to send.
 */
final class EventStream {
    private final ServerCallStreamObserver<ContainerEventResponse> observer;
    private final EventSubscription subscription;
    private final AtomicBoolean sendingSoon = new AtomicBoolean();

    /** A gRPC call is for one thread at a time. */
    private final ReentrantLock sending = new ReentrantLock();

    private boolean ended;

    private EventStream(
            ServerCallStreamObserver<ContainerEventResponse> observer, PodEvents events) {
        this.observer = observer;
        this.subscription = events.subscribe(this::arrived);
    }

    /**
     * To be called before the method of the call returns.
     *
     * @param observer as gRPC gave it to the method
     */
    static void open(PodEvents events, StreamObserver<ContainerEventResponse> observer) {
        ServerCallStreamObserver<ContainerEventResponse> call =
                (ServerCallStreamObserver<ContainerEventResponse>) observer;
        EventStream stream = new EventStream(call, events);
        call.setOnCancelHandler(stream.subscription::close);
        call.setOnReadyHandler(stream::send);
    }

    private void arrived() {
        if (sendingSoon.compareAndSet(false, true)) {
            Thread.ofVirtual().name("events").start(this::send);
        }
    }

    private void send() {
        sending.lock();
        try {
            sendingSoon.set(false);
            while (!ended && (observer.isReady() || subscription.isOver())) {
                Optional<ContainerEventResponse> event = subscription.next();
                if (event.isEmpty()) {
                    return;
                }
                observer.onNext(event.get());
            }
        } catch (CremaException e) {
            ended = true;
            subscription.close();
            observer.onError(StatusMapper.failure(e).status().asRuntimeException());
        } finally {
            sending.unlock();
        }
    }
}
