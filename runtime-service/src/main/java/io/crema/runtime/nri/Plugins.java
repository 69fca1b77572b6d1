package io.crema.runtime.nri;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.crema.base.CremaException;
import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerEviction;
import io.crema.nri.v1alpha1.ContainerUpdate;
import io.crema.nri.v1alpha1.CreateContainerRequest;
import io.crema.nri.v1alpha1.CreateContainerResponse;
import io.crema.nri.v1alpha1.PluginInstance;
import io.crema.nri.v1alpha1.PodSandbox;
import io.crema.nri.v1alpha1.StopContainerRequest;
import io.crema.nri.v1alpha1.StopContainerResponse;
import io.crema.nri.v1alpha1.UpdateContainerRequest;
import io.crema.nri.v1alpha1.UpdateContainerResponse;
import io.crema.nri.v1alpha1.UpdateContainersRequest;
import io.crema.nri.v1alpha1.UpdateContainersResponse;
import io.crema.nri.v1alpha1.UpdatePodSandboxRequest;
import io.crema.nri.v1alpha1.UpdatePodSandboxResponse;
import io.crema.nri.v1alpha1.ValidateContainerAdjustmentRequest;
import io.crema.nri.v1alpha1.ValidateContainerAdjustmentResponse;
import io.crema.oci.linux.Descriptor;
import io.crema.runtime.spec.ResourceRequest;
import io.crema.runtime.state.PodException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All plugins of this node, asked in the order of their indices. While there is none an event costs
 * one look at an empty list.
 *
 * <p>A plugin that comes later is told of everything that is there, then of what happens. Nothing
 * falls between the two: what is being made when it joins is told to it as if it were there, and
 * what begins after that waits until it is synchronized, which it must be soon.
 */
