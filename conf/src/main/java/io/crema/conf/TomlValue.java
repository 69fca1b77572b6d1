package io.crema.conf;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A value of a TOML document and the line it begins on, counted from one. */
public sealed interface TomlValue {
    int line();

    /** The value in words, for messages about a wrong type: {@code the integer 5}. */
    String describe();

    /** A string. */
    record Text(String value, int line) implements TomlValue {
        @Override
        public String describe() {
            return "the text " + quote(value);
        }
    }

    /** An integer of 64 bits. */
    record Whole(long value, int line) implements TomlValue {
        @Override
        public String describe() {
            return "the integer " + value;
        }
    }

    /** A float. */
    record Decimal(double value, int line) implements TomlValue {
        @Override
        public String describe() {
            return "the number " + value;
        }
    }

    /** A boolean. */
    record Truth(boolean value, int line) implements TomlValue {
        @Override
        public String describe() {
            return "the boolean " + value;
        }
    }

    /** Any of TOML's four kinds of date and time, as written. No option of ours takes one. */
    record Time(String value, int line) implements TomlValue {
        @Override
        public String describe() {
            return "the date or time " + value;
        }
    }

    /** An array, also an array of tables. */
    record Array(List<TomlValue> values, int line) implements TomlValue {
        public Array {
            values = List.copyOf(values);
        }

        @Override
        public String describe() {
            return "an array";
        }
    }

    /** A table, in the order of the document. */
    record Table(Map<String, TomlValue> values, int line) implements TomlValue {
        public Table {
            values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
        }

        public @Nullable TomlValue value(String key) {
            return values.get(key);
        }

        @Override
        public String describe() {
            return "a table";
        }
    }

    /** A text as a TOML basic string. */
    static String quote(String text) {
        StringBuilder quoted = new StringBuilder(text.length() + 2).append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                case '\n' -> quoted.append("\\n");
                case '\r' -> quoted.append("\\r");
                case '\t' -> quoted.append("\\t");
                default -> {
                    if (c < 0x20 || c == 0x7f) {
                        quoted.append(String.format("\\u%04X", (int) c));
                    } else {
                        quoted.append(c);
                    }
                }
            }
        }
        return quoted.append('"').toString();
    }

    /** A key as a TOML document writes it: bare when it may be, quoted otherwise. */
    static String key(String key) {
        boolean bare = !key.isEmpty();
        for (int i = 0; i < key.length(); i++) {
            bare &= TomlReader.isBareKeyCharacter(key.charAt(i));
        }
        return bare ? key : quote(key);
    }
}
