package io.crema.runtime.cgroup;

import io.crema.oci.spec.LinuxResources;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes the limits of a runtime specification into a cgroup, in the files of either version.
 * Controllers that the node lacks are an error only when a limit needs them. Devices are left to
 * the OCI runtime: only containers have them.
 */
final class CgroupLimits {
    private static final long CPU_PERIOD_MICROS = 100_000;

    private final CgroupHierarchies hierarchies;
    private final CgroupPath cgroup;

    CgroupLimits(CgroupHierarchies hierarchies, CgroupPath cgroup) {
        this.hierarchies = hierarchies;
        this.cgroup = cgroup;
    }

    void apply(LinuxResources resources) {
        if (resources.cpu() != null) {
            cpu(resources.cpu());
        }
        if (resources.memory() != null) {
            memory(resources.memory());
        }
        if (resources.pids() != null) {
            long limit = resources.pids().limit();
            CgroupFiles.write(file("pids", "pids.max"), limit <= 0 ? "max" : Long.toString(limit));
        }
        for (LinuxResources.HugepageLimit limit : resources.hugepageLimits()) {
            CgroupFiles.write(
                    file(
                            "hugetlb",
                            "hugetlb."
                                    + limit.pageSize()
                                    + (hierarchies.isUnified() ? ".max" : ".limit_in_bytes")),
                    limit.limit().toString());
        }
        if (hierarchies.isUnified()) {
            for (Map.Entry<String, String> entry : resources.unified().entrySet()) {
                String name = entry.getKey();
                int dot = name.indexOf('.');
                CgroupFiles.write(
                        file(dot < 0 ? name : name.substring(0, dot), name), entry.getValue());
            }
        }
    }

    private void cpu(LinuxResources.Cpu cpu) {
        if (cpu.shares() != null) {
            if (hierarchies.isUnified()) {
                CgroupFiles.write(file("cpu", "cpu.weight"), Long.toString(weight(cpu.shares())));
            } else {
                CgroupFiles.write(file("cpu", "cpu.shares"), Long.toString(cpu.shares()));
            }
        }
        if (cpu.quota() != null || cpu.period() != null) {
            bandwidth(cpu.quota(), cpu.period() == null ? CPU_PERIOD_MICROS : cpu.period());
        }
        if (cpu.cpus() != null) {
            CgroupFiles.write(file("cpuset", "cpuset.cpus"), cpu.cpus());
        }
        if (cpu.mems() != null) {
            CgroupFiles.write(file("cpuset", "cpuset.mems"), cpu.mems());
        }
    }

    private void bandwidth(@Nullable Long quota, long period) {
        long micros = quota == null || quota <= 0 ? -1 : quota;
        if (hierarchies.isUnified()) {
            CgroupFiles.write(file("cpu", "cpu.max"), maximum(micros) + " " + period);
        } else {
            CgroupFiles.write(file("cpu", "cpu.cfs_period_us"), Long.toString(period));
            CgroupFiles.write(file("cpu", "cpu.cfs_quota_us"), Long.toString(micros));
        }
    }

    private void memory(LinuxResources.Memory memory) {
        if (hierarchies.isUnified()) {
            if (memory.limit() != null) {
                CgroupFiles.write(file("memory", "memory.max"), maximum(memory.limit()));
            }
            if (memory.reservation() != null) {
                CgroupFiles.write(file("memory", "memory.low"), maximum(memory.reservation()));
            }
            if (memory.swap() != null) {
                CgroupFiles.write(
                        file("memory", "memory.swap.max"),
                        maximum(swapOnly(memory.swap(), memory.limit())));
            }
            return;
        }
        if (memory.reservation() != null) {
            CgroupFiles.write(
                    file("memory", "memory.soft_limit_in_bytes"), memory.reservation().toString());
        }
        Path limit = file("memory", "memory.limit_in_bytes");
        Path both = file("memory", "memory.memsw.limit_in_bytes");
        if (memory.limit() != null && memory.swap() != null) {
            // The kernel keeps limit <= memory and swap at every moment: when it refuses one order,
            // the other is right.
            try {
                CgroupFiles.tryWrite(limit, memory.limit().toString());
                CgroupFiles.write(both, memory.swap().toString());
            } catch (IOException e) {
                CgroupFiles.write(both, memory.swap().toString());
                CgroupFiles.write(limit, memory.limit().toString());
            }
        } else if (memory.limit() != null) {
            CgroupFiles.write(limit, memory.limit().toString());
        } else if (memory.swap() != null) {
            CgroupFiles.write(both, memory.swap().toString());
        }
    }

    /** The specification counts memory and swap together, cgroup version 2 swap alone. */
    static long swapOnly(long both, @Nullable Long limit) {
        if (both < 0 || limit == null || limit < 0) {
            return -1;
        }
        return Math.max(0, both - limit);
    }

    private static String maximum(long bytes) {
        return bytes < 0 ? "max" : Long.toString(bytes);
    }

    /** CPU shares (2 to 262144) as the weight of version 2 (1 to 10000), linearly. */
    static long weight(long shares) {
        long clamped = Math.clamp(shares, 2, 262_144);
        return 1 + (clamped - 2) * 9999 / 262_142;
    }

    private Path file(String controller, String name) {
        Path mount =
                hierarchies
                        .mountOf(controller)
                        .orElseGet(() -> hierarchies.unified().orElse(Path.of("/sys/fs/cgroup")));
        return cgroup.below(mount).resolve(name);
    }
}
