package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerEventResponse;
import io.crema.cri.v1.ContainerEventType;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.PodSandboxStatus;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.SandboxRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PodEventsTest {
    @TempDir Path directory;
    private final Inventory inventory = new Inventory();
    private final AtomicLong now = new AtomicLong();
    private Layout layout;
    private PodEvents events;
    private PodSandbox pod;

    @BeforeEach
    void watchedInventory() throws IOException {
        layout = TestContainers.layout(directory);
        events = events(true);
        inventory.watch(events.changes());
        Files.createDirectories(layout.sandbox(TestContainers.POD));
        pod =
                new PodSandbox(
                        layout,
                        new SandboxRecord(
                                SandboxRecord.VERSION,
                                TestContainers.POD,
                                "web",
                                "default",
                                "uid",
                                0,
                                new byte[0],
                                "",
                                "web",
                                "/pod",
                                true,
                                List.of(),
                                null,
                                null,
                                false,
                                false,
                                1,
                                new byte[0],
                                new byte[0]));
    }

    private PodEvents events(boolean enabled) {
        return new PodEvents(
                inventory,
                enabled,
                new RuntimeCounters(),
                now::incrementAndGet,
                sandbox ->
                        PodSandboxStatus.newBuilder()
                                .setId(sandbox.id().value())
                                .setMetadata(PodSandboxMetadata.newBuilder().setUid("uid"))
                                .build(),
                ContainerAnswers::status);
    }

    private static List<ContainerEventType> taken(EventSubscription subscription) {
        List<ContainerEventType> taken = new ArrayList<>();
        for (var event = subscription.next(); event.isPresent(); event = subscription.next()) {
            taken.add(event.get().getContainerEventType());
        }
        return taken;
    }

    @Test
    void aLifeIsToldInOrderAndEachStepOnce() throws IOException {
        AtomicInteger calls = new AtomicInteger();
        EventSubscription subscription = events.subscribe(calls::incrementAndGet);
        inventory.add(pod);
        Container container = TestContainers.created(layout, "/pod");
        inventory.add(container);
        container.observe(new ContainerState.Started(2));
        container.observe(new ContainerState.Started(3));
        container.observe(new ContainerState.Ended(4, 0, "Completed", ""));
        container.observe(new ContainerState.Ended(5, 1, "Error", ""));
        inventory.remove(container);
        inventory.remove(container);
        pod.tellStopped();
        pod.lost();
        inventory.remove(pod);
        assertThat(taken(subscription))
                .containsExactly(
                        ContainerEventType.CONTAINER_CREATED_EVENT,
                        ContainerEventType.CONTAINER_STARTED_EVENT,
                        ContainerEventType.CONTAINER_CREATED_EVENT,
                        ContainerEventType.CONTAINER_STARTED_EVENT,
                        ContainerEventType.CONTAINER_STOPPED_EVENT,
                        ContainerEventType.CONTAINER_DELETED_EVENT,
                        ContainerEventType.CONTAINER_STOPPED_EVENT,
                        ContainerEventType.CONTAINER_DELETED_EVENT);
        assertThat(calls).hasValue(8);
    }

    @Test
    void nothingIsMadeWhenNobodyListens() {
        inventory.add(pod);
        assertThat(now).hasValue(0);
        EventSubscription subscription = events.subscribe(() -> {});
        assertThat(subscription.next()).isEmpty();
        subscription.close();
        inventory.remove(pod);
        assertThat(now).hasValue(0);
    }

    @Test
    void whoDoesNotTakeIsEndedAndOthersAreNot() {
        EventSubscription slow = events.subscribe(() -> {});
        EventSubscription quick = events.subscribe(() -> {});
        int told = 0;
        for (int i = 0; i <= EventSubscription.MAX_EVENTS / 3; i++) {
            inventory.add(pod);
            inventory.remove(pod);
            told += taken(quick).size();
        }
        assertThat(told).isGreaterThan(EventSubscription.MAX_EVENTS);
        assertThat(slow.isOver()).isTrue();
        assertThatThrownBy(slow::next)
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.RESOURCE_EXHAUSTED));
        assertThat(quick.next()).isEmpty();
    }

    @Test
    void theTimeOfAnEventIsNotAfterItsStatuses() throws IOException {
        // Kubelet takes a status for as new as the event's time: it must not be older.
        EventSubscription subscription = events.subscribe(() -> {});
        inventory.add(pod);
        Container container = TestContainers.running(layout);
        inventory.add(container);
        taken(subscription);
        container.observe(new ContainerState.Ended(4, 7, "Error", ""));
        ContainerEventResponse event = subscription.next().orElseThrow();
        assertThat(event.getCreatedAt()).isEqualTo(now.get());
        assertThat(event.getContainersStatuses(0).getExitCode()).isEqualTo(7);
        assertThat(event.getPodSandboxStatus().getId()).isEqualTo(pod.id().value());
    }

    @Test
    void subscriptionsAreBoundedAndEndWithTheDaemon() {
        List<EventSubscription> subscriptions = new ArrayList<>();
        for (int i = 0; i < PodEvents.MAX_SUBSCRIPTIONS; i++) {
            subscriptions.add(events.subscribe(() -> {}));
        }
        assertKind(ErrorKind.RESOURCE_EXHAUSTED, () -> events.subscribe(() -> {}));
        subscriptions.removeLast().close();
        EventSubscription last = events.subscribe(() -> {});
        inventory.add(pod);
        events.close();
        assertThat(untilOver(last)).hasSize(2);
        assertKind(ErrorKind.UNAVAILABLE, last::next);
        assertKind(ErrorKind.UNAVAILABLE, () -> events.subscribe(() -> {}));
        assertKind(ErrorKind.UNIMPLEMENTED, () -> events(false).subscribe(() -> {}));
    }

    private static List<ContainerEventResponse> untilOver(EventSubscription subscription) {
        List<ContainerEventResponse> taken = new ArrayList<>();
        while (!subscription.isOver()) {
            taken.add(subscription.next().orElseThrow());
        }
        return taken;
    }

    private static void assertKind(
            ErrorKind kind, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        PodException.class, e -> assertThat(e.kind()).isEqualTo(kind));
    }
}
