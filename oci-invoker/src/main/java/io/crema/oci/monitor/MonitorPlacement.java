package io.crema.oci.monitor;

import io.crema.base.Deadline;
import io.crema.oci.process.Child;
import java.util.function.Supplier;

/** Keeps a monitor out of the daemon's cgroup, so that stopping us does not stop it. */
interface MonitorPlacement {
    /**
     * Starts a monitor and returns when it is in its place. It must not have forked by then. When
     * this fails, a monitor that was started has been killed.
     *
     * @param where as {@link ContainerMonitor.MonitorRequest#monitorCgroup()}
     * @param spawn starts the monitor as a child of ours; called at most once, maybe by a thread of
     *     its own
     */
    Child start(String where, Supplier<Child> spawn, Deadline deadline);

    /** Removes the place after the monitor has ended; nothing happens when it is gone already. */
    void remove(String where, Deadline deadline);
}
