package io.crema.conf;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Takes values out of TOML tables, flags and variables into settings, and notes what is wrong. */
final class SettingsReader {
    private static final String RUNTIMES = "crio.runtime.runtimes";
    private static final String WORKLOADS = "crio.runtime.workloads";

    private final Settings settings;
    private final List<String> problems;
    private final List<String> warnings;

    SettingsReader(Settings settings, List<String> problems, List<String> warnings) {
        this.settings = settings;
        this.problems = problems;
        this.warnings = warnings;
    }

    /**
     * @param source the file's name, for messages
     */
    void document(String source, TomlValue.Table root) {
        for (Map.Entry<String, TomlValue> entry : root.values().entrySet()) {
            String key = entry.getKey();
            String where = source + ":" + entry.getValue().line();
            if (!key.equals("crio") && !key.equals("crema")) {
                warnings.add(
                        where
                                + ": unknown key '"
                                + key
                                + "': everything stands below [crio] or [crema]; it is ignored");
            } else if (entry.getValue() instanceof TomlValue.Table table) {
                table(source, key, table);
            } else {
                problems.add(notATable(where, key, entry.getValue()));
            }
        }
    }

    private void table(String source, String path, TomlValue.Table table) {
        for (Map.Entry<String, TomlValue> entry : table.values().entrySet()) {
            String below = path + "." + entry.getKey();
            TomlValue value = entry.getValue();
            String where = source + ":" + value.line();
            OptionTable known = Options.tablesByName().get(path);
            Option<?> option = known == null ? null : known.option(entry.getKey());
            if (option != null) {
                set(settings, option, value, where);
            } else if (below.equals(RUNTIMES) || below.equals(WORKLOADS)) {
                named(source, below, value, where);
            } else if (isTable(below)) {
                if (value instanceof TomlValue.Table inner) {
                    table(source, below, inner);
                } else {
                    problems.add(notATable(where, below, value));
                }
            } else {
                warnings.add(unknown(where, path, entry.getKey()));
            }
        }
    }

    /** Tables whose names the file chooses. */
    private void named(String source, String path, TomlValue value, String where) {
        if (!(value instanceof TomlValue.Table tables)) {
            problems.add(notATable(where, path, value));
            return;
        }
        boolean runtimes = path.equals(RUNTIMES);
        OptionTable known = runtimes ? RuntimeHandlerOptions.TABLE : WorkloadOptions.TABLE;
        for (Map.Entry<String, TomlValue> entry : tables.values().entrySet()) {
            String name = entry.getKey();
            if (!(entry.getValue() instanceof TomlValue.Table table)) {
                problems.add(
                        notATable(
                                source + ":" + entry.getValue().line(),
                                path + "." + name,
                                entry.getValue()));
                continue;
            }
            Settings below = runtimes ? settings.runtime(name) : settings.workload(name);
            for (Map.Entry<String, TomlValue> inner : table.values().entrySet()) {
                String at = source + ":" + inner.getValue().line();
                Option<?> option = known.option(inner.getKey());
                if (option == null) {
                    warnings.add(unknown(at, known.name(), inner.getKey()));
                } else {
                    set(below, option, inner.getValue(), at);
                }
            }
        }
    }

    private <T> void set(Settings target, Option<T> option, TomlValue value, String where) {
        try {
            target.put(option, option.type().fromToml(value), where);
        } catch (IllegalArgumentException e) {
            problems.add(wrong(where, path(target, option), option, value.describe(), e));
        }
    }

    /**
     * @param origin {@code flag --root} or {@code variable CONTAINER_ROOT}
     */
    <T> void text(Option<T> option, List<String> texts, String origin) {
        try {
            settings.put(option, option.type().fromText(texts), origin);
        } catch (IllegalArgumentException e) {
            problems.add(
                    wrong(origin, option.path(), option, "'" + String.join(" ", texts) + "'", e));
        }
    }

    /** Reads {@code name:path:root:type:privileged:config:memory}, trailing parts left out. */
    void runtime(String text, String origin) {
        List<Option<?>> parts =
                List.of(
                        RuntimeHandlerOptions.RUNTIME_PATH,
                        RuntimeHandlerOptions.RUNTIME_ROOT,
                        RuntimeHandlerOptions.RUNTIME_TYPE,
                        RuntimeHandlerOptions.PRIVILEGED_WITHOUT_HOST_DEVICES,
                        RuntimeHandlerOptions.RUNTIME_CONFIG_PATH,
                        RuntimeHandlerOptions.CONTAINER_MIN_MEMORY);
        String[] values = text.split(":", -1);
        if (values[0].isBlank() || values.length > parts.size() + 1) {
            problems.add(
                    origin
                            + ": '"
                            + text
                            + "' must be name:path:root:type:privileged_without_host_devices:"
                            + "runtime_config_path:container_min_memory");
            return;
        }
        Settings below = settings.runtime(values[0]);
        for (int i = 1; i < values.length; i++) {
            if (!values[i].isEmpty()) {
                new SettingsReader(below, problems, warnings)
                        .text(parts.get(i - 1), List.of(values[i]), origin);
            }
        }
    }

    private static String wrong(
            String where, String path, Option<?> option, String found, IllegalArgumentException e) {
        String reason = e.getMessage() == null ? "" : e.getMessage();
        // A number that cannot be parsed needs no more words than what was found.
        boolean explain = !reason.isEmpty() && !(e instanceof NumberFormatException);
        return where
                + ": "
                + path
                + " must be "
                + option.type().expected()
                + ", not "
                + found
                + (explain ? " (" + reason + ")" : "");
    }

    private static String notATable(String where, String path, TomlValue value) {
        return where + ": " + path + " must be a table, not " + value.describe();
    }

    /** The option's path with the name of the runtime or workload in it. */
    static String path(Settings settings, Option<?> option) {
        return settings.name().isEmpty()
                ? option.path()
                : option.table().name().replace("*", TomlValue.key(settings.name()))
                        + "."
                        + option.key();
    }

    private static boolean isTable(String path) {
        for (String name : Options.tablesByName().keySet()) {
            if (name.equals(path) || name.startsWith(path + ".")) {
                return true;
            }
        }
        return false;
    }

    private static String unknown(String where, String path, String key) {
        return where
                + ": unknown key '"
                + key
                + "' in ["
                + path
                + "]"
                + meant(path, key)
                + " It is ignored.";
    }

    private static String meant(String path, String key) {
        for (OptionTable table : Options.tables()) {
            if (table.option(key) != null) {
                return ": it belongs into [" + table.name() + "].";
            }
        }
        Set<String> near = new LinkedHashSet<>();
        OptionTable known = Options.tablesByName().get(path);
        if (known != null) {
            for (Option<?> option : known.options()) {
                near.add(option.key());
            }
        }
        for (String name : Options.tablesByName().keySet()) {
            if (name.startsWith(path + ".")) {
                String rest = name.substring(path.length() + 1);
                int dot = rest.indexOf('.');
                near.add(dot < 0 ? rest : rest.substring(0, dot));
            }
        }
        Optional<String> nearest = Nearest.to(key, near);
        if (nearest.isPresent()) {
            return "; did you mean " + nearest.get() + "?";
        }
        List<String> all = new ArrayList<>();
        for (Option<?> option : Options.all()) {
            all.add(option.key());
        }
        return Nearest.to(key, all)
                .map(word -> "; did you mean " + word + "?" + meant(path, word).substring(1))
                .orElse(".");
    }
}
