package io.crema.runtime.stats;

import io.crema.runtime.cgroup.CgroupPath;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.PodSandbox;
import java.util.Optional;

/** Where the cgroups of pods and containers lie, from their records. */
final class CgroupPlaces {
    private final CgroupPlacement placement;

    CgroupPlaces(CgroupPlacement placement) {
        this.placement = placement;
    }

    CgroupPath of(Container container) {
        return placement.directory(
                known(container.record().cgroupParent()), container.id().value());
    }

    /** The cgroup of the pod's init process. */
    CgroupPath ofInit(PodSandbox sandbox) {
        return placement.directory(known(sandbox.record().cgroupParent()), sandbox.id().value());
    }

    /**
     * The cgroup that holds the pod and nothing else; empty when there is none. Kubelet makes one
     * for each pod and names it by the pod's uid. Other clients put many pods into one cgroup,
     * whose figures are no single pod's.
     */
    Optional<CgroupPath> ofWholePod(PodSandbox sandbox) {
        String uid = sandbox.config().getMetadata().getUid();
        CgroupPath parent = placement.parentDirectory(known(sandbox.record().cgroupParent()));
        String name = parent.lastElement();
        // In the name of a slice a dash would mean another level.
        boolean isOwn =
                switch (placement.driver()) {
                    case CGROUPFS -> name.equals("pod" + uid);
                    case SYSTEMD -> name.endsWith("pod" + uid.replace('-', '_') + ".slice");
                };
        return isOwn && !uid.isEmpty() ? Optional.of(parent) : Optional.empty();
    }

    private String known(String parent) {
        return parent.isEmpty() ? placement.parent("") : parent;
    }
}
