package io.crema.runtime.stats;

import io.crema.runtime.state.PodException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** The groups of metrics that {@code included_pod_metrics} names. */
enum MetricGroup {
    /** Always answered. */
    ALWAYS(""),
    CPU("cpu"),
    DISK("disk"),
    DISK_IO("diskIO"),
    HUGETLB("hugetlb"),
    MEMORY("memory"),
    NETWORK("network"),
    OOM("oom"),
    PROCESS("process"),
    SPEC("spec"),
    PRESSURE("pressure");

    private static final String ALL = "all";

    private final String word;

    MetricGroup(String word) {
        this.word = word;
    }

    /**
     * @throws PodException INVALID_ARGUMENT for a word that names no group
     */
    static Set<MetricGroup> of(List<String> words) {
        Set<MetricGroup> groups = EnumSet.of(ALWAYS);
        for (String word : words) {
            if (word.equals(ALL)) {
                return EnumSet.allOf(MetricGroup.class);
            }
            groups.add(named(word));
        }
        return groups;
    }

    private static MetricGroup named(String word) {
        for (MetricGroup group : values()) {
            if (group != ALWAYS && group.word.equals(word)) {
                return group;
            }
        }
        throw PodException.invalid(
                "included_pod_metrics: there is no group '"
                        + word
                        + "'; there are cpu, disk, diskIO, hugetlb, memory, network, oom, process,"
                        + " spec, pressure, and all for every one");
    }
}
