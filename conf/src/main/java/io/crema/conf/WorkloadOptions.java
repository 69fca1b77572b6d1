package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.NON_EMPTY_TEXT;
import static io.crema.conf.OptionTypes.TEXT;
import static io.crema.conf.OptionTypes.TEXTS;

import java.util.List;
import java.util.Map;

/** The options of {@code [crio.runtime.workloads.<name>]}. */
final class WorkloadOptions {
    static final OptionTable TABLE =
            new OptionTable(
                    "crio.runtime.workloads.*",
                    "Pods whose annotation changes resources. Crema cannot do this yet.");

    static final Option<String> ACTIVATION_ANNOTATION =
            option("activation_annotation", NON_EMPTY_TEXT, "")
                    .doc("A pod with this annotation belongs to the workload.")
                    .notYet()
                    .in(TABLE);

    static final Option<String> ANNOTATION_PREFIX =
            option("annotation_prefix", TEXT, "")
                    .doc("What the annotation for one container begins with.")
                    .notYet()
                    .in(TABLE);

    static final Option<List<String>> ALLOWED_ANNOTATIONS =
            option("allowed_annotations", TEXTS, List.<String>of())
                    .doc("Annotations that pods of the workload may use.")
                    .notYet()
                    .in(TABLE);

    static final Option<Map<String, String>> RESOURCES =
            option("resources", OptionTypes.SCALAR_TABLE, Map.<String, String>of())
                    .doc("Their values: cpushares, cpuquota, cpuperiod, cpuset, cpulimit.")
                    .notYet()
                    .in(TABLE);

    private WorkloadOptions() {}

    static WorkloadConfiguration read(Settings settings) {
        return new WorkloadConfiguration(
                settings.name(),
                settings.value(ACTIVATION_ANNOTATION),
                settings.value(ANNOTATION_PREFIX),
                settings.value(ALLOWED_ANNOTATIONS),
                settings.value(RESOURCES));
    }
}
