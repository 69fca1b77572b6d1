package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.PodSandboxId;
import io.crema.oci.spec.LinuxResources;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.cgroup.Cgroups;
import java.util.List;
import java.util.OptionalLong;

/** The cgroups of pods, containers and their monitors: made, killed and removed by id. */
final class PodCgroups {
    private final Cgroups cgroups;
    private final CgroupPlacement placement;

    PodCgroups(Cgroups cgroups, CgroupPlacement placement) {
        this.cgroups = cgroups;
        this.placement = placement;
    }

    /** What a request's cgroup_parent means on this node. */
    String parent(String requested) {
        return placement.parent(requested);
    }

    /**
     * Refuses a container in a pod whose own limit leaves the OCI runtime too little memory.
     *
     * @param minimumBytes container_min_memory of the handler
     */
    void requireMemory(String parent, long minimumBytes) {
        cgroups.requireMemory(placement.parentDirectory(parent), minimumBytes);
    }

    /** The cgroup that cAdvisor looks for to read a pod's network statistics. */
    void createPod(String parent, PodSandboxId id) {
        cgroups.create(placement.directory(parent, id.value()));
    }

    void removePod(String parent, PodSandboxId id, Deadline deadline) {
        cgroups.remove(placement.directory(parent, id.value()), deadline);
    }

    /** Ends everything in a container's cgroup. */
    void killContainer(String parent, ContainerId id, Deadline deadline) {
        cgroups.killAll(placement.directory(parent, id.value()), deadline);
    }

    /** Lets a container's processes run that somebody has frozen. */
    void thawContainer(String parent, ContainerId id) {
        cgroups.thaw(placement.directory(parent, id.value()));
    }

    void removeContainer(String parent, ContainerId id, Deadline deadline) {
        cgroups.remove(placement.directory(parent, id.value()), deadline);
    }

    /** Sets limits in a container's cgroup; those left out stay as they are. */
    void applyToContainer(String parent, ContainerId id, LinuxResources resources) {
        cgroups.apply(placement.directory(parent, id.value()), resources);
    }

    List<Integer> processes(String parent, ContainerId id) {
        return cgroups.processes(placement.directory(parent, id.value()));
    }

    String monitor(String parent, String id) {
        return placement.monitor(parent, id);
    }

    /** How many processes of a container the kernel has killed for want of memory. */
    OptionalLong outOfMemoryKills(String parent, ContainerId id) {
        return cgroups.outOfMemoryKills(placement.directory(parent, id.value()));
    }

    /** How many processes of the whole pod the kernel has killed for want of memory. */
    OptionalLong outOfMemoryKills(String parent) {
        return cgroups.outOfMemoryKills(placement.parentDirectory(parent));
    }

    /** What a container uses now, page cache included; empty when its cgroup is not there. */
    OptionalLong memoryUsage(String parent, ContainerId id) {
        return cgroups.memoryUsage(placement.directory(parent, id.value()));
    }
}
