package io.crema.conf;

import java.util.List;

/**
 * What plugins may not change, and which of them must be there ({@code
 * [crio.nri.default_validator]}).
 *
 * @param tolerateMissingPluginsAnnotation of pods that do without required plugins; empty for none
 */
public record NriValidatorConfiguration(
        boolean enabled,
        boolean rejectOciHooks,
        boolean rejectRuntimeDefaultSeccomp,
        boolean rejectUnconfinedSeccomp,
        boolean rejectCustomSeccomp,
        boolean rejectNamespaces,
        List<String> requiredPlugins,
        String tolerateMissingPluginsAnnotation) {
    public NriValidatorConfiguration {
        requiredPlugins = List.copyOf(requiredPlugins);
    }
}
