package io.crema.conf;

import java.util.List;

/**
 * How the value of an option is read from TOML, from a flag or the environment, and written back.
 */
interface OptionType<T> {
    /** What a value must be, for messages: {@code an absolute path}. */
    String expected();

    /**
     * @throws IllegalArgumentException when the value has a wrong type or shape; the message says
     *     what is wrong with it but names no key, and may be empty
     */
    T fromToml(TomlValue value);

    /**
     * Reads what a flag or an environment variable gave.
     *
     * @param texts one for each time the flag was given
     * @throws IllegalArgumentException as {@link #fromToml}
     */
    T fromText(List<String> texts);

    /** The value as TOML. */
    String toToml(T value);

    /** Whether a flag of this type needs no value. */
    default boolean isSwitch() {
        return false;
    }

    /** Whether a flag may be given several times. */
    default boolean isList() {
        return false;
    }
}
