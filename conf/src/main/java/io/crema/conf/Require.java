package io.crema.conf;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The checks that compact constructors of configuration records share. */
final class Require {
    private Require() {}

    static Path absolute(String what, Path path) {
        that(path.isAbsolute(), what + " must be an absolute path, not '" + path + "'");
        return path.normalize();
    }

    static Optional<Path> absolute(String what, Optional<Path> path) {
        return path.map(present -> absolute(what, present));
    }

    static void absolute(String what, Collection<Path> paths) {
        for (Path path : paths) {
            that(path.isAbsolute(), what + " must hold absolute paths, not '" + path + "'");
        }
    }

    static void port(String what, int port) {
        that(port >= 0 && port <= 65535, what + " must be a port from 0 to 65535, not " + port);
    }

    static void atLeast(String what, long minimum, long value) {
        that(value >= minimum, what + " must be at least " + minimum + ", not " + value);
    }

    static void atLeast(String what, Duration minimum, Duration value) {
        that(
                value.compareTo(minimum) >= 0,
                what
                        + " must be at least "
                        + GoDuration.format(minimum)
                        + ", not "
                        + GoDuration.format(value));
    }

    static void notEmpty(String what, String value) {
        that(!value.isBlank(), what + " must not be empty");
    }

    /** A copy that keeps the order of the file. */
    static <K, V> Map<K, V> copy(Map<K, V> map) {
        return Collections.unmodifiableMap(new LinkedHashMap<>(map));
    }

    static void that(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }
}
