package io.crema.runtime.nri;

import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.HugepageLimit;
import io.crema.nri.v1alpha1.LinuxCPU;
import io.crema.nri.v1alpha1.LinuxMemory;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.runtime.spec.ExtraLimits;
import org.jspecify.annotations.Nullable;

/**
 * Limits that plugins set, in the words of the CRI and beyond them. Zero stands for "not set" in
 * the CRI, and plugins that turn one into the other send it as such: it changes nothing.
 */
final class NriResources {
    private NriResources() {}

    /** The part that the CRI has words for, over what is there. */
    static void over(LinuxContainerResources.Builder cri, LinuxResources wanted) {
        LinuxCPU cpu = wanted.getCpu();
        if (cpu.getShares().getValue() != 0) {
            cri.setCpuShares(cpu.getShares().getValue());
        }
        if (cpu.getQuota().getValue() != 0) {
            cri.setCpuQuota(cpu.getQuota().getValue());
        }
        if (cpu.getPeriod().getValue() != 0) {
            cri.setCpuPeriod(cpu.getPeriod().getValue());
        }
        if (!cpu.getCpus().isEmpty()) {
            cri.setCpusetCpus(cpu.getCpus());
        }
        if (!cpu.getMems().isEmpty()) {
            cri.setCpusetMems(cpu.getMems());
        }
        LinuxMemory memory = wanted.getMemory();
        if (memory.getLimit().getValue() != 0) {
            // The swap limit counts both together: a new memory limit alone means no swap.
            cri.setMemoryLimitInBytes(memory.getLimit().getValue())
                    .setMemorySwapLimitInBytes(memory.getSwap().getValue());
        } else if (memory.getSwap().getValue() != 0) {
            cri.setMemorySwapLimitInBytes(memory.getSwap().getValue());
        }
        for (HugepageLimit limit : wanted.getHugepageLimitsList()) {
            put(cri, limit);
        }
        cri.putAllUnified(wanted.getUnifiedMap());
    }

    private static void put(LinuxContainerResources.Builder cri, HugepageLimit limit) {
        io.crema.cri.v1.HugepageLimit changed =
                io.crema.cri.v1.HugepageLimit.newBuilder()
                        .setPageSize(limit.getPageSize())
                        .setLimit(limit.getLimit())
                        .build();
        for (int i = 0; i < cri.getHugepageLimitsCount(); i++) {
            if (cri.getHugepageLimits(i).getPageSize().equals(limit.getPageSize())) {
                cri.setHugepageLimits(i, changed);
                return;
            }
        }
        cri.addHugepageLimits(changed);
    }

    /** The part that it has none for, and that can be changed at any time. */
    static ExtraLimits extra(LinuxResources wanted) {
        return new ExtraLimits(
                orNull(wanted.getMemory().getReservation().getValue()),
                orNull(wanted.getMemory().getKernelTcp().getValue()),
                orNull(wanted.getCpu().getRealtimeRuntime().getValue()),
                orNull(wanted.getCpu().getRealtimePeriod().getValue()),
                orNull(wanted.getPids().getLimit()));
    }

    private static @Nullable Long orNull(long value) {
        return value == 0 ? null : Long.valueOf(value);
    }
}
