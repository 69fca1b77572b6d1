package io.crema.runtime.nri;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.conf.NriConfiguration;
import io.crema.conf.NriValidatorConfiguration;
import io.crema.nri.v1alpha1.ConfigureResponse;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerEviction;
import io.crema.nri.v1alpha1.ContainerUpdate;
import io.crema.nri.v1alpha1.CreateContainerRequest;
import io.crema.nri.v1alpha1.CreateContainerResponse;
import io.crema.nri.v1alpha1.PodSandbox;
import io.crema.nri.v1alpha1.SynchronizeRequest;
import io.crema.nri.v1alpha1.SynchronizeResponse;
import io.crema.nri.v1alpha1.UpdateContainersRequest;
import io.crema.nri.v1alpha1.UpdateContainersResponse;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxSockets.UnixSocket;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.PollLoop;
import io.crema.runtime.spec.Node;
import io.crema.runtime.spec.ResourceRequest;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Plugins that are written here, on a node of two lists. */
@Timeout(60)
final class PluginsTest implements NodeView {
    private static final Linux LINUX = JnaLinux.load();
    private static final Duration LONG = Duration.ofSeconds(20);

    @TempDir private Path directory;
    private final List<PodSandbox> pods = Collections.synchronizedList(new ArrayList<>());
    private final List<Container> containers = Collections.synchronizedList(new ArrayList<>());
    private final List<String> changes = Collections.synchronizedList(new ArrayList<>());
    private final Set<String> gone = ConcurrentHashMap.newKeySet();
    private volatile Callable<Boolean> beforeUpdate = () -> true;
    private PollLoop loop;
    private Plugins plugins;

    @Override
    public List<PodSandbox> pods() {
        return List.copyOf(pods);
    }

    @Override
    public List<Container> containers() {
        return List.copyOf(containers);
    }

