package io.crema.conf;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The pod network ({@code [crio.network]}, {@code [crema.network]}).
 *
 * @param defaultNetwork absent for the first valid file
 * @param configurationDirectory of CNI files; watched
 * @param pluginDirectories searched in order
 * @param statusGracePeriod for that long a failing STATUS does not make the node unready
 * @param operationTimeout of one ADD, DEL or CHECK through all plugins
 * @param cacheDirectory where results and the configurations they came from are kept
 */
public record NetworkConfiguration(
        Optional<String> defaultNetwork,
        Path configurationDirectory,
        List<Path> pluginDirectories,
        Duration statusGracePeriod,
        Duration operationTimeout,
        Path cacheDirectory) {
    public NetworkConfiguration {
        configurationDirectory = Require.absolute("network_dir", configurationDirectory);
        pluginDirectories = List.copyOf(pluginDirectories);
        Require.absolute("plugin_dirs", pluginDirectories);
        Require.that(!pluginDirectories.isEmpty(), "plugin_dirs must name at least one directory");
        Require.atLeast("cni_status_grace_period", Duration.ZERO, statusGracePeriod);
        Require.atLeast("operation_timeout", Duration.ofSeconds(1), operationTimeout);
        cacheDirectory = Require.absolute("cache_dir", cacheDirectory);
    }
}
