package io.crema.runtime.nri;

import com.google.protobuf.MessageLite;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.Event;
import io.crema.nri.v1alpha1.PodSandbox;
import io.crema.nri.v1alpha1.PostCreateContainerRequest;
import io.crema.nri.v1alpha1.StateChangeEvent;
import java.util.Optional;

/**
 * What is told of an event that needs no answer: a pod, and the container when the event is one of
 * a container.
 */
public record PluginNotice(PodSandbox pod, Optional<Container> container) {
    /** The requests of all such events have the same two fields. */
    MessageLite message() {
        PostCreateContainerRequest.Builder message =
                PostCreateContainerRequest.newBuilder().setPod(pod);
        container.ifPresent(message::setContainer);
        return message.build();
    }

    /** For plugins older than the methods of their own that events have. */
    MessageLite stateChange(Event event) {
        StateChangeEvent.Builder message =
                StateChangeEvent.newBuilder().setEvent(event).setPod(pod);
        container.ifPresent(message::setContainer);
        return message.build();
    }
}
