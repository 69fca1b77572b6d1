package io.crema.runtime.nri;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.PodSandbox;
import io.crema.nri.v1alpha1.SynchronizeRequest;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How many messages tell a plugin of all pods and containers. */
final class SynchronizationTest {
    private static List<PodSandbox> pods(int count) {
        List<PodSandbox> pods = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            pods.add(PodSandbox.newBuilder().setId("p" + i).setName("x".repeat(100)).build());
        }
        return pods;
    }

    private static List<Container> containers(int count) {
        List<Container> containers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            containers.add(Container.newBuilder().setId("c" + i).setName("x".repeat(100)).build());
        }
        return containers;
    }

    @Test
    void anEmptyNodeIsOneMessage() {
        assertThat(Synchronization.requests(List.of(), List.of(), 1000))
                .containsExactly(SynchronizeRequest.getDefaultInstance());
    }

    @Test
    void whatFitsIsOneMessage() {
        List<SynchronizeRequest> requests = Synchronization.requests(pods(3), containers(3), 1000);
        assertThat(requests).hasSize(1);
        assertThat(requests.getFirst().getMore()).isFalse();
        assertThat(requests.getFirst().getPodsCount()).isEqualTo(3);
        assertThat(requests.getFirst().getContainersCount()).isEqualTo(3);
    }

    @Test
    void whatIsTooMuchIsSplitInOrderAndAllButTheLastSaysSo() {
        List<PodSandbox> pods = pods(25);
        List<Container> containers = containers(40);
        List<SynchronizeRequest> requests = Synchronization.requests(pods, containers, 1000);
        assertThat(requests.size()).isBetween(7, 12);
        assertThat(requests)
                .allMatch(request -> request.getSerializedSize() <= 1010)
                .allMatch(request -> request.getPodsCount() + request.getContainersCount() > 0);
        assertThat(requests.subList(0, requests.size() - 1)).allMatch(SynchronizeRequest::getMore);
        assertThat(requests.getLast().getMore()).isFalse();
        assertThat(requests.stream().flatMap(request -> request.getPodsList().stream()))
                .containsExactlyElementsOf(pods);
        assertThat(requests.stream().flatMap(request -> request.getContainersList().stream()))
                .containsExactlyElementsOf(containers);
    }

    @Test
    void oneThatIsTooLargeByItselfGoesAlone() {
        assertThat(Synchronization.requests(pods(2), List.of(), 10)).hasSize(2);
    }
}
