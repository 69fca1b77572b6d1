package io.crema.conf;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One option, described as data: the parser, the printer, the command line and the tests all read
 * it from here.
 *
 * @param key in its table
 * @param fallback the value when nobody sets it
 * @param derivedFallback computes the fallback from other options; null when it is a constant
 * @param documentation one sentence
 * @param support what becomes of values other than the fallback
 * @param note why, for all kinds of support but {@code HONOURED}; empty for those
 * @param harmless values that a file for CRI-O often holds and that need neither warning nor
 *     refusal
 * @param flags the names on the command line; empty for none
 * @param environmentVariable empty for none
 * @param reloadable whether a changed value is applied on SIGHUP
 */
public record Option<T>(
        OptionTable table,
        String key,
        OptionType<T> type,
        T fallback,
        @Nullable Function<Settings, T> derivedFallback,
        String documentation,
        Support support,
        String note,
        List<T> harmless,
        List<String> flags,
        String environmentVariable,
        boolean reloadable) {

    /** Begins the description of an option whose fallback is a constant. */
    static <T> Draft<T> option(String key, OptionType<T> type, T fallback) {
        return new Draft<>(key, type, fallback, null);
    }

    /**
     * Begins the description of an option whose fallback depends on other options.
     *
     * @param plain the fallback when all of those have theirs
     */
    static <T> Draft<T> option(
            String key, OptionType<T> type, T plain, Function<Settings, T> derived) {
        return new Draft<>(key, type, plain, derived);
    }

    /** The fallback under the given settings. */
    T fallback(Settings settings) {
        return derivedFallback == null ? fallback : derivedFallback.apply(settings);
    }

    /** Table and key: {@code crio.runtime.log_level}. */
    public String path() {
        return table.name() + "." + key;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }

    @Override
    public String toString() {
        return path();
    }

    /** An option whose description is not complete yet. */
    static final class Draft<T> {
        private final String key;
        private final OptionType<T> type;
        private final T fallback;
        private final @Nullable Function<Settings, T> derivedFallback;
        private String documentation = "";
        private Support support = Support.HONOURED;
        private String note = "";
        private final List<T> harmless = new ArrayList<>();
        private List<String> flags = List.of();
        private String environmentVariable = "";
        private boolean reloadable;

        private Draft(
                String key,
                OptionType<T> type,
                T fallback,
                @Nullable Function<Settings, T> derivedFallback) {
            this.key = key;
            this.type = type;
            this.fallback = fallback;
            this.derivedFallback = derivedFallback;
        }

        Draft<T> doc(String sentence) {
            this.documentation = sentence;
            return this;
        }

        Draft<T> notYet() {
            this.support = Support.NOT_YET;
            this.note = "Crema cannot do this yet";
            return this;
        }

        Draft<T> noEffect(String reason) {
            this.support = Support.NO_EFFECT;
            this.note = reason;
            return this;
        }

        Draft<T> refused(String reason) {
            this.support = Support.REFUSED;
            this.note = reason;
            return this;
        }

        Draft<T> deprecated(String replacement) {
            this.support = Support.DEPRECATED;
            this.note = replacement;
            return this;
        }

        Draft<T> harmless(T value) {
            this.harmless.add(value);
            return this;
        }

        /**
         * Names on the command line; the environment variable follows from the first one: {@code
         * --log-level} gives {@code CONTAINER_LOG_LEVEL}.
         */
        Draft<T> flags(String... names) {
            this.flags = List.of(names);
            this.environmentVariable =
                    "CONTAINER_" + names[0].substring(2).replace('-', '_').toUpperCase(Locale.ROOT);
            return this;
        }

        /** The environment variable where it does not follow from the flag. */
        Draft<T> environment(String name) {
            this.environmentVariable = name;
            return this;
        }

        Draft<T> reloadable() {
            this.reloadable = true;
            return this;
        }

        /** Completes the description and enters it into a table. */
        Option<T> in(OptionTable table) {
            Option<T> option =
                    new Option<>(
                            table,
                            key,
                            type,
                            fallback,
                            derivedFallback,
                            documentation,
                            support,
                            note,
                            List.copyOf(harmless),
                            flags,
                            environmentVariable,
                            reloadable);
            table.add(option);
            return option;
        }
    }
}
