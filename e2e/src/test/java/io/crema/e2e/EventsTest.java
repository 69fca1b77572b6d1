package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.cri.v1.ContainerEventResponse;
import io.crema.cri.v1.ContainerEventType;
import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.GetEventsRequest;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxState;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.PodSandboxStatusResponse;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** GetContainerEvents, as kubelet's evented PLEG needs it. */
@Tag("e2e")
class EventsTest {
    private static final long WAIT_SECONDS = 30;

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
        Peers.differ(node, "containerd 1.6 has no events");
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    @Test
    void eachStepOfPodsAndContainersIsToldWithTheStatusesOfThatMoment() throws Exception {
        Watcher watcher = Watcher.subscribed();
        TestPod pod = TestPod.run(node);
        ContainerEventResponse created = watcher.next(pod);
        assertThat(created.getContainerId()).isEqualTo(pod.id());
        assertThat(created.getContainerEventType())
                .isEqualTo(ContainerEventType.CONTAINER_CREATED_EVENT);
        assertThat(created.getCreatedAt()).isPositive();
        assertThat(created.getPodSandboxStatus().getMetadata())
                .isEqualTo(pod.config().getMetadata());
        assertThat(created.getPodSandboxStatus().getState())
                .isEqualTo(PodSandboxState.SANDBOX_READY);
        assertThat(created.getPodSandboxStatus().getNetwork().getIp()).isNotEmpty();
        assertThat(created.getContainersStatusesList()).isEmpty();
        expect(watcher.next(pod), pod.id(), ContainerEventType.CONTAINER_STARTED_EVENT);

        String id = pod.create(pod.shell("one", "exit 3").build());
        ContainerEventResponse of = watcher.next(pod);
        expect(of, id, ContainerEventType.CONTAINER_CREATED_EVENT);
        assertThat(of.getContainersStatuses(0).getState())
                .isEqualTo(ContainerState.CONTAINER_CREATED);
        pod.start(id);
        of = watcher.next(pod);
        expect(of, id, ContainerEventType.CONTAINER_STARTED_EVENT);
        assertThat(of.getContainersStatuses(0).getState())
                .isEqualTo(ContainerState.CONTAINER_RUNNING);
        of = watcher.next(pod);
        expect(of, id, ContainerEventType.CONTAINER_STOPPED_EVENT);
        assertThat(of.getContainersStatuses(0).getState())
                .isEqualTo(ContainerState.CONTAINER_EXITED);
        assertThat(of.getContainersStatuses(0).getExitCode()).isEqualTo(3);
        pod.remove(id);
        of = watcher.next(pod);
        expect(of, id, ContainerEventType.CONTAINER_DELETED_EVENT);
        assertThat(of.getContainersStatusesList()).isEmpty();
        assertThat(of.getPodSandboxStatus().getId()).isEqualTo(pod.id());

        pod.stop();
        pod.stop();
        of = watcher.next(pod);
        expect(of, pod.id(), ContainerEventType.CONTAINER_STOPPED_EVENT);
        assertThat(of.getPodSandboxStatus().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        pod.remove();
        of = watcher.next(pod);
        expect(of, pod.id(), ContainerEventType.CONTAINER_DELETED_EVENT);
        // By its uid kubelet knows which pod to forget.
        assertThat(of.getPodSandboxStatus().getMetadata().getUid())
                .isEqualTo(pod.config().getMetadata().getUid());
        assertThat(watcher.times()).isSorted();
    }

    @Test
    void aContainerKilledFromOutsideIsToldAtOnce() throws Exception {
        Watcher watcher = Watcher.subscribed();
        TestPod pod = TestPod.run(node);
        String stays = pod.launch(pod.shell("stays", "exec sleep 1000"));
        String id = pod.launch(pod.shell("killed", "exec sleep 1000"));
        kill(id);
        ContainerEventResponse event = watcher.next(pod);
        while (event.getContainerEventType() != ContainerEventType.CONTAINER_STOPPED_EVENT) {
            event = watcher.next(pod);
        }
        assertThat(event.getContainerId()).isEqualTo(id);
        assertThat(event.getContainersStatusesList())
                .extracting(status -> status.getId())
                .containsExactlyInAnyOrder(stays, id);
    }

    @Test
    void aPodWhoseInitDiesIsToldAsStopped() throws Exception {
        Watcher watcher = Watcher.subscribed();
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.getLinuxBuilder()
                                        .getSecurityContextBuilder()
                                        .getNamespaceOptionsBuilder()
                                        .setPid(NamespaceMode.POD));
        String info =
                node.client()
                        .runtime()
                        .podSandboxStatus(
                                PodSandboxStatusRequest.newBuilder()
                                        .setPodSandboxId(pod.id())
                                        .setVerbose(true)
                                        .build())
                        .getInfoOrThrow("info");
        kill(new ObjectMapper().readTree(info).path("pid").asLong());
        ContainerEventResponse event = watcher.next(pod);
        while (event.getContainerEventType() != ContainerEventType.CONTAINER_STOPPED_EVENT) {
            event = watcher.next(pod);
        }
        assertThat(event.getContainerId()).isEqualTo(pod.id());
        assertThat(event.getPodSandboxStatus().getState())
                .isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
    }

