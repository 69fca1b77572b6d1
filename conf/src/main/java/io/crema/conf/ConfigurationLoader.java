package io.crema.conf;

import io.crema.conf.RuntimeHandlerConfiguration.RuntimeType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Reads the configuration as CRI-O does: the file, which may be missing unless it was named; the
 * drop-in files in the order of their paths; environment variables; flags. Later ones win key by
 * key, lists are replaced as a whole.
 */
public final class ConfigurationLoader {
    public static final Path DEFAULT_FILE = Path.of("/etc/crema/crema.conf");
    public static final Path DEFAULT_DROP_IN_DIRECTORY = Path.of("/etc/crema/crema.conf.d");

    private static final long MAX_FILE_BYTES = 1024 * 1024;
    private static final int MAX_DROP_INS = 1000;

    /** Runtimes that are known without a table of their own. */
    private static final Set<String> WELL_KNOWN_RUNTIMES = Set.of("runc", "crun", "youki");

    private final HostFacts host;

    public ConfigurationLoader(HostFacts host) {
        this.host = host;
    }

    /** What is in effect when nobody sets anything. */
    public LoadedConfiguration defaults() {
        return new Work().finish();
    }

    /**
     * Reads the text of a configuration file and nothing else, for tests and tools.
     *
     * @throws ConfigurationException when the configuration cannot be used
     */
    public LoadedConfiguration parse(String toml) {
        Work work = new Work();
        work.text("configuration", toml);
        return work.finish();
    }

    /**
     * Reads files, environment and arguments.
     *
     * @param arguments as on the command line; all of them must be flags
     * @throws ConfigurationException when the configuration cannot be used
     */
    public LoadedConfiguration load(List<String> arguments, Map<String, String> environment) {
        return load(CommandLine.parse(arguments), environment);
    }

    /**
     * Reads files, environment and flags.
     *
     * @param flags the values of each by its canonical name, as {@link CommandLine#parse} gives
     *     them
     * @throws ConfigurationException when the configuration cannot be used
     */
    public LoadedConfiguration load(
            Map<String, List<String>> flags, Map<String, String> environment) {
        Work work = new Work();
        String file = override(CommandLine.CONFIG, flags, environment);
        String dropIns = override(CommandLine.CONFIG_DIR, flags, environment);
        if (file == null) {
            work.file(DEFAULT_FILE, true);
        } else if (!file.isEmpty()) {
            work.file(Path.of(file), false);
        }
        if (dropIns == null) {
            work.directory(DEFAULT_DROP_IN_DIRECTORY, true);
        } else if (!dropIns.isEmpty()) {
            work.directory(Path.of(dropIns), false);
        }
        work.overrides(flags, environment);
        return work.finish();
    }

    private static @Nullable String override(
            CommandLineFlag flag,
            Map<String, List<String>> flags,
            Map<String, String> environment) {
        List<String> values = flags.get(flag.name());
        return values != null ? values.getLast() : environment.get(flag.environmentVariable());
    }

    static CremaConfiguration build(Settings settings) {
        try {
            return new CremaConfiguration(
                    StorageOptions.read(settings),
                    ApiOptions.read(settings),
                    RuntimeOptions.read(settings),
                    RuntimeOptions.readSecurity(settings),
                    RuntimeOptions.readDevices(settings),
                    RuntimeOptions.readLog(settings),
                    CheckpointOptions.read(settings),
                    ImageOptions.read(settings),
                    NetworkOptions.read(settings),
                    ObservationOptions.readMetrics(settings),
                    ObservationOptions.readTracing(settings),
                    ObservationOptions.readStats(settings),
                    NriOptions.read(settings));
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException(List.of(String.valueOf(e.getMessage())));
        }
    }

    /** One reading of the configuration. */
    private final class Work {
        private final Settings settings = new Settings(host);
        private final List<String> problems = new ArrayList<>();
        private final List<String> warnings = new ArrayList<>();
        private final List<Path> files = new ArrayList<>();
        private final SettingsReader reader = new SettingsReader(settings, problems, warnings);

