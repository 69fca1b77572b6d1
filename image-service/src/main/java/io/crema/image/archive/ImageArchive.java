package io.crema.image.archive;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.layer.Compression;
import io.crema.image.layer.DamagedLayerException;
import io.crema.image.layer.TarIndex;
import io.crema.image.layer.UnpackLimits;
import io.crema.image.registry.Platform;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * A file or directory that holds images: an OCI layout, plain or as a tar archive, or an archive of
 * docker save. Nothing in it is believed: contents are found by their digests and verified.
 */
public final class ImageArchive implements AutoCloseable {
    static final String LAYOUT_INDEX = "index.json";
    static final String DOCKER_MANIFEST = "manifest.json";

    private final ArchiveFiles files;
    private final Path path;

    private ImageArchive(ArchiveFiles files, Path path) {
        this.files = files;
        this.path = path;
    }

    /**
     * Opens an archive.
     *
     * @param staging where a compressed archive is decompressed to; the copy is deleted by {@link
     *     #close}
     * @throws ImageException INVALID_ARGUMENT when it is not there or of no kind we know
     */
    public static ImageArchive open(Path archive, Path staging) throws IOException {
        if (Files.isDirectory(archive)) {
            return new ImageArchive(new DirectoryFiles(archive), archive);
        }
        if (!Files.isRegularFile(archive)) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    "cannot load " + archive + ": there is no such file or directory");
        }
        Optional<Path> temporary = Optional.empty();
        try {
            UnpackLimits limits = UnpackLimits.defaults();
            Path plain = archive;
            if (TarIndex.compression(archive) != Compression.NONE) {
                plain = staging.resolve("archive-" + UUID.randomUUID());
                temporary = Optional.of(plain);
                TarIndex.decompress(archive, plain, limits);
            }
            return new ImageArchive(new TarFiles(TarIndex.read(plain, limits), temporary), archive);
        } catch (DamagedLayerException e) {
            deleteQuietly(temporary);
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    "cannot load "
                            + archive
                            + ": it is neither an OCI layout nor a tar archive of images: "
                            + e.getMessage(),
                    e);
        } catch (IOException | RuntimeException e) {
            deleteQuietly(temporary);
            throw e;
        }
    }

    private static void deleteQuietly(Optional<Path> file) {
        if (file.isPresent()) {
            try {
                Files.deleteIfExists(file.get());
            } catch (IOException e) {
                // The staging directory is emptied at the next start.
            }
        }
    }

    /**
     * The archive's images for this machine.
     *
     * @throws ImageException INVALID_ARGUMENT when it is damaged, NOT_FOUND when it has images for
     *     other platforms only
     */
    public List<ArchivedImage> images() throws IOException {
        if (files.size(LAYOUT_INDEX).isPresent()) {
            return new OciLayout(this, Platform.host()).images();
        }
        if (files.size(DOCKER_MANIFEST).isPresent()) {
            return new DockerArchive(this).images();
        }
        throw damaged(
                "it has neither "
                        + LAYOUT_INDEX
                        + " (OCI) nor "
                        + DOCKER_MANIFEST
                        + " (docker save)");
    }

    /** What policy.json calls this kind of archive. */
    public String transport() throws IOException {
        if (files instanceof DirectoryFiles) {
            return "oci";
        }
        return files.size(LAYOUT_INDEX).isPresent() ? "oci-archive" : "docker-archive";
    }

    /** A small file whole. */
    byte[] read(String name, int maxBytes) throws IOException {
        long size = files.size(name).orElseThrow(() -> damaged("it has no file " + name));
        if (size > maxBytes) {
            throw damaged(name + " has " + size + " bytes, more than " + maxBytes);
        }
        try (InputStream stream = open(name)) {
            byte[] content = stream.readNBytes(maxBytes);
            if (content.length != size) {
                throw damaged(name + " ends too early");
            }
            return content;
        }
    }

    long size(String name) throws IOException {
        return files.size(name).orElseThrow(() -> damaged("it has no file " + name));
    }

    InputStream open(String name) throws IOException {
        return files.open(name).orElseThrow(() -> damaged("it has no file " + name));
    }

    /** How images without a repository of their own are called: after the archive. */
    String baseName() {
        Path name = path.toAbsolutePath().normalize().getFileName();
        return name == null ? "archive" : name.toString();
    }

    ImageException damaged(String why) {
        return new ImageException(ErrorKind.INVALID_ARGUMENT, "cannot load " + path + ": " + why);
    }

    @Override
    public String toString() {
        return path.toString();
    }

    @Override
    public void close() throws IOException {
        files.close();
    }
}
