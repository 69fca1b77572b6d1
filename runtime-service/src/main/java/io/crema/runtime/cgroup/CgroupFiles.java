package io.crema.runtime.cgroup;

import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.OptionalLong;

/** Single files of a cgroup directory; a write is one system call, as the kernel demands. */
final class CgroupFiles {
    /** Version 1 writes this instead of "max"; anything as large means no limit. */
    private static final long NO_LIMIT = 1L << 62;

    private CgroupFiles() {}

    /** Empty when the file or its cgroup is not there. */
    static Optional<String> read(Path file) {
        try {
            return Optional.of(Files.readString(file, StandardCharsets.US_ASCII).strip());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            // A cgroup removed between open and read answers ENODEV.
            if (!Files.exists(file.getParent() == null ? file : file.getParent())) {
                return Optional.empty();
            }
            throw new PodException(ErrorKind.INTERNAL, "cannot read " + file + ": " + e, e);
        }
    }

    /** Empty when it is not there, or says max. */
    static OptionalLong readLimit(Path file) {
        Optional<String> text = read(file);
        if (text.isEmpty() || text.get().equals("max") || text.get().isEmpty()) {
            return OptionalLong.empty();
        }
        try {
            long value = Long.parseLong(text.get());
            return value < 0 || value >= NO_LIMIT ? OptionalLong.empty() : OptionalLong.of(value);
        } catch (NumberFormatException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, file + " holds no number: '" + text.get() + "'", e);
        }
    }

    /** The number behind a word at the beginning of a line; empty when it is not there. */
    static OptionalLong readKeyed(Path file, String key) {
        for (String line : read(file).orElse("").split("\n", -1)) {
            if (line.startsWith(key) && line.startsWith(" ", key.length())) {
                try {
                    return OptionalLong.of(
                            Long.parseLong(line.substring(key.length() + 1).strip()));
                } catch (NumberFormatException e) {
                    throw new PodException(
                            ErrorKind.INTERNAL, file + " holds no number: '" + line + "'", e);
                }
            }
        }
        return OptionalLong.empty();
    }

    static void write(Path file, String text) {
        try {
            tryWrite(file, text);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot write '" + text + "' into " + file + ": " + e, e);
        }
    }

    static void tryWrite(Path file, String text) throws IOException {
        Files.write(file, text.getBytes(StandardCharsets.UTF_8), StandardOpenOption.WRITE);
    }
}
