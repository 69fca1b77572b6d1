package io.crema.runtime.spec;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What OCI runtimes tell systemd about a container's scope, as annotations whose values are in
 * GVariant's text form.
 */
final class ScopeProperties {
    private static final String PREFIX = "org.systemd.property.";

    /** Kubelet's annotation, in seconds. */
    private static final String GRACE = "io.kubernetes.pod.terminationGracePeriod";

    private static final int MAX_DIGITS = 9;
    private static final long MICROSECONDS = 1_000_000;

    private ScopeProperties() {}

    static Map<String, String> of(Map<String, String> containerAnnotations) {
        Map<String, String> properties = new TreeMap<>();
        // A scope that failed would stay in systemd's list for ever.
        properties.put(PREFIX + "CollectMode", "'inactive-or-failed'");
        String grace = containerAnnotations.get(GRACE);
        if (isSeconds(grace)) {
            // When the node is shut down, systemd itself stops the scope.
            properties.put(
                    PREFIX + "TimeoutStopUSec", "uint64 " + Long.parseLong(grace) * MICROSECONDS);
        }
        return properties;
    }

    private static boolean isSeconds(@Nullable String text) {
        if (text == null || text.isEmpty() || text.length() > MAX_DIGITS) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) < '0' || text.charAt(i) > '9') {
                return false;
            }
        }
        return true;
    }
}
