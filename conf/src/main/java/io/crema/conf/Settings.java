package io.crema.conf;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The values that files, environment and command line gave to options, each with the place it came
 * from; options that nobody set answer with their fallback. There is one for the whole
 * configuration and one below it for every OCI runtime and workload.
 */
public final class Settings {
    /** A value and where it was given: {@code /etc/crema/crema.conf:12}. */
    private record Setting(Object value, String origin) {}

    private final HostFacts host;
    private final String name;
    private final @Nullable Settings parent;
    private final Map<Option<?>, Setting> values = new HashMap<>();
    private final Map<String, Settings> runtimes = new LinkedHashMap<>();
    private final Map<String, Settings> workloads = new LinkedHashMap<>();

    Settings(HostFacts host) {
        this(host, "", null);
    }

    private Settings(HostFacts host, String name, @Nullable Settings parent) {
        this.host = host;
        this.name = name;
        this.parent = parent;
    }

    HostFacts host() {
        return host;
    }

    /** The name of the runtime or workload; empty for the whole configuration. */
    String name() {
        return name;
    }

    /** The whole configuration's settings. */
    Settings whole() {
        return parent == null ? this : parent.whole();
    }

    /** The runtime's own settings, made when there are none. */
    Settings runtime(String runtime) {
        return runtimes.computeIfAbsent(runtime, made -> new Settings(host, made, this));
    }

    /** The workload's own settings, made when there are none. */
    Settings workload(String workload) {
        return workloads.computeIfAbsent(workload, made -> new Settings(host, made, this));
    }

    Map<String, Settings> runtimes() {
        return Collections.unmodifiableMap(runtimes);
    }

    Map<String, Settings> workloads() {
        return Collections.unmodifiableMap(workloads);
    }

    void removeRuntime(String runtime) {
        runtimes.remove(runtime);
    }

    <T> T value(Option<T> option) {
        Setting setting = values.get(option);
        return setting == null ? option.fallback(this) : cast(option, setting.value);
    }

    boolean isSet(Option<?> option) {
        return values.containsKey(option);
    }

    /** Whether the option has another value than it would have if nobody had set it. */
    <T> boolean isChanged(Option<T> option) {
        Setting setting = values.get(option);
        return setting != null && !setting.value.equals(option.fallback(this));
    }

    /** Where the value was given; empty when nobody set it. */
    String origin(Option<?> option) {
        Setting setting = values.get(option);
        return setting == null ? "" : setting.origin;
    }

    <T> void put(Option<T> option, T value, String origin) {
        values.put(option, new Setting(value, origin));
    }

    void remove(Option<?> option) {
        values.remove(option);
    }

    /** Options with a value of their own, in the order of their table. */
    List<Option<?>> set(OptionTable table) {
        List<Option<?>> set = new ArrayList<>();
        for (Option<?> option : table.options()) {
            if (values.containsKey(option)) {
                set.add(option);
            }
        }
        return set;
    }

    /** Takes over what the other has for this option: its value, or that it has none. */
    void copy(Option<?> option, Settings other) {
        Setting setting = other.values.get(option);
        if (setting == null) {
            values.remove(option);
        } else {
            values.put(option, setting);
        }
    }

    /** A copy that can be changed alone. */
    Settings copy() {
        return copy(null);
    }

    private Settings copy(@Nullable Settings newParent) {
        Settings copy = new Settings(host, name, newParent);
        copy.values.putAll(values);
        runtimes.forEach((key, below) -> copy.runtimes.put(key, below.copy(copy)));
        workloads.forEach((key, below) -> copy.workloads.put(key, below.copy(copy)));
        return copy;
    }

    /** Puts this runtime's settings in the place of those of the same name. */
    void replaceRuntimes(Settings other) {
        runtimes.clear();
        other.runtimes.forEach((key, below) -> runtimes.put(key, below.copy(this)));
    }

    @SuppressWarnings("unchecked") // put() checked it
    private static <T> T cast(@SuppressWarnings("unused") Option<T> option, Object value) {
        return (T) value;
    }
}
