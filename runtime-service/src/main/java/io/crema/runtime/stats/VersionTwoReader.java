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
 * Cgroups of version 2 (the kernel's cgroup-v2.rst). A controller's files are there only when the
 * cgroup around passes the controller on; processor time and pressure always are.
 */
final class VersionTwoReader implements CgroupReader {
    private static final KeyedNumbers CPU_USAGE = new KeyedNumbers("usage_usec");
    private static final KeyedNumbers CPU_STAT =
            new KeyedNumbers(
                    "user_usec", "system_usec", "nr_periods", "nr_throttled", "throttled_usec");
    private static final int ANONYMOUS = 0;
    private static final int FILE = 1;
    private static final int KERNEL = 2;
    private static final int KERNEL_STACK = 3;
    private static final int PAGE_TABLES = 4;
    private static final int PER_CPU = 5;
    private static final int MAPPED_FILE = 6;
    private static final int INACTIVE_FILE = 7;
    private static final int SLAB = 8;
    private static final int PAGE_FAULTS = 9;
    private static final int MAJOR_PAGE_FAULTS = 10;
    private static final KeyedNumbers MEMORY_STAT =
            new KeyedNumbers(
                    "anon",
                    "file",
                    "kernel",
                    "kernel_stack",
                    "pagetables",
                    "percpu",
                    "file_mapped",
                    "inactive_file",
                    "slab",
                    "pgfault",
                    "pgmajfault");
    private static final KeyedNumbers MEMORY_EVENTS = new KeyedNumbers("max", "oom_kill");

    private final Path mount;
    private final KernelFiles kernel;
    private final HugePageSizes hugePageSizes;
    private final boolean hasHugePages;

    VersionTwoReader(
            CgroupHierarchies hierarchies, KernelFiles kernel, HugePageSizes hugePageSizes) {
        this.mount = hierarchies.unified().orElseThrow();
        this.kernel = kernel;
        this.hugePageSizes = hugePageSizes;
        this.hasHugePages = hierarchies.has("hugetlb");
    }

    @Override
    public Optional<CgroupUsage> usage(CgroupPath cgroup) {
        Path directory = cgroup.below(mount);
        try (KernelText text = kernel.take()) {
            if (!text.read(directory.resolve("cpu.stat"))) {
                return Optional.empty();
            }
            long cpuMicros = CPU_USAGE.pick(text)[0];
            Memory memory = memory(text, directory);
            Swap swap = memory == null ? null : swap(text, directory);
            OptionalLong tasks = number(text, directory.resolve("pids.current"));
            if ((memory == null || tasks.isEmpty()) && !exists(text, directory)) {
                return Optional.empty();
            }
            Pressure cpuStall = Pressure.read(text, directory.resolve("cpu.pressure"));
            // A kernel without one keeps none.
            boolean hasPressure = cpuStall != null;
            return Optional.of(
                    new CgroupUsage(
                            cpuMicros < 0
                                    ? OptionalLong.empty()
                                    : OptionalLong.of(cpuMicros * 1000),
                            memory,
                            swap,
                            tasks,
                            cpuStall,
                            hasPressure
                                    ? Pressure.read(text, directory.resolve("memory.pressure"))
                                    : null,
                            hasPressure
                                    ? Pressure.read(text, directory.resolve("io.pressure"))
                                    : null));
        }
    }

    private static boolean exists(KernelText text, Path directory) {
        return text.read(directory.resolve("cgroup.controllers"));
    }

    private static OptionalLong number(KernelText text, Path file) {
        long value = text.readNumber(file, -1);
        return value < 0 ? OptionalLong.empty() : OptionalLong.of(value);
    }

    private static @Nullable Memory memory(KernelText text, Path directory) {
        long usage = text.readNumber(directory.resolve("memory.current"), -1);
        if (usage < 0 || !text.read(directory.resolve("memory.stat"))) {
            return null;
        }
        long[] stat = MEMORY_STAT.pick(text);
        long limit = text.readLimit(directory.resolve("memory.max"), KernelText.UNLIMITED);
        return new Memory(
                usage,
                Math.max(0, usage - known(stat[INACTIVE_FILE])),
                limit == KernelText.UNLIMITED ? OptionalLong.empty() : OptionalLong.of(limit),
                known(stat[ANONYMOUS]),
                known(stat[FILE]),
                known(stat[MAPPED_FILE]),
                known(stat[PAGE_FAULTS]),
                known(stat[MAJOR_PAGE_FAULTS]),
                known(stat[PAGE_FAULTS]),
                known(stat[MAJOR_PAGE_FAULTS]));
    }

    /** Absent when the kernel does not account for swap. */
    private static @Nullable Swap swap(KernelText text, Path directory) {
        long used = text.readNumber(directory.resolve("memory.swap.current"), -1);
        if (used < 0) {
            return null;
        }
        long limit = text.readLimit(directory.resolve("memory.swap.max"), KernelText.UNLIMITED);
        return new Swap(
                used,
                limit == KernelText.UNLIMITED
                        ? OptionalLong.empty()
                        : OptionalLong.of(Math.max(0, limit - used)));
    }

    private static long known(long value) {
        return Math.max(0, value);
    }

    @Override
    public Optional<CgroupDetail> detail(CgroupPath cgroup) {
        Path directory = cgroup.below(mount);
        try (KernelText text = kernel.take()) {
            if (!text.read(directory.resolve("cpu.stat"))) {
                return Optional.empty();
            }
            long[] stat = CPU_STAT.pick(text);
            return Optional.of(
                    new CgroupDetail(
                            new CgroupDetail.Cpu(
                                    known(stat[0]) * 1000,
                                    known(stat[1]) * 1000,
                                    known(stat[2]),
                                    known(stat[3]),
                                    known(stat[4]) * 1000),
                            memoryDetail(text, directory),
                            limits(text, directory),
                            hasHugePages ? hugePages(text, directory) : List.of(),
                            devices(text, directory)));
        }
    }

    private static CgroupDetail.@Nullable Memory memoryDetail(KernelText text, Path directory) {
        if (!text.read(directory.resolve("memory.events"))) {
            return null;
        }
        long[] events = MEMORY_EVENTS.pick(text);
        long usage = text.readNumber(directory.resolve("memory.current"), 0);
        long kernelBytes = 0;
        if (text.read(directory.resolve("memory.stat"))) {
            kernelBytes = kernelBytes(MEMORY_STAT.pick(text));
        }
        // Kernels before 5.19 keep no peak; what is used now is the least it can have been.
        return new CgroupDetail.Memory(
                text.readNumber(directory.resolve("memory.peak"), usage),
                kernelBytes,
                known(events[0]),
                known(events[1]));
    }

    /** Kernels before 5.18 have no line for all of it. */
    private static long kernelBytes(long[] stat) {
        if (stat[KERNEL] >= 0) {
            return stat[KERNEL];
        }
        return known(stat[KERNEL_STACK])
                + known(stat[PAGE_TABLES])
                + known(stat[PER_CPU])
                + known(stat[SLAB]);
    }

    private static Limits limits(KernelText text, Path directory) {
        OptionalLong weight = number(text, directory.resolve("cpu.weight"));
        OptionalLong quota = OptionalLong.empty();
        OptionalLong period = OptionalLong.empty();
        if (text.read(directory.resolve("cpu.max")) && text.nextLine() && text.nextWord()) {
            long value = text.number();
            quota = OptionalLong.of(value == KernelText.UNLIMITED ? 0 : value);
            if (text.nextWord()) {
                period = OptionalLong.of(text.number());
            }
        }
        return new Limits(
                weight.isEmpty() ? weight : OptionalLong.of(shares(weight.getAsLong())),
                period,
                quota,
                limit(text, directory.resolve("memory.max")),
                limit(text, directory.resolve("memory.min")),
                limit(text, directory.resolve("memory.swap.max")),
                limit(text, directory.resolve("pids.max")));
    }

    /** 0 for no limit; absent without the controller. */
    private static OptionalLong limit(KernelText text, Path file) {
        long value = text.readLimit(file, -1);
        if (value < 0) {
            return OptionalLong.empty();
        }
        return OptionalLong.of(value == KernelText.UNLIMITED ? 0 : value);
    }

    /** A weight of 1 to 10000 as shares of 2 to 262144, the linear conversion the other way. */
    static long shares(long weight) {
        long clamped = Math.clamp(weight, 1, 10_000);
        return 2 + ((clamped - 1) * 262_142 + 9998) / 9999;
    }

    private List<HugePages> hugePages(KernelText text, Path directory) {
        List<HugePages> pages = new ArrayList<>();
        for (String size : hugePageSizes.all()) {
            long usage = text.readNumber(directory.resolve("hugetlb." + size + ".current"), -1);
            if (usage >= 0) {
                // Version 2 keeps no peak; what is used now is the least it can have been.
                pages.add(new HugePages(size, usage, usage));
            }
        }
        return pages;
    }

    private static List<DeviceTraffic> devices(KernelText text, Path directory) {
        DeviceTable table = new DeviceTable();
        if (text.read(directory.resolve("io.stat"))) {
            table.addPairs(text);
        }
        return table.rows();
    }

    @Override
    public Path processes(CgroupPath cgroup) {
        return cgroup.below(mount);
    }
}
