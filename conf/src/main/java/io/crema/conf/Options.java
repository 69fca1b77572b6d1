package io.crema.conf;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Every option there is, in the order of the printed file. */
public final class Options {
    private static final Map<String, OptionTable> TABLES = byName();

    private Options() {}

    public static List<OptionTable> tables() {
        return List.of(
                StorageOptions.TABLE,
                ApiOptions.TABLE,
                RuntimeOptions.TABLE,
                RuntimeHandlerOptions.TABLE,
                WorkloadOptions.TABLE,
                CheckpointOptions.TABLE,
                ImageOptions.TABLE,
                NetworkOptions.TABLE,
                ObservationOptions.METRICS,
                ObservationOptions.TRACING,
                ObservationOptions.STATS,
                NriOptions.TABLE,
                NriOptions.VALIDATOR,
                ApiOptions.OWN_TABLE,
                RuntimeOptions.OWN_TABLE,
                RuntimeOptions.LOG_TABLE,
                ImageOptions.OWN_TABLE,
                NetworkOptions.OWN_TABLE);
    }

    /** The tables by name. */
    static Map<String, OptionTable> tablesByName() {
        return TABLES;
    }

    public static List<Option<?>> all() {
        List<Option<?>> all = new ArrayList<>(200);
        for (OptionTable table : tables()) {
            all.addAll(table.options());
        }
        return all;
    }

    private static Map<String, OptionTable> byName() {
        // Options of one table may be described in several classes: all must be loaded first.
        ImageOptions.TABLE.name();
        Map<String, OptionTable> tables = new LinkedHashMap<>();
        for (OptionTable table : tables()) {
            tables.put(table.name(), table);
        }
        return tables;
    }
}
