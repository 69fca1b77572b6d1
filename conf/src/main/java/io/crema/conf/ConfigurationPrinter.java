package io.crema.conf;

import java.util.Map;

/** Writes settings as a commented file that reads back to the same settings. */
final class ConfigurationPrinter {
    private static final int WIDTH = 80;

    private final StringBuilder text = new StringBuilder(32_768);

    private ConfigurationPrinter() {}

    static String print(Settings settings) {
        ConfigurationPrinter printer = new ConfigurationPrinter();
        printer.comment(
                "The configuration of Crema, a Kubernetes container runtime. Tables and keys below"
                        + " [crio] are those of CRI-O's crio.conf(5). Values that are commented"
                        + " out are the defaults. Files in crema.conf.d change single values; they"
                        + " are read in the order of their names.");
        for (OptionTable table : Options.tables()) {
            if (table == RuntimeHandlerOptions.TABLE) {
                printer.named(table, settings.runtimes());
            } else if (table == WorkloadOptions.TABLE) {
                printer.named(table, settings.workloads());
            } else {
                printer.table(table, table.name(), settings);
            }
        }
        return printer.text.toString();
    }

    /** An option's value on one line, for messages. */
    static <T> String oneLine(Option<T> option, Settings settings) {
        return option.type()
                .toToml(settings.value(option))
                .replace("\n    ", " ")
                .replace(",\n]", " ]");
    }

    private void named(OptionTable table, Map<String, Settings> all) {
        all.forEach((name, settings) ->
                table(table, table.name().replace("*", TomlValue.key(name)), settings));
        if (all.isEmpty()) {
            text.append('\n');
            comment(table.documentation());
            comment("[" + table.name().replace("*", "<name>") + "]");
            for (Option<?> option : table.options()) {
                text.append('\n');
                documentation(option);
                comment(option.key() + " =");
            }
        }
    }

    private void table(OptionTable table, String name, Settings settings) {
        text.append('\n');
        comment(table.documentation());
        text.append('[').append(name).append("]\n");
        for (Option<?> option : table.options()) {
            option(option, settings);
        }
    }

    private <T> void option(Option<T> option, Settings settings) {
        text.append('\n');
        documentation(option);
        String line = option.key() + " = " + option.type().toToml(settings.value(option));
        if (settings.isChanged(option)) {
            text.append(line).append('\n');
        } else {
            text.append("# ").append(line.replace("\n", "\n# ")).append('\n');
        }
    }

    private void documentation(Option<?> option) {
        comment(option.documentation());
        switch (option.support()) {
            case HONOURED -> {}
            case NOT_YET -> comment("No effect yet.");
            case NO_EFFECT -> comment("No effect: " + option.note() + ".");
            case REFUSED -> comment("Other values are refused: " + option.note() + ".");
            case DEPRECATED -> comment("Deprecated: use " + option.note() + ".");
        }
    }

    private void comment(String sentence) {
        int length = 0;
        for (String word : sentence.split(" ", -1)) {
            if (length > 0 && length + 1 + word.length() > WIDTH) {
                text.append('\n');
                length = 0;
            }
            text.append(length == 0 ? "# " : " ").append(word);
            length += (length == 0 ? 2 : 1) + word.length();
        }
        text.append('\n');
    }
}
