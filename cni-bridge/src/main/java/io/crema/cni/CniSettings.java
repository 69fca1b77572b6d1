package io.crema.cni;

import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Where networks, plugins and the cache lie, and how long things may take.
 *
 * @param networkDirectory network_dir: holds .conflist, .conf and .json files; may appear later
 * @param defaultNetwork cni_default_network; empty for the first valid file
 * @param pluginDirectories plugin_dirs, searched in order
 * @param cacheDirectory the cache in libcni's format lies in its {@code results} directory, made
 *     when needed; libcni's own is /var/lib/cni. It has to survive a reboot, because leases do.
 * @param owner marks our entries in a cache directory that several runtimes use, so that none
 *     collects another's pods: something unique to this daemon, such as its root directory
 * @param environment of plugins, before the CNI variables are added
 * @param statusGracePeriod cni_status_grace_period: how long STATUS may fail after it was good
 * @param pollInterval between two looks at the plugins' health (their files, STATUS)
 */
public record CniSettings(
        Path networkDirectory,
        String defaultNetwork,
        List<Path> pluginDirectories,
        Path cacheDirectory,
        String owner,
        Map<String, String> environment,
        Duration statusGracePeriod,
        Duration pollInterval,
        TimeLimits timeLimits) {
    /** For plugins that look for iptables, ip and the like. */
    private static final String DEFAULT_PATH =
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private static final Duration DEFAULT_POLL_INTERVAL = Duration.ofSeconds(5);

    /**
     * How long a whole operation may take, all plugins together; the caller's deadline cuts it
     * further.
     *
     * @param add generous, because a plugin may wait for a controller to hand out an address, and
     *     well below the four minutes that kubelet gives RunPodSandbox
     * @param delete of an attachment
     * @param undo DEL after a failed ADD; counts from the failure on, whatever the caller's
     *     deadline
     * @param check of an attachment
     * @param status STATUS or VERSION of one network in the background
     * @param collectGarbage GC of the network, without the DELs before it; ADDs wait meanwhile
     */
    public record TimeLimits(
            Duration add,
            Duration delete,
            Duration undo,
            Duration check,
            Duration status,
            Duration collectGarbage) {
        /** All of ADD, DEL and CHECK within the given time, the rest within theirs or less. */
        public static TimeLimits within(Duration operation) {
            TimeLimits defaults = defaults();
            return new TimeLimits(
                    operation,
                    operation,
                    shorter(operation, defaults.undo),
                    operation,
                    shorter(operation, defaults.status),
                    shorter(operation, defaults.collectGarbage));
        }

        private static Duration shorter(Duration a, Duration b) {
            return a.compareTo(b) < 0 ? a : b;
        }

        public static TimeLimits defaults() {
            return new TimeLimits(
                    Duration.ofSeconds(90),
                    Duration.ofSeconds(60),
                    Duration.ofSeconds(30),
                    Duration.ofSeconds(30),
                    Duration.ofSeconds(10),
                    Duration.ofSeconds(20));
        }
    }

    public CniSettings {
        networkDirectory = networkDirectory.toAbsolutePath();
        pluginDirectories = pluginDirectories.stream().map(Path::toAbsolutePath).toList();
        cacheDirectory = cacheDirectory.toAbsolutePath();
        environment = pluginEnvironment(environment);
        if (pollInterval.toMillis() <= 0) {
            throw new IllegalArgumentException("pollInterval must be positive: " + pollInterval);
        }
    }

    /** The first network of the directory, the daemon's own environment and default limits. */
    public static CniSettings of(
            Path networkDirectory,
            List<Path> pluginDirectories,
            Path cacheDirectory,
            String owner) {
        return new CniSettings(
                networkDirectory,
                "",
                pluginDirectories,
                cacheDirectory,
                owner,
                System.getenv(),
                Duration.ZERO,
                DEFAULT_POLL_INTERVAL,
                TimeLimits.defaults());
    }

    /** What the configuration file says, with the daemon's own environment. */
    public static CniSettings of(io.crema.conf.NetworkConfiguration configured, String owner) {
        return new CniSettings(
                configured.configurationDirectory(),
                configured.defaultNetwork().orElse(""),
                configured.pluginDirectories(),
                configured.cacheDirectory(),
                owner,
                System.getenv(),
                configured.statusGracePeriod(),
                DEFAULT_POLL_INTERVAL,
                TimeLimits.within(configured.operationTimeout()));
    }

    public CniSettings withDefaultNetwork(String name) {
        return new CniSettings(
                networkDirectory,
                name,
                pluginDirectories,
                cacheDirectory,
                owner,
                environment,
                statusGracePeriod,
                pollInterval,
                timeLimits);
    }

    public CniSettings withStatus(Duration newPollInterval, Duration newGracePeriod) {
        return new CniSettings(
                networkDirectory,
                defaultNetwork,
                pluginDirectories,
                cacheDirectory,
                owner,
                environment,
                newGracePeriod,
                newPollInterval,
                timeLimits);
    }

    public CniSettings withTimeLimits(TimeLimits limits) {
        return new CniSettings(
                networkDirectory,
                defaultNetwork,
                pluginDirectories,
                cacheDirectory,
                owner,
                environment,
                statusGracePeriod,
                pollInterval,
                limits);
    }

    /**
     * Plugins see the daemon's environment, as they do with libcni (proxies, kubeconfig), but not
     * what speaks to the service manager in the daemon's name.
     */
    private static Map<String, String> pluginEnvironment(Map<String, String> inherited) {
        Map<String, String> environment = new HashMap<>();
        inherited.forEach((name, value) -> {
            boolean isOurs =
                    name.startsWith("CNI_")
                            || name.equals("NOTIFY_SOCKET")
                            || name.startsWith("WATCHDOG_")
                            || name.startsWith("LISTEN_");
            if (!isOurs) {
                environment.put(name, value);
            }
        });
        environment.putIfAbsent("PATH", DEFAULT_PATH);
        return Map.copyOf(environment);
    }
}