public final class Plugins implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Plugins.class);

    /** Many more than a node has use for. */
    static final int MOST_PLUGINS = 64;

    /** Of a container that is being made; there is one for each that is made beside it. */
    private static final int MOST_POSTPONED = 64;

    /** What a plugin wants changed outside of any event has this long. */
    private static final Duration UPDATE_TIME = Duration.ofSeconds(30);

    /** Those that join before it may each take what synchronizing may take. */
    private static final Duration JOIN_TIME = Duration.ofMinutes(2);

    private static final Duration END_TIME = Duration.ofSeconds(2);
    private static final int SIGKILL = 9;

    /** What is being made and may have been announced, but is not yet among what is there. */
    private sealed interface Making {
        record Pod(Supplier<PodSandbox> message) implements Making {}

        record OfContainer(Supplier<Container> message) implements Making {}
    }

    private final PluginSettings settings;
    private final NodeView node;
    private final DefaultValidator validator;
    // Guarded by this, as is every change of the list.
    private final Map<String, Making> making = new LinkedHashMap<>();
    private final Map<String, List<ResourceRequest>> postponed = new HashMap<>();
    private final Set<Plugin> admitted = new HashSet<>();
    private boolean isClosed;

    /**
     * Held from asking until what was answered is done, so that an older decision never overwrites
     * a newer one. A plugin that asks for updates from within its answer waits for itself, here as
     * elsewhere.
     */
    private final Semaphore decision = new Semaphore(1, true);

    private @Nullable PluginSocket socket;
    private volatile List<Plugin> plugins = List.of();

    private Plugins(PluginSettings settings, NodeView node) {
        this.settings = settings;
        this.node = node;
        this.validator = new DefaultValidator(settings.configuration().validator());
    }

    /**
     * Starts the installed plugins, waits until each is ready or given up, and lets others connect.
     *
     * @throws PodException when the socket cannot be made
     */
    public static Plugins start(PluginSettings settings, NodeView node) {
        Plugins plugins = new Plugins(settings, node);
        plugins.startInstalled();
        if (!settings.configuration().connectionsDisabled()) {
            plugins.socket =
                    PluginSocket.open(
                                    settings.linux(),
                                    settings.loop(),
                                    settings.configuration().listen(),
                                    plugins::connected)
                            .orElse(null);
        }
        return plugins;
    }

    private void startInstalled() {
        InstalledPlugins installed = new InstalledPlugins(settings);
        List<Thread> starts = new ArrayList<>();
        for (InstalledPlugins.Installed plugin : installed.find()) {
            starts.add(
                    Thread.ofVirtual()
                            .name("nri " + plugin.name())
                            .start(() -> start(installed, plugin)));
        }
        for (Thread start : starts) {
            try {
                start.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private void start(InstalledPlugins installed, InstalledPlugins.Installed plugin) {
        try {
            InstalledPlugins.Launched launched = installed.launch(plugin);
            Plugin started = connect(launched, plugin.name());
            var _ =
                    started.closed()
                            .thenRun(() -> {
                                var _ = launched.process().killGroup(SIGKILL);
                            });
            admit(started, plugin.configuration());
        } catch (CremaException e) {
            LOG.error("NRI plugin {} cannot be started: {}", plugin.program(), e.getMessage());
        }
    }

    private Plugin connect(InstalledPlugins.Launched launched, PluginName name) {
        try {
            return new Plugin(
                    settings, launched.socket(), Optional.of(name), this::updateContainers);
        } catch (RuntimeException e) {
            launched.socket().close();
            var _ = launched.process().killGroup(SIGKILL);
            throw e;
        }
    }

    /** Somebody connected, who may not be one of ours for ever. */
    private void connected(Descriptor connection) {
        Plugin plugin;
        try {
            plugin = new Plugin(settings, connection, Optional.empty(), this::updateContainers);
        } catch (CremaException e) {
            connection.close();
            LOG.warn("an NRI plugin could not connect: {}", e.getMessage());
            return;
        }
        Thread.ofVirtual().name("nri").start(() -> admit(plugin, ""));
    }

    private void admit(Plugin plugin, String configuration) {
        synchronized (this) {
            if (isClosed || admitted.size() >= MOST_PLUGINS) {
                LOG.warn("{} is turned away: there are {} already", plugin, admitted.size());
                plugin.close("there are too many plugins");
                return;
            }
            admitted.add(plugin);
        }
        var _ = plugin.closed().thenAccept(reason -> ended(plugin, reason));
        try {
            plugin.introduce(configuration);
            decide(
                    "the start of " + plugin,
                    Deadline.after(JOIN_TIME),
                    () -> {
                        introduced(plugin);
                        return true;
                    });
        } catch (CremaException e) {
            plugin.close(String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            LOG.error("{} failed", plugin, e);
            plugin.close(e.toString());
        }
    }

    private void introduced(Plugin plugin) {
        Map<String, Making> unfinished = join(plugin);
        List<ContainerUpdate> wanted = synchronize(plugin, unfinished);
        // Before they are applied: a start that holds what one of them needs may wait for it.
        plugin.isSynchronized();
        LOG.info("{} is synchronized", plugin);
        UpdateMerge merge = UpdateMerge.ofOthers();
        merge.add(plugin.name().toString(), wanted, List.of());
        var _ = applied(merge, Deadline.after(UPDATE_TIME));
    }

    /**
     * @throws DeadlineExceededException when what others have decided is not done by then
     */
    @CanIgnoreReturnValue
    private <T> T decide(String about, Deadline deadline, Supplier<T> asking) {
        String step =
                "what NRI plugins decided earlier to be done, before they are asked about " + about;
        CurrentStep.enter(step);
        try {
            if (!decision.tryAcquire(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException(step);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DeadlineExceededException(step);
        }
        try {
            return asking.get();
        } finally {
            decision.release();
        }
    }

    private synchronized Map<String, Making> join(Plugin plugin) {
        List<Plugin> all = new ArrayList<>(plugins);
        all.add(plugin);
        all.sort(Comparator.comparing(one -> one.name().index()));
        if (!plugin.isClosed() && !isClosed) {
            plugins = List.copyOf(all);
        }
        return new LinkedHashMap<>(making);
    }

    private List<ContainerUpdate> synchronize(Plugin plugin, Map<String, Making> unfinished) {
        List<PodSandbox> pods = new ArrayList<>(node.pods());
        List<Container> containers = new ArrayList<>(node.containers());
        Set<String> known = new HashSet<>();
        pods.forEach(pod -> known.add(pod.getId()));
        containers.forEach(container -> known.add(container.getId()));
        unfinished.forEach((id, made) -> {
            if (!known.contains(id)) {
                switch (made) {
                    case Making.Pod(Supplier<PodSandbox> message) -> pods.add(message.get());
                    case Making.OfContainer(Supplier<Container> message) ->
                            containers.add(message.get());
                }
            }
        });
        return Synchronization.run(plugin, pods, containers, settings.synchronizationTime());
    }

    private void ended(Plugin plugin, String reason) {
        synchronized (this) {
            admitted.remove(plugin);
            List<Plugin> all = new ArrayList<>(plugins);
            all.remove(plugin);
            plugins = List.copyOf(all);
            if (isClosed) {
                return;
            }
        }
        LOG.warn("{} is gone: {}", plugin, reason);
    }

    /** Whether nobody listens. */
    public boolean isIdle() {
        return plugins.isEmpty();
    }

    /** Whether anybody listens to it. */
    public boolean isWanted(PluginEvent event) {
        for (Plugin plugin : plugins) {
            if (plugin.wants(event)) {
                return true;
            }
        }
        return false;
    }

    /** A pod is being made; {@link #made} must follow. */
    public synchronized void makingPod(String id, Supplier<PodSandbox> message) {
        making.put(id, new Making.Pod(message));
    }

    /** A container is being made; {@link #made} must follow. */
    public synchronized void makingContainer(String id, Supplier<Container> message) {
        making.put(id, new Making.OfContainer(message));
    }

    /**
     * It is among what is there now, or never will be.
     *
     * @return whether it was being made
     */
    @CanIgnoreReturnValue
    public synchronized boolean made(String id) {
        postponed.remove(id);
        return making.remove(id) != null;
    }

    /** A container is among what is there now; what plugins wanted of it meanwhile is done. */
    public void containerMade(String id, Deadline deadline) {
        synchronized (this) {
            if (!postponed.containsKey(id)) {
                made(id);
                return;
            }
        }
        passingOver(
                "what NRI plugins want of container " + id,
                () -> decide("container " + id, deadline, () -> updatePostponed(id, deadline)));
        made(id);
    }

    private boolean updatePostponed(String id, Deadline deadline) {
        List<ResourceRequest> wanted;
        synchronized (this) {
            wanted = postponed.getOrDefault(id, List.of());
            made(id);
        }
        for (ResourceRequest update : wanted) {
            passingOver(
                    "an update of container " + id + " that NRI plugins want",
                    () -> {
                        var _ = node.update(id, update, deadline);
                    });
        }
        return !wanted.isEmpty();
    }

    /**
     * Tells of what is about to happen.
     *
     * @param about which pod or container, for messages
     * @throws PodException when a plugin refuses; those after it are not told
     */
    public void tellBefore(
            PluginEvent event, String about, Supplier<PluginNotice> notice, Deadline deadline) {
        if (!isWanted(event)) {
            return;
        }
        PluginNotice told = notice.get();
        for (Plugin plugin : plugins) {
            plugin.tell(event, about, told, deadline);
        }
    }

    /** Tells of what has happened, which no plugin can refuse any more. */
    public void tellAfter(
            PluginEvent event, String about, Supplier<PluginNotice> notice, Deadline deadline) {
        if (!isWanted(event)) {
            return;
        }
        passingOver(
                "what NRI plugins are told of " + about,
                () -> {
                    PluginNotice told = notice.get();
                    for (Plugin plugin : plugins) {
                        passingOver(
                                "what " + plugin + " says",
                                () -> plugin.tell(event, about, told, deadline));
                    }
                });
    }

    /** What has happened stays so, whatever fails in telling of it. */
    private static void passingOver(String what, Runnable telling) {
        try {
            telling.run();
        } catch (CremaException e) {
            LOG.warn("{} is passed over: {}", what, e.getMessage());
        } catch (RuntimeException e) {
            LOG.error("{} is passed over", what, e);
        }
    }

    /**
     * Asks what a container is to be made as, and changes the others that are named on the way.
     *
     * @return empty when nobody was asked
     * @throws PodException when a plugin refuses, or two want different things
     */
    public Optional<ContainerMerge> createContainer(
            String about, Supplier<CreateContainerRequest> request, Deadline deadline) {
        List<Plugin> all = plugins;
        if (!validator.isEnabled()
                && !isWanted(PluginEvent.CREATE_CONTAINER)
                && !isWanted(PluginEvent.VALIDATE_CONTAINER_ADJUSTMENT)) {
            return Optional.empty();
        }
        return Optional.of(
                decide(about, deadline, () -> decided(all, about, request.get(), deadline)));
    }

    private ContainerMerge decided(
            List<Plugin> all, String about, CreateContainerRequest pristine, Deadline deadline) {
        ContainerMerge merge = new ContainerMerge(pristine);
        List<PluginInstance> asked = new ArrayList<>();
        for (Plugin plugin : all) {
            Optional<CreateContainerResponse> answer =
                    plugin.ask(
                            PluginEvent.CREATE_CONTAINER,
                            about,
                            merge.request(),
                            CreateContainerResponse.parser(),
                            deadline);
            // Who went away over it has not had its say, and may be one that must.
            if (answer.isPresent() || !plugin.isClosed()) {
                asked.add(plugin.instance());
            }
            answer.ifPresent(given -> merge.add(plugin.name().toString(), given));
        }
        validator.requirePlugins(
                pristine.getPod().getAnnotationsMap(),
                pristine.getContainer().getName(),
                asked.stream().map(PluginInstance::getName).toList());
        validate(all, about, merge.validation(asked), deadline);
        apply(merge.others(), deadline);
        evict(merge.evictions());
        return merge;
    }

    private void validate(
            List<Plugin> all,
            String about,
            ValidateContainerAdjustmentRequest request,
            Deadline deadline) {
        validator.check(request);
        for (Plugin plugin : all) {
            if (!plugin.wants(PluginEvent.VALIDATE_CONTAINER_ADJUSTMENT)) {
                continue;
            }
            ValidateContainerAdjustmentResponse answer =
                    plugin.ask(
                                    PluginEvent.VALIDATE_CONTAINER_ADJUSTMENT,
                                    about,
                                    request,
                                    ValidateContainerAdjustmentResponse.parser(),
                                    deadline)
                            .orElseThrow(() ->
                                    new PodException(
                                            ErrorKind.UNAVAILABLE,
                                            plugin
                                                    + " was to validate "
                                                    + about
                                                    + " and is gone; try again"));
            if (answer.getReject()) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        "NRI plugin "
                                + plugin.name()
                                + " rejects what plugins want of "
                                + about
                                + ": "
                                + answer.getReason());
            }
        }
    }

    /**
     * Asks what the limits of a container are to become, and lets that be done.
     *
     * @return whether anybody was asked; when not, nothing is done
     */
    public boolean updateContainer(
            String about,
            LinuxContainerResources original,
            Supplier<UpdateContainerRequest> request,
            Consumer<ResourceRequest> doing,
            Deadline deadline) {
        if (!isWanted(PluginEvent.UPDATE_CONTAINER)) {
            return false;
        }
        return decide(
                about,
                deadline,
                () -> {
                    doing.accept(wanted(about, original, request.get(), deadline));
                    return true;
                });
    }

    private ResourceRequest wanted(
            String about,
            LinuxContainerResources original,
            UpdateContainerRequest request,
            Deadline deadline) {
        UpdateMerge merge = UpdateMerge.of(request);
        for (Plugin plugin : plugins) {
            plugin.ask(
                            PluginEvent.UPDATE_CONTAINER,
                            about,
                            merge.request(),
                            UpdateContainerResponse.parser(),
                            deadline)
                    .ifPresent(answer ->
                            merge.add(
                                    plugin.name().toString(),
                                    answer.getUpdateList(),
                                    answer.getEvictList()));
        }
        ResourceRequest wanted = merge.resources(original, settings.facts());
        apply(merge, deadline);
        evict(merge.evictions());
        return wanted;
    }

    /** Tells that a container has ended, and changes the others that are named in return. */
    public void stopContainer(
            String about, Supplier<StopContainerRequest> request, Deadline deadline) {
        if (!isWanted(PluginEvent.STOP_CONTAINER)) {
            return;
        }
        passingOver(
                "what NRI plugins are told of the end of " + about,
                () ->
                        decide(
                                about,
                                deadline,
                                () -> {
                                    stopContainer(about, request.get(), deadline);
                                    return true;
                                }));
    }

    private void stopContainer(String about, StopContainerRequest told, Deadline deadline) {
        UpdateMerge merge = UpdateMerge.ofOthers();
        for (Plugin plugin : plugins) {
            passingOver(
                    "what " + plugin + " says",
                    () ->
                            plugin.ask(
                                            PluginEvent.STOP_CONTAINER,
                                            about,
                                            told,
                                            StopContainerResponse.parser(),
                                            deadline)
                                    .ifPresent(answer ->
                                            merge.add(
                                                    plugin.name().toString(),
                                                    answer.getUpdateList(),
                                                    List.of())));
        }
        var _ = applied(merge, deadline);
    }

    public void updatePodSandbox(
            String about, Supplier<UpdatePodSandboxRequest> request, Deadline deadline) {
        if (!isWanted(PluginEvent.UPDATE_POD_SANDBOX)) {
            return;
        }
        UpdatePodSandboxRequest told = request.get();
        for (Plugin plugin : plugins) {
            var _ =
                    plugin.ask(
                            PluginEvent.UPDATE_POD_SANDBOX,
                            about,
                            told,
                            UpdatePodSandboxResponse.parser(),
                            deadline);
        }
    }

    /** What a plugin wants changed of its own accord. */
    private UpdateContainersResponse updateContainers(
            Plugin plugin, UpdateContainersRequest request) {
        UpdateMerge merge = UpdateMerge.ofOthers();
        merge.add(plugin.name().toString(), request.getUpdateList(), request.getEvictList());
        UpdateContainersResponse.Builder answer = UpdateContainersResponse.newBuilder();
        Deadline deadline = Deadline.after(UPDATE_TIME);
        Supplier<List<ContainerUpdate>> applying = () -> applied(merge, deadline);
        // What it wants while it is being synchronized is a part of that.
        answer.addAllFailed(
                plugin.isReady()
                        ? decide("what " + plugin + " wants", deadline, applying)
                        : applying.get());
        merge.evictions().forEach(eviction -> node.evict(eviction, plugin.toString()));
        return answer.build();
    }

    /**
     * @return those that could not be applied, each told in the log
     */
    private List<ContainerUpdate> applied(UpdateMerge merge, Deadline deadline) {
        List<ContainerUpdate> failed = new ArrayList<>();
        for (ContainerUpdate update : merge.updates()) {
            boolean isApplied = false;
            try {
                isApplied =
                        update(
                                update.getContainerId(),
                                merge.resources(update, settings.facts()),
                                deadline);
            } catch (CremaException e) {
                LOG.warn(
                        "container {} is not updated as an NRI plugin wants: {}",
                        update.getContainerId(),
                        e.getMessage());
            }
            if (!isApplied && !update.getIgnoreFailure()) {
                failed.add(update);
            }
        }
        return failed;
    }

    /**
     * At once, or when it is made; one that is gone, which a plugin may not have learned yet, is
     * passed over.
     *
     * @return whether it is done or will be
     */
    private boolean update(String container, ResourceRequest wanted, Deadline deadline) {
        synchronized (this) {
            // Not before those that wait.
            if (postponed.containsKey(container)) {
                postpone(container, wanted);
                return true;
            }
        }
        if (node.update(container, wanted, deadline)) {
            return true;
        }
        synchronized (this) {
            if (making.get(container) instanceof Making.OfContainer) {
                postpone(container, wanted);
                return true;
            }
        }
        // It may have been made between the two looks.
        if (node.update(container, wanted, deadline)) {
            return true;
        }
        LOG.info(
                "container {} is not updated as an NRI plugin wants: it is neither created nor running",
                container);
        return false;
    }

    private synchronized void postpone(String container, ResourceRequest wanted) {
        List<ResourceRequest> kept = postponed.computeIfAbsent(container, id -> new ArrayList<>());
        if (kept.size() >= MOST_POSTPONED) {
            throw new PodException(
                    ErrorKind.RESOURCE_EXHAUSTED,
                    "it is still being made, and "
                            + MOST_POSTPONED
                            + " updates wait for that already; try again");
        }
        kept.add(wanted);
    }

    private void apply(UpdateMerge merge, Deadline deadline) {
        for (ContainerUpdate update : merge.updates()) {
            try {
                var _ =
                        update(
                                update.getContainerId(),
                                merge.resources(update, settings.facts()),
                                deadline);
            } catch (CremaException e) {
                if (!update.getIgnoreFailure()) {
                    throw new PodException(
                            e.kind(),
                            "container "
                                    + update.getContainerId()
                                    + " cannot be updated as NRI plugins want ("
                                    + String.join(", ", merge.plugins(update.getContainerId()))
                                    + "): "
                                    + e.getMessage(),
                            e);
                }
                LOG.info(
                        "container {} is not updated as an NRI plugin would like: {}",
                        update.getContainerId(),
                        e.getMessage());
            }
        }
    }

    private void evict(List<ContainerEviction> evictions) {
        evictions.forEach(eviction -> node.evict(eviction, "an NRI plugin"));
    }

    /** Says goodbye to all; those that we started are ended. */
    @Override
    public void close() {
        List<Plugin> all;
        synchronized (this) {
            if (isClosed) {
                return;
            }
            isClosed = true;
            all = List.copyOf(admitted);
        }
        if (socket != null) {
            socket.close();
        }
        List<Thread> farewells = new ArrayList<>();
        for (Plugin plugin : all) {
            farewells.add(Thread.ofVirtual().start(plugin::shutDown));
        }
        Deadline deadline = Deadline.after(END_TIME);
        for (Thread farewell : farewells) {
            try {
                var _ = farewell.join(deadline.remaining());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }
}
