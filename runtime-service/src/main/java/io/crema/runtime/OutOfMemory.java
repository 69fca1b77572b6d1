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
    private static final Logger log = LoggerFactory.getLogger(OutOfMemory.class);

    /** How a process ends by SIGKILL. */
    private static final int KILLED = 128 + 9;

    private final NodeServices node;

    OutOfMemory(NodeServices node) {
        this.node = node;
    }

    boolean killed(Container container, Exit exit) {
        String parent = container.record().cgroupParent();
        try {
            OptionalLong kills = node.cgroups().outOfMemoryKills(parent, container.id());
            if (kills.isPresent()) {
                return kills.getAsLong() > 0;
            }
            // Systemd removes the cgroup as soon as it is empty. With version 2 the pod's counts
            // on.
            return exit.oomKilled()
                    || (exit.code() == KILLED
                            && node.facts().cgroups().isUnified()
                            && node.cgroups().outOfMemoryKills(parent).orElse(0) > 0);
        } catch (PodException e) {
            log.warn("cannot read the out-of-memory kills of {}: {}", container, e.getMessage());
            return exit.oomKilled();
        }
    }
}
