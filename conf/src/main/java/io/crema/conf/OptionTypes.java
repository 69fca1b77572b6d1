package io.crema.conf;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** The types that options have. */
final class OptionTypes {
    private OptionTypes() {}

    /** A type whose TOML form is a string. */
    private abstract static class OfText<T> implements OptionType<T> {
        private final String expected;

        OfText(String expected) {
            this.expected = expected;
        }

        abstract T parse(String text);

        String format(T value) {
            return value.toString();
        }

        @Override
        public String expected() {
            return expected;
        }

        @Override
        public T fromToml(TomlValue value) {
            if (value instanceof TomlValue.Text text) {
                return parse(text.value());
            }
            throw new IllegalArgumentException("");
        }

        @Override
        public T fromText(List<String> texts) {
            return parse(texts.getLast());
        }

        @Override
        public String toToml(T value) {
            return TomlValue.quote(format(value));
        }
    }

    /** A type whose TOML form is an integer. */
    private abstract static class OfWhole<T> implements OptionType<T> {
        private final String expected;

        OfWhole(String expected) {
            this.expected = expected;
        }

        abstract T of(long number);

        abstract long number(T value);

        @Override
        public String expected() {
            return expected;
        }

        @Override
        public T fromToml(TomlValue value) {
            if (value instanceof TomlValue.Whole whole) {
                return of(whole.value());
            }
            throw new IllegalArgumentException("");
        }

        @Override
        public T fromText(List<String> texts) {
            return of(Long.parseLong(texts.getLast()));
        }

        @Override
        public String toToml(T value) {
            return Long.toString(number(value));
        }
    }

    /** A type whose TOML form is an array of strings. */
    private abstract static class OfTexts<T> implements OptionType<T> {
        private final String expected;

        OfTexts(String expected) {
            this.expected = expected;
        }

        abstract T parse(List<String> texts);

        abstract List<String> format(T value);

        @Override
        public String expected() {
            return expected;
        }

        @Override
        public boolean isList() {
            return true;
        }

        @Override
        public T fromToml(TomlValue value) {
            if (!(value instanceof TomlValue.Array array)) {
                throw new IllegalArgumentException("");
            }
            List<String> texts = new ArrayList<>(array.values().size());
            for (TomlValue element : array.values()) {
                if (!(element instanceof TomlValue.Text text)) {
                    throw new IllegalArgumentException("it holds " + element.describe());
                }
                texts.add(text.value());
            }
            return parse(texts);
        }

        /** Given once, a flag's value is split at commas; given more often, it is not. */
        @Override
        public T fromText(List<String> texts) {
            if (texts.size() != 1) {
                return parse(texts);
            }
            String text = texts.getFirst();
            return parse(text.isEmpty() ? List.of() : Arrays.asList(text.split(",", -1)));
        }

        @Override
        public String toToml(T value) {
            List<String> texts = format(value);
            if (texts.isEmpty()) {
                return "[]";
            }
            StringBuilder toml = new StringBuilder("[\n");
            for (String text : texts) {
                toml.append("    ").append(TomlValue.quote(text)).append(",\n");
            }
            return toml.append(']').toString();
        }
    }

    static final OptionType<String> TEXT =
            new OfText<>("a text") {
                @Override
                String parse(String text) {
                    return text;
                }
            };

    static final OptionType<String> NON_EMPTY_TEXT =
            new OfText<>("a text that is not empty") {
                @Override
                String parse(String text) {
                    if (text.isBlank()) {
                        throw new IllegalArgumentException("");
                    }
                    return text;
                }
            };

    static final OptionType<String> REGULAR_EXPRESSION =
            new OfText<>("a regular expression") {
                @Override
                String parse(String text) {
                    try {
                        return Pattern.compile(text).pattern();
                    } catch (PatternSyntaxException e) {
                        throw new IllegalArgumentException(e.getDescription(), e);
                    }
                }
            };

    static final OptionType<String> HOST_AND_PORT =
            new OfText<>("host:port") {
                @Override
                String parse(String text) {
                    int colon = text.lastIndexOf(':');
                    if (colon < 1) {
                        throw new IllegalArgumentException("");
                    }
                    int port = Integer.parseInt(text.substring(colon + 1));
                    Require.port("the port", port);
                    return text;
                }
            };

    static final OptionType<String> MONITOR_CGROUP =
            new OfText<>("a slice such as \"system.slice\", \"pod\", or empty") {
                @Override
                String parse(String text) {
                    if (!RuntimeHandlerConfiguration.isMonitorCgroup(text)) {
                        throw new IllegalArgumentException("");
                    }
                    return text;
                }
            };

