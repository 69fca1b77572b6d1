package io.crema.conf;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The flags of the daemon, which are CRI-O's, and how arguments are read by them. */
public final class CommandLine {
    static final CommandLineFlag CONFIG =
            new CommandLineFlag(
                    List.of("--config", "-c"),
                    false,
                    false,
                    "The configuration file; without it "
                            + ConfigurationLoader.DEFAULT_FILE
                            + ", which may be missing.",
                    "CONTAINER_CONFIG");

    static final CommandLineFlag CONFIG_DIR =
            new CommandLineFlag(
                    List.of("--config-dir", "-d"),
                    false,
                    false,
                    "The directory of drop-in files, read in the order of their names; empty for"
                            + " none.",
                    "CONTAINER_CONFIG_DIR");

    static final CommandLineFlag RUNTIMES =
            new CommandLineFlag(
                    List.of("--runtimes"),
                    false,
                    true,
                    "An OCI runtime: name:path:root:type:privileged_without_host_devices:"
                            + "runtime_config_path:container_min_memory.",
                    "CONTAINER_RUNTIMES");

    private CommandLine() {}

    /** All flags that the daemon knows. */
    public static List<CommandLineFlag> flags() {
        List<CommandLineFlag> flags = new ArrayList<>(List.of(CONFIG, CONFIG_DIR, RUNTIMES));
        for (Option<?> option : Options.all()) {
            if (!option.flags().isEmpty()) {
                flags.add(flag(option));
            }
        }
        return flags;
    }

    static CommandLineFlag flag(Option<?> option) {
        return new CommandLineFlag(
                option.flags(),
                option.type().isSwitch(),
                option.type().isList(),
                option.documentation(),
                option.environmentVariable());
    }

    /**
     * Reads arguments: {@code --name value}, {@code --name=value}, {@code -n value}; a switch takes
     * a value only after an equals sign.
     *
     * @return the values of each flag by its canonical name, in the order given
     * @throws ConfigurationException when an argument is no flag or lacks its value
     */
    public static Map<String, List<String>> parse(List<String> arguments) {
        Map<String, CommandLineFlag> byName = new LinkedHashMap<>();
        for (CommandLineFlag flag : flags()) {
            for (String name : flag.names()) {
                byName.put(name, flag);
            }
        }
        Map<String, List<String>> values = new LinkedHashMap<>();
        List<String> problems = new ArrayList<>();
        Iterator<String> remaining = arguments.iterator();
        while (remaining.hasNext()) {
            String argument = remaining.next();
            int equals = argument.startsWith("-") ? argument.indexOf('=') : -1;
            String name = equals < 0 ? argument : argument.substring(0, equals);
            CommandLineFlag flag = byName.get(name);
            if (flag == null) {
                problems.add(unknown(argument, name, byName));
                continue;
            }
            String value =
                    equals < 0 ? valueAfter(flag, remaining) : argument.substring(equals + 1);
            if (value == null) {
                problems.add("the flag " + name + " needs a value");
                continue;
            }
            values.computeIfAbsent(flag.name(), made -> new ArrayList<>()).add(value);
        }
        if (!problems.isEmpty()) {
            throw new ConfigurationException(problems);
        }
        return values;
    }

    private static @Nullable String valueAfter(CommandLineFlag flag, Iterator<String> remaining) {
        if (flag.isSwitch()) {
            return "true";
        }
        return remaining.hasNext() ? remaining.next() : null;
    }

    private static String unknown(
            String argument, String name, Map<String, CommandLineFlag> byName) {
        if (!name.startsWith("-")) {
            return "the argument '" + argument + "' is not a flag";
        }
        return "there is no flag " + name + Nearest.suggestion(name, byName.keySet());
    }
}
