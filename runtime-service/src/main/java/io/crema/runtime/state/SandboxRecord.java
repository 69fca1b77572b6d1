package io.crema.runtime.state;

import io.crema.base.PodSandboxId;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is written down about a pod sandbox. It is written before the first step that touches the
 * world ({@code complete} false: a restarted daemon undoes such a sandbox), once all is in place,
 * and as stopping takes things down.
 *
 * @param config the CRI PodSandboxConfig in protobuf's wire format
 * @param addresses of the pod, the primary one first; none for host network and once released
 * @param cgroupParent as resolved for the configured driver, empty for the default
 * @param init the pod's PID 1, only when the pod shares its PID namespace
 * @param networkHeld whether CNI ADD may have been called and DEL has not yet succeeded
 * @param stopped whether StopPodSandbox has begun; such a sandbox never becomes ready again
 * @param overhead as last told by UpdatePodSandboxResources, a LinuxContainerResources in
 *     protobuf's wire format; empty when it is still that of the config
 * @param resources likewise
 */
public record SandboxRecord(
        int version,
        PodSandboxId id,
        String name,
        String namespace,
        String uid,
        int attempt,
        byte[] config,
        String runtimeHandler,
        String hostname,
        String cgroupParent,
        boolean complete,
        List<String> addresses,
        @Nullable ProcessIdentity init,
        @Nullable ProcessIdentity monitor,
        boolean networkHeld,
        boolean stopped,
        long createdAtNanos,
        byte[] overhead,
        byte[] resources) {
    public static final int VERSION = 1;

    public SandboxRecord {
        addresses = List.copyOf(addresses);
        // Absent in records of an earlier version.
        overhead = overhead == null ? new byte[0] : overhead;
        resources = resources == null ? new byte[0] : resources;
    }

    public SandboxRecord ready(
            List<String> newAddresses,
            @Nullable ProcessIdentity newInit,
            @Nullable ProcessIdentity newMonitor) {
        return with(true, newAddresses, newInit, newMonitor, networkHeld, false);
    }

    public SandboxRecord stopping() {
        return with(complete, addresses, init, monitor, networkHeld, true);
    }

    public SandboxRecord networkReleased() {
        return with(complete, List.of(), init, monitor, false, stopped);
    }

    private SandboxRecord with(
            boolean newComplete,
            List<String> newAddresses,
            @Nullable ProcessIdentity newInit,
            @Nullable ProcessIdentity newMonitor,
            boolean newNetworkHeld,
            boolean newStopped) {
        return new SandboxRecord(
                version,
                id,
                name,
                namespace,
                uid,
                attempt,
                config,
                runtimeHandler,
                hostname,
                cgroupParent,
                newComplete,
                newAddresses,
                newInit,
                newMonitor,
                newNetworkHeld,
                newStopped,
                createdAtNanos,
                overhead,
                resources);
    }

    /** This record after UpdatePodSandboxResources; what is empty stays as it is. */
    public SandboxRecord withResources(byte[] newOverhead, byte[] newResources) {
        return new SandboxRecord(
                version,
                id,
                name,
                namespace,
                uid,
                attempt,
                config,
                runtimeHandler,
                hostname,
                cgroupParent,
                complete,
                addresses,
                init,
                monitor,
                networkHeld,
                stopped,
                createdAtNanos,
                newOverhead.length == 0 ? overhead : newOverhead,
                newResources.length == 0 ? resources : newResources);
    }
}
