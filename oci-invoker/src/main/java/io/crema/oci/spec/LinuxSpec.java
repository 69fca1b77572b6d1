package io.crema.oci.spec;

import io.crema.oci.spec.RuntimeSpec.IdMapping;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is particular to Linux (runtime-spec, config-linux.md).
 *
 * @param cgroupsPath {@code slice:prefix:name} with the systemd driver, else a path below the
 *     mounts of the controllers
 * @param rootfsPropagation such as rslave; absent for the runtime's default
 * @param mountLabel the SELinux context of mounts
 * @param netDevices network interfaces of the host by name
 * @param memoryPolicy absent for the node's
 */
public record LinuxSpec(
        List<IdMapping> uidMappings,
        List<IdMapping> gidMappings,
        Map<String, String> sysctl,
        LinuxResources resources,
        @Nullable String cgroupsPath,
        List<Namespace> namespaces,
        List<Device> devices,
        @Nullable LinuxSeccomp seccomp,
        @Nullable String rootfsPropagation,
        List<String> maskedPaths,
        List<String> readonlyPaths,
        @Nullable String mountLabel,
        @Nullable IntelRdt intelRdt,
        Map<String, NetDevice> netDevices,
        @Nullable MemoryPolicy memoryPolicy) {
    /**
     * From which nodes memory is taken (set_mempolicy(2); version 1.3 of the specification).
     *
     * @param mode such as MPOL_BIND
     * @param nodes list such as 0-1
     * @param flags such as MPOL_F_STATIC_NODES
     */
    public record MemoryPolicy(String mode, @Nullable String nodes, List<String> flags) {
        public MemoryPolicy {
            flags = Lists.copy(flags);
        }
    }

    /**
     * Cache and memory bandwidth (config-linux.md: Intel RDT).
     *
     * @param schemata lines of that file
     */
    public record IntelRdt(
            @Nullable String closID,
            List<String> schemata,
            @Nullable String l3CacheSchema,
            @Nullable String memBwSchema,
            @Nullable Boolean enableCMT,
            @Nullable Boolean enableMBM,
            @Nullable Boolean enableMonitoring) {
        public IntelRdt {
            schemata = Lists.copy(schemata);
        }
    }

    /**
     * A network interface of the host to move into the container.
     *
     * @param name in the container, absent for the host's
     */
    public record NetDevice(@Nullable String name) {}

    /** Without what only few containers have. */
    public LinuxSpec(
            List<IdMapping> uidMappings,
            List<IdMapping> gidMappings,
            Map<String, String> sysctl,
            LinuxResources resources,
            @Nullable String cgroupsPath,
            List<Namespace> namespaces,
            List<Device> devices,
            @Nullable LinuxSeccomp seccomp,
            @Nullable String rootfsPropagation,
            List<String> maskedPaths,
            List<String> readonlyPaths,
            @Nullable String mountLabel) {
        this(
                uidMappings,
                gidMappings,
                sysctl,
                resources,
                cgroupsPath,
                namespaces,
                devices,
                seccomp,
                rootfsPropagation,
                maskedPaths,
                readonlyPaths,
                mountLabel,
                null,
                Map.of(),
                null);
    }

    /**
     * A namespace to make, or to join.
     *
     * @param type pid, network, mount, ipc, uts, user or cgroup
     * @param path absent to make a new one
     */
    public record Namespace(String type, @Nullable String path) {}

    /**
     * A device node to make.
     *
     * @param type c, b, u or p
     */
    public record Device(
            String type,
            String path,
            @Nullable Long major,
            @Nullable Long minor,
            @Nullable Integer fileMode,
            @Nullable Long uid,
            @Nullable Long gid) {}

    /** Nothing but defaults. */
    public static LinuxSpec none() {
        return new LinuxSpec(
                List.of(),
                List.of(),
                Map.of(),
                LinuxResources.none(),
                null,
                List.of(),
                List.of(),
                null,
                null,
                List.of(),
                List.of(),
                null);
    }

    public LinuxSpec {
        resources = resources == null ? LinuxResources.none() : resources;
        uidMappings = Lists.copy(uidMappings);
        gidMappings = Lists.copy(gidMappings);
        sysctl = Sorted.copy(sysctl);
        namespaces = Lists.copy(namespaces);
        devices = Lists.copy(devices);
        maskedPaths = Lists.copy(maskedPaths);
        readonlyPaths = Lists.copy(readonlyPaths);
        netDevices = Sorted.copy(netDevices);
    }
}
