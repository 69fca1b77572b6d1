package io.crema.runtime.stats;

import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.runtime.cgroup.CgroupPath;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Reads what cgroups use and are limited to. Reads never wait for anything but the kernel and take
 * no lock. A cgroup that vanishes while it is read is answered as one that is not there.
 */
sealed interface CgroupReader permits VersionOneReader, VersionTwoReader {
    /**
     * @param sys where sysfs is mounted; /sys but in tests
     */
    static CgroupReader of(CgroupHierarchies hierarchies, KernelFiles kernel, Path sys) {
        HugePageSizes sizes = new HugePageSizes(sys);
        return hierarchies.isUnified()
                ? new VersionTwoReader(hierarchies, kernel, sizes)
                : new VersionOneReader(hierarchies, kernel, sizes);
    }

    /** Empty when there is no such cgroup. */
    Optional<CgroupUsage> usage(CgroupPath cgroup);

    /** Empty when there is no such cgroup. */
    Optional<CgroupDetail> detail(CgroupPath cgroup);

    /** The directory in which the processes of a cgroup are listed. */
    Path processes(CgroupPath cgroup);
}
