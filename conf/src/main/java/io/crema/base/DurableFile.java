package io.crema.base;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Files that are either whole or absent, also after a power cut: written to a temporary name beside
 * the target, forced, renamed over it, and the directory forced. A left-over temporary name ends in
 * the target's name and {@code .tmp} and may be deleted by whoever scans the directory.
 */
public final class DurableFile {
    public static final String TEMPORARY_SUFFIX = ".tmp";

    private DurableFile() {}

    /**
     * Writes a file as a whole. Of several threads that write the same file at once, the last one
     * wins; the file is whole in any case.
     */
    public static void write(Path file, byte[] content) throws IOException {
        Path directory = directoryOf(file);
        Path temporary =
                directory.resolve(
                        "."
                                + Thread.currentThread().threadId()
                                + "."
                                + file.getFileName()
                                + TEMPORARY_SUFFIX);
        try {
            try (FileChannel channel =
                    FileChannel.open(
                            temporary,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.TRUNCATE_EXISTING,
                            StandardOpenOption.WRITE)) {
                ByteBuffer buffer = ByteBuffer.wrap(content);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                channel.force(true);
            }
            Files.move(
                    temporary,
                    file,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            IOException failure = new IOException("could not write " + file + ": " + e, e);
            try {
                Files.deleteIfExists(temporary);
            } catch (IOException left) {
                failure.addSuppressed(left);
            }
            throw failure;
        }
        forceDirectory(directory);
    }

    /** Deletes a file, so that it does not come back after a power cut. */
    public static void delete(Path file) throws IOException {
        if (Files.deleteIfExists(file)) {
            forceDirectory(directoryOf(file));
        }
    }

    /** Makes the names in a directory durable. */
    public static void forceDirectory(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private static Path directoryOf(Path file) {
        Path parent = file.toAbsolutePath().getParent();
        if (parent == null) {
            throw new IllegalArgumentException("not a file: " + file);
        }
        return parent;
    }
}
