package io.crema.conf;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A configuration and how it came to be.
 *
 * @param warnings each a sentence for the administrator: unknown keys, values without effect
 * @param files those that were read, in order
 * @param settings what was set where
 */
public record LoadedConfiguration(
        CremaConfiguration configuration,
        List<String> warnings,
        List<Path> files,
        Settings settings) {
    public LoadedConfiguration {
        warnings = List.copyOf(warnings);
        files = List.copyOf(files);
    }

    /**
     * What became of a reload.
     *
     * @param loaded the old configuration with the changes that need no restart
     * @param changes one line for each of them: {@code Set config crio.runtime.log_level to
     *     "debug"}
     * @param needRestart paths of options whose change was not applied
     */
    public record Reloaded(
            LoadedConfiguration loaded, List<String> changes, List<String> needRestart) {
        public Reloaded {
            changes = List.copyOf(changes);
            needRestart = List.copyOf(needRestart);
        }
    }

    /** The effective configuration as a commented file, only changed values not commented out. */
    public String toToml() {
        return ConfigurationPrinter.print(settings);
    }

    /**
     * Applies what may change while the daemon runs (SIGHUP).
     *
     * @param fresh the files read anew
     * @throws ConfigurationException when the result would contradict itself; this one stays valid
     */
    public Reloaded reloadedFrom(LoadedConfiguration fresh) {
        Settings merged = settings.copy();
        List<String> changes = new ArrayList<>();
        List<String> needRestart = new ArrayList<>();
        for (OptionTable table : Options.tables()) {
            for (Option<?> option : table.options()) {
                if (table.name().endsWith(".*") || isSame(option, settings, fresh.settings)) {
                    continue;
                }
                if (option.reloadable()) {
                    merged.copy(option, fresh.settings);
                    changes.add(
                            "Set config "
                                    + option.path()
                                    + " to "
                                    + ConfigurationPrinter.oneLine(option, fresh.settings));
                } else {
                    needRestart.add(option.path());
                }
            }
        }
        if (!configuration.runtime().runtimes().equals(fresh.configuration.runtime().runtimes())) {
            merged.replaceRuntimes(fresh.settings);
            changes.add(
                    "Set config crio.runtime.runtimes to "
                            + String.join(", ", fresh.settings.runtimes().keySet()));
        }
        return new Reloaded(
                new LoadedConfiguration(
                        ConfigurationLoader.build(merged), fresh.warnings, fresh.files, merged),
                changes,
                needRestart);
    }

    private static <T> boolean isSame(Option<T> option, Settings one, Settings other) {
        return one.value(option).equals(other.value(option));
    }
}
