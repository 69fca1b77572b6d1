package io.crema.oci.spec;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the cgroup of a container allows (runtime-spec, config-linux.md: control groups). Absent
 * values leave the kernel's default.
 *
 * @param devices rules in their order, later ones override
 * @param unified files of cgroup v2 and what to write into them
 */
public record LinuxResources(
        List<DeviceRule> devices,
        @Nullable Memory memory,
        @Nullable Cpu cpu,
        @Nullable Pids pids,
        List<HugepageLimit> hugepageLimits,
        Map<String, String> unified) {
    /**
     * Permission to use devices.
     *
     * @param type c, b or a for all
     * @param major absent for all
     * @param minor absent for all
     * @param access some of r, w and m
     */
    public record DeviceRule(
            boolean allow,
            @Nullable String type,
            @Nullable Long major,
            @Nullable Long minor,
            String access) {}

    /**
     * Memory in bytes.
     *
     * @param swap memory and swap together, -1 for unlimited
     * @param kernelTCP only with cgroup version 1, as the two after it
     */
    public record Memory(
            @Nullable Long limit,
            @Nullable Long reservation,
            @Nullable Long swap,
            @Nullable Long kernelTCP,
            @Nullable Long swappiness,
            @Nullable Boolean disableOOMKiller) {
        /** What both versions have. */
        public Memory(@Nullable Long limit, @Nullable Long reservation, @Nullable Long swap) {
            this(limit, reservation, swap, null, null, null);
        }
    }

    /**
     * CPU time.
     *
     * @param quota microseconds in each period, -1 for unlimited
     * @param cpus list such as 0-2,4
     * @param realtimeRuntime microseconds in each realtime period, only with cgroup version 1
     */
    public record Cpu(
            @Nullable Long shares,
            @Nullable Long quota,
            @Nullable Long period,
            @Nullable String cpus,
            @Nullable String mems,
            @Nullable Long realtimeRuntime,
            @Nullable Long realtimePeriod) {
        /** What both versions have. */
        public Cpu(
                @Nullable Long shares,
                @Nullable Long quota,
                @Nullable Long period,
                @Nullable String cpus,
                @Nullable String mems) {
            this(shares, quota, period, cpus, mems, null, null);
        }
    }

    /** How many tasks. */
    public record Pids(long limit) {}

    /**
     * Huge pages of one size.
     *
     * @param pageSize such as 2MB
     */
    public record HugepageLimit(String pageSize, UnsignedLong limit) {}

    public LinuxResources {
        devices = Lists.copy(devices);
        hugepageLimits = Lists.copy(hugepageLimits);
        unified = Sorted.copy(unified);
    }

    public static LinuxResources none() {
        return new LinuxResources(List.of(), null, null, null, List.of(), Map.of());
    }

    public LinuxResources withDevices(List<DeviceRule> rules) {
        return new LinuxResources(rules, memory, cpu, pids, hugepageLimits, unified);
    }
}
