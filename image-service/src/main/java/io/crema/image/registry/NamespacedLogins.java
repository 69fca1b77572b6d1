package io.crema.image.registry;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.layer.ContentHash;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.reference.ShortName;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.UUID;

/**
 * Credentials that somebody leaves for one pull, as CRI-O's {@code namespaced_auth_dir}: the file
 * {@code <namespace>-<SHA-256 of the image's name without tag>.json}, in the form of auth.json. It
 * is taken by one rename, so that no two pulls use it, read, and deleted.
 */
public final class NamespacedLogins {
    private static final long MAX_FILE_BYTES = 4 << 20;

    private final Path directory;

    public NamespacedLogins(Path directory) {
        this.directory = directory;
    }

    /**
     * Takes what was left for a pull.
     *
     * @return the file's content; empty when there is none
     */
    public String take(String namespace, String image) {
        // A namespace is a DNS label; anything else must not become part of a path.
        if (namespace.isEmpty() || namespace.indexOf('/') >= 0 || namespace.indexOf('\0') >= 0) {
            return "";
        }
        String name =
                namespace
                        + "-"
                        + ContentHash.of(nameOf(image).getBytes(StandardCharsets.UTF_8)).hex();
        Path left = directory.resolve(name + ".json");
        if (!Files.exists(left)) {
            return "";
        }
        Path inUse = directory.resolve("in-use").resolve(name + "-" + UUID.randomUUID() + ".json");
        try {
            Files.createDirectories(
                    inUse.getParent(),
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rwx------")));
            Files.move(left, inUse, StandardCopyOption.ATOMIC_MOVE);
            try {
                if (Files.size(inUse) > MAX_FILE_BYTES) {
                    throw new IOException("it is larger than " + MAX_FILE_BYTES + " bytes");
                }
                return Files.readString(inUse);
            } finally {
                Files.deleteIfExists(inUse);
            }
        } catch (NoSuchFileException e) {
            // Another pull was faster; kubelet's next attempt brings a new one.
            return "";
        } catch (IOException e) {
            throw new ImageException(
                    ErrorKind.FAILED_PRECONDITION,
                    "the credentials for "
                            + image
                            + " at "
                            + left
                            + " cannot be used: "
                            + e
                            + "; write them anew",
                    e);
        }
    }

    /** The name without tag and digest; short ones as Docker completes them. */
    private static String nameOf(String image) {
        return switch (ImageName.parse(image)) {
            case ImageReference reference -> reference.repository();
            case ShortName name -> name.at(ImageReference.DOCKER_HUB).repository();
        };
    }
}
