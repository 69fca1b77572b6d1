package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.state.PodException;
import java.util.OptionalLong;

/**
 * New limits of a container that exists (UpdateContainerResources). Values left at zero stay as
 * they are. As with all runtimes, oom_score_adj and huge pages of a live container do not change.
 *
 * @param effective all limits in effect once this is applied, for the status
 * @param resources what the OCI runtime is told
 */
public record ResourceUpdate(LinuxContainerResources effective, LinuxResources resources) {
    /**
     * @param current the limits in effect
     * @param memoryUsage what the container uses now, when it runs: the kernel would end processes
     *     to reach a limit below
     */
    public static ResourceUpdate of(
            LinuxContainerResources current,
            LinuxContainerResources requested,
            NodeFacts node,
            Handler handler,
            OptionalLong memoryUsage) {
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
                new ResourceLimits(node, handler.configuration().minimumMemoryBytes(), "linux")
                        .translate(
                                effective.toBuilder().clearHugepageLimits().build(),
                                OptionalLong.empty());
        return new ResourceUpdate(effective, translated);
    }

    /** {@code linux.resources} for the OCI runtime's update. */
    public byte[] json() {
        return SpecJson.write(resources);
    }
}