    @Override
    public boolean update(String container, ResourceRequest wanted, Deadline deadline) {
        if (gone.contains(container)) {
            return false;
        }
        try {
            beforeUpdate.call();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
        changes.add(container + " gets " + wanted.cri().getCpuShares());
        return true;
    }

    @Override
    public void evict(ContainerEviction eviction, String plugin) {
        changes.add(eviction.getContainerId() + " is evicted: " + eviction.getReason());
    }

    @BeforeEach
    void start() {
        loop = PollLoop.start(LINUX);
        plugins = started(validator(false));
    }

    @AfterEach
    void stop() {
        plugins.close();
        loop.close();
    }

    private static NriValidatorConfiguration validator(boolean isEnabled) {
        return new NriValidatorConfiguration(
                isEnabled, false, false, false, false, false, List.of("guard"), "");
    }

    private Plugins started(NriValidatorConfiguration validator) {
        return started(validator, false);
    }

    private Plugins started(NriValidatorConfiguration validator, boolean connectionsDisabled) {
        return Plugins.start(
                new PluginSettings(
                        LINUX,
                        loop,
                        Node.usual(),
                        new NriConfiguration(
                                true,
                                socket(),
                                directory.resolve("none"),
                                directory.resolve("none"),
                                connectionsDisabled,
                                Duration.ofSeconds(2),
                                Duration.ofSeconds(1),
                                validator),
                        directory,
                        "crema",
                        "1.2.3"),
                this);
    }

    private Path socket() {
        return directory.resolve("nri/nri.sock");
    }

    private FakePlugin connect(String index, String name) throws Exception {
        FakePlugin plugin = FakePlugin.connect(socket(), index, name);
        plugin.serve();
        plugin.awaitCall("Synchronize");
        // Seen here only once it was asked something.
        awaitReady();
        return plugin;
    }

    private void awaitReady() {
        plugins.tellAfter(
                PluginEvent.POST_UPDATE_POD_SANDBOX,
                "nothing",
                () -> new PluginNotice(pod("probe"), Optional.empty()),
                Deadline.after(LONG));
    }

    private static PodSandbox pod(String id) {
        return PodSandbox.newBuilder().setId(id).build();
    }

    private static Container container(String id) {
        return Container.newBuilder().setId(id).setName("name-" + id).build();
    }

    private void run(String id) {
        plugins.tellBefore(
                PluginEvent.RUN_POD_SANDBOX,
                "pod " + id,
                () -> new PluginNotice(pod(id), Optional.empty()),
                Deadline.after(LONG));
    }

    private Optional<ContainerMerge> create(String id) {
        return plugins.createContainer(
                "container " + id,
                () ->
                        CreateContainerRequest.newBuilder()
                                .setPod(pod("p"))
                                .setContainer(container(id))
                                .build(),
                Deadline.after(LONG));
    }

    @Test
    void withoutPluginsNothingIsMade() {
        assertThat(plugins.isIdle()).isTrue();
        plugins.tellBefore(
                PluginEvent.RUN_POD_SANDBOX,
                "pod",
                () -> {
                    throw new AssertionError("a message is made for nobody");
                },
                Deadline.after(LONG));
        assertThat(create("c")).isEmpty();
        assertThat(socket()).exists();
    }

    @Test
    void nobodyConnectsWhereThatIsDisabled() {
        plugins.close();
        plugins = started(validator(false), true);
        assertThat(socket()).doesNotExist();
    }

    @Test
    void aStaleSocketIsReplacedAndALiveOneLeftAlone() throws IOException {
        plugins.close();
        assertThat(socket()).doesNotExist();
        LINUX.listen(socket(), UnixSocket.STREAM, 1).close();
        assertThat(socket()).exists();
        plugins = started(validator(false));
        Plugins second = started(validator(false));
        second.close();
        // The second did not listen, so it took nothing away.
        assertThat(Files.exists(socket())).isTrue();
    }

    @Test
    void isConfiguredSynchronizedAndAskedInTheOrderOfTheIndices() throws Exception {
        pods.add(pod("p"));
        containers.add(container("old"));
        try (FakePlugin second = connect("20", "second");
                FakePlugin first = connect("10", "first")) {
            SynchronizeRequest told = SynchronizeRequest.parseFrom(first.awaitCall("Synchronize"));
            assertThat(told.getPodsList()).extracting(PodSandbox::getId).containsExactly("p");
            assertThat(told.getContainersList())
                    .extracting(Container::getId)
                    .containsExactly("old");
            List<String> order = Collections.synchronizedList(new ArrayList<>());
            first.on(
                    "RunPodSandbox",
                    request -> {
                        order.add("first");
                        return PodSandbox.getDefaultInstance();
                    });
            second.on(
                    "RunPodSandbox",
                    request -> {
                        order.add("second");
                        return PodSandbox.getDefaultInstance();
                    });
            run("new");
            assertThat(order).containsExactly("first", "second");
        }
    }

    @Test
    void onlyWhatWasSubscribedIsTold() throws Exception {
        FakePlugin plugin = FakePlugin.connect(socket(), "10", "picky");
        plugin.on(
                "Configure",
                request ->
                        ConfigureResponse.newBuilder()
                                .setEvents(
                                        1 << (PluginEvent.STOP_POD_SANDBOX.event().getNumber() - 1))
                                .build());
        plugin.serve();
        plugin.awaitCall("Synchronize");
        try (plugin) {
            run("p");
            plugins.tellAfter(
                    PluginEvent.STOP_POD_SANDBOX,
                    "pod p",
                    () -> new PluginNotice(pod("p"), Optional.empty()),
                    Deadline.after(LONG));
            assertThat(plugin.called()).doesNotContain("RunPodSandbox").endsWith("StopPodSandbox");
        }
    }

    @Test
    void anOldPluginIsToldByStateChange() throws Exception {
        try (FakePlugin plugin = connect("10", "old")) {
            plugin.refuse("RunPodSandbox", 12, "no such method");
            run("a");
            run("b");
            assertThat(plugin.called())
                    .filteredOn(name -> !name.equals("PostUpdatePodSandbox"))
                    .endsWith("RunPodSandbox", "StateChange", "StateChange");
        }
    }

    @Test
    void aRefusalNamesThePlugin() throws Exception {
        try (FakePlugin plugin = connect("10", "refuser")) {
            plugin.refuse("RunPodSandbox", 2, "not today");
            assertThatThrownBy(() -> run("p"))
                    .isInstanceOfSatisfying(
                            CremaException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION))
                    .hasMessageContaining("10-refuser")
                    .hasMessageContaining("pod p")
                    .hasMessageContaining("not today");
            assertThat(plugins.isIdle()).isFalse();
        }
    }

    @Test
    void whoHangsIsGivenUpAndTheOthersAreAsked() throws Exception {
        try (FakePlugin hanging = connect("10", "hanging");
                FakePlugin other = connect("20", "other")) {
            CountDownLatch never = new CountDownLatch(1);
            hanging.on(
                    "RunPodSandbox",
                    request -> {
                        never.await();
                        return PodSandbox.getDefaultInstance();
                    });
            long begin = System.nanoTime();
            run("p");
            assertThat(Duration.ofNanos(System.nanoTime() - begin))
                    .isBetween(Duration.ofSeconds(1), Duration.ofSeconds(10));
            assertThat(other.called()).endsWith("RunPodSandbox");
            assertThat(hanging.awaitEnd()).isTrue();
            never.countDown();
        }
    }