        void file(Path file, boolean mayBeMissing) {
            try {
                if (Files.size(file) > MAX_FILE_BYTES) {
                    problems.add(file + ": larger than " + ByteSize.format(MAX_FILE_BYTES));
                    return;
                }
                String toml = Files.readString(file);
                files.add(file);
                text(file.toString(), toml);
            } catch (NoSuchFileException e) {
                if (!mayBeMissing) {
                    problems.add(file + ": there is no such file");
                }
            } catch (CharacterCodingException e) {
                problems.add(file + ": not text in UTF-8");
            } catch (IOException e) {
                problems.add(file + ": cannot be read: " + e);
            }
        }

        void text(String source, String toml) {
            try {
                reader.document(source, TomlReader.read(toml));
            } catch (TomlException e) {
                problems.add(source + ":" + e.line() + ": " + e.getMessage());
            }
        }

        void directory(Path directory, boolean mayBeMissing) {
            if (!Files.isDirectory(directory)) {
                if (!mayBeMissing) {
                    warnings.add(directory + ": there is no such directory of drop-in files");
                }
                return;
            }
            List<Path> found = new ArrayList<>();
            try (Stream<Path> paths = Files.walk(directory)) {
                paths.forEach(path -> {
                    if (isDropIn(path)) {
                        found.add(path);
                    }
                });
            } catch (IOException | UncheckedIOException e) {
                problems.add(directory + ": cannot be read: " + e);
                return;
            }
            if (found.size() > MAX_DROP_INS) {
                problems.add(directory + ": more than " + MAX_DROP_INS + " drop-in files");
                return;
            }
            Collections.sort(found);
            for (Path path : found) {
                file(path, false);
            }
        }

        /** Editors leave hidden files and names that end in a tilde. */
        private boolean isDropIn(Path path) {
            String name = path.getFileName().toString();
            return Files.isRegularFile(path) && !name.startsWith(".") && !name.endsWith("~");
        }

        void overrides(Map<String, List<String>> flags, Map<String, String> environment) {
            for (Option<?> option : Options.all()) {
                if (option.flags().isEmpty()) {
                    continue;
                }
                List<String> values = flags.get(option.flags().getFirst());
                String variable = environment.get(option.environmentVariable());
                if (values != null) {
                    reader.text(option, values, "flag " + option.flags().getFirst());
                } else if (variable != null) {
                    reader.text(
                            option, List.of(variable), "variable " + option.environmentVariable());
                }
            }
            String origin = "flag " + CommandLine.RUNTIMES.name();
            List<String> runtimes = flags.get(CommandLine.RUNTIMES.name());
            String variable = environment.get(CommandLine.RUNTIMES.environmentVariable());
            if (runtimes == null && variable != null) {
                runtimes = Arrays.asList(variable.split(",", -1));
                origin = "variable " + CommandLine.RUNTIMES.environmentVariable();
            }
            if (runtimes != null) {
                for (String runtime : runtimes) {
                    reader.runtime(runtime, origin);
                }
            }
        }

        LoadedConfiguration finish() {
            String defaultRuntime = settings.value(RuntimeOptions.DEFAULT_RUNTIME);
            if (WELL_KNOWN_RUNTIMES.contains(defaultRuntime)) {
                settings.runtime(defaultRuntime);
            }
            new SupportReview(problems, warnings).review(settings);
            new Deprecations(settings).translate();
            dropRuntimesOfOtherTypes();
            if (!problems.isEmpty()) {
                throw new ConfigurationException(problems);
            }
            return new LoadedConfiguration(build(settings), warnings, files, settings);
        }

        /**
         * A runtime that cannot be run is no reason to stop, unless pods without handler need it.
         */
        private void dropRuntimesOfOtherTypes() {
            String defaultRuntime = settings.value(RuntimeOptions.DEFAULT_RUNTIME);
            for (Settings runtime : List.copyOf(settings.runtimes().values())) {
                RuntimeType type = runtime.value(RuntimeHandlerOptions.RUNTIME_TYPE);
                if (type == RuntimeType.OCI) {
                    continue;
                }
                String what =
                        runtime.origin(RuntimeHandlerOptions.RUNTIME_TYPE)
                                + ": the runtime '"
                                + runtime.name()
                                + "' is of type "
                                + type
                                + ", which Crema cannot run yet";
                if (runtime.name().equals(defaultRuntime)) {
                    problems.add(what + ", and it is the default_runtime");
                } else {
                    warnings.add(what + "; pods that ask for this handler are refused");
                    settings.removeRuntime(runtime.name());
                }
            }
        }
    }
}
