package io.crema.runtime.spec;

import io.crema.runtime.cgroup.CgroupHierarchies;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Nodes that tests pretend to be on. */
public final class Node {
    public static final CgroupHierarchies HYBRID =
            new CgroupHierarchies(
                    CgroupHierarchies.Version.V1,
                    Map.of(
                            "memory", Path.of("/sys/fs/cgroup/memory"),
                            "cpu", Path.of("/sys/fs/cgroup/cpu"),
                            "pids", Path.of("/sys/fs/cgroup/pids"),
                            "freezer", Path.of("/sys/fs/cgroup/freezer")),
                    Optional.of(Path.of("/sys/fs/cgroup/unified")),
                    Set.of("hugetlb"));
    public static final CgroupHierarchies UNIFIED =
            new CgroupHierarchies(
                    CgroupHierarchies.Version.V2,
                    Map.of(),
                    Optional.of(Path.of("/sys/fs/cgroup")),
                    Set.of("memory", "cpu", "pids", "hugetlb", "cpuset"));

    private Node() {}

    /** A node with cgroup version 2 and all that containers can use but AppArmor and SELinux. */
    public static NodeFacts usual() {
        return of(UNIFIED, true);
    }

    /** One with version 1, without the hugetlb controller and without CAP_SYS_RESOURCE. */
    public static NodeFacts small() {
        return of(HYBRID, false);
    }

    private static NodeFacts of(CgroupHierarchies cgroups, boolean hasSysResource) {
        EnumSet<Capability> bounding = EnumSet.allOf(Capability.class);
        if (!hasSysResource) {
            bounding.remove(Capability.SYS_RESOURCE);
        }
        return new NodeFacts(
                cgroups,
                true,
                Set.of("2MB", "1GB"),
                false,
                false,
                true,
                bounding,
                new KernelVersion(6, 18),
                "amd64",
                -100,
                hasSysResource ? OptionalInt.empty() : OptionalInt.of(0),
                true);
    }

    public static NodeFacts withAppArmor(NodeFacts node) {
        return new NodeFacts(
                node.cgroups(),
                node.swapAccounting(),
                node.hugePageSizes(),
                true,
                node.selinux(),
                node.seccomp(),
                node.boundingCapabilities(),
                node.kernel(),
                node.architecture(),
                node.oomScoreAdjustment(),
                node.lowestOomScoreAdjustment(),
                node.userNamespaces());
    }

    public static NodeFacts withKernel(NodeFacts node, KernelVersion kernel) {
        return new NodeFacts(
                node.cgroups(),
                node.swapAccounting(),
                node.hugePageSizes(),
                node.appArmor(),
                node.selinux(),
                node.seccomp(),
                node.boundingCapabilities(),
                kernel,
                node.architecture(),
                node.oomScoreAdjustment(),
                node.lowestOomScoreAdjustment(),
                node.userNamespaces());
    }

    public static NodeFacts withoutSeccomp(NodeFacts node) {
        return new NodeFacts(
                node.cgroups(),
                node.swapAccounting(),
                node.hugePageSizes(),
                node.appArmor(),
                node.selinux(),
                false,
                node.boundingCapabilities(),
                node.kernel(),
                node.architecture(),
                node.oomScoreAdjustment(),
                node.lowestOomScoreAdjustment(),
                node.userNamespaces());
    }

    public static NodeFacts withoutSwapAccounting(NodeFacts node) {
        return new NodeFacts(
                node.cgroups(),
                false,
                node.hugePageSizes(),
                node.appArmor(),
                node.selinux(),
                node.seccomp(),
                node.boundingCapabilities(),
                node.kernel(),
                node.architecture(),
                node.oomScoreAdjustment(),
                node.lowestOomScoreAdjustment(),
                node.userNamespaces());
    }
}
