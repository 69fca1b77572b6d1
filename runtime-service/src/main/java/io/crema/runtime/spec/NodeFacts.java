package io.crema.runtime.spec;

import io.crema.runtime.cgroup.CgroupHierarchies;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What this node and this daemon can do; found once at the start by {@link NodeProbe}.
 *
 * @param swapAccounting whether the memory controller limits swap
 * @param hugePageSizes such as 2MB
 * @param seccomp whether the kernel filters system calls
 * @param boundingCapabilities what containers can get at most, because this daemon has no more
 * @param architecture as Go and image indexes name it: amd64
 * @param oomScoreAdjustment this daemon's own
 * @param lowestOomScoreAdjustment the lowest that it may give to others; empty for any
 * @param userNamespaces whether the kernel allows user namespaces
 */
public record NodeFacts(
        CgroupHierarchies cgroups,
        boolean swapAccounting,
        Set<String> hugePageSizes,
        boolean appArmor,
        boolean selinux,
        boolean seccomp,
        Set<Capability> boundingCapabilities,
        KernelVersion kernel,
        String architecture,
        int oomScoreAdjustment,
        OptionalInt lowestOomScoreAdjustment,
        boolean userNamespaces) {
    public NodeFacts {
        hugePageSizes = Set.copyOf(hugePageSizes);
        boundingCapabilities = Set.copyOf(boundingCapabilities);
    }

    /** Whether the kernel makes mounts read-only with all below them. */
    public boolean recursiveReadOnlyMounts() {
        return kernel.compareTo(MountPlan.RECURSIVE_READ_ONLY_SINCE) >= 0;
    }

    /** Whether containers can be given limits of huge pages. */
    public boolean hugePages() {
        return cgroups.has("hugetlb");
    }
}