    static final OptionType<String> MONITOR_EXEC_CGROUP =
            new OfText<>("\"container\" or empty") {
                @Override
                String parse(String text) {
                    if (!text.isEmpty() && !text.equals("container")) {
                        throw new IllegalArgumentException("");
                    }
                    return text;
                }
            };

    static final OptionType<Optional<String>> OPTIONAL_TEXT =
            new OfText<>("a text, empty for none") {
                @Override
                Optional<String> parse(String text) {
                    return text.isEmpty() ? Optional.empty() : Optional.of(text);
                }

                @Override
                String format(Optional<String> value) {
                    return value.orElse("");
                }
            };

    static final OptionType<Path> PATH =
            new OfText<>("an absolute path") {
                @Override
                Path parse(String text) {
                    return path(text);
                }
            };

    static final OptionType<Optional<Path>> OPTIONAL_PATH =
            new OfText<>("an absolute path, or empty for none") {
                @Override
                Optional<Path> parse(String text) {
                    return text.isEmpty() ? Optional.empty() : Optional.of(path(text));
                }

                @Override
                String format(Optional<Path> value) {
                    return value.map(Path::toString).orElse("");
                }
            };

    /** kubelet and crictl write a scheme before the path of a socket; both forms are read. */
    static final OptionType<Path> SOCKET =
            new OfText<>("the absolute path of a unix socket") {
                @Override
                Path parse(String text) {
                    return path(text.startsWith("unix://") ? text.substring(7) : text);
                }
            };

    static final OptionType<Boolean> SWITCH =
            new OptionType<>() {
                @Override
                public String expected() {
                    return "true or false";
                }

                @Override
                public Boolean fromToml(TomlValue value) {
                    if (value instanceof TomlValue.Truth truth) {
                        return truth.value();
                    }
                    throw new IllegalArgumentException("");
                }

                @Override
                public Boolean fromText(List<String> texts) {
                    return switch (texts.getLast()) {
                        case "true", "True", "TRUE", "t", "T", "1" -> true;
                        case "false", "False", "FALSE", "f", "F", "0" -> false;
                        default -> throw new IllegalArgumentException("");
                    };
                }

                @Override
                public String toToml(Boolean value) {
                    return value.toString();
                }

                @Override
                public boolean isSwitch() {
                    return true;
                }
            };

    static final OptionType<List<String>> TEXTS =
            new OfTexts<>("a list of texts") {
                @Override
                List<String> parse(List<String> texts) {
                    return List.copyOf(texts);
                }

                @Override
                List<String> format(List<String> value) {
                    return value;
                }
            };

    static final OptionType<List<Path>> PATHS =
            new OfTexts<>("a list of absolute paths") {
                @Override
                List<Path> parse(List<String> texts) {
                    return paths(texts);
                }

                @Override
                List<String> format(List<Path> value) {
                    return texts(value);
                }
            };

    static final OptionType<List<Path>> NON_EMPTY_PATHS =
            new OfTexts<>("a list of at least one absolute path") {
                @Override
                List<Path> parse(List<String> texts) {
                    if (texts.isEmpty()) {
                        throw new IllegalArgumentException("");
                    }
                    return paths(texts);
                }

                @Override
                List<String> format(List<Path> value) {
                    return texts(value);
                }
            };

    static final OptionType<List<String>> ENVIRONMENT =
            new OfTexts<>("a list of NAME=value") {
                @Override
                List<String> parse(List<String> texts) {
                    for (String text : texts) {
                        if (text.indexOf('=') <= 0) {
                            throw new IllegalArgumentException("it holds '" + text + "'");
                        }
                    }
                    return List.copyOf(texts);
                }

                @Override
                List<String> format(List<String> value) {
                    return value;
                }
            };

    static final OptionType<List<Ulimit>> ULIMITS =
            new OfTexts<>("a list of name=soft:hard") {
                @Override
                List<Ulimit> parse(List<String> texts) {
                    List<Ulimit> limits = new ArrayList<>(texts.size());
                    for (String text : texts) {
                        limits.add(Ulimit.parse(text));
                    }
                    return List.copyOf(limits);
                }

                @Override
                List<String> format(List<Ulimit> value) {
                    return texts(value);
                }
            };