    @Test
    void theDeadlineOfTheCallCountsAndIsNotThePluginsFault() throws Exception {
        try (FakePlugin plugin = connect("10", "slow")) {
            plugin.on(
                    "RunPodSandbox",
                    request -> {
                        Thread.sleep(150);
                        return PodSandbox.getDefaultInstance();
                    });
            assertThatThrownBy(() ->
                            plugins.tellBefore(
                                    PluginEvent.RUN_POD_SANDBOX,
                                    "pod p",
                                    () -> new PluginNotice(pod("p"), Optional.empty()),
                                    Deadline.after(Duration.ofMillis(50))))
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining("10-slow")
                    .hasMessageContaining("RunPodSandbox");
            assertThat(plugins.isIdle()).isFalse();
            run("q");
        }
    }

    @Test
    void whatIsMadeWhileAPluginJoinsIsToldToIt() throws Exception {
        CountDownLatch reached = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        plugins.makingContainer("before", () -> container("before"));
        FakePlugin plugin = FakePlugin.connect(socket(), "10", "joining");
        plugin.on(
                "Synchronize",
                request -> {
                    reached.countDown();
                    release.await();
                    return SynchronizeResponse.getDefaultInstance();
                });
        plugin.serve();
        try (plugin) {
            assertThat(reached.await(10, TimeUnit.SECONDS)).isTrue();
            Future<Optional<ContainerMerge>> created = FakePlugin.later(() -> create("after"));
            Thread.sleep(100);
            assertThat(created).isNotDone();
            release.countDown();
            assertThat(created.get()).isPresent();
            SynchronizeRequest told = SynchronizeRequest.parseFrom(plugin.awaitCall("Synchronize"));
            assertThat(told.getContainersList())
                    .extracting(Container::getId)
                    .containsExactly("before");
            assertThat(
                            CreateContainerRequest.parseFrom(plugin.awaitCall("CreateContainer"))
                                    .getContainer()
                                    .getId())
                    .isEqualTo("after");
        }
    }

    @Test
    void evictsAndUpdatesOthers() throws Exception {
        try (FakePlugin plugin = connect("10", "balancer")) {
            plugin.on(
                    "CreateContainer",
                    request ->
                            CreateContainerResponse.newBuilder()
                                    .addUpdate(shares("other", 7))
                                    .addEvict(
                                            ContainerEviction.newBuilder()
                                                    .setContainerId("victim")
                                                    .setReason("no room"))
                                    .build());
            assertThat(create("c")).isPresent();
            assertThat(changes).containsExactly("other gets 7", "victim is evicted: no room");
            changes.clear();
            gone.add("gone");
            UpdateContainersResponse answer =
                    UpdateContainersResponse.parseFrom(
                            plugin.call(
                                    "UpdateContainers",
                                    UpdateContainersRequest.newBuilder()
                                            .addUpdate(shares("other", 9))
                                            .addUpdate(shares("gone", 9))
                                            .addEvict(
                                                    ContainerEviction.newBuilder()
                                                            .setContainerId("next")
                                                            .setReason("tidy"))
                                            .build()));
            assertThat(answer.getFailedList())
                    .extracting(ContainerUpdate::getContainerId)
                    .containsExactly("gone");
            assertThat(changes).containsExactly("other gets 9", "next is evicted: tidy");
        }
    }

    @Test
    void anUpdateOfOneThatIsGoneDoesNotFailAnotherAndOneThatIsBeingMadeGetsItThen()
            throws Exception {
        gone.addAll(List.of("gone", "beside"));
        plugins.makingContainer("beside", () -> container("beside"));
        try (FakePlugin plugin = connect("10", "balancer")) {
            plugin.on(
                    "CreateContainer",
                    request ->
                            CreateContainerResponse.newBuilder()
                                    .addUpdate(shares("gone", 7))
                                    .addUpdate(shares("beside", 8))
                                    .build());
            assertThat(create("c")).isPresent();
            assertThat(changes).isEmpty();
            gone.remove("beside");
            plugins.containerMade("beside", Deadline.after(LONG));
            assertThat(changes).containsExactly("beside gets 8");
        }
    }

    @Test
    void anOlderDecisionIsDoneBeforeANewerOneIsMade() throws Exception {
        try (FakePlugin plugin = connect("10", "balancer")) {
            AtomicLong decisions = new AtomicLong();
            plugin.on(
                    "CreateContainer",
                    request ->
                            CreateContainerResponse.newBuilder()
                                    .addUpdate(shares("shared", decisions.incrementAndGet()))
                                    .build());
            CountDownLatch held = new CountDownLatch(1);
            CountDownLatch release = new CountDownLatch(1);
            beforeUpdate =
                    () -> {
                        if (held.getCount() > 0) {
                            held.countDown();
                            release.await();
                        }
                        return true;
                    };
            Future<Optional<ContainerMerge>> older = FakePlugin.later(() -> create("a"));
            assertThat(held.await(10, TimeUnit.SECONDS)).isTrue();
            Future<Optional<ContainerMerge>> newer = FakePlugin.later(() -> create("b"));
            Thread.sleep(200);
            release.countDown();
            assertThat(older.get()).isPresent();
            assertThat(newer.get()).isPresent();
            assertThat(changes).containsExactly("shared gets 1", "shared gets 2");
        }
    }

