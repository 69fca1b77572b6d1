package io.crema.runtime.spec;

import io.crema.oci.spec.LinuxResources;
import org.jspecify.annotations.Nullable;

/**
 * Limits of a container that the CRI has no words for; absent ones stay as they are.
 *
 * @param reservation bytes of memory that are not taken away when memory is short
 * @param kernelTcp bytes of TCP buffers, only with cgroup version 1
 * @param realtimeRuntime microseconds, as the period; only with cgroup version 1
 * @param pids how many tasks, -1 for any number
 */
public record ExtraLimits(
        @Nullable Long reservation,
        @Nullable Long kernelTcp,
        @Nullable Long realtimeRuntime,
        @Nullable Long realtimePeriod,
        @Nullable Long pids) {
    public static final ExtraLimits NONE = new ExtraLimits(null, null, null, null, null);

    /** These over others. */
    public LinuxResources over(LinuxResources resources) {
        if (equals(NONE)) {
            return resources;
        }
        return new LinuxResources(
                resources.devices(),
                memory(resources.memory()),
                cpu(resources.cpu()),
                pids == null ? resources.pids() : new LinuxResources.Pids(pids),
                resources.hugepageLimits(),
                resources.unified());
    }

    private LinuxResources.@Nullable Memory memory(LinuxResources.@Nullable Memory present) {
        if (reservation == null && kernelTcp == null) {
            return present;
        }
        LinuxResources.Memory old =
                present == null ? new LinuxResources.Memory(null, null, null) : present;
        return new LinuxResources.Memory(
                old.limit(),
                reservation == null ? old.reservation() : reservation,
                old.swap(),
                kernelTcp == null ? old.kernelTCP() : kernelTcp,
                old.swappiness(),
                old.disableOOMKiller());
    }

    private LinuxResources.@Nullable Cpu cpu(LinuxResources.@Nullable Cpu present) {
        if (realtimeRuntime == null && realtimePeriod == null) {
            return present;
        }
        LinuxResources.Cpu old =
                present == null ? new LinuxResources.Cpu(null, null, null, null, null) : present;
        return new LinuxResources.Cpu(
                old.shares(),
                old.quota(),
                old.period(),
                old.cpus(),
                old.mems(),
                realtimeRuntime == null ? old.realtimeRuntime() : realtimeRuntime,
                realtimePeriod == null ? old.realtimePeriod() : realtimePeriod);
    }
}
