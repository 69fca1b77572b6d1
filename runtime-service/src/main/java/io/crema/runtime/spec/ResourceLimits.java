package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.HugepageLimit;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.state.PodException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** From the CRI's resources to those of the specification; zero means "not set" in the CRI. */
public final class ResourceLimits {
    private static final long UNLIMITED = -1;
    private static final int MIN_OOM_SCORE_ADJUSTMENT = -1000;
    private static final int MAX_OOM_SCORE_ADJUSTMENT = 1000;

    private final NodeFacts node;
    private final long minimumMemoryBytes;
    private final String field;

    /**
     * @param field where the resources stand in the request, for messages
     */
    public ResourceLimits(NodeFacts node, long minimumMemoryBytes, String field) {
        this.node = node;
        this.minimumMemoryBytes = minimumMemoryBytes;
        this.field = field;
    }

    /**
     * @param pidsLimit from the configuration; the CRI has none
     * @throws PodException INVALID_ARGUMENT naming the field that is wrong
     */
    public LinuxResources translate(LinuxContainerResources requested, OptionalLong pidsLimit) {
        return new LinuxResources(
                List.of(),
                memory(requested),
                cpu(requested),
                pidsLimit.isPresent() ? new LinuxResources.Pids(pidsLimit.getAsLong()) : null,
                hugePages(requested),
                unified(requested));
    }

    private LinuxResources.@Nullable Memory memory(LinuxContainerResources requested) {
        long limit = requested.getMemoryLimitInBytes();
        long swap = requested.getMemorySwapLimitInBytes();
        if (limit < UNLIMITED) {
            throw invalid("memory_limit_in_bytes", limit + " is negative");
        }
        if (swap < UNLIMITED) {
            throw invalid("memory_swap_limit_in_bytes", swap + " is negative");
        }
        if (limit > 0 && limit < minimumMemoryBytes) {
            throw invalid(
                    "memory_limit_in_bytes",
                    "the memory limit of "
                            + limit
                            + " bytes is below the minimum of "
                            + minimumMemoryBytes
                            + " bytes that the OCI runtime needs to start a container"
                            + " (container_min_memory)");
        }
        if (swap > 0 && limit <= 0) {
            throw invalid("memory_swap_limit_in_bytes", "it needs memory_limit_in_bytes");
        }
        if (swap > 0 && swap < limit) {
            throw invalid(
                    "memory_swap_limit_in_bytes",
                    swap
                            + " is the limit of memory and swap together and must not be below the"
                            + " memory limit of "
                            + limit);
        }
        if (limit == 0) {
            return null;
        }
        return new LinuxResources.Memory(limit, null, swapLimit(limit, swap));
    }

    /** Unset means no swap. */
    private @Nullable Long swapLimit(long limit, long swap) {
        if (!node.swapAccounting()) {
            return null;
        }
        return limit == UNLIMITED
                ? Long.valueOf(UNLIMITED)
                : Long.valueOf(swap == 0 ? limit : swap);
    }

    private LinuxResources.@Nullable Cpu cpu(LinuxContainerResources requested) {
        if (requested.getCpuShares() < 0) {
            throw invalid("cpu_shares", requested.getCpuShares() + " is negative");
        }
        if (requested.getCpuPeriod() < 0) {
            throw invalid("cpu_period", requested.getCpuPeriod() + " is negative");
        }
        if (requested.getCpuQuota() < UNLIMITED) {
            throw invalid("cpu_quota", requested.getCpuQuota() + " is negative");
        }
        checkList("cpuset_cpus", requested.getCpusetCpus());
        checkList("cpuset_mems", requested.getCpusetMems());
        LinuxResources.Cpu cpu =
                new LinuxResources.Cpu(
                        orNull(requested.getCpuShares()),
                        orNull(requested.getCpuQuota()),
                        orNull(requested.getCpuPeriod()),
                        orNull(requested.getCpusetCpus()),
                        orNull(requested.getCpusetMems()));
        return cpu.equals(new LinuxResources.Cpu(null, null, null, null, null)) ? null : cpu;
    }

    private void checkList(String name, String list) {
        for (int i = 0; i < list.length(); i++) {
            char character = list.charAt(i);
            if (!Character.isDigit(character) && character != ',' && character != '-') {
                throw invalid(name, "'" + list + "' is not a list such as 0-2,4");
            }
        }
    }

    private static @Nullable Long orNull(long value) {
        return value == 0 ? null : Long.valueOf(value);
    }

    private static @Nullable String orNull(String value) {
        return value.isEmpty() ? null : value;
    }

    // Kubelet sends a limit of zero for every size that it knows, also to nodes whose kernel cannot
    // limit huge pages: there all limits are left out, or no pod would start.
    private List<LinuxResources.HugepageLimit> hugePages(LinuxContainerResources requested) {
        List<LinuxResources.HugepageLimit> limits = new ArrayList<>();
        for (HugepageLimit limit : requested.getHugepageLimitsList()) {
            String size = limit.getPageSize();
            if (!isPageSize(size)) {
                throw invalid("hugepage_limits", "'" + size + "' is not a page size such as 2MB");
            }
            if (!node.hugePages()) {
                continue;
            }
            if (node.hugePageSizes().contains(size)) {
                limits.add(
                        new LinuxResources.HugepageLimit(size, UnsignedLong.of(limit.getLimit())));
            } else if (limit.getLimit() != 0) {
                throw invalid(
                        "hugepage_limits",
                        "this node has no pages of " + size + ", only " + node.hugePageSizes());
            }
        }
        return limits;
    }

    private static boolean isPageSize(String text) {
        int digits = 0;
        while (digits < text.length() && Character.isDigit(text.charAt(digits))) {
            digits++;
        }
        String unit = text.substring(digits);
        return digits > 0 && (unit.equals("KB") || unit.equals("MB") || unit.equals("GB"));
    }

    private Map<String, String> unified(LinuxContainerResources requested) {
        if (requested.getUnifiedCount() == 0) {
            return Map.of();
        }
        if (!node.cgroups().isUnified()) {
            throw invalid("unified", "this node has cgroup version 1, which has no such files");
        }
        Map<String, String> unified = new TreeMap<>();
        for (Map.Entry<String, String> entry : requested.getUnifiedMap().entrySet()) {
            String name = entry.getKey();
            if (name.indexOf('.') <= 0 || name.indexOf('/') >= 0 || name.indexOf('\0') >= 0) {
                throw invalid("unified", "'" + name + "' is not the name of a cgroup file");
            }
            unified.put(name, entry.getValue());
        }
        return unified;
    }

    /** The oom_score_adj to set, never below what this daemon may set. */
    int oomScoreAdjustment(LinuxContainerResources requested, int floor) {
        long value = requested.getOomScoreAdj();
        if (value < MIN_OOM_SCORE_ADJUSTMENT || value > MAX_OOM_SCORE_ADJUSTMENT) {
            throw invalid("oom_score_adj", value + " is not from -1000 to 1000");
        }
        return Math.max((int) value, floor);
    }

    private PodException invalid(String name, String reason) {
        return new PodException(ErrorKind.INVALID_ARGUMENT, field + "." + name + ": " + reason);
    }
}
