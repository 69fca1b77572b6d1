package io.crema.server.grpc;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.Iterator;

/**
 * Sends the messages of a list as fast as their receiver takes them. While it takes none, nothing
 * waits: no thread, and no more of the next messages than the list they are made from.
 */
final class PacedStream<A> {
    private final ServerCallStreamObserver<A> observer;
    private final Iterator<A> messages;
    private boolean completed;

    private PacedStream(ServerCallStreamObserver<A> observer, Iterator<A> messages) {
        this.observer = observer;
        this.messages = messages;
    }

    /**
     * To be called before the method of the call returns; the messages follow when the connection
     * is ready.
     *
     * @param observer as gRPC gave it to the method
     */
    static <A> void send(StreamObserver<A> observer, Iterator<A> messages) {
        ServerCallStreamObserver<A> call = (ServerCallStreamObserver<A>) observer;
        PacedStream<A> stream = new PacedStream<>(call, messages);
        // With a handler of its own, a cancelled call drops what is sent instead of throwing.
        call.setOnCancelHandler(() -> {});
        call.setOnReadyHandler(stream::sendWhileReady);
    }

    /** gRPC calls it for one call by one thread at a time. */
    private void sendWhileReady() {
        while (observer.isReady() && messages.hasNext()) {
            observer.onNext(messages.next());
        }
        if (!messages.hasNext() && !completed && !observer.isCancelled()) {
            completed = true;
            observer.onCompleted();
        }
    }
}
