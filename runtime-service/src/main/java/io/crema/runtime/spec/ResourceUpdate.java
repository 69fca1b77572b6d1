package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.HugepageLimit;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.state.PodException;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * New limits of a container that exists (UpdateContainerResources). Values left at zero stay as
 * they are.
 *
 * @param effective all limits in effect once this is applied, for the status
 * @param resources what the OCI runtime is told
 * @param hugePages what we write ourselves, because the runtimes' update passes over it
 * @param oomScoreAdjustment for all its processes, when it is to change
 */
public record ResourceUpdate(
        LinuxContainerResources effective,
        LinuxResources resources,
        LinuxResources hugePages,
        OptionalInt oomScoreAdjustment) {
    /**
     * @param current the limits in effect
     * @param wanted what is to change
     * @param oomScoreFloor the lowest that this daemon may set
     * @param memoryUsage what the container uses now, when it runs: the kernel would end processes
     *     to reach a limit below
     */
    public static ResourceUpdate of(
            LinuxContainerResources current,
            ResourceRequest wanted,
            NodeFacts node,
            Handler handler,
            int oomScoreFloor,
            OptionalLong memoryUsage) {
        LinuxContainerResources requested = wanted.cri();
        LinuxContainerResources.Builder merged = current.toBuilder();
        if (requested.getCpuShares() != 0) {
            merged.setCpuShares(requested.getCpuShares());
        }
        if (requested.getCpuQuota() != 0) {
            merged.setCpuQuota(requested.getCpuQuota());
        }
        if (requested.getCpuPeriod() != 0) {
            merged.setCpuPeriod(requested.getCpuPeriod());
        }
        if (!requested.getCpusetCpus().isEmpty()) {
            merged.setCpusetCpus(requested.getCpusetCpus());
        }
        if (!requested.getCpusetMems().isEmpty()) {
            merged.setCpusetMems(requested.getCpusetMems());
        }
        if (requested.getMemoryLimitInBytes() != 0) {
            // The swap limit counts both together: a new memory limit alone means no swap again.
            merged.setMemoryLimitInBytes(requested.getMemoryLimitInBytes());
            merged.setMemorySwapLimitInBytes(requested.getMemorySwapLimitInBytes());
        } else if (requested.getMemorySwapLimitInBytes() != 0) {
            merged.setMemorySwapLimitInBytes(requested.getMemorySwapLimitInBytes());
        }
        merged.putAllUnified(requested.getUnifiedMap());
        ResourceLimits limits =
                new ResourceLimits(node, handler.configuration().minimumMemoryBytes(), "linux");
        OptionalInt oomScoreAdjustment = OptionalInt.empty();
        if (requested.getOomScoreAdj() != 0) {
            int score = limits.oomScoreAdjustment(requested, oomScoreFloor);
            if (score != current.getOomScoreAdj()) {
                oomScoreAdjustment = OptionalInt.of(score);
            }
            merged.setOomScoreAdj(score);
        }
        LinuxResources hugePages =
                limits.translate(
                        LinuxContainerResources.newBuilder()
                                .addAllHugepageLimits(requested.getHugepageLimitsList())
                                .build(),
                        OptionalLong.empty());
        for (LinuxResources.HugepageLimit limit : hugePages.hugepageLimits()) {
            merge(merged, limit);
        }
        LinuxContainerResources effective = merged.build();
        long limit = requested.getMemoryLimitInBytes();
        if (limit > 0 && memoryUsage.isPresent() && limit < memoryUsage.getAsLong()) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "linux.memory_limit_in_bytes: the container uses "
                            + memoryUsage.getAsLong()
                            + " bytes, more than the new limit of "
                            + limit);
        }
        LinuxResources translated =
                limits.translate(
                        effective.toBuilder().clearHugepageLimits().build(), OptionalLong.empty());
        return new ResourceUpdate(
                effective, wanted.extra().over(translated), hugePages, oomScoreAdjustment);
    }

    private static void merge(
            LinuxContainerResources.Builder merged, LinuxResources.HugepageLimit limit) {
        HugepageLimit changed =
                HugepageLimit.newBuilder()
                        .setPageSize(limit.pageSize())
                        .setLimit(limit.limit().bits())
                        .build();
        for (int i = 0; i < merged.getHugepageLimitsCount(); i++) {
            if (merged.getHugepageLimits(i).getPageSize().equals(limit.pageSize())) {
                merged.setHugepageLimits(i, changed);
                return;
            }
        }
        merged.addHugepageLimits(changed);
    }

    /** {@code linux.resources} for the OCI runtime's update. */
    public byte[] json() {
        return SpecJson.write(resources);
    }
}
