package io.crema.runtime.spec;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crema.cri.v1.HugepageLimit;
import io.crema.cri.v1.LinuxContainerResources;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;

/** What a request says of a pod's size as a whole: its overhead and the sum of its containers. */
public final class PodResources {
    private PodResources() {}

    /**
     * Refuses what no pod can have.
     *
     * @param field where the resources stand in the request, for messages
     */
    public static void check(LinuxContainerResources resources, NodeFacts node, String field) {
        ResourceLimits limits = new ResourceLimits(node, 0, field);
        var _ = limits.translate(resources, OptionalLong.empty());
        var _ = limits.oomScoreAdjustment(resources, Integer.MIN_VALUE);
    }

    /** Those last told, or else those the pod was made with, by the names of the CRI's fields. */
    public static Map<String, Object> described(byte[] updated, LinuxContainerResources original) {
        LinuxContainerResources resources = original;
        if (updated.length > 0) {
            try {
                resources = LinuxContainerResources.parseFrom(updated);
            } catch (InvalidProtocolBufferException e) {
                throw new IllegalArgumentException("the record of a pod holds no resources", e);
            }
        }
        Map<String, Object> described = new LinkedHashMap<>();
        number(described, "cpu_period", resources.getCpuPeriod());
        number(described, "cpu_quota", resources.getCpuQuota());
        number(described, "cpu_shares", resources.getCpuShares());
        number(described, "memory_limit_in_bytes", resources.getMemoryLimitInBytes());
        number(described, "oom_score_adj", resources.getOomScoreAdj());
        text(described, "cpuset_cpus", resources.getCpusetCpus());
        text(described, "cpuset_mems", resources.getCpusetMems());
        number(described, "memory_swap_limit_in_bytes", resources.getMemorySwapLimitInBytes());
        for (HugepageLimit limit : resources.getHugepageLimitsList()) {
            described.put("hugepage_limits." + limit.getPageSize(), limit.getLimit());
        }
        if (resources.getUnifiedCount() > 0) {
            described.put("unified", resources.getUnifiedMap());
        }
        return described;
    }

    private static void number(Map<String, Object> described, String name, long value) {
        if (value != 0) {
            described.put(name, value);
        }
    }

    private static void text(Map<String, Object> described, String name, String value) {
        if (!value.isEmpty()) {
            described.put(name, value);
        }
    }
}
