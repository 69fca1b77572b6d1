package io.crema.runtime.nri;

import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.HugepageLimit;
import io.crema.nri.v1alpha1.LinuxCPU;
import io.crema.nri.v1alpha1.LinuxDeviceCgroup;
import io.crema.nri.v1alpha1.LinuxMemory;
import io.crema.nri.v1alpha1.LinuxPids;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.nri.v1alpha1.OptionalBool;
import io.crema.nri.v1alpha1.OptionalInt64;
import io.crema.nri.v1alpha1.OptionalUInt64;
import org.jspecify.annotations.Nullable;

/** Limits as plugins see them, from those of the CRI and of a specification. */
public final class ResourceMessages {
    private ResourceMessages() {}

    /** What is zero or empty in the CRI is not said. */
    public static LinuxResources of(LinuxContainerResources resources) {
        LinuxResources.Builder result = LinuxResources.newBuilder();
        LinuxMemory.Builder memory = result.getMemoryBuilder();
        if (resources.getMemoryLimitInBytes() != 0) {
            memory.setLimit(signed(resources.getMemoryLimitInBytes()));
        }
        if (resources.getMemorySwapLimitInBytes() != 0) {
            memory.setSwap(signed(resources.getMemorySwapLimitInBytes()));
        }
        LinuxCPU.Builder cpu = result.getCpuBuilder();
        if (resources.getCpuShares() != 0) {
            cpu.setShares(unsigned(resources.getCpuShares()));
        }
        if (resources.getCpuQuota() != 0) {
            cpu.setQuota(signed(resources.getCpuQuota()));
        }
        if (resources.getCpuPeriod() != 0) {
            cpu.setPeriod(unsigned(resources.getCpuPeriod()));
        }
        cpu.setCpus(resources.getCpusetCpus()).setMems(resources.getCpusetMems());
        resources
                .getHugepageLimitsList()
                .forEach(limit ->
                        result.addHugepageLimits(
                                HugepageLimit.newBuilder()
                                        .setPageSize(limit.getPageSize())
                                        .setLimit(limit.getLimit())));
        return result.putAllUnified(resources.getUnifiedMap()).build();
    }

    static LinuxResources of(io.crema.oci.spec.LinuxResources resources) {
        LinuxResources.Builder result = LinuxResources.newBuilder();
        io.crema.oci.spec.LinuxResources.Memory memory = resources.memory();
        if (memory != null) {
            LinuxMemory.Builder told = result.getMemoryBuilder();
            if (memory.limit() != null) {
                told.setLimit(signed(memory.limit()));
            }
            if (memory.reservation() != null) {
                told.setReservation(signed(memory.reservation()));
            }
            if (memory.swap() != null) {
                told.setSwap(signed(memory.swap()));
            }
            if (memory.kernelTCP() != null) {
                told.setKernelTcp(signed(memory.kernelTCP()));
            }
            if (memory.swappiness() != null) {
                told.setSwappiness(unsigned(memory.swappiness()));
            }
            if (memory.disableOOMKiller() != null) {
                told.setDisableOomKiller(
                        OptionalBool.newBuilder().setValue(memory.disableOOMKiller()));
            }
        }
        io.crema.oci.spec.LinuxResources.Cpu cpu = resources.cpu();
        if (cpu != null) {
            LinuxCPU.Builder told = result.getCpuBuilder();
            if (cpu.shares() != null) {
                told.setShares(unsigned(cpu.shares()));
            }
            if (cpu.quota() != null) {
                told.setQuota(signed(cpu.quota()));
            }
            if (cpu.period() != null) {
                told.setPeriod(unsigned(cpu.period()));
            }
            if (cpu.realtimeRuntime() != null) {
                told.setRealtimeRuntime(signed(cpu.realtimeRuntime()));
            }
            if (cpu.realtimePeriod() != null) {
                told.setRealtimePeriod(unsigned(cpu.realtimePeriod()));
            }
            told.setCpus(text(cpu.cpus())).setMems(text(cpu.mems()));
        }
        if (resources.pids() != null) {
            result.setPids(LinuxPids.newBuilder().setLimit(resources.pids().limit()));
        }
        resources
                .hugepageLimits()
                .forEach(limit ->
                        result.addHugepageLimits(
                                HugepageLimit.newBuilder()
                                        .setPageSize(limit.pageSize())
                                        .setLimit(limit.limit().bits())));
        resources.devices().forEach(rule -> result.addDevices(of(rule)));
        return result.putAllUnified(resources.unified()).build();
    }

    private static LinuxDeviceCgroup of(io.crema.oci.spec.LinuxResources.DeviceRule rule) {
        LinuxDeviceCgroup.Builder told =
                LinuxDeviceCgroup.newBuilder()
                        .setAllow(rule.allow())
                        .setType(text(rule.type()))
                        .setAccess(rule.access());
        if (rule.major() != null) {
            told.setMajor(signed(rule.major()));
        }
        if (rule.minor() != null) {
            told.setMinor(signed(rule.minor()));
        }
        return told.build();
    }

    static OptionalInt64 signed(long value) {
        return OptionalInt64.newBuilder().setValue(value).build();
    }

    static OptionalUInt64 unsigned(long value) {
        return OptionalUInt64.newBuilder().setValue(value).build();
    }

    static String text(@Nullable String value) {
        return value == null ? "" : value;
    }
}
