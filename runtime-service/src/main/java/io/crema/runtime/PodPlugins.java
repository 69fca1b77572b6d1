package io.crema.runtime;

import io.crema.base.CleanupStack;
import io.crema.base.ContainerId;
import io.crema.base.CremaException;
import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.ContainerEviction;
import io.crema.nri.v1alpha1.CreateContainerRequest;
import io.crema.nri.v1alpha1.StopContainerRequest;
import io.crema.nri.v1alpha1.UpdateContainerRequest;
import io.crema.nri.v1alpha1.UpdatePodSandboxRequest;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.nri.ContainerMerge;
import io.crema.runtime.nri.ContainerMessages;
import io.crema.runtime.nri.NodeView;
import io.crema.runtime.nri.PluginEvent;
import io.crema.runtime.nri.PluginNotice;
import io.crema.runtime.nri.PluginSettings;
import io.crema.runtime.nri.Plugins;
import io.crema.runtime.nri.PodMessages;
import io.crema.runtime.nri.ResourceMessages;
import io.crema.runtime.spec.BuiltSpec;
import io.crema.runtime.spec.ResourceRequest;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The life cycle as plugins of the node resource interface (NRI) see and change it. Calls come here
 * with no lock held. Without a plugin each costs a look at an empty list; without NRI, nothing.
 */
