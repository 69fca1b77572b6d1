package io.crema.runtime.cdi;

import io.crema.oci.spec.LinuxSpec.IntelRdt;
import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.oci.spec.RuntimeSpec.Mount;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a device changes in the specification of its container.
 *
 * @param environment NAME=value
 * @param additionalGids groups that the process joins
 */
record ContainerEdits(
        List<String> environment,
        List<DeviceNode> deviceNodes,
        List<NetDevice> netDevices,
        List<Mount> mounts,
        List<NamedHook> hooks,
        List<Long> additionalGids,
        @Nullable IntelRdt intelRdt) {
    /**
     * A device node; what is absent is as on the host.
     *
     * @param hostPath empty when it is the same
     * @param type empty for the host's
     * @param permissions empty for rwm
     */
    record DeviceNode(
            String path,
            String hostPath,
            String type,
            @Nullable Long major,
            @Nullable Long minor,
            @Nullable Integer fileMode,
            String permissions,
            @Nullable Long uid,
            @Nullable Long gid) {}

    /**
     * A network interface.
     *
     * @param name in the container, empty for the host's
     */
    record NetDevice(String hostInterfaceName, String name) {}

    /**
     * A program and when it runs.
     *
     * @param stage as the runtime specification calls it: createRuntime
     */
    record NamedHook(String stage, Hook hook) {}

    ContainerEdits {
        environment = List.copyOf(environment);
        deviceNodes = List.copyOf(deviceNodes);
        netDevices = List.copyOf(netDevices);
        mounts = List.copyOf(mounts);
        hooks = List.copyOf(hooks);
        additionalGids = List.copyOf(additionalGids);
    }
}
