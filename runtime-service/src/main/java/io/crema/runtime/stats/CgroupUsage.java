package io.crema.runtime.stats;

import java.util.Collection;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What a cgroup with all inside it uses. Parts whose controller the node lacks are absent.
 *
 * @param cpuNanos processor time since the cgroup was made
 * @param tasks processes and their threads
 */
record CgroupUsage(
        OptionalLong cpuNanos,
        @Nullable Memory memory,
        @Nullable Swap swap,
        OptionalLong tasks,
        @Nullable Pressure cpuPressure,
        @Nullable Pressure memoryPressure,
        @Nullable Pressure ioPressure) {
    /**
     * Memory in bytes and page faults since the cgroup was made.
     *
     * @param workingSetBytes usage without the page cache that is dropped first
     * @param limitBytes of this cgroup itself; absent for no limit
     * @param rssBytes anonymous memory
     * @param mappedFileBytes page cache that is mapped by processes
     * @param ownPageFaults without those of cgroups inside, as far as the kernel tells them apart
     */
    record Memory(
            long usageBytes,
            long workingSetBytes,
            OptionalLong limitBytes,
            long rssBytes,
            long cacheBytes,
            long mappedFileBytes,
            long pageFaults,
            long majorPageFaults,
            long ownPageFaults,
            long ownMajorPageFaults) {
        /** What is left below the limit; absent without a limit. */
        OptionalLong availableBytes() {
            return limitBytes.isEmpty()
                    ? limitBytes
                    : OptionalLong.of(Math.max(0, limitBytes.getAsLong() - workingSetBytes));
        }

        private Memory plus(Memory other) {
            return new Memory(
                    usageBytes + other.usageBytes,
                    workingSetBytes + other.workingSetBytes,
                    OptionalLong.empty(),
                    rssBytes + other.rssBytes,
                    cacheBytes + other.cacheBytes,
                    mappedFileBytes + other.mappedFileBytes,
                    pageFaults + other.pageFaults,
                    majorPageFaults + other.majorPageFaults,
                    ownPageFaults + other.ownPageFaults,
                    ownMajorPageFaults + other.ownMajorPageFaults);
        }
    }

    /**
     * Swap alone, without memory.
     *
     * @param availableBytes absent without a limit
     */
    record Swap(long usageBytes, OptionalLong availableBytes) {
        private Swap plus(Swap other) {
            return new Swap(usageBytes + other.usageBytes, OptionalLong.empty());
        }
    }

    /**
     * What several cgroups use together. Limits and pressure of single ones say nothing about all
     * of them and are left out.
     */
    static CgroupUsage sum(Collection<CgroupUsage> usages) {
        OptionalLong cpu = OptionalLong.empty();
        OptionalLong tasks = OptionalLong.empty();
        Memory memory = null;
        Swap swap = null;
        for (CgroupUsage usage : usages) {
            cpu = sum(cpu, usage.cpuNanos);
            tasks = sum(tasks, usage.tasks);
            if (usage.memory != null) {
                memory = memory == null ? unlimited(usage.memory) : memory.plus(usage.memory);
            }
            if (usage.swap != null) {
                swap =
                        swap == null
                                ? new Swap(usage.swap.usageBytes, OptionalLong.empty())
                                : swap.plus(usage.swap);
            }
        }
        return new CgroupUsage(cpu, memory, swap, tasks, null, null, null);
    }

    private static OptionalLong sum(OptionalLong a, OptionalLong b) {
        if (a.isEmpty() || b.isEmpty()) {
            return a.isEmpty() ? b : a;
        }
        return OptionalLong.of(a.getAsLong() + b.getAsLong());
    }

    private static Memory unlimited(Memory memory) {
        return new Memory(
                memory.usageBytes,
                memory.workingSetBytes,
                OptionalLong.empty(),
                memory.rssBytes,
                memory.cacheBytes,
                memory.mappedFileBytes,
                memory.pageFaults,
                memory.majorPageFaults,
                memory.ownPageFaults,
                memory.ownMajorPageFaults);
    }
}
