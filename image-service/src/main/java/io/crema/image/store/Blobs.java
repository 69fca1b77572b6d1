package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.base.DurableFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Optional;
import java.util.UUID;

/** Manifests, indexes and configurations: small files named by their digests. */
final class Blobs {
    /** As large as the largest thing that is stored here. */
    private static final int MAX_BYTES = ConfigurationFile.MAX_BYTES;

    private final StorePaths paths;

    Blobs(StorePaths paths) {
        this.paths = paths;
    }

    /** The bytes as they are on disk; the caller verifies them. */
    Optional<byte[]> read(Digest digest) {
        try {
            Path file = paths.blob(digest);
            return Files.size(file) > MAX_BYTES
                    ? Optional.empty()
                    : Optional.of(Files.readAllBytes(file));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /**
     * Writes a blob whose digest was verified.
     *
     * @param flush whether it must be on disk now; otherwise the caller flushes the file system
     */
    void write(Digest digest, byte[] content, boolean flush) throws IOException {
        Path file = paths.blob(digest);
        if (isThere(file, content)) {
            return;
        }
        Files.createDirectories(file.getParent());
        if (flush) {
            DurableFile.write(file, content);
            return;
        }
        Path staging = paths.ingest().resolve("blob-" + UUID.randomUUID());
        try {
            Files.write(staging, content);
            Files.move(staging, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(staging);
        }
    }

    /**
     * A blob that an interrupted pull or a power cut left may be cut short; such a one is replaced.
     */
    private static boolean isThere(Path file, byte[] content) throws IOException {
        try {
            return Files.size(file) == content.length
                    && Arrays.equals(Files.readAllBytes(file), content);
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    void delete(Digest digest) throws IOException {
        Files.deleteIfExists(paths.blob(digest));
    }
}
