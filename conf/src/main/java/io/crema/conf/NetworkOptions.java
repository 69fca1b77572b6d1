package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.OPTIONAL_PATH;
import static io.crema.conf.OptionTypes.OPTIONAL_TEXT;
import static io.crema.conf.OptionTypes.PATH;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The options of {@code [crio.network]} and {@code [crema.network]}. */
final class NetworkOptions {
    static final OptionTable TABLE = new OptionTable("crio.network", "The pod network.");
    static final OptionTable OWN_TABLE =
            new OptionTable("crema.network", "What crio.conf has no key for: the pod network.");

    static final Option<Optional<String>> CNI_DEFAULT_NETWORK =
            option("cni_default_network", OPTIONAL_TEXT, Optional.<String>empty())
                    .doc("The network of pods by name; empty for the first valid file.")
                    .flags("--cni-default-network")
                    .in(TABLE);

    static final Option<Path> NETWORK_DIR =
            option("network_dir", PATH, Path.of("/etc/cni/net.d"))
                    .doc("CNI configuration; watched.")
                    .flags("--cni-config-dir")
                    .in(TABLE);

    static final Option<List<Path>> PLUGIN_DIRS =
            option(
                            "plugin_dirs",
                            OptionTypes.NON_EMPTY_PATHS,
                            List.of(Path.of("/opt/cni/bin"), Path.of("/usr/lib/cni")))
                    .doc("CNI plugins, searched in order; Debian's are in the second.")
                    .flags("--cni-plugin-dir")
                    .in(TABLE);

    static final Option<Optional<Path>> PLUGIN_DIR =
            option("plugin_dir", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("CNI plugins, searched before the others.")
                    .deprecated("plugin_dirs")
                    .in(TABLE);

    static final Option<Duration> CNI_STATUS_GRACE_PERIOD =
            option("cni_status_grace_period", OptionTypes.duration(Duration.ZERO), Duration.ZERO)
                    .doc("For that long a failing STATUS does not make the node unready.")
                    .flags("--cni-status-grace-period")
                    .environment("CNI_STATUS_GRACE_PERIOD")
                    .in(TABLE);

    static final Option<Duration> OPERATION_TIMEOUT =
            option(
                            "operation_timeout",
                            OptionTypes.duration(Duration.ofSeconds(1)),
                            Duration.ofMinutes(2))
                    .doc("How long all plugins together may take to connect a pod or let it go.")
                    .in(OWN_TABLE);

    static final Option<Path> CACHE_DIR =
            option(
                            "cache_dir",
                            PATH,
                            Path.of("/var/lib/crema/cni"),
                            settings -> settings.value(StorageOptions.ROOT).resolve("cni"))
                    .doc("What plugins answered and were asked with, needed to let pods go.")
                    .in(OWN_TABLE);

    private NetworkOptions() {}

    static NetworkConfiguration read(Settings settings) {
        return new NetworkConfiguration(
                settings.value(CNI_DEFAULT_NETWORK),
                settings.value(NETWORK_DIR),
                settings.value(PLUGIN_DIRS),
                settings.value(CNI_STATUS_GRACE_PERIOD),
                settings.value(OPERATION_TIMEOUT),
                settings.value(CACHE_DIR));
    }
}
