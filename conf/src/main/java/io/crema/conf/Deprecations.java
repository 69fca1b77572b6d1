package io.crema.conf;

import io.crema.conf.CheckpointConfiguration.ContainerLevel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Translates options that others have replaced; where both are set, the new one wins. */
final class Deprecations {
    private final Settings settings;

    Deprecations(Settings settings) {
        this.settings = settings;
    }

    void translate() {
        for (Settings runtime : settings.runtimes().values()) {
            monitor(runtime);
        }
        if (!settings.value(RuntimeOptions.ENABLE_CRIU_SUPPORT)) {
            replace(
                    RuntimeOptions.ENABLE_CRIU_SUPPORT,
                    settings,
                    CheckpointOptions.CONTAINER_LEVEL_ENABLED,
                    ContainerLevel.NONE);
        }
        if (settings.isSet(ObservationOptions.STATS_COLLECTION_PERIOD)) {
            replace(
                    ObservationOptions.STATS_COLLECTION_PERIOD,
                    settings,
                    ObservationOptions.COLLECTION_PERIOD,
                    settings.value(ObservationOptions.STATS_COLLECTION_PERIOD));
        }
        settings.value(NetworkOptions.PLUGIN_DIR).ifPresent(this::prependPluginDirectory);
        for (OptionTable table : Options.tables()) {
            for (Option<?> option : settings.set(table)) {
                if (option.support() == Support.DEPRECATED) {
                    settings.remove(option);
                }
            }
        }
    }

    private void monitor(Settings runtime) {
        Optional<Path> path = settings.value(RuntimeOptions.CONMON);
        if (path.isPresent()) {
            replace(RuntimeOptions.CONMON, runtime, RuntimeHandlerOptions.MONITOR_PATH, path);
        }
        String cgroup = settings.value(RuntimeOptions.CONMON_CGROUP);
        if (!cgroup.isEmpty()) {
            replace(
                    RuntimeOptions.CONMON_CGROUP,
                    runtime,
                    RuntimeHandlerOptions.MONITOR_CGROUP,
                    cgroup);
        }
        List<String> environment = settings.value(RuntimeOptions.CONMON_ENV);
        if (!environment.isEmpty()) {
            replace(
                    RuntimeOptions.CONMON_ENV,
                    runtime,
                    RuntimeHandlerOptions.MONITOR_ENV,
                    environment);
        }
    }

    private void prependPluginDirectory(Path directory) {
        List<Path> directories = new ArrayList<>();
        directories.add(directory);
        for (Path other : settings.value(NetworkOptions.PLUGIN_DIRS)) {
            if (!other.equals(directory)) {
                directories.add(other);
            }
        }
        settings.put(
                NetworkOptions.PLUGIN_DIRS,
                List.copyOf(directories),
                settings.origin(NetworkOptions.PLUGIN_DIR));
    }

    private <T> void replace(Option<?> old, Settings target, Option<T> replacement, T value) {
        if (!target.isSet(replacement)) {
            target.put(replacement, value, settings.origin(old));
        }
    }
}
