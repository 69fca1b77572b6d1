package io.crema.runtime.stats;

import io.crema.cri.v1.Metric;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Collects the metrics of one container or pod; those of groups that are not included are not. */
final class MetricList {
    private final List<String> baseValues;
    private final Set<MetricGroup> included;
    private final long timestampNanos;
    private final List<Metric> metrics = new ArrayList<>();

    /**
     * @param baseValues of the labels that every metric has, in their order
     * @param timestampNanos when they were read, 0 for "now": the CRI wants no time of live ones
     */
    MetricList(List<String> baseValues, Set<MetricGroup> included, long timestampNanos) {
        this.baseValues = List.copyOf(baseValues);
        this.included = included;
        this.timestampNanos = timestampNanos;
    }

    boolean includes(MetricGroup group) {
        return included.contains(group);
    }

    /**
     * @param values of the metric's own labels, in their order
     */
    void add(PodMetric metric, long value, String... values) {
        if (values.length != metric.labels().size()) {
            throw new IllegalArgumentException(
                    metric.text()
                            + " has the labels "
                            + metric.labels()
                            + ", not "
                            + values.length);
        }
        if (!includes(metric.group())) {
            return;
        }
        Metric.Builder message =
                Metric.newBuilder()
                        .setName(metric.text())
                        .setTimestamp(timestampNanos)
                        .setMetricType(metric.type())
                        .addAllLabelValues(baseValues)
                        .setValue(UsageMessages.value(value));
        for (String own : values) {
            message.addLabelValues(own);
        }
        metrics.add(message.build());
    }

    List<Metric> all() {
        return metrics;
    }
}