final class PodPlugins implements NodeView, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PodPlugins.class);

    /** What happens by itself or after a failure is told within this time. */
    private static final Duration TELL_TIME = Duration.ofSeconds(30);

    /** What Kubernetes gives a pod that does not say otherwise. */
    private static final Duration EVICTION_GRACE = Duration.ofSeconds(30);

    private final NodeServices node;
    private final Inventory inventory;

    /** Starts that are under way: an end is told after them, however fast it was. */
    private final Map<ContainerId, CompletableFuture<Void>> starts = new ConcurrentHashMap<>();

    /** Ends that are being told or have been. */
    private final Map<ContainerId, CompletableFuture<Void>> ends = new ConcurrentHashMap<>();

    private volatile @Nullable Plugins plugins;
    private @Nullable UpdateContainerResources updates;
    private @Nullable StopContainer stops;

    PodPlugins(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    /** Lets plugins come, unless NRI is switched off. */
    void start(UpdateContainerResources update, StopContainer stop, String name, String version) {
        var configuration = node.settings().configuration().nri();
        if (!configuration.enabled()) {
            return;
        }
        updates = update;
        stops = stop;
        plugins =
                Plugins.start(
                        new PluginSettings(
                                node.linux(),
                                node.pollLoop(),
                                node.facts(),
                                configuration,
                                node.layout().volatileRoot(),
                                name,
                                version),
                        this);
    }

    /** Nobody listens. */
    private boolean isIdle() {
        Plugins all = plugins;
        return all == null || all.isIdle();
    }

    // Pods

    /**
     * The pod is whole and about to be ready.
     *
     * @throws PodException when a plugin refuses
     */
    void runPodSandbox(
            PodSandbox sandbox, List<String> addresses, CleanupStack undo, Deadline deadline) {
        Plugins all = plugins;
        if (all == null) {
            return;
        }
        Supplier<PluginNotice> notice =
                () -> new PluginNotice(message(sandbox, addresses), Optional.empty());
        all.makingPod(sandbox.id().value(), () -> message(sandbox, addresses));
        undo.push(
                "tell NRI plugins that " + sandbox + " is not made",
                () -> {
                    all.made(sandbox.id().value());
                    Deadline limit = Deadline.after(TELL_TIME);
                    all.tellAfter(PluginEvent.STOP_POD_SANDBOX, sandbox.toString(), notice, limit);
                    all.tellAfter(
                            PluginEvent.REMOVE_POD_SANDBOX, sandbox.toString(), notice, limit);
                });
        all.tellBefore(PluginEvent.RUN_POD_SANDBOX, sandbox.toString(), notice, deadline);
    }

    /** The pod is in the inventory. */
    void made(PodSandbox sandbox) {
        Plugins all = plugins;
        if (all != null) {
            all.made(sandbox.id().value());
        }
    }

    /** Its containers have ended; its network is still there. */
    void stopPodSandbox(PodSandbox sandbox, Deadline deadline) {
        tellAfter(PluginEvent.STOP_POD_SANDBOX, sandbox, deadline);
    }

    /** It is no longer in the inventory. */
    void removePodSandbox(PodSandbox sandbox, Deadline deadline) {
        tellAfter(PluginEvent.REMOVE_POD_SANDBOX, sandbox, deadline);
    }

    void updatePodSandbox(
            PodSandbox sandbox,
            LinuxContainerResources overhead,
            LinuxContainerResources resources,
            Deadline deadline) {
        Plugins all = plugins;
        if (all != null) {
            all.updatePodSandbox(
                    sandbox.toString(),
                    () ->
                            UpdatePodSandboxRequest.newBuilder()
                                    .setPod(message(sandbox))
                                    .setOverheadLinuxResources(ResourceMessages.of(overhead))
                                    .setLinuxResources(ResourceMessages.of(resources))
                                    .build(),
                    deadline);
        }
    }

    void postUpdatePodSandbox(PodSandbox sandbox, Deadline deadline) {
        tellAfter(PluginEvent.POST_UPDATE_POD_SANDBOX, sandbox, deadline);
    }

    private void tellAfter(PluginEvent event, PodSandbox sandbox, Deadline deadline) {
        Plugins all = plugins;
        if (all != null) {
            all.tellAfter(
                    event,
                    sandbox.toString(),
                    () -> new PluginNotice(message(sandbox), Optional.empty()),
                    deadline);
        }
    }

    // Containers

    /**
     * What plugins want a container that is being made to be; {@link #made} or {@link #unmade} must
     * follow.
     *
     * @return empty when nobody was asked
     * @throws PodException when a plugin refuses, or two want different things
     */
    Optional<ContainerMerge> createContainer(
            PodSandbox sandbox, Container container, RuntimeSpec spec, Deadline deadline) {
        Plugins all = plugins;
        if (all == null) {
            return Optional.empty();
        }
        Supplier<io.crema.nri.v1alpha1.Container> told =
                () -> ContainerMessages.of(container, Optional.of(spec), false);
        all.makingContainer(container.id().value(), told);
        return all.createContainer(
                container + " in " + sandbox,
                () ->
                        CreateContainerRequest.newBuilder()
                                .setPod(message(sandbox))
                                .setContainer(told.get())
                                .build(),
                deadline);
    }

    /** The container is in the inventory. */
    void made(Container container, Deadline deadline) {
        Plugins all = plugins;
        if (all != null) {
            all.containerMade(container.id().value(), deadline);
            tellAfter(PluginEvent.POST_CREATE_CONTAINER, container, deadline);
        }
    }

    /** It will never be. */
    void unmade(Container container) {
        Plugins all = plugins;
        if (all != null && all.made(container.id().value())) {
            Deadline deadline = Deadline.after(TELL_TIME);
            tellStopped(container, deadline);
            tellAfter(PluginEvent.REMOVE_CONTAINER, container, deadline);
        }
    }

    /**
     * Its process is about to run; {@link #startEnded} must follow.
     *
     * @throws PodException when a plugin refuses
     */
    void startContainer(Container container, Deadline deadline) {
        Plugins all = plugins;
        if (all != null && !all.isIdle()) {
            starts.put(container.id(), new CompletableFuture<>());
            all.tellBefore(
                    PluginEvent.START_CONTAINER,
                    container.toString(),
                    () -> notice(container),
                    deadline);
        }
    }

    void postStartContainer(Container container, Deadline deadline) {
        tellAfter(PluginEvent.POST_START_CONTAINER, container, deadline);
    }

    void startEnded(Container container) {
        CompletableFuture<Void> start = starts.remove(container.id());
        if (start != null) {
            start.complete(null);
        }
    }

    /** Changes the limits of a container as plugins want it, or as it is wanted of us. */
    void updateContainer(
            Container container,
            LinuxContainerResources wanted,
            Consumer<ResourceRequest> doing,
            Deadline deadline) {
        Plugins all = plugins;
        boolean isDone =
                all != null
                        && all.updateContainer(
                                container.toString(),
                                wanted,
                                () -> {
                                    PluginNotice notice = notice(container);
                                    return UpdateContainerRequest.newBuilder()
                                            .setPod(notice.pod())
                                            .setContainer(notice.container().orElseThrow())
                                            .setLinuxResources(ResourceMessages.of(wanted))
                                            .build();
                                },
                                doing,
                                deadline);
        if (!isDone) {
            doing.accept(ResourceRequest.of(wanted));
        }
    }

    void postUpdateContainer(Container container, Deadline deadline) {
        tellAfter(PluginEvent.POST_UPDATE_CONTAINER, container, deadline);
    }

    /** A container has ended, by itself or not. Does not wait: a thread tells it. */
    void stopped(Container container) {
        if (isIdle()) {
            return;
        }
        CompletableFuture<Void> told = new CompletableFuture<>();
        if (ends.putIfAbsent(container.id(), told) != null) {
            return;
        }
        CompletableFuture<Void> start = starts.get(container.id());
        Thread.ofVirtual()
                .name("nri end " + container.id())
                .start(() -> {
                    try {
                        Deadline deadline = Deadline.after(TELL_TIME);
                        if (start != null) {
                            await(start, "the start of " + container + " to be told", deadline);
                        }
                        tellStopped(container, deadline);
                    } catch (CremaException e) {
                        LOG.warn("the end of {} is not told: {}", container, e.getMessage());
                    } finally {
                        told.complete(null);
                    }
                });
    }

    private void tellStopped(Container container, Deadline deadline) {
        Plugins all = plugins;
        if (all != null) {
            all.stopContainer(
                    container.toString(),
                    () -> {
                        PluginNotice notice = notice(container);
                        return StopContainerRequest.newBuilder()
                                .setPod(notice.pod())
                                .setContainer(notice.container().orElseThrow())
                                .build();
                    },
                    deadline);
        }
    }

    /** Waits until the end of a container was told to all who want to know. */
    void awaitStopTold(Container container, Deadline deadline) {
        // Its state says so a moment before we are told.
        await(container.ended(), "the end of " + container, deadline);
        CompletableFuture<Void> told = ends.get(container.id());
        if (told != null && !told.isDone()) {
            String step = "NRI plugins to learn of the end of " + container;
            CurrentStep.enter(step);
            await(told, step, deadline);
        }
    }

    /**
     * Remembers what is to be told of a container once it is removed.
     *
     * @return tells it
     */
    Runnable removal(Container container, Deadline deadline) {
        Plugins all = plugins;
        if (all == null || !all.isWanted(PluginEvent.REMOVE_CONTAINER)) {
            return () -> ends.remove(container.id());
        }
        PluginNotice notice = notice(container);
        return () -> {
            ends.remove(container.id());
            all.tellAfter(
                    PluginEvent.REMOVE_CONTAINER, container.toString(), () -> notice, deadline);
        };
    }

    private void tellAfter(PluginEvent event, Container container, Deadline deadline) {
        Plugins all = plugins;
        if (all != null) {
            all.tellAfter(event, container.toString(), () -> notice(container), deadline);
        }
    }

    private static void await(CompletableFuture<Void> event, String step, Deadline deadline) {
        try {
            event.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException(step);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new PodException(ErrorKind.CANCELLED, "cancelled while waiting for " + step, e);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    // What plugins are told

    private PluginNotice notice(Container container) {
        return new PluginNotice(
                inventory
                        .sandbox(container.sandbox())
                        .map(this::message)
                        .orElseGet(() ->
                                io.crema.nri.v1alpha1.PodSandbox.newBuilder()
                                        .setId(container.sandbox().value())
                                        .build()),
                Optional.of(message(container)));
    }

    private io.crema.nri.v1alpha1.PodSandbox message(PodSandbox sandbox) {
        return message(sandbox, sandbox.record().addresses());
    }

    private io.crema.nri.v1alpha1.PodSandbox message(PodSandbox sandbox, List<String> addresses) {
        Map<String, Path> namespaces = new TreeMap<>();
        for (NamespaceKind kind : SandboxRequests.pinned(sandbox.config())) {
            namespaces.put(
                    kind.name().toLowerCase(Locale.ROOT),
                    node.layout().namespace(sandbox.id(), kind));
        }
        return PodMessages.of(sandbox, addresses, namespaces);
    }

    private io.crema.nri.v1alpha1.Container message(Container container) {
        return ContainerMessages.of(container, spec(container), true);
    }

    private Optional<RuntimeSpec> spec(Container container) {
        Path file = node.layout().bundle(container.id()).resolve(BuiltSpec.CONFIG_FILE);
        try {
            return Optional.of(SpecJson.read(Files.readAllBytes(file)));
        } catch (IOException e) {
            LOG.debug("plugins learn less of {}: {}", container, e.toString());
            return Optional.empty();
        }
    }

    @Override
    public List<io.crema.nri.v1alpha1.PodSandbox> pods() {
        return all(inventory.sandboxes(), this::message);
    }

    @Override
    public List<io.crema.nri.v1alpha1.Container> containers() {
        List<Container> alive = new ArrayList<>();
        for (Container container : inventory.containers()) {
            if (container.state().isAlive()) {
                alive.add(container);
            }
        }
        return all(alive, this::message);
    }

    private static <T, M> List<M> all(Iterable<T> things, Function<T, M> message) {
        List<M> messages = new ArrayList<>();
        for (T thing : things) {
            try {
                messages.add(message.apply(thing));
            } catch (RuntimeException e) {
                // One that cannot be described must not keep every plugin away from all others.
                LOG.error("{} is not told to an NRI plugin", thing, e);
            }
        }
        return messages;
    }

    // What plugins change

    @Override
    public boolean update(String id, ResourceRequest wanted, Deadline deadline) {
        UpdateContainerResources applying = updates;
        Optional<Container> found = withId(id);
        if (applying == null || found.isEmpty() || !found.get().state().isAlive()) {
            return false;
        }
        try {
            applying.update(found.get(), wanted, deadline);
            return true;
        } catch (CremaException e) {
            if (found.get().state().isAlive()) {
                throw e;
            }
            return false; // it ended meanwhile
        }
    }

    private Optional<Container> withId(String id) {
        return inventory.containers().stream().filter(one -> one.id().value().equals(id)).findAny();
    }

    @Override
    public void evict(ContainerEviction eviction, String plugin) {
        StopContainer stopping = stops;
        Optional<Container> found = withId(eviction.getContainerId());
        if (found.isEmpty() || stopping == null) {
            LOG.warn(
                    "{} evicts container {}, which is not here: {}",
                    plugin,
                    eviction.getContainerId(),
                    eviction.getReason());
            return;
        }
        LOG.info("{} evicts {}: {}", plugin, found.get(), eviction.getReason());
        Thread.ofVirtual()
                .name("evict " + found.get().id())
                .start(() -> {
                    try {
                        stopping.stop(found.get(), EVICTION_GRACE, Deadline.after(TELL_TIME));
                    } catch (CremaException e) {
                        LOG.warn("{} is not evicted yet: {}", found.get(), e.getMessage());
                    }
                });
    }

    @Override
    public void close() {
        Plugins all = plugins;
        if (all != null) {
            all.close();
        }
    }
}
