package io.crema.conf;

import java.util.List;
import java.util.Map;

/**
 * A class of pods whose annotation may change resources ({@code [crio.runtime.workloads.<name>]}).
 *
 * @param activationAnnotation a pod with this annotation belongs to the class
 * @param annotationPrefix what the per-container annotation starts with
 * @param resources default values: cpushares, cpuquota, cpuperiod, cpuset, cpulimit
 */
public record WorkloadConfiguration(
        String name,
        String activationAnnotation,
        String annotationPrefix,
        List<String> allowedAnnotations,
        Map<String, String> resources) {
    public WorkloadConfiguration {
        Require.notEmpty("workload name", name);
        Require.notEmpty("activation_annotation of workload '" + name + "'", activationAnnotation);
        allowedAnnotations = List.copyOf(allowedAnnotations);
        resources = Require.copy(resources);
    }
}
