package io.crema.runtime.stats;

import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** What metrics tell of a cgroup beyond {@link CgroupUsage}; absent without the controller. */
record CgroupDetail(
        @Nullable Cpu cpu,
        @Nullable Memory memory,
        Limits limits,
        List<HugePages> hugePages,
        List<DeviceTraffic> devices) {
    CgroupDetail {
        hugePages = List.copyOf(hugePages);
        devices = List.copyOf(devices);
    }

    /** Processor time by mode, and how often the quota was used up (periods are its intervals). */
    record Cpu(
            long userNanos,
            long systemNanos,
            long periods,
            long throttledPeriods,
            long throttledNanos) {}

    /**
     * Peaks and failures of memory.
     *
     * @param limitHits how often the limit stood in the way
     */
    record Memory(long peakBytes, long kernelBytes, long limitHits, long oomKills) {}

    /**
     * Limits as the kernel has them; 0 for none.
     *
     * @param cpuShares in the units of version 1, whichever version is in use
     * @param memorySwapBytes memory and swap together in version 1, swap alone in version 2
     */
    record Limits(
            OptionalLong cpuShares,
            OptionalLong cpuPeriodMicros,
            OptionalLong cpuQuotaMicros,
            OptionalLong memoryBytes,
            OptionalLong memoryReservationBytes,
            OptionalLong memorySwapBytes,
            OptionalLong tasks) {}

    /** Huge pages of one size, such as "2MB". */
    record HugePages(String size, long usageBytes, long peakBytes) {}

    /** What was read from and written to a block device. */
    record DeviceTraffic(
            int major, int minor, long readBytes, long writtenBytes, long reads, long writes) {}
}
