package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.monitor.ContainerMonitor.Monitored;
import io.crema.oci.runtime.OciRuntime;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerRecord;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes down what a container holds. Each step passes over what is not there, so the same steps
 * serve a failed creation, a removal, a retry, and recovery.
 */
final class ContainerTeardown {
    private static final Logger LOG = LoggerFactory.getLogger(ContainerTeardown.class);
    private static final int SIGKILL = 9;
    private static final Duration UNDO_TIME = Duration.ofMinutes(1);

    private final NodeServices node;

    ContainerTeardown(NodeServices node) {
        this.node = node;
    }

    /**
     * Ends a restore that nobody saw the end of. The monitor first, which may be about to restore
     * what is then deleted; only its file says which process it is. CRIU may survive the OCI
     * runtime, beside the monitor, and make a last process; so once nothing is left there, the
     * container is ended again.
     */
    void endRestore(Container container, Deadline deadline) {
        ContainerRecord record = container.record();
        killMonitor(container.id());
        endProcesses(container, deadline);
        releaseMonitor(
                node,
                container.id(),
                record.cgroupParent(),
                record.process(),
                record.monitor(),
                deadline);
        endProcesses(container, deadline);
    }

    private void endProcesses(Container container, Deadline deadline) {
        node.cgroups().killContainer(container.record().cgroupParent(), container.id(), deadline);
        runtimeOf(container).delete(container.id(), true, deadline);
    }

    /** The number may be another process's by now, which does not have the id as an argument. */
    private void killMonitor(ContainerId id) {
        Path file = node.layout().bundle(id).resolve("conmon.pid");
        try {
            int pid = Integer.parseInt(Files.readString(file).strip());
            Optional<Descriptor> process = node.linux().openProcess(pid);
            if (process.isPresent()) {
                try (Descriptor open = process.get()) {
                    if (Files.readString(Path.of("/proc/" + pid + "/cmdline"))
                            .contains(id.value())) {
                        node.linux().kill(open, SIGKILL);
                    }
                }
            }
        } catch (IOException | NumberFormatException e) {
            LOG.info("no monitor of container {} to end: {}", id, e.toString());
        }
    }

    /** The OCI runtime's state, the monitor, mounts and the bundle. */
    void release(Container container, Deadline deadline) {
        Layout layout = node.layout();
        OciRuntime runtime = runtimeOf(container);
        runtime.delete(container.id(), true, deadline);
        releaseMonitor(
                node,
                container.id(),
                container.record().cgroupParent(),
                container.record().process(),
                container.record().monitor(),
                deadline);
        node.cgroups().removeContainer(container.record().cgroupParent(), container.id(), deadline);
        Mounts.unmountAll(node.linux(), layout.rootFileSystem(container.id()));
        new ImageVolumes(node).release(container);
        Trees.deleteTree(layout.bundle(container.id()));
        node.images().release(container.id().value());
    }

    /**
     * What the monitor of a container, or of a pod's init process, leaves: itself, cgroup, exit
     * file.
     */
    static void releaseMonitor(
            NodeServices node,
            ContainerId id,
            String cgroupParent,
            @Nullable ProcessIdentity process,
            @Nullable ProcessIdentity monitor,
            Deadline deadline) {
        Optional<Monitored> monitored =
                process == null || monitor == null
                        ? Optional.empty()
                        : Optional.of(
                                new Monitored(
                                        process.pid(),
                                        process.startTicks(),
                                        monitor.pid(),
                                        monitor.startTicks()));
        node.monitor()
                .release(
                        id,
                        monitored,
                        node.cgroups().monitor(cgroupParent, id.value()),
                        node.settings().isSystemd(),
                        deadline);
    }

    /** Deletes the record first: from then on the rest is debris that any start clears away. */
    void deleteFiles(Container container) {
        Layout layout = node.layout();
        Trees.deleteIfExists(layout.containerRecord(container.id()));
        new CheckpointDirectory(node, container.id()).delete();
        Mounts.unmountPassing(node.linux(), layout.container(container.id()));
        Trees.deleteTree(layout.container(container.id()));
    }

    void undoHalfMade(Container container) {
        release(container, Deadline.after(UNDO_TIME));
        deleteFiles(container);
    }

    private OciRuntime runtimeOf(Container container) {
        try {
            return node.handlers().named(container.record().runtimeHandler());
        } catch (PodException e) {
            // The handler was taken out of the configuration; the default can at least clean up.
            return node.handlers().defaultRuntime();
        }
    }
}
