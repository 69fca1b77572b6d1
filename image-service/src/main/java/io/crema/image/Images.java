package io.crema.image;

import io.crema.base.Deadline;
import io.crema.base.ImageId;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The front of this module: what the rest of the program asks of images. */
public interface Images extends AutoCloseable {
    /** Credentials of one pull request (CRI AuthConfig); empty strings where nothing was given. */
    record Credentials(
            String username,
            String password,
            String auth,
            String serverAddress,
            String identityToken,
            String registryToken) {
        public static Credentials none() {
            return new Credentials("", "", "", "", "", "");
        }

        @Override
        public String toString() {
            return "Credentials[" + (username.isEmpty() ? "" : username) + "]";
        }
    }

    /** Disk use from real block counts. */
    record Usage(Path mountPoint, long usedBytes, long inodesUsed) {}

    /** All images, one entry per id. Reads a snapshot; never waits. */
    List<Image> list();

    /**
     * Finds an image by id, unique short id, name, name:tag or name@digest; short names get the
     * default registry.
     */
    Optional<Image> find(String reference);

    /**
     * Pulls an image and returns it; identical pulls at the same time share one download.
     *
     * @throws ImageException with a CRI reason word where kubelet knows one
     */
    Image pull(String reference, Credentials credentials, Deadline deadline);

    /** Loads every image of an OCI or docker archive (a tar file or an OCI layout directory). */
    List<Image> load(Path archive);

    /**
     * Removes an image with all its names; no error when there is none. Refused while a container
     * uses it.
     */
    void remove(String reference);

    /**
     * Keeps an image and its layers while a container of that key uses it; durable with the
     * container's record.
     */
    void use(ImageId image, String user);

    void release(String user);

    /** Mounts an overlay of the image's layers; upper and work are directories of the container. */
    void mountRootFileSystem(Image image, Path upper, Path work, Path target, String mountLabel);

    Usage imageUsage();

    /** Space used by one directory tree, such as a container's writable layer. */
    Usage usage(Path directory);

    @Override
    void close();
}
