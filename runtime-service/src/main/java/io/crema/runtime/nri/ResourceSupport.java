package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.HugepageLimit;
import io.crema.nri.v1alpha1.LinuxCPU;
import io.crema.nri.v1alpha1.LinuxMemory;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.state.PodException;

/**
 * Refuses limits that the node cannot set, or not any more for a container that exists; of those
 * that plugins set.
 */
final class ResourceSupport {
    private final Refusals refusals;
    private final NodeFacts node;

    ResourceSupport(Refusals refusals, NodeFacts node) {
        this.refusals = refusals;
        this.node = node;
    }

    void check(LinuxResources wanted) {
        check(wanted.getMemory());
        check(wanted.getCpu());
        if (wanted.getPids().getLimit() < -1) {
            throw refusals.of(
                    Field.PidsLimit, wanted.getPids().getLimit() + " is negative; -1 is no limit");
        }
        for (HugepageLimit limit : wanted.getHugepageLimitsList()) {
            if (!refusals.isClaimed(Field.HugepageLimits, limit.getPageSize())) {
                // Kubelet sends limits of zero to every node.
                continue;
            }
            if (!node.hugePages()) {
                throw refusals.of(
                        Field.HugepageLimits,
                        limit.getPageSize(),
                        "the kernel of this node cannot limit huge pages");
            }
            if (!node.hugePageSizes().contains(limit.getPageSize())) {
                throw refusals.of(
                        Field.HugepageLimits,
                        limit.getPageSize(),
                        "this node has no pages of this size, only " + node.hugePageSizes());
            }
        }
        if (!node.cgroups().isUnified()) {
            for (String file : wanted.getUnifiedMap().keySet()) {
                if (refusals.isClaimed(Field.CgroupsUnified, file)) {
                    throw refusals.of(
                            Field.CgroupsUnified,
                            file,
                            "this node has cgroup version 1, which has no such files");
                }
            }
        }
        if (!wanted.getBlockioClass().getValue().isEmpty()) {
            throw refusals.of(
                    Field.BlockioClass,
                    "there is no class '"
                            + wanted.getBlockioClass().getValue()
                            + "': Crema knows no blockio_config_file");
        }
        if (!wanted.getRdtClass().getValue().isEmpty()) {
            throw refusals.of(
                    Field.RdtClass,
                    "there is no class '"
                            + wanted.getRdtClass().getValue()
                            + "': Crema knows no rdt_config_file; let the plugin set"
                            + " linux.rdt.clos_id");
        }
    }

    private void check(LinuxMemory wanted) {
        if (wanted.getKernel().getValue() > 0) {
            throw refusals.of(
                    Field.MemKernelLimit, "the kernel has no such limit any more (since 5.16)");
        }
        if (wanted.getReservation().getValue() < -1) {
            throw refusals.of(
                    Field.MemReservation, wanted.getReservation().getValue() + " is negative");
        }
        if (wanted.getKernelTcp().getValue() != 0) {
            requireVersionOne(Field.MemTCPLimit);
        }
        if (wanted.hasSwappiness()) {
            requireVersionOne(Field.MemSwappiness);
        }
        if (wanted.getDisableOomKiller().getValue()) {
            requireVersionOne(Field.MemDisableOomKiller);
        }
        if (wanted.hasUseHierarchy() && !wanted.getUseHierarchy().getValue()) {
            throw refusals.of(
                    Field.MemUseHierarchy, "memory of cgroups below always counts (since 5.11)");
        }
        if (wanted.getSwap().getValue() != 0
                && !node.swapAccounting()
                && refusals.isClaimed(Field.MemSwapLimit, "")) {
            throw refusals.of(Field.MemSwapLimit, "the kernel of this node cannot limit swap");
        }
    }

    private void check(LinuxCPU wanted) {
        if (wanted.getRealtimeRuntime().getValue() != 0) {
            requireVersionOne(Field.CPURealtimeRuntime);
        }
        if (wanted.getRealtimePeriod().getValue() != 0) {
            requireVersionOne(Field.CPURealtimePeriod);
        }
    }

    private void requireVersionOne(Field field) {
        if (node.cgroups().isUnified()) {
            throw refusals.of(field, "this node has cgroup version 2, which has no such limit");
        }
    }

    /** Besides: what the OCI runtimes' update passes over. */
    void checkUpdate(LinuxResources wanted) {
        check(wanted);
        LinuxMemory memory = wanted.getMemory();
        if (memory.hasSwappiness()) {
            throw onlyWhenMade(Field.MemSwappiness);
        }
        if (memory.getDisableOomKiller().getValue()) {
            throw onlyWhenMade(Field.MemDisableOomKiller);
        }
        if (wanted.getDevicesCount() > 0) {
            throw onlyWhenMade(Field.Devices);
        }
    }

    private PodException onlyWhenMade(Field field) {
        return refusals.of(field, "it can be set only while the container is made");
    }
}
