package io.crema.runtime.stats;

import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.runtime.cgroup.CgroupPath;
import io.crema.runtime.stats.CgroupDetail.DeviceTraffic;
import io.crema.runtime.stats.CgroupDetail.HugePages;
import io.crema.runtime.stats.CgroupDetail.Limits;
import io.crema.runtime.stats.CgroupUsage.Memory;
import io.crema.runtime.stats.CgroupUsage.Swap;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Cgroups of version 1 (the kernel's cgroup-v1 documents), also in the hybrid layout: there the OCI
 * runtime puts containers into the hierarchy of version 2 too, which has no controllers but keeps
 * pressure figures.
 */
final class VersionOneReader implements CgroupReader {
    private static final int MEMORY_LIMIT = 0;
    private static final int SWAP_LIMIT = 1;
    private static final int CACHE = 2;
    private static final int RSS = 3;
    private static final int MAPPED_FILE = 4;
    private static final int SWAP = 5;
    private static final int PAGE_FAULTS = 6;
    private static final int MAJOR_PAGE_FAULTS = 7;
    private static final int INACTIVE_FILE = 8;
    private static final int OWN_PAGE_FAULTS = 9;
    private static final int OWN_MAJOR_PAGE_FAULTS = 10;
    private static final KeyedNumbers MEMORY_STAT =
            new KeyedNumbers(
                    "hierarchical_memory_limit",
                    "hierarchical_memsw_limit",
                    "total_cache",
                    "total_rss",
                    "total_mapped_file",
                    "total_swap",
                    "total_pgfault",
                    "total_pgmajfault",
                    "total_inactive_file",
                    "pgfault",
                    "pgmajfault");
    private static final KeyedNumbers CPU_STAT =
            new KeyedNumbers("nr_periods", "nr_throttled", "throttled_time");
    private static final KeyedNumbers OOM_CONTROL = new KeyedNumbers("oom_kill");

    /** Ticks per second of cpuacct.stat, the same on every machine (USER_HZ). */
    private static final long NANOS_PER_TICK = 10_000_000;

    private static final KeyedNumbers CPUACCT_STAT = new KeyedNumbers("user", "system");

    private final CgroupHierarchies hierarchies;
    private final KernelFiles kernel;
    private final HugePageSizes hugePageSizes;
    private final @Nullable Path cpuacct;
    private final @Nullable Path memory;
    private final @Nullable Path pids;
    private final @Nullable Path pressure;

    VersionOneReader(
            CgroupHierarchies hierarchies, KernelFiles kernel, HugePageSizes hugePageSizes) {
        this.hierarchies = hierarchies;
        this.kernel = kernel;
        this.hugePageSizes = hugePageSizes;
        cpuacct = hierarchies.mountOf("cpuacct").orElse(null);
        memory = hierarchies.mountOf("memory").orElse(null);
        pids = hierarchies.mountOf("pids").orElse(null);
        pressure = hierarchies.unified().orElse(null);
    }

    @Override
    public Optional<CgroupUsage> usage(CgroupPath cgroup) {
        try (KernelText text = kernel.take()) {
            OptionalLong cpu = number(text, cpuacct, cgroup, "cpuacct.usage");
            Usage use = memory == null ? Usage.NONE : memory(text, cgroup.below(memory));
            OptionalLong tasks = number(text, pids, cgroup, "pids.current");
            if (isIncomplete(cpu, use, tasks) && !exists(text, cgroup)) {
                return Optional.empty();
            }
            Path stalls = pressure == null ? null : cgroup.below(pressure);
            Pressure cpuStall = stall(text, stalls, "cpu.pressure");
            // Where one is missing so are all: crun and youki leave this hierarchy alone.
            Path others = cpuStall == null ? null : stalls;
            return Optional.of(
                    new CgroupUsage(
                            cpu,
                            use.memory,
                            use.swap,
                            tasks,
                            cpuStall,
                            stall(text, others, "memory.pressure"),
                            stall(text, others, "io.pressure")));
        }
    }

    private boolean isIncomplete(OptionalLong cpu, Usage use, OptionalLong tasks) {
        return (cpuacct == null || cpu.isEmpty())
                || (memory == null || use.memory == null)
                || (pids == null || tasks.isEmpty());
    }

    /** Whether the cgroup is still there, asked when a part of it was not. */
    private boolean exists(KernelText text, CgroupPath cgroup) {
        for (Path root : hierarchies.roots()) {
            if (text.read(cgroup.below(root).resolve("notify_on_release"))) {
                return true;
            }
        }
        return false;
    }

    private static OptionalLong number(
            KernelText text, @Nullable Path mount, CgroupPath cgroup, String file) {
        if (mount == null) {
            return OptionalLong.empty();
        }
        return optional(text.readNumber(cgroup.below(mount).resolve(file), -1));
    }

    private static OptionalLong optional(long value) {
        return value < 0 ? OptionalLong.empty() : OptionalLong.of(value);
    }

    private static @Nullable Pressure stall(
            KernelText text, @Nullable Path directory, String file) {
        return directory == null ? null : Pressure.read(text, directory.resolve(file));
    }

    /** Memory with its swap, both from one table. */
    private record Usage(@Nullable Memory memory, @Nullable Swap swap) {
        static final Usage NONE = new Usage(null, null);
    }

    private static Usage memory(KernelText text, Path directory) {
        long usage = text.readNumber(directory.resolve("memory.usage_in_bytes"), -1);
        if (usage < 0 || !text.read(directory.resolve("memory.stat"))) {
            return Usage.NONE;
        }
        long[] stat = MEMORY_STAT.pick(text);
        // Both hierarchical limits are the lowest of this cgroup and those around it, so without
        // one this cgroup has none either, and two files need no reading.
        long limit = KernelText.UNLIMITED;
        if (KernelText.limit(stat[MEMORY_LIMIT]) != KernelText.UNLIMITED) {
            limit =
                    text.readLimit(
                            directory.resolve("memory.limit_in_bytes"), KernelText.UNLIMITED);
        }
        Memory memory =
                new Memory(
                        usage,
                        Math.max(0, usage - known(stat[INACTIVE_FILE])),
                        limit == KernelText.UNLIMITED
                                ? OptionalLong.empty()
                                : OptionalLong.of(limit),
                        known(stat[RSS]),
                        known(stat[CACHE]),
                        known(stat[MAPPED_FILE]),
                        known(stat[PAGE_FAULTS]),
                        known(stat[MAJOR_PAGE_FAULTS]),
                        known(stat[OWN_PAGE_FAULTS]),
                        known(stat[OWN_MAJOR_PAGE_FAULTS]));
        return new Usage(memory, swap(text, directory, stat, usage, limit));
    }

    /** Absent when the kernel does not account for swap (swapaccount=0). */
    private static @Nullable Swap swap(
            KernelText text, Path directory, long[] stat, long memoryUsage, long memoryLimit) {
        long used = stat[SWAP];
        if (used < 0) {
            return null;
        }
        if (KernelText.limit(stat[SWAP_LIMIT]) == KernelText.UNLIMITED) {
            return new Swap(used, OptionalLong.empty());
        }
        long both =
                text.readLimit(
                        directory.resolve("memory.memsw.limit_in_bytes"), KernelText.UNLIMITED);
        if (both == KernelText.UNLIMITED) {
            return new Swap(used, OptionalLong.empty());
        }
        // The limit is one of memory and swap together. What memory may take of it is its own
        // limit, or without one what it has now.
        long memoryShare = memoryLimit == KernelText.UNLIMITED ? memoryUsage : memoryLimit;
        return new Swap(used, OptionalLong.of(Math.max(0, both - memoryShare - used)));
    }

    private static long known(long value) {
        return Math.max(0, value);
    }

    @Override
    public Optional<CgroupDetail> detail(CgroupPath cgroup) {
        try (KernelText text = kernel.take()) {
            if (!exists(text, cgroup)) {
                return Optional.empty();
            }
            return Optional.of(
                    new CgroupDetail(
                            cpu(text, cgroup),
                            memoryDetail(text, cgroup),
                            limits(text, cgroup),
                            hugePages(text, cgroup),
                            devices(text, cgroup)));
        }
    }

    private CgroupDetail.@Nullable Cpu cpu(KernelText text, CgroupPath cgroup) {
        if (cpuacct == null) {
            return null;
        }
        Path directory = cgroup.below(cpuacct);
        long user = text.readNumber(directory.resolve("cpuacct.usage_user"), -1);
        long system = text.readNumber(directory.resolve("cpuacct.usage_sys"), -1);
        if ((user < 0 || system < 0) && text.read(directory.resolve("cpuacct.stat"))) {
            long[] ticks = CPUACCT_STAT.pick(text);
            user = known(ticks[0]) * NANOS_PER_TICK;
            system = known(ticks[1]) * NANOS_PER_TICK;
        }
        Optional<Path> quota = hierarchies.directory("cpu", cgroup);
        long[] throttling = {0, 0, 0};
        if (quota.isPresent() && text.read(quota.get().resolve("cpu.stat"))) {
            throttling = CPU_STAT.pick(text);
        }
        return new CgroupDetail.Cpu(
                known(user),
                known(system),
                known(throttling[0]),
                known(throttling[1]),
                known(throttling[2]));
    }

    private CgroupDetail.@Nullable Memory memoryDetail(KernelText text, CgroupPath cgroup) {
        if (memory == null) {
            return null;
        }
        Path directory = cgroup.below(memory);
        long oomKills = 0;
        if (text.read(directory.resolve("memory.oom_control"))) {
            oomKills = known(OOM_CONTROL.pick(text)[0]);
        }
        return new CgroupDetail.Memory(
                text.readNumber(directory.resolve("memory.max_usage_in_bytes"), 0),
                text.readNumber(directory.resolve("memory.kmem.usage_in_bytes"), 0),
                text.readNumber(directory.resolve("memory.failcnt"), 0),
                oomKills);
    }

    private Limits limits(KernelText text, CgroupPath cgroup) {
        return new Limits(
                number(text, "cpu", cgroup, "cpu.shares"),
                number(text, "cpu", cgroup, "cpu.cfs_period_us"),
                limit(text, "cpu", cgroup, "cpu.cfs_quota_us"),
                limit(text, "memory", cgroup, "memory.limit_in_bytes"),
                limit(text, "memory", cgroup, "memory.soft_limit_in_bytes"),
                limit(text, "memory", cgroup, "memory.memsw.limit_in_bytes"),
                limit(text, "pids", cgroup, "pids.max"));
    }

    private OptionalLong number(
            KernelText text, String controller, CgroupPath cgroup, String file) {
        return number(text, hierarchies.mountOf(controller).orElse(null), cgroup, file);
    }

    /** 0 for no limit; absent without the controller. */
    private OptionalLong limit(KernelText text, String controller, CgroupPath cgroup, String file) {
        Optional<Path> directory = hierarchies.directory(controller, cgroup);
        if (directory.isEmpty()) {
            return OptionalLong.empty();
        }
        long value = text.readLimit(directory.get().resolve(file), 0);
        return OptionalLong.of(value == KernelText.UNLIMITED ? 0 : known(value));
    }

    private List<HugePages> hugePages(KernelText text, CgroupPath cgroup) {
        Optional<Path> directory = hierarchies.directory("hugetlb", cgroup);
        if (directory.isEmpty()) {
            return List.of();
        }
        List<HugePages> pages = new ArrayList<>();
        for (String size : hugePageSizes.all()) {
            String prefix = "hugetlb." + size;
            long usage = text.readNumber(directory.get().resolve(prefix + ".usage_in_bytes"), -1);
            if (usage >= 0) {
                pages.add(
                        new HugePages(
                                size,
                                usage,
                                text.readNumber(
                                        directory.get().resolve(prefix + ".max_usage_in_bytes"),
                                        usage)));
            }
        }
        return pages;
    }

    private List<DeviceTraffic> devices(KernelText text, CgroupPath cgroup) {
        Optional<Path> directory = hierarchies.directory("blkio", cgroup);
        if (directory.isEmpty()) {
            return List.of();
        }
        DeviceTable table = new DeviceTable();
        if (text.read(directory.get().resolve("blkio.throttle.io_service_bytes_recursive"))) {
            table.addOperations(text, DeviceTable.READ_BYTES, DeviceTable.WRITTEN_BYTES);
        }
        if (text.read(directory.get().resolve("blkio.throttle.io_serviced_recursive"))) {
            table.addOperations(text, DeviceTable.READS, DeviceTable.WRITES);
        }
        return table.rows();
    }

    @Override
    public Path processes(CgroupPath cgroup) {
        return cgroup.below(pids == null ? hierarchies.roots().getFirst() : pids);
    }
}
