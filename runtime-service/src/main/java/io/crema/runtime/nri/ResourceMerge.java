package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.HugepageLimit;
import io.crema.nri.v1alpha1.LinuxCPU;
import io.crema.nri.v1alpha1.LinuxMemory;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.runtime.state.PodException;
import java.util.List;
import java.util.function.Consumer;

/** Puts the resources that one plugin sets over those that are there, each claimed for it. */
final class ResourceMerge {
    private final FieldClaims claims;
    private final String container;
    private final String plugin;
    private final List<LinuxResources.Builder> targets;

    /**
     * @param targets all get the same
     */
    ResourceMerge(
            FieldClaims claims,
            String container,
            String plugin,
            List<LinuxResources.Builder> targets) {
        this.claims = claims;
        this.container = container;
        this.plugin = plugin;
        this.targets = targets;
    }

    /**
     * @throws PodException when another plugin has set one of them
     */
    void add(LinuxResources wanted) {
        add(wanted.getMemory());
        add(wanted.getCpu());
        for (HugepageLimit limit : wanted.getHugepageLimitsList()) {
            claims.claim(container, Field.HugepageLimits, limit.getPageSize(), plugin);
            targets.forEach(target -> put(target, limit));
        }
        wanted.getUnifiedMap()
                .forEach((file, value) -> {
                    claims.claim(container, Field.CgroupsUnified, file, plugin);
                    targets.forEach(target -> target.putUnified(file, value));
                });
        set(
                wanted.hasBlockioClass(),
                Field.BlockioClass,
                target -> target.setBlockioClass(wanted.getBlockioClass()));
        set(
                wanted.hasRdtClass(),
                Field.RdtClass,
                target -> target.setRdtClass(wanted.getRdtClass()));
        set(wanted.hasPids(), Field.PidsLimit, target -> target.setPids(wanted.getPids()));
        // Rules for devices add to each other; later ones override.
        targets.forEach(target -> target.addAllDevices(wanted.getDevicesList()));
    }

    private void add(LinuxMemory wanted) {
        memory(wanted.hasLimit(), Field.MemLimit, to -> to.setLimit(wanted.getLimit()));
        memory(
                wanted.hasReservation(),
                Field.MemReservation,
                to -> to.setReservation(wanted.getReservation()));
        memory(wanted.hasSwap(), Field.MemSwapLimit, to -> to.setSwap(wanted.getSwap()));
        memory(wanted.hasKernel(), Field.MemKernelLimit, to -> to.setKernel(wanted.getKernel()));
        memory(
                wanted.hasKernelTcp(),
                Field.MemTCPLimit,
                to -> to.setKernelTcp(wanted.getKernelTcp()));
        memory(
                wanted.hasSwappiness(),
                Field.MemSwappiness,
                to -> to.setSwappiness(wanted.getSwappiness()));
        memory(
                wanted.hasDisableOomKiller(),
                Field.MemDisableOomKiller,
                to -> to.setDisableOomKiller(wanted.getDisableOomKiller()));
        memory(
                wanted.hasUseHierarchy(),
                Field.MemUseHierarchy,
                to -> to.setUseHierarchy(wanted.getUseHierarchy()));
    }

    private void add(LinuxCPU wanted) {
        cpu(wanted.hasShares(), Field.CPUShares, to -> to.setShares(wanted.getShares()));
        cpu(wanted.hasQuota(), Field.CPUQuota, to -> to.setQuota(wanted.getQuota()));
        cpu(wanted.hasPeriod(), Field.CPUPeriod, to -> to.setPeriod(wanted.getPeriod()));
        cpu(
                wanted.hasRealtimeRuntime(),
                Field.CPURealtimeRuntime,
                to -> to.setRealtimeRuntime(wanted.getRealtimeRuntime()));
        cpu(
                wanted.hasRealtimePeriod(),
                Field.CPURealtimePeriod,
                to -> to.setRealtimePeriod(wanted.getRealtimePeriod()));
        cpu(!wanted.getCpus().isEmpty(), Field.CPUSetCPUs, to -> to.setCpus(wanted.getCpus()));
        cpu(!wanted.getMems().isEmpty(), Field.CPUSetMems, to -> to.setMems(wanted.getMems()));
    }

    private void memory(boolean isWanted, Field field, Consumer<LinuxMemory.Builder> change) {
        set(isWanted, field, target -> change.accept(target.getMemoryBuilder()));
    }

    private void cpu(boolean isWanted, Field field, Consumer<LinuxCPU.Builder> change) {
        set(isWanted, field, target -> change.accept(target.getCpuBuilder()));
    }

    private void set(boolean isWanted, Field field, Consumer<LinuxResources.Builder> change) {
        if (isWanted) {
            claims.claim(container, field, plugin);
            targets.forEach(change);
        }
    }

    private static void put(LinuxResources.Builder target, HugepageLimit limit) {
        for (int i = 0; i < target.getHugepageLimitsCount(); i++) {
            if (target.getHugepageLimits(i).getPageSize().equals(limit.getPageSize())) {
                target.setHugepageLimits(i, limit);
                return;
            }
        }
        target.addHugepageLimits(limit);
    }
}
