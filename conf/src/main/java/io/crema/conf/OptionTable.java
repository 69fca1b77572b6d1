package io.crema.conf;

import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A table of the configuration file and the options in it, in the order of the printed file. */
public final class OptionTable {
    private final String name;
    private final String documentation;
    private final Map<String, Option<?>> options = new LinkedHashMap<>();

    /**
     * @param name as in the file; a last part of {@code *} stands for names that the file chooses
     * @param documentation one sentence
     */
    OptionTable(String name, String documentation) {
        this.name = name;
        this.documentation = documentation;
    }

    void add(Option<?> option) {
        if (options.putIfAbsent(option.key(), option) != null) {
            throw new IllegalStateException(option.path() + " is described twice");
        }
    }

    public String name() {
        return name;
    }

    public String documentation() {
        return documentation;
    }

    public Collection<Option<?>> options() {
        return Collections.unmodifiableCollection(options.values());
    }

    @Nullable Option<?> option(String key) {
        return options.get(key);
    }

    @Override
    public String toString() {
        return "[" + name + "]";
    }
}