    /** Kernel parameters, written {@code name=value}. */
    static final OptionType<Map<String, String>> SYSCTLS =
            new OfTexts<>("a list of name=value of namespaced kernel parameters") {
                @Override
                Map<String, String> parse(List<String> texts) {
                    Map<String, String> parameters = new LinkedHashMap<>();
                    for (String text : texts) {
                        int equals = text.indexOf('=');
                        if (equals <= 0) {
                            throw new IllegalArgumentException("it holds '" + text + "'");
                        }
                        parameters.put(
                                text.substring(0, equals).strip(),
                                text.substring(equals + 1).strip());
                    }
                    return Require.copy(parameters);
                }

                @Override
                List<String> format(Map<String, String> value) {
                    List<String> texts = new ArrayList<>(value.size());
                    value.forEach((name, setting) -> texts.add(name + "=" + setting));
                    return texts;
                }
            };

    /** Names of capabilities, with or without CAP_. */
    static final OptionType<List<String>> CAPABILITIES =
            new OfTexts<>("a list of capabilities such as NET_BIND_SERVICE") {
                @Override
                List<String> parse(List<String> texts) {
                    List<String> names = new ArrayList<>(texts.size());
                    for (String text : texts) {
                        names.add(Capabilities.canonical(text));
                    }
                    return List.copyOf(names);
                }

                @Override
                List<String> format(List<String> value) {
                    return value;
                }
            };

    /** Prefixes of the upstream names are dropped. */
    static final OptionType<List<String>> COLLECTORS =
            new OfTexts<>("a list of metrics collectors") {
                @Override
                List<String> parse(List<String> texts) {
                    List<String> names = new ArrayList<>(texts.size());
                    for (String text : texts) {
                        names.add(withoutPrefixes(text));
                    }
                    return List.copyOf(names);
                }

                @Override
                List<String> format(List<String> value) {
                    return value;
                }

                private String withoutPrefixes(String text) {
                    String name = text;
                    for (String prefix : List.of("container_runtime_", "crio_")) {
                        if (name.startsWith(prefix)) {
                            name = name.substring(prefix.length());
                        }
                    }
                    return name;
                }
            };

    /** A table whose values are strings. */
    static final OptionType<Map<String, String>> TEXT_TABLE = tableOf("texts", false);

    /** A table whose values are strings or integers. */
    static final OptionType<Map<String, String>> SCALAR_TABLE = tableOf("texts and numbers", true);

    private static OptionType<Map<String, String>> tableOf(String values, boolean numbers) {
        return new OptionType<>() {
            @Override
            public String expected() {
                return "a table of " + values;
            }

            @Override
            public Map<String, String> fromToml(TomlValue value) {
                if (!(value instanceof TomlValue.Table table)) {
                    throw new IllegalArgumentException("");
                }
                Map<String, String> texts = new LinkedHashMap<>();
                for (Map.Entry<String, TomlValue> entry : table.values().entrySet()) {
                    if (entry.getValue() instanceof TomlValue.Text text) {
                        texts.put(entry.getKey(), text.value());
                    } else if (numbers && entry.getValue() instanceof TomlValue.Whole whole) {
                        texts.put(entry.getKey(), Long.toString(whole.value()));
                    } else {
                        throw new IllegalArgumentException(
                                "'" + entry.getKey() + "' is " + entry.getValue().describe());
                    }
                }
                return Require.copy(texts);
            }

            @Override
            public Map<String, String> fromText(List<String> texts) {
                Map<String, String> table = new LinkedHashMap<>();
                for (String text : texts) {
                    int equals = text.indexOf('=');
                    if (equals <= 0) {
                        throw new IllegalArgumentException("'" + text + "' is not key=value");
                    }
                    table.put(text.substring(0, equals), text.substring(equals + 1));
                }
                return Require.copy(table);
            }

            @Override
            public String toToml(Map<String, String> value) {
                StringBuilder toml = new StringBuilder("{");
                String separator = " ";
                for (Map.Entry<String, String> entry : value.entrySet()) {
                    toml.append(separator)
                            .append(TomlValue.key(entry.getKey()))
                            .append(" = ")
                            .append(TomlValue.quote(entry.getValue()));
                    separator = ", ";
                }
                return toml.append(value.isEmpty() ? "}" : " }").toString();
            }
        };
    }

    /** A limit of which every number below one means "none". */
    static OptionType<OptionalLong> limitOfAtLeast(long minimum) {
        return new OfWhole<>("a whole number of at least " + minimum + ", or -1 for no limit") {
            @Override
            OptionalLong of(long number) {
                if (number >= 1 && number < minimum) {
                    throw new IllegalArgumentException("");
                }
                return number < 1 ? OptionalLong.empty() : OptionalLong.of(number);
            }

            @Override
            long number(OptionalLong value) {
                return value.orElse(-1);
            }
        };
    }

