package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.cni.NetworkException;
import io.crema.cni.PodNetworks.Attachment;
import io.crema.cni.PodNetworks.Dns;
import io.crema.cni.PodNetworks.HostPort;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PortMapping;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import io.crema.runtime.state.SandboxRecord;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Takes down what a pod sandbox holds: network, init process, namespaces, shared memory, cgroup,
 * files. Each step passes over what is not there, so the same steps serve a failed start, a stop, a
 * removal, a retry of any of them, and recovery.
 */
final class PodTeardown {
    /** Undo steps get this long whatever the caller's deadline. */
    private static final Duration UNDO_TIME = Duration.ofMinutes(1);

    private static final int DETACH_ATTEMPTS = 3;
    private static final Duration DETACH_PAUSE = Duration.ofMillis(300);

    private final NodeServices node;
    private final PodInit init;

    PodTeardown(NodeServices node, PodInit init) {
        this.node = node;
        this.init = init;
    }

    /** What CNI is told of a pod; without the namespace when it is gone. */
    Attachment attachment(PodSandbox sandbox, boolean withNamespace) {
        SandboxRecord record = sandbox.record();
        PodSandboxConfig config = sandbox.config();
        List<HostPort> ports = new ArrayList<>();
        for (PortMapping mapping : config.getPortMappingsList()) {
            if (mapping.getHostPort() != 0
                    && !node.settings().configuration().runtime().hostPortMappingDisabled()) {
                ports.add(
                        new HostPort(
                                mapping.getHostPort(),
                                mapping.getContainerPort(),
                                mapping.getProtocol().name().toLowerCase(Locale.ROOT),
                                mapping.getHostIp()));
            }
        }
        return new Attachment(
                record.id(),
                record.name(),
                record.namespace(),
                record.uid(),
                withNamespace
                        ? Optional.of(node.layout().namespace(record.id(), NamespaceKind.NETWORK))
                        : Optional.empty(),
                ports,
                new Dns(
                        config.getDnsConfig().getServersList(),
                        config.getDnsConfig().getSearchesList(),
                        config.getDnsConfig().getOptionsList()),
                record.cgroupParent(),
                config.getAnnotationsMap());
    }

    /** CNI DEL once; also when the namespace is gone already. */
    void releaseNetwork(PodSandbox sandbox, Deadline deadline) {
        if (!sandbox.record().networkHeld()) {
            return;
        }
        boolean present =
                isMountPoint(node.layout().namespace(sandbox.id(), NamespaceKind.NETWORK));
        for (int attempt = 1; ; attempt++) {
            try {
                node.networks().detach(attachment(sandbox, present), deadline);
                break;
            } catch (NetworkException e) {
                // A plugin that an earlier daemon had started when it died may still be at work on
                // the
                // same pod; Debian's bridge plugin then fails where it finds its rules gone
                // already.
                if (e.kind() != ErrorKind.INTERNAL
                        || attempt == DETACH_ATTEMPTS
                        || deadline.hasPassed()) {
                    throw e;
                }
                pause();
            }
        }
        sandbox.update(SandboxRecord::networkReleased);
    }

    private static void pause() {
        try {
            Thread.sleep(DETACH_PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    void releaseProcessesAndMounts(PodSandbox sandbox, Deadline deadline) {
        Layout layout = node.layout();
        PodSandboxId id = sandbox.id();
        init.stop(sandbox, deadline);
        Set<Path> pins =
                Stream.of(
                                NamespaceKind.NETWORK,
                                NamespaceKind.IPC,
                                NamespaceKind.UTS,
                                NamespaceKind.USER)
                        .map(kind -> layout.namespace(id, kind))
                        .collect(Collectors.toSet());
        if (Files.isDirectory(layout.namespaceDirectory(id))) {
            node.linux().unpin(pins);
            Trees.deleteIfExists(layout.namespaceDirectory(id));
        }
        Path sharedMemory = layout.sharedMemory(id);
        if (Files.isDirectory(sharedMemory)) {
            Mounts.unmountAll(node.linux(), sharedMemory);
            Trees.deleteIfExists(sharedMemory);
        }
        node.cgroups().removePod(sandbox.record().cgroupParent(), id, deadline);
    }

    /** Deletes the record first: from then on the rest is debris that any start clears away. */
    void deleteFiles(PodSandbox sandbox) {
        Layout layout = node.layout();
        Trees.deleteIfExists(layout.sandboxRecord(sandbox.id()));
        Trees.deleteTree(layout.sandbox(sandbox.id()));
    }

    /** Everything above, for a sandbox whose making failed or was cut short. */
    void undoHalfMade(PodSandbox sandbox) {
        Deadline deadline = Deadline.after(UNDO_TIME);
        RuntimeException failure = null;
        try {
            releaseNetwork(sandbox, deadline);
        } catch (RuntimeException e) {
            failure = e;
        }
        releaseProcessesAndMounts(sandbox, deadline);
        if (failure != null) {
            // The record stays, so that the next start tries the network again.
            throw failure;
        }
        deleteFiles(sandbox);
    }

    /**
     * Whether what holds a ready pod together still exists: its namespaces and its init process.
     */
    boolean isIntact(PodSandbox sandbox) {
        if (SandboxRequests.namespaces(sandbox.config()).getNetwork() == NamespaceMode.POD
                && !isMountPoint(node.layout().namespace(sandbox.id(), NamespaceKind.NETWORK))) {
            return false;
        }
        ProcessIdentity process = sandbox.record().init();
        return process == null || LiveProcess.isAlive(node.linux(), process);
    }

    private boolean isMountPoint(Path path) {
        return Mounts.isMountPoint(node.linux(), path);
    }
}
