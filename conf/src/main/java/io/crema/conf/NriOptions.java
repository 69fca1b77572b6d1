package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.PATH;
import static io.crema.conf.OptionTypes.SOCKET;
import static io.crema.conf.OptionTypes.SWITCH;
import static io.crema.conf.OptionTypes.TEXT;
import static io.crema.conf.OptionTypes.TEXTS;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** The options of {@code [crio.nri]} and {@code [crio.nri.default_validator]}. */
final class NriOptions {
    static final OptionTable TABLE =
            new OptionTable("crio.nri", "Node resource interface plugins.");
    static final OptionTable VALIDATOR =
            new OptionTable("crio.nri.default_validator", "What such plugins may not change.");

    static final Option<Boolean> ENABLE_NRI =
            option("enable_nri", SWITCH, true)
                    .doc("Let plugins change containers.")
                    .flags("--enable-nri")
                    .in(TABLE);

    static final Option<Path> NRI_LISTEN =
            option("nri_listen", SOCKET, Path.of("/var/run/nri/nri.sock"))
                    .doc("The socket that plugins connect to.")
                    .flags("--nri-listen")
                    .in(TABLE);

    static final Option<Path> NRI_PLUGIN_DIR =
            option("nri_plugin_dir", PATH, Path.of("/opt/nri/plugins"))
                    .doc("Plugins that the daemon starts.")
                    .flags("--nri-plugin-dir")
                    .in(TABLE);

    static final Option<Path> NRI_PLUGIN_CONFIG_DIR =
            option("nri_plugin_config_dir", PATH, Path.of("/etc/nri/conf.d"))
                    .doc("Their configuration.")
                    .flags("--nri-plugin-config-dir")
                    .in(TABLE);

    static final Option<Boolean> NRI_DISABLE_CONNECTIONS =
            option("nri_disable_connections", SWITCH, false)
                    .doc("Refuse plugins that the daemon did not start.")
                    .flags("--nri-disable-connections")
                    .in(TABLE);

    static final Option<Duration> NRI_PLUGIN_REGISTRATION_TIMEOUT =
            option(
                            "nri_plugin_registration_timeout",
                            OptionTypes.duration(Duration.ofMillis(1)),
                            Duration.ofSeconds(5))
                    .doc("How long a plugin may take to register.")
                    .flags("--nri-plugin-registration-timeout")
                    .in(TABLE);

    static final Option<Duration> NRI_PLUGIN_REQUEST_TIMEOUT =
            option(
                            "nri_plugin_request_timeout",
                            OptionTypes.duration(Duration.ofMillis(1)),
                            Duration.ofSeconds(2))
                    .doc("How long a plugin may take to answer.")
                    .flags("--nri-plugin-request-timeout")
                    .in(TABLE);

    static final Option<Boolean> ENABLE_DEFAULT_VALIDATOR =
            option("nri_enable_default_validator", SWITCH, false)
                    .doc("Check what plugins change.")
                    .flags("--nri-enable-default-validator")
                    .in(VALIDATOR);

    static final Option<Boolean> REJECT_OCI_HOOK =
            option("nri_validator_reject_oci_hook_adjustment", SWITCH, false)
                    .doc("No hooks.")
                    .flags("--nri-validator-reject-oci-hook-adjustment")
                    .in(VALIDATOR);

    static final Option<Boolean> REJECT_RUNTIME_DEFAULT_SECCOMP =
            option("nri_validator_reject_runtime_default_seccomp_adjustment", SWITCH, false)
                    .doc("No change of the default seccomp profile.")
                    .flags("--nri-validator-reject-runtime-default-seccomp-adjustment")
                    .in(VALIDATOR);

    static final Option<Boolean> REJECT_UNCONFINED_SECCOMP =
            option("nri_validator_reject_unconfined_seccomp_adjustment", SWITCH, false)
                    .doc("No change of an unconfined container's seccomp profile.")
                    .flags("--nri-validator-reject-unconfined-seccomp-adjustment")
                    .in(VALIDATOR);

    static final Option<Boolean> REJECT_CUSTOM_SECCOMP =
            option("nri_validator_reject_custom_seccomp_adjustment", SWITCH, false)
                    .doc("No change of a seccomp profile from the node.")
                    .flags("--nri-validator-reject-custom-seccomp-adjustment")
                    .in(VALIDATOR);

    static final Option<Boolean> REJECT_NAMESPACE =
            option("nri_validator_reject_namespace_adjustment", SWITCH, false)
                    .doc("No change of namespaces.")
                    .flags("--nri-validator-reject-namespace-adjustment")
                    .in(VALIDATOR);

    static final Option<List<String>> REQUIRED_PLUGINS =
            option("nri_validator_required_plugins", TEXTS, List.<String>of())
                    .doc("Containers are refused while one of these is missing.")
                    .flags("--nri-validator-required-plugins")
                    .in(VALIDATOR);

    static final Option<String> TOLERATE_MISSING_PLUGINS_ANNOTATION =
            option("nri_validator_tolerate_missing_plugins_annotation", TEXT, "")
                    .doc("Pods with this annotation do without them.")
                    .flags("--nri-validator-tolerate-missing-plugins-annotation")
                    .in(VALIDATOR);

    private NriOptions() {}

    static NriConfiguration read(Settings settings) {
        return new NriConfiguration(
                settings.value(ENABLE_NRI),
                settings.value(NRI_LISTEN),
                settings.value(NRI_PLUGIN_DIR),
                settings.value(NRI_PLUGIN_CONFIG_DIR),
                settings.value(NRI_DISABLE_CONNECTIONS),
                settings.value(NRI_PLUGIN_REGISTRATION_TIMEOUT),
                settings.value(NRI_PLUGIN_REQUEST_TIMEOUT),
                new NriValidatorConfiguration(
                        settings.value(ENABLE_DEFAULT_VALIDATOR),
                        settings.value(REJECT_OCI_HOOK),
                        settings.value(REJECT_RUNTIME_DEFAULT_SECCOMP),
                        settings.value(REJECT_UNCONFINED_SECCOMP),
                        settings.value(REJECT_CUSTOM_SECCOMP),
                        settings.value(REJECT_NAMESPACE),
                        settings.value(REQUIRED_PLUGINS),
                        settings.value(TOLERATE_MISSING_PLUGINS_ANNOTATION)));
    }
}