    @Test
    void whoIsNotYetSynchronizedIsToldOfTheEnd() throws Exception {
        try (FakePlugin plugin = FakePlugin.connect(socket(), "10", "joining")) {
            CountDownLatch never = new CountDownLatch(1);
            plugin.on(
                    "Configure",
                    request -> {
                        never.await();
                        return ConfigureResponse.getDefaultInstance();
                    });
            plugin.serve();
            plugin.awaitCall("Configure");
            plugins.close();
            assertThat(plugin.awaitEnd()).isTrue();
            assertThat(plugin.called()).contains("Shutdown");
            never.countDown();
        }
    }

    @Test
    void whatCannotBeToldOfUndoesNothing() throws Exception {
        try (FakePlugin plugin = connect("10", "listener")) {
            plugins.tellAfter(
                    PluginEvent.POST_CREATE_CONTAINER,
                    "container c",
                    () -> {
                        throw new IllegalStateException("its spec cannot be read");
                    },
                    Deadline.after(LONG));
            plugins.stopContainer(
                    "container c",
                    () -> {
                        throw new IllegalStateException("its spec cannot be read");
                    },
                    Deadline.after(LONG));
            assertThat(plugin.called()).doesNotContain("PostCreateContainer", "StopContainer");
        }
    }

    @Test
    void whoIsAskedWhenTheTimeOfTheCallIsOverIsKept() throws Exception {
        try (FakePlugin plugin = connect("10", "healthy")) {
            for (int i = 0; i < 20; i++) {
                plugins.tellAfter(
                        PluginEvent.POST_START_CONTAINER,
                        "container c",
                        () -> new PluginNotice(pod("p"), Optional.of(container("c"))),
                        Deadline.after(Duration.ZERO));
            }
            assertThat(plugins.isIdle()).isFalse();
            assertThat(plugin.called()).doesNotContain("PostStartContainer");
        }
    }

    private static ContainerUpdate shares(String container, long shares) {
        ContainerUpdate.Builder update = ContainerUpdate.newBuilder().setContainerId(container);
        update.getLinuxBuilder()
                .getResourcesBuilder()
                .getCpuBuilder()
                .getSharesBuilder()
                .setValue(shares);
        return update.build();
    }

    @Test
    void requiredPluginsAreMissedAlsoWhenThereIsNone() throws Exception {
        plugins.close();
        plugins = started(validator(true));
        assertThatThrownBy(() -> create("c")).hasMessageContaining("guard");
        try (FakePlugin guard = connect("10", "guard")) {
            assertThat(create("c")).isPresent();
            assertThat(guard.called()).contains("CreateContainer");
        }
    }

    @Test
    void aRequiredPluginThatHangsIsMissed() throws Exception {
        plugins.close();
        plugins = started(validator(true));
        try (FakePlugin guard = connect("10", "guard")) {
            CountDownLatch never = new CountDownLatch(1);
            guard.on(
                    "CreateContainer",
                    request -> {
                        never.await();
                        return CreateContainerResponse.getDefaultInstance();
                    });
            assertThatThrownBy(() -> create("c")).hasMessageContaining("guard");
            never.countDown();
        }
    }

    @Test
    void whoDoesNotRegisterIsTurnedAway() throws Exception {
        try (FakePlugin plugin = FakePlugin.silent(socket())) {
            assertThat(plugin.awaitEnd()).isTrue();
        }
        assertThat(plugins.isIdle()).isTrue();
    }

    @Test
    void saysGoodbye() throws Exception {
        try (FakePlugin plugin = connect("10", "last")) {
            plugins.close();
            assertThat(plugin.called()).contains("Shutdown");
            assertThat(plugin.awaitEnd()).isTrue();
        }
    }

    @Test
    void namesHaveTwoDigitsAndNoStrangeCharacters() {
        assertThat(PluginName.ofFile("07-a.b_c+d-e")).hasToString("07-a.b_c+d-e");
        for (String name : List.of("7-a", "a7-a", "077-a", "07-", "07a", "07-a b", "", "07-ä")) {
            assertThatThrownBy(() -> PluginName.ofFile(name))
                    .as(name)
                    .isInstanceOf(PodException.class);
        }
    }
}
