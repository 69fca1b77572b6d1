package io.crema.runtime.nri;

import com.google.protobuf.MessageLite;
import io.crema.base.ErrorKind;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerUpdate;
import io.crema.nri.v1alpha1.PodSandbox;
import io.crema.nri.v1alpha1.SynchronizeRequest;
import io.crema.nri.v1alpha1.SynchronizeResponse;
import io.crema.runtime.state.PodException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** All pods and containers in as many messages as their size demands. */
final class Synchronization {
    /** Below what a message may have, with room for what is around. */
    static final int MOST_BYTES = 3 << 20;

    private Synchronization() {}

    /**
     * @return what the plugin wants changed
     * @throws PodException when it does not take more than one message, or fails
     */
    static List<ContainerUpdate> run(
            Plugin plugin, List<PodSandbox> pods, List<Container> containers, Duration time) {
        List<SynchronizeRequest> requests = requests(pods, containers, MOST_BYTES);
        for (SynchronizeRequest request : requests) {
            SynchronizeResponse answer =
                    plugin.callOnce("Synchronize", request, SynchronizeResponse.parser(), time);
            if (!request.getMore()) {
                return answer.getUpdateList();
            }
            if (answer.getUpdateCount() > 0 || !answer.getMore()) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        plugin
                                + " cannot be told of "
                                + pods.size()
                                + " pods and "
                                + containers.size()
                                + " containers: it does not take more than one message; use a"
                                + " version of it that is built with NRI 0.7 or later");
            }
        }
        throw new IllegalStateException("no message was the last");
    }

    static List<SynchronizeRequest> requests(
            List<PodSandbox> pods, List<Container> containers, int mostBytes) {
        List<SynchronizeRequest> requests = new ArrayList<>();
        SynchronizeRequest.Builder next = SynchronizeRequest.newBuilder().setMore(true);
        int bytes = 0;
        for (PodSandbox pod : pods) {
            bytes += size(pod);
            if (bytes > mostBytes && next.getPodsCount() > 0) {
                requests.add(next.build());
                next = SynchronizeRequest.newBuilder().setMore(true);
                bytes = size(pod);
            }
            next.addPods(pod);
        }
        for (Container container : containers) {
            bytes += size(container);
            if (bytes > mostBytes && next.getPodsCount() + next.getContainersCount() > 0) {
                requests.add(next.build());
                next = SynchronizeRequest.newBuilder().setMore(true);
                bytes = size(container);
            }
            next.addContainers(container);
        }
        requests.add(next.setMore(false).build());
        return requests;
    }

    /** With its tag and length. */
    private static int size(MessageLite message) {
        return message.getSerializedSize() + 6;
    }
}
