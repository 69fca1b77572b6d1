package io.crema.runtime.nri;

import io.crema.runtime.state.PodException;

/**
 * What a plugin is called, and when: in the order of the indices.
 *
 * @param index two digits
 * @param base letters, digits and _.+-
 */
public record PluginName(String index, String base) {
    public PluginName {
        if (index.length() != 2 || !isDigit(index.charAt(0)) || !isDigit(index.charAt(1))) {
            throw PodException.invalid(
                    "'" + index + "' is no index of an NRI plugin; two digits are");
        }
        if (base.isEmpty() || !base.chars().allMatch(PluginName::isAllowed)) {
            throw PodException.invalid(
                    "'"
                            + base
                            + "' is no name of an NRI plugin; letters, digits and _.+- make one");
        }
    }

    /** Of a file, as {@code 10-logger}. */
    static PluginName ofFile(String name) {
        if (name.length() < 4 || name.charAt(2) != '-') {
            throw PodException.invalid(
                    "'"
                            + name
                            + "' is no file name of an NRI plugin, which is two digits, a minus and a"
                            + " name, such as 10-logger");
        }
        return new PluginName(name.substring(0, 2), name.substring(3));
    }

    private static boolean isDigit(int character) {
        return character >= '0' && character <= '9';
    }

    private static boolean isAllowed(int character) {
        return isDigit(character)
                || (character >= 'a' && character <= 'z')
                || (character >= 'A' && character <= 'Z')
                || "_.+-".indexOf(character) >= 0;
    }

    @Override
    public String toString() {
        return index + "-" + base;
    }
}