    /** crio.conf writes the port of the streaming server as a text. */
    static final OptionType<Integer> TEXTUAL_PORT =
            new OfText<>("a port from 0 to 65535 in quotes") {
                @Override
                Integer parse(String text) {
                    return port(Long.parseLong(text));
                }

                @Override
                public Integer fromToml(TomlValue value) {
                    return value instanceof TomlValue.Whole whole
                            ? port(whole.value())
                            : super.fromToml(value);
                }

                private int port(long number) {
                    if (number < 0 || number > 65535) {
                        throw new IllegalArgumentException("");
                    }
                    return (int) number;
                }
            };

    static OptionType<Integer> whole(int minimum, int maximum) {
        return new OfWhole<>("a whole number from " + minimum + " to " + maximum) {
            @Override
            Integer of(long number) {
                if (number < minimum || number > maximum) {
                    throw new IllegalArgumentException("");
                }
                return (int) number;
            }

            @Override
            long number(Integer value) {
                return value;
            }
        };
    }

    static OptionType<Long> atLeast(long minimum) {
        return new OfWhole<>("a whole number of at least " + minimum) {
            @Override
            Long of(long number) {
                if (number < minimum) {
                    throw new IllegalArgumentException("");
                }
                return number;
            }

            @Override
            long number(Long value) {
                return value;
            }
        };
    }

    /** A duration that the file writes as a number of seconds. */
    static OptionType<Duration> seconds(long minimum) {
        return new OfWhole<>("a whole number of seconds of at least " + minimum) {
            @Override
            Duration of(long number) {
                if (number < minimum || number > Integer.MAX_VALUE) {
                    throw new IllegalArgumentException("");
                }
                return Duration.ofSeconds(number);
            }

            @Override
            long number(Duration value) {
                return value.toSeconds();
            }
        };
    }

    /** A duration that the file writes as Go does. */
    static OptionType<Duration> duration(Duration minimum) {
        return new OfText<>(
                "a duration such as \"10s\" or \"1m30s\" of at least "
                        + GoDuration.format(minimum)) {
            @Override
            Duration parse(String text) {
                Duration duration = GoDuration.parse(text);
                if (duration.compareTo(minimum) < 0) {
                    throw new IllegalArgumentException("");
                }
                return duration;
            }

            @Override
            String format(Duration value) {
                return GoDuration.format(value);
            }
        };
    }

    /** A duration whose empty text stands for a fixed one. */
    static OptionType<Duration> durationOr(Duration whenEmpty) {
        OptionType<Duration> duration = duration(Duration.ofSeconds(1));
        return new OfText<>(
                duration.expected() + ", or empty for " + GoDuration.format(whenEmpty)) {
            @Override
            Duration parse(String text) {
                return text.isEmpty() ? whenEmpty : duration.fromText(List.of(text));
            }

            @Override
            String format(Duration value) {
                return value.equals(whenEmpty) ? "" : GoDuration.format(value);
            }
        };
    }

    /** A number of bytes, written {@code 12MiB} or as a plain number. */
    static final OptionType<Long> BYTES =
            new OfText<>("a size such as \"12MiB\"") {
                @Override
                Long parse(String text) {
                    return ByteSize.parse(text);
                }

                @Override
                public Long fromToml(TomlValue value) {
                    return value instanceof TomlValue.Whole whole && whole.value() >= 0
                            ? Long.valueOf(whole.value())
                            : super.fromToml(value);
                }

                @Override
                String format(Long value) {
                    return ByteSize.format(value);
                }
            };

    /** One of the words that an enumeration's constants have as their text. */
    static <E extends Enum<E>> OptionType<E> oneOf(Class<E> enumeration) {
        E[] constants = enumeration.getEnumConstants();
        StringBuilder words = new StringBuilder("one of");
        for (E constant : constants) {
            words.append(" \"").append(constant).append('"');
        }
        return new OfText<>(words.toString()) {
            @Override
            E parse(String text) {
                for (E constant : constants) {
                    if (constant.toString().equals(text)) {
                        return constant;
                    }
                }
                throw new IllegalArgumentException("");
            }
        };
    }

    private static List<Path> paths(List<String> texts) {
        List<Path> paths = new ArrayList<>(texts.size());
        for (String text : texts) {
            paths.add(path(text));
        }
        return List.copyOf(paths);
    }

    private static List<String> texts(List<?> values) {
        List<String> texts = new ArrayList<>(values.size());
        for (Object value : values) {
            texts.add(value.toString());
        }
        return texts;
    }

    private static Path path(String text) {
        Path path;
        try {
            path = Path.of(text);
        } catch (InvalidPathException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
        if (!path.isAbsolute()) {
            throw new IllegalArgumentException("");
        }
        return path.normalize();
    }
}
