package io.crema.runtime;

import io.crema.oci.monitor.ContainerMonitor.Exit;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.PodException;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a process of a container, the first or any other, was killed because memory ran out. The
 * kernel's own count decides while the cgroup is there: it is complete before the process ends. The
 * monitor is only asked without it: with version 1 conmon may have seen the end before the event,
 * and takes an event of the pod's cgroup for one of each container.
 */
final class OutOfMemory {
    private static final Logger LOG = LoggerFactory.getLogger(OutOfMemory.class);

    /** How a process ends by SIGKILL. */
    private static final int KILLED = 128 + 9;

    private final PodCgroups cgroups;
    private final boolean isUnified;

    /**
     * @param isUnified version 2, where a cgroup counts what befalls those below it, too
     */
    OutOfMemory(PodCgroups cgroups, boolean isUnified) {
        this.cgroups = cgroups;
        this.isUnified = isUnified;
    }

    boolean killed(Container container, Exit exit) {
        String parent = container.record().cgroupParent();
        try {
            OptionalLong kills = cgroups.outOfMemoryKills(parent, container.id());
            if (kills.isPresent()) {
                return kills.getAsLong() > 0;
            }
            // Systemd removes the cgroup as soon as it is empty. With version 2 the pod's counts
            // on.
            return exit.oomKilled()
                    || (exit.code() == KILLED
                            && isUnified
                            && cgroups.outOfMemoryKills(parent).orElse(0) > 0);
        } catch (PodException e) {
            LOG.warn("cannot read the out-of-memory kills of {}: {}", container, e.getMessage());
            return exit.oomKilled();
        }
    }
}
