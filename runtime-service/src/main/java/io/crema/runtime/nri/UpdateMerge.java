package io.crema.runtime.nri;

import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.ContainerEviction;
import io.crema.nri.v1alpha1.ContainerUpdate;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.nri.v1alpha1.UpdateContainerRequest;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.ResourceRequest;
import io.crema.runtime.state.PodException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Collects what plugins, asked one after the other about one event, want of resources of containers
 * that exist: of the one that is being updated, if that is the event, and of others. Not thread
 * safe.
 */
public final class UpdateMerge {
    private static final Logger LOG = LoggerFactory.getLogger(UpdateMerge.class);

    private final FieldClaims claims;
    private final Optional<UpdateContainerRequest.Builder> request;
    private final String untouchable;
    private final Map<String, ContainerUpdate.Builder> updates = new LinkedHashMap<>();
    private final Map<String, ContainerEviction> evictions = new LinkedHashMap<>();

    /**
     * @param untouchable the id of the container that is being made and cannot be updated; empty
     *     for none
     */
    UpdateMerge(FieldClaims claims, Optional<UpdateContainerRequest> request, String untouchable) {
        this.claims = claims;
        this.request = request.map(UpdateContainerRequest::toBuilder);
        this.untouchable = untouchable;
    }

    /** For UpdateContainer. */
    public static UpdateMerge of(UpdateContainerRequest request) {
        return new UpdateMerge(new FieldClaims(), Optional.of(request), "");
    }

    /** For events that are about no resources: StopContainer, Synchronize. */
    public static UpdateMerge ofOthers() {
        return new UpdateMerge(new FieldClaims(), Optional.empty(), "");
    }

    /** What the next plugin is to be asked: with what those before it changed. */
    public UpdateContainerRequest request() {
        return request.orElseThrow().build();
    }

    /**
     * Adds what one plugin answered.
     *
     * @param plugin as messages are to call it
     * @throws PodException FAILED_PRECONDITION naming the plugins and the field, when another
     *     plugin has set the same and the update is not one that may fail
     */
    public void add(
            String plugin, List<ContainerUpdate> wanted, List<ContainerEviction> evictions) {
        for (ContainerUpdate update : wanted) {
            add(plugin, update);
        }
        for (ContainerEviction eviction : evictions) {
            UnknownFields.refuse(plugin, "an event", eviction);
            this.evictions.putIfAbsent(eviction.getContainerId(), eviction);
        }
    }

    private void add(String plugin, ContainerUpdate wanted) {
        String id = wanted.getContainerId();
        if (id.isEmpty()) {
            throw PodException.invalid(
                    "NRI plugin " + plugin + " updates a container without naming it");
        }
        if (id.equals(untouchable)) {
            throw PodException.invalid(
                    "NRI plugin "
                            + plugin
                            + " updates container "
                            + id
                            + ", which is only being made; it must adjust it instead");
        }
        UnknownFields.refuse(plugin, "an event about container " + id, wanted);
        Runnable undo = claims.undo(id);
        LinuxResources.Builder changed = present(id).toBuilder();
        try {
            new ResourceMerge(claims, id, plugin, List.of(changed))
                    .add(wanted.getLinux().getResources());
        } catch (PodException e) {
            undo.run();
            if (!wanted.getIgnoreFailure()) {
                throw e;
            }
            LOG.warn("an update is passed over, as it allows: {}", e.getMessage());
            return;
        }
        claims.takesPart(id, plugin);
        set(id, changed, wanted.getIgnoreFailure());
    }

    private LinuxResources present(String id) {
        if (isRequested(id)) {
            return request.orElseThrow().getLinuxResources();
        }
        ContainerUpdate.Builder update = updates.get(id);
        return update == null
                ? LinuxResources.getDefaultInstance()
                : update.getLinux().getResources();
    }

    private void set(String id, LinuxResources.Builder resources, boolean mayFail) {
        if (isRequested(id)) {
            request.orElseThrow().setLinuxResources(resources);
            return;
        }
        ContainerUpdate.Builder update =
                updates.computeIfAbsent(
                        id,
                        key ->
                                ContainerUpdate.newBuilder()
                                        .setContainerId(key)
                                        .setIgnoreFailure(true));
        update.setIgnoreFailure(update.getIgnoreFailure() && mayFail);
        update.getLinuxBuilder().setResources(resources);
    }

    private boolean isRequested(String id) {
        return request.isPresent() && request.get().getContainer().getId().equals(id);
    }

    /** What the container that is being updated is to get, after all plugins. */
    LinuxResources resources() {
        return request.orElseThrow().getLinuxResources();
    }

    /**
     * The same as a request to us.
     *
     * @param original what was asked for before the plugins were
     * @throws PodException FAILED_PRECONDITION naming plugin and field
     */
    public ResourceRequest resources(LinuxContainerResources original, NodeFacts node) {
        return requested(
                request.orElseThrow().getContainer().getId(),
                resources(),
                original.getOomScoreAdj(),
                node);
    }

    /**
     * What another container is to get.
     *
     * @param update one of {@link #updates}
     * @throws PodException FAILED_PRECONDITION naming plugin and field
     */
    public ResourceRequest resources(ContainerUpdate update, NodeFacts node) {
        return requested(update.getContainerId(), update.getLinux().getResources(), 0, node);
    }

    private ResourceRequest requested(
            String id, LinuxResources wanted, long oomScoreAdjustment, NodeFacts node) {
        new ResourceSupport(new Refusals(claims, id), node).checkUpdate(wanted);
        LinuxContainerResources.Builder cri =
                LinuxContainerResources.newBuilder().setOomScoreAdj(oomScoreAdjustment);
        NriResources.over(cri, wanted);
        return new ResourceRequest(cri.build(), NriResources.extra(wanted));
    }

    /** Of other containers, one each, in the order in which they were first named. */
    public List<ContainerUpdate> updates() {
        List<ContainerUpdate> all = new ArrayList<>();
        updates.values().forEach(update -> all.add(update.build()));
        return all;
    }

    /** One for each container; of several reasons the first. */
    public List<ContainerEviction> evictions() {
        return List.copyOf(evictions.values());
    }

    /** Who wants anything of a container, for messages. */
    public SortedSet<String> plugins(String container) {
        return claims.plugins(container);
    }
}
