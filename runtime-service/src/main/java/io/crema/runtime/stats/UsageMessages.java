package io.crema.runtime.stats;

import io.crema.cri.v1.CpuUsage;
import io.crema.cri.v1.IoUsage;
import io.crema.cri.v1.MemoryUsage;
import io.crema.cri.v1.SwapUsage;
import io.crema.cri.v1.UInt64Value;
import java.util.Optional;
import java.util.OptionalLong;

/** The parts that CRI statistics of containers and of pods have in common. */
final class UsageMessages {
    private UsageMessages() {}

    static Optional<CpuUsage> cpu(CgroupUsage usage, OptionalLong nanosPerSecond, long atNanos) {
        if (usage.cpuNanos().isEmpty()) {
            return Optional.empty();
        }
        CpuUsage.Builder cpu =
                CpuUsage.newBuilder()
                        .setTimestamp(atNanos)
                        .setUsageCoreNanoSeconds(value(usage.cpuNanos().getAsLong()));
        if (nanosPerSecond.isPresent()) {
            cpu.setUsageNanoCores(value(nanosPerSecond.getAsLong()));
        }
        if (usage.cpuPressure() != null) {
            cpu.setPsi(usage.cpuPressure().message());
        }
        return Optional.of(cpu.build());
    }

    static Optional<MemoryUsage> memory(CgroupUsage usage, long atNanos) {
        CgroupUsage.Memory use = usage.memory();
        if (use == null) {
            return Optional.empty();
        }
        MemoryUsage.Builder memory =
                MemoryUsage.newBuilder()
                        .setTimestamp(atNanos)
                        .setWorkingSetBytes(value(use.workingSetBytes()))
                        .setUsageBytes(value(use.usageBytes()))
                        .setRssBytes(value(use.rssBytes()))
                        .setPageFaults(value(use.pageFaults()))
                        .setMajorPageFaults(value(use.majorPageFaults()));
        use.availableBytes().ifPresent(available -> memory.setAvailableBytes(value(available)));
        if (usage.memoryPressure() != null) {
            memory.setPsi(usage.memoryPressure().message());
        }
        return Optional.of(memory.build());
    }

    static Optional<SwapUsage> swap(CgroupUsage usage, long atNanos) {
        CgroupUsage.Swap use = usage.swap();
        if (use == null) {
            return Optional.empty();
        }
        SwapUsage.Builder swap =
                SwapUsage.newBuilder()
                        .setTimestamp(atNanos)
                        .setSwapUsageBytes(value(use.usageBytes()));
        use.availableBytes().ifPresent(available -> swap.setSwapAvailableBytes(value(available)));
        return Optional.of(swap.build());
    }

    static Optional<IoUsage> io(CgroupUsage usage, long atNanos) {
        return usage.ioPressure() == null
                ? Optional.empty()
                : Optional.of(
                        IoUsage.newBuilder()
                                .setTimestamp(atNanos)
                                .setPsi(usage.ioPressure().message())
                                .build());
    }

    static UInt64Value value(long value) {
        return UInt64Value.newBuilder().setValue(value).build();
    }
}
