package io.crema.conf;

import java.nio.file.Path;
import java.time.Duration;

/** Node resource interface plugins ({@code [crio.nri]}). */
public record NriConfiguration(
        boolean enabled,
        Path listen,
        Path pluginDirectory,
        Path pluginConfigurationDirectory,
        boolean connectionsDisabled,
        Duration pluginRegistrationTimeout,
        Duration pluginRequestTimeout,
        NriValidatorConfiguration validator) {
    public NriConfiguration {
        listen = Require.absolute("nri_listen", listen);
        pluginDirectory = Require.absolute("nri_plugin_dir", pluginDirectory);
        pluginConfigurationDirectory =
                Require.absolute("nri_plugin_config_dir", pluginConfigurationDirectory);
        Require.atLeast(
                "nri_plugin_registration_timeout", Duration.ofMillis(1), pluginRegistrationTimeout);
        Require.atLeast("nri_plugin_request_timeout", Duration.ofMillis(1), pluginRequestTimeout);
    }
}
