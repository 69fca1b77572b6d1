package io.crema.conf;

import java.time.Duration;
import java.util.List;

/**
 * Statistics of pods and containers ({@code [crio.stats]}).
 *
 * @param collectionPeriod zero to collect when asked
 * @param includedPodMetrics families that ListPodSandboxMetrics answers; {@code all} for every one
 */
public record StatsConfiguration(Duration collectionPeriod, List<String> includedPodMetrics) {
    public StatsConfiguration {
        Require.atLeast("collection_period", Duration.ZERO, collectionPeriod);
        includedPodMetrics = List.copyOf(includedPodMetrics);
    }
}
