package io.crema.oci.monitor;

import io.crema.base.Deadline;

/** Moves a starting monitor out of the daemon's cgroup, so that stopping us does not stop it. */
interface MonitorPlacement {
    /**
     * Moves a process, which must not have forked yet, and returns when it has moved.
     *
     * @param where as {@link ContainerMonitor.MonitorRequest#monitorCgroup()}
     */
    void place(int pid, String where, Deadline deadline);

    /** Removes the place after the monitor has ended; nothing happens when it is gone already. */
    void remove(String where, Deadline deadline);
}
