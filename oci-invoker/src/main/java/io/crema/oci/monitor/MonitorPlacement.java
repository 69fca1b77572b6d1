package io.crema.oci.monitor;

import io.crema.base.Deadline;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.process.Child;

/** Keeps a monitor out of the daemon's cgroup, so that stopping us does not stop it. */
interface MonitorPlacement {
    /**
     * Starts a monitor as a child of ours. When this returns, it is in its place or moves there
     * before it does anything else. It must not fork before it is told to. When this fails, a
     * monitor that was started has been killed.
     *
     * @param where as {@link ContainerMonitor.MonitorRequest#monitorCgroup()}
     */
    Child start(String where, SpawnRequest request, Deadline deadline);

    /** Removes the place after the monitor has ended; nothing happens when it is gone already. */
    void remove(String where, Deadline deadline);
}