    @Test
    void theStatusOfAPodHasItsContainersAndItsTime() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(pod.shell("one", "exec sleep 1000"));
        PodSandboxStatusResponse status =
                node.client()
                        .runtime()
                        .podSandboxStatus(
                                PodSandboxStatusRequest.newBuilder()
                                        .setPodSandboxId(pod.id())
                                        .build());
        assertThat(status.getTimestamp()).isGreaterThan(pod.status(id).getStartedAt());
        assertThat(status.getContainersStatusesList()).containsExactly(pod.status(id));
    }

    @Test
    void aSubscriberThatTakesNothingIsEndedAndHoldsNobodyUp() throws Exception {
        // Takes one message and then none: what the connection does not take waits in the daemon.
        Iterator<ContainerEventResponse> slow =
                node.client().runtime().getContainerEvents(GetEventsRequest.getDefaultInstance());
        Watcher watcher = Watcher.subscribed();
        assertThat(slow.hasNext()).isTrue();
        TestPod pod = TestPod.run(node, EventsTest::enlarge);
        int containers = 12;
        long begin = System.nanoTime();
        for (int i = 0; i < containers; i++) {
            pod.remove(pod.create(pod.shell("c" + i, "true").build()));
        }
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(20));
        // Created, stopped and deleted, and the pod's own two.
        for (int i = 0; i < 3 * containers + 2; i++) {
            assertThat(watcher.next(pod)).isNotNull();
        }
        Status end = Status.OK;
        int taken = 0;
        try {
            while (slow.hasNext()) {
                slow.next();
                taken++;
            }
        } catch (StatusRuntimeException e) {
            end = e.getStatus();
        }
        assertThat(taken).isLessThan(3 * containers);
        assertThat(end.getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        assertThat(end.getDescription()).contains("some are lost", "subscribe again");
    }

    @Test
    void aStoppingDaemonEndsTheStreamAndTheOptionTurnsItOff() throws Exception {
        Watcher watcher = Watcher.subscribed();
        long begin = System.nanoTime();
        node.stop();
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(4));
        assertThat(watcher.end()).isEqualTo(Status.Code.UNAVAILABLE);
        Path file = node.directory().resolve("etc/crema.conf");
        String configuration = Files.readString(file);
        try {
            Files.writeString(
                    file,
                    configuration.replace(
                            "[crio.runtime]\n", "[crio.runtime]\nenable_pod_events = false\n"));
            node.startDaemon();
            Iterator<ContainerEventResponse> refused =
                    node.client()
                            .runtime()
                            .getContainerEvents(GetEventsRequest.getDefaultInstance());
            ContainerLifecycleTest.assertCode(Status.Code.UNIMPLEMENTED, refused::hasNext);
            TestPod pod = TestPod.run(node);
            assertThat(
                            node.client()
                                    .runtime()
                                    .podSandboxStatus(
                                            PodSandboxStatusRequest.newBuilder()
                                                    .setPodSandboxId(pod.id())
                                                    .build())
                                    .getTimestamp())
                    .isZero();
        } finally {
            Files.writeString(file, configuration);
            node.restart();
        }
    }

    private static void enlarge(PodSandboxConfig.Builder config) {
        for (int i = 0; i < 200; i++) {
            config.putLabels("l" + i, "x".repeat(3500));
        }
    }

    private static void kill(String id) throws IOException {
        String info =
                node.client()
                        .runtime()
                        .containerStatus(
                                ContainerStatusRequest.newBuilder()
                                        .setContainerId(id)
                                        .setVerbose(true)
                                        .build())
                        .getInfoOrThrow("info");
        kill(new ObjectMapper().readTree(info).path("pid").asLong());
    }

    private static void kill(long pid) {
        assertThat(ProcessHandle.of(pid).orElseThrow().destroyForcibly()).isTrue();
    }

    private static void expect(ContainerEventResponse event, String id, ContainerEventType type) {
        assertThat(event.getContainerEventType()).isEqualTo(type);
        assertThat(event.getContainerId()).isEqualTo(id);
    }

    /** Takes all events as they come. */
    private static final class Watcher {
        private final BlockingQueue<ContainerEventResponse> events = new LinkedBlockingQueue<>();
        private final List<Long> times = new ArrayList<>();
        private final CompletableFuture<Status.Code> end = new CompletableFuture<>();

        /** Returns when the daemon tells this watcher of what happens. */
        static Watcher subscribed() throws InterruptedException {
            Watcher watcher = new Watcher();
            Iterator<ContainerEventResponse> stream =
                    node.client()
                            .runtime()
                            .getContainerEvents(GetEventsRequest.getDefaultInstance());
            Thread.ofVirtual().start(() -> watcher.take(stream));
            // Nothing tells when a subscription has begun but its first event.
            for (int i = 0; i < 20; i++) {
                TestPod probe = TestPod.run(node);
                probe.stop();
                probe.remove();
                if (watcher.events.poll(500, TimeUnit.MILLISECONDS) != null) {
                    return watcher;
                }
            }
            throw new AssertionError("no event came");
        }

        private void take(Iterator<ContainerEventResponse> stream) {
            try {
                stream.forEachRemaining(events::add);
                end.complete(Status.Code.OK);
            } catch (StatusRuntimeException e) {
                end.complete(e.getStatus().getCode());
            }
        }

        ContainerEventResponse next(TestPod pod) throws InterruptedException {
            while (true) {
                ContainerEventResponse event = events.poll(WAIT_SECONDS, TimeUnit.SECONDS);
                if (event == null) {
                    throw new AssertionError("no event of " + pod.id() + " came");
                }
                times.add(event.getCreatedAt());
                if (event.getPodSandboxStatus().getId().equals(pod.id())) {
                    return event;
                }
            }
        }

        List<Long> times() {
            return times;
        }

        Status.Code end() throws Exception {
            return end.get(WAIT_SECONDS, TimeUnit.SECONDS);
        }
    }
}
