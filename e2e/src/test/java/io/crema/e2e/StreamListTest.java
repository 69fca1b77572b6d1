package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.Container;
import io.crema.cri.v1.ContainerFilter;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStateValue;
import io.crema.cri.v1.ContainerStatsFilter;
import io.crema.cri.v1.ImageFilter;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListImagesRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.PodSandboxFilter;
import io.crema.cri.v1.PodSandboxStatsFilter;
import io.crema.cri.v1.StreamContainerStatsRequest;
import io.crema.cri.v1.StreamContainersRequest;
import io.crema.cri.v1.StreamContainersResponse;
import io.crema.cri.v1.StreamImagesRequest;
import io.crema.cri.v1.StreamPodSandboxMetricsRequest;
import io.crema.cri.v1.StreamPodSandboxStatsRequest;
import io.crema.cri.v1.StreamPodSandboxesRequest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The streamed lists say what the lists in one message say, in messages of bounded size. */
@Tag("e2e")
class StreamListTest {
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @BeforeEach
    void onlyOurs() {
        Peers.differ(node, "containerd 1.6 has no streamed lists");
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    @Test
    void podsAreStreamedWithTheSameFilters() {
        TestPod one = TestPod.run(node, pod -> pod.putLabels("n", "1"));
        TestPod two = TestPod.run(node, pod -> pod.putLabels("n", "2"));
        two.stop();
        for (PodSandboxFilter filter :
                List.of(
                        PodSandboxFilter.getDefaultInstance(),
                        PodSandboxFilter.newBuilder().putLabelSelector("n", "1").build(),
                        PodSandboxFilter.newBuilder().setId(two.id()).build(),
                        PodSandboxFilter.newBuilder()
                                .setState(
                                        io.crema.cri.v1.PodSandboxStateValue.newBuilder()
                                                .setState(
                                                        io.crema.cri.v1.PodSandboxState
                                                                .SANDBOX_NOTREADY))
                                .build(),
                        PodSandboxFilter.newBuilder().setId("f".repeat(64)).build())) {
            assertThat(
                            all(
                                    node.client()
                                            .runtime()
                                            .streamPodSandboxes(
                                                    StreamPodSandboxesRequest.newBuilder()
                                                            .setFilter(filter)
                                                            .build()),
                                    message -> message.getPodSandboxesList()))
                    .containsExactlyInAnyOrderElementsOf(
                            node.client()
                                    .runtime()
                                    .listPodSandbox(
                                            ListPodSandboxRequest.newBuilder()
                                                    .setFilter(filter)
                                                    .build())
                                    .getItemsList());
        }
        assertThat(one.id()).isNotEqualTo(two.id());
    }

    @Test
    void containersAreStreamedInMessagesOfBoundedSize() {
        TestPod pod = TestPod.run(node);
        String large = "x".repeat(300_000);
        for (int i = 0; i < 8; i++) {
            pod.create(
                    pod.shell("c" + i, "exec sleep 1000")
                            .putLabels("large", large)
                            .putLabels("n", Integer.toString(i % 2))
                            .build());
        }
        String running = pod.launch(pod.shell("running", "exec sleep 1000"));
        Iterator<StreamContainersResponse> messages =
                node.client()
                        .runtime()
                        .streamContainers(StreamContainersRequest.getDefaultInstance());
        List<Container> streamed = new ArrayList<>();
        int count = 0;
        while (messages.hasNext()) {
            StreamContainersResponse message = messages.next();
            assertThat(message.getContainersCount()).isPositive();
            assertThat(message.getSerializedSize()).isLessThan(1_100_000);
            streamed.addAll(message.getContainersList());
            count++;
        }
        assertThat(count).isBetween(3, 9);
        assertThat(streamed)
                .containsExactlyInAnyOrderElementsOf(list(ContainerFilter.getDefaultInstance()));
        for (ContainerFilter filter :
                List.of(
                        ContainerFilter.newBuilder().putLabelSelector("n", "1").build(),
                        ContainerFilter.newBuilder().setPodSandboxId(pod.id()).build(),
                        ContainerFilter.newBuilder()
                                .setState(
                                        ContainerStateValue.newBuilder()
                                                .setState(ContainerState.CONTAINER_RUNNING))
                                .build(),
                        ContainerFilter.newBuilder().setId(running).build())) {
            assertThat(
                            all(
                                    node.client()
                                            .runtime()
                                            .streamContainers(
                                                    StreamContainersRequest.newBuilder()
                                                            .setFilter(filter)
                                                            .build()),
                                    message -> message.getContainersList()))
                    .isNotEmpty()
                    .containsExactlyInAnyOrderElementsOf(list(filter));
        }
    }

    @Test
    void statisticsAndMetricsAreStreamed() {
        TestPod pod = TestPod.run(node, config -> config.putLabels("l", "v"));
        TestPod other = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000").putLabels("l", "v"));
        String another = other.launch(other.shell("two", "exec sleep 1000"));
        assertThat(
                        all(
                                node.client()
                                        .runtime()
                                        .streamContainerStats(
                                                StreamContainerStatsRequest.getDefaultInstance()),
                                message -> message.getContainerStatsList()))
                .extracting(stats -> stats.getAttributes().getId())
                .containsExactlyInAnyOrder(id, another);
        assertThat(
                        all(
                                node.client()
                                        .runtime()
                                        .streamContainerStats(
                                                StreamContainerStatsRequest.newBuilder()
                                                        .setFilter(
                                                                ContainerStatsFilter.newBuilder()
                                                                        .putLabelSelector("l", "v"))
                                                        .build()),
                                message -> message.getContainerStatsList()))
                .extracting(stats -> stats.getAttributes().getId())
                .containsExactly(id);
        assertThat(
                        all(
                                node.client()
                                        .runtime()
                                        .streamPodSandboxStats(
                                                StreamPodSandboxStatsRequest.newBuilder()
                                                        .setFilter(
                                                                PodSandboxStatsFilter.newBuilder()
                                                                        .putLabelSelector("l", "v"))
                                                        .build()),
                                message -> message.getPodSandboxStatsList()))
                .extracting(stats -> stats.getAttributes().getId())
                .containsExactly(pod.id());
        assertThat(
                        all(
                                node.client()
                                        .runtime()
                                        .streamPodSandboxMetrics(
                                                StreamPodSandboxMetricsRequest
                                                        .getDefaultInstance()),
                                message -> message.getPodSandboxMetricsList()))
                .extracting(metrics -> metrics.getPodSandboxId())
                .containsExactlyInAnyOrder(pod.id(), other.id());
    }

    @Test
    void imagesAreStreamed() {
        for (String wanted : List.of("", TestNode.BUSYBOX, "localhost/none/none:1")) {
            ImageFilter filter =
                    ImageFilter.newBuilder()
                            .setImage(ImageSpec.newBuilder().setImage(wanted))
                            .build();
            assertThat(
                            all(
                                    node.client()
                                            .images()
                                            .streamImages(
                                                    StreamImagesRequest.newBuilder()
                                                            .setFilter(filter)
                                                            .build()),
                                    message -> message.getImagesList()))
                    .containsExactlyInAnyOrderElementsOf(
                            node.client()
                                    .images()
                                    .listImages(
                                            ListImagesRequest.newBuilder()
                                                    .setFilter(filter)
                                                    .build())
                                    .getImagesList())
                    .hasSize(wanted.startsWith("localhost/none") ? 0 : 1);
        }
    }

    private static List<Container> list(ContainerFilter filter) {
        return node.client()
                .runtime()
                .listContainers(ListContainersRequest.newBuilder().setFilter(filter).build())
                .getContainersList();
    }

    private static <M, I> List<I> all(Iterator<M> messages, Function<M, List<I>> items) {
        List<I> all = new ArrayList<>();
        messages.forEachRemaining(message -> all.addAll(items.apply(message)));
        return all;
    }
}
