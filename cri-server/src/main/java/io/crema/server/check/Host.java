package io.crema.server.check;

import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.server.base.Programs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Where the check looks: this machine, or a directory that poses as one. */
interface Host {
    /** A file's path on this host. */
    Path path(String absolute);

    boolean isRoot();

    /** A program in PATH. */
    Optional<Path> program(String name);

    /** The first line of {@code --version}; empty when it does not start. */
    Optional<String> version(Path program);

    /** Native calls; absent where this JVM cannot make them. */
    Linux linux();

    /** The contents of a small file, without surrounding white space. */
    default Optional<String> read(String absolute) {
        try {
            return Optional.of(Files.readString(path(absolute)).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Files of a directory in the order of their names. */
    static List<Path> list(Path directory, String glob) {
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, glob)) {
                entries.forEach(found::add);
            } catch (IOException e) {
                return List.of();
            }
        }
        found.sort(null);
        return found;
    }

    /** The machine that this process runs on. */
    static Host local() {
        return new Local();
    }

    /** The machine that this process runs on. */
    final class Local implements Host {
        private static final long COMMAND_SECONDS = 10;
        private static final int MAX_VERSION_BYTES = 4096;

        @Override
        public Path path(String absolute) {
            return Path.of(absolute);
        }

        @Override
        public boolean isRoot() {
            try {
                return Integer.valueOf(0)
                        .equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
            } catch (IOException e) {
                return false;
            }
        }

        @Override
        public Optional<Path> program(String name) {
            return Programs.find(name);
        }

        @Override
        public Optional<String> version(Path program) {
            try {
                Process process =
                        new ProcessBuilder(program.toString(), "--version")
                                .redirectErrorStream(true)
                                .start();
                process.getOutputStream().close();
                // A program that says nothing is cut off, which ends the read below. One that has
                // ended must be left alone: destroying it would close the stream under the reader.
                Thread.ofVirtual().start(() -> cutOff(process));
                String text =
                        new String(
                                process.getInputStream().readNBytes(MAX_VERSION_BYTES),
                                StandardCharsets.UTF_8);
                return Optional.of(text.lines().findFirst().orElse("version unknown"));
            } catch (IOException e) {
                return Optional.empty();
            }
        }

        private static void cutOff(Process process) {
            try {
                if (!process.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public Linux linux() {
            return JnaLinux.load();
        }
    }
}
