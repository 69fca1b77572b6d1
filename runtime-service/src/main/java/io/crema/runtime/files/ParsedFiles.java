package io.crema.runtime.files;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The files of some directories, looked at anew each time but parsed only when they changed. A file
 * that cannot be parsed is told in the log once and to whoever asks; it does not hide the others.
 * Thread safe.
 *
 * @param <T> what one file holds
 */
public final class ParsedFiles<T> {
    private static final Logger LOG = LoggerFactory.getLogger(ParsedFiles.class);
    private static final int MAX_FILE_BYTES = 16 << 20;
    private static final int MAX_FILES = 4096;

    /** Makes of a file's bytes what it means. */
    @FunctionalInterface
    public interface Parser<T> {
        /**
         * @throws IOException or IllegalArgumentException with what is wrong
         */
        T parse(Path file, byte[] content) throws IOException;
    }

    /**
     * One file.
     *
     * @param directory how many directories come before its own
     * @param content absent when it could not be parsed
     * @param failure why not, else empty
     */
    public record Parsed<T>(Path file, int directory, Optional<T> content, String failure) {}

    private record Version(FileTime modified, long size, @Nullable Object key) {}

    private record Known<T>(Version version, Parsed<T> parsed) {}

    private final List<Path> directories;
    private final List<String> endings;
    private final Parser<T> parser;
    private Map<Path, Known<T>> known = Map.of();

    /**
     * @param endings of the names of files that count, such as .json
     */
    public ParsedFiles(List<Path> directories, List<String> endings, Parser<T> parser) {
        this.directories = List.copyOf(directories);
        this.endings = List.copyOf(endings);
        this.parser = parser;
    }

    public List<Path> directories() {
        return directories;
    }

    /** All files as they are now, by directory and then by name. */
    public synchronized List<Parsed<T>> read() {
        Map<Path, Known<T>> now = new HashMap<>();
        List<Parsed<T>> all = new ArrayList<>();
        for (int i = 0; i < directories.size(); i++) {
            for (Path file : filesIn(directories.get(i))) {
                if (all.size() >= MAX_FILES) {
                    LOG.warn("{}: more than {} files; the rest is left out", file, MAX_FILES);
                    break;
                }
                Known<T> one = known(file, i);
                if (one != null) {
                    now.put(file, one);
                    all.add(one.parsed());
                }
            }
        }
        known = now;
        return all;
    }

    private Iterable<Path> filesIn(Path directory) {
        TreeSet<Path> found = new TreeSet<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                if (endings.stream().anyMatch(name::endsWith)) {
                    found.add(entry);
                }
            }
        } catch (NoSuchFileException | NotDirectoryException e) {
            return found; // a directory may come later
        } catch (IOException e) {
            LOG.warn("cannot list {}: {}", directory, e.toString());
        }
        return found;
    }

    /** Null for what is gone or no regular file. */
    private @Nullable Known<T> known(Path file, int directory) {
        Version version;
        try {
            BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
            if (!attributes.isRegularFile()) {
                return null;
            }
            version =
                    new Version(
                            attributes.lastModifiedTime(), attributes.size(), attributes.fileKey());
        } catch (IOException e) {
            return null;
        }
        Known<T> before = known.get(file);
        return before != null && before.version().equals(version)
                ? before
                : new Known<>(version, parse(file, directory));
    }

    private Parsed<T> parse(Path file, int directory) {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] content = in.readNBytes(MAX_FILE_BYTES + 1);
            if (content.length > MAX_FILE_BYTES) {
                throw new IOException("it is longer than " + MAX_FILE_BYTES + " bytes");
            }
            return new Parsed<>(file, directory, Optional.of(parser.parse(file, content)), "");
        } catch (IOException | IllegalArgumentException e) {
            String failure = e.getMessage() == null ? e.toString() : e.getMessage();
            LOG.warn("{} is left out: {}", file, failure);
            return new Parsed<>(file, directory, Optional.empty(), failure);
        }
    }
}
