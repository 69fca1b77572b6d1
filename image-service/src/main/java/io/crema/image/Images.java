package io.crema.image;

import io.crema.base.Deadline;
import io.crema.base.ImageId;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The front of this module: what the rest of the program asks of images. */
public interface Images extends AutoCloseable {
    /**
     * Credentials of one pull request (CRI AuthConfig); empty strings where nothing was given.
     *
     * @param authFile the content of an auth.json that was left for this pull
     * @param authFileSource where that came from, for messages: a path, or the option that led to
     *     it
     */
    record Credentials(
            String username,
            String password,
            String auth,
            String serverAddress,
            String identityToken,
            String registryToken,
            String authFile,
            String authFileSource) {
        public Credentials {
            // Requests without such a file are the same, wherever one was looked for.
            authFileSource = authFile.isEmpty() ? "" : authFileSource;
        }

        public Credentials(
                String username,
                String password,
                String auth,
                String serverAddress,
                String identityToken,
                String registryToken) {
            this(username, password, auth, serverAddress, identityToken, registryToken, "", "");
        }

        public Credentials withAuthFile(String source, String content) {
            return new Credentials(
                    username,
                    password,
                    auth,
                    serverAddress,
                    identityToken,
                    registryToken,
                    content,
                    source);
        }

        public Credentials withoutAuthFile() {
            return withAuthFile("", "");
        }

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
    default Image pull(String reference, Credentials credentials, Deadline deadline) {
        return pull(reference, credentials, "", deadline);
    }

    /**
     * As the shorter one, for a pod.
     *
     * @param namespace the pod's, whose own signature policy decides where it has one; empty for
     *     none
     */
    Image pull(String reference, Credentials credentials, String namespace, Deadline deadline);

    /** The pulls under way, oldest first. Reads counters; never waits. */
    List<PullProgress> pulls();

    /** What all pulls since the start have done. */
    PullTotals pullTotals();

    /**
     * Loads every image of an OCI or docker archive (a tar file or an OCI layout directory).
     *
     * @throws ImageException CRI_REASON SignatureValidationFailed when the policy does not accept
     *     archives
     */
    List<Image> load(Path archive);

    /**
     * Writes images as an OCI layout that every tool of images reads. The layers' archives are made
     * anew from their files: what is loaded from it has the same files and settings, but other
     * digests and another id. Artifacts keep theirs.
     *
     * @param references those that are names with a tag become names in the layout
     * @param target must not exist; appears whole or not at all
     * @param asDirectory a directory rather than a tar archive
     * @throws ImageException NOT_FOUND for an image that is not here, ALREADY_EXISTS for the target
     */
    void save(List<String> references, Path target, boolean asDirectory);

    /**
     * Removes an image with all its names, and its layers unless other images have them too; the
     * disk space follows in the background. No error when there is no such image.
     *
     * @throws ImageException FAILED_PRECONDITION naming the containers while any of them uses the
     *     image: kubelet never asks for that, and a person who does should hear what to remove
     *     first
     */
    void remove(String reference);

    /**
     * Keeps an image and its layers while a container of that key uses it. Uses live in memory
     * only: they are as durable as the container's record, from which recovery repeats them before
     * the first request is served. Repeating a use does nothing; a different image replaces it.
     *
     * @param user the id of the container
     * @throws ImageException NOT_FOUND when there is no such image (any more)
     */
    void use(ImageId image, String user);

    /**
     * Keeps one more image or artifact for the same user, such as one of its image volumes. What is
     * kept so ends with {@link #release}, or when {@link #use} names a different image.
     *
     * @throws ImageException NOT_FOUND when there is no such image (any more)
     */
    void useAlso(ImageId image, String user);

    /** Ends all uses of a user; does nothing when there are none. */
    void release(String user);

    /** As the longer one, by the policy of the node. */
    default void requireTrusted(Image image, String requested) {
        requireTrusted(image, requested, "");
    }

    /**
     * Refuses to run or mount an image that the signature policy of this node does not accept, or
     * does not accept any more; judged by the signatures that were kept when it was pulled.
     *
     * @param requested what the user wrote; when it is not one of the image's names, any of them
     *     will do
     * @param namespace of the pod, whose own policy decides where it has one; empty for none
     * @throws ImageException CRI_REASON SignatureValidationFailed
     */
    void requireTrusted(Image image, String requested, String namespace);

    /**
     * Refuses an archive that is not an image, such as a checkpoint, where the policy accepts only
     * what is signed; it has no signatures. Policies call such files the transport {@code tarball}.
     *
     * @param namespace of the pod
     * @throws ImageException CRI_REASON SignatureValidationFailed
     */
    void requireTrustedArchive(Path archive, String namespace);

    /**
     * Mounts an overlay of the image's layers. The caller owns the directories and unmounts the
     * target; permissions and owner of the image's root directory are given to {@code upper}.
     *
     * @param upper existing directory of the container for what it writes
     * @param work existing empty directory on the same file system as {@code upper}
     * @param target existing directory
     * @param mountLabel SELinux context of the mount, empty for none
     */
    default void mountRootFileSystem(
            Image image, Path upper, Path work, Path target, String mountLabel) {
        mountRootFileSystem(image, upper, work, target, mountLabel, Optional.empty());
    }

    /**
     * As the shorter one, for a container in a user namespace.
     *
     * @param shift absent for the node's own ids
     */
    void mountRootFileSystem(
            Image image,
            Path upper,
            Path work,
            Path target,
            String mountLabel,
            Optional<IdShift> shift);

    /**
     * Mounts a read-only view of an image's root file system, or of an artifact's files under their
     * titles, as for an image volume (KEP-4639): nothing in it can be written or used as a device
     * or to gain privileges, which a bind mount of it has to say again. The caller keeps the image
     * by {@link #use} or {@link #useAlso} and unmounts the target.
     *
     * @param target existing directory
     * @param mountLabel SELinux context of the mount, empty for none
     */
    default void mountReadOnly(Image image, Path target, String mountLabel) {
        mountReadOnly(image, target, mountLabel, Optional.empty());
    }

    /** As the shorter one, for a container in a user namespace. */
    void mountReadOnly(Image image, Path target, String mountLabel, Optional<IdShift> shift);

    /** Tar archives of single containers. */
    Archives archives();

    /** Space used by all layers, manifests and records, from counters; never waits. */
    Usage imageUsage();

    /** Space used by one directory tree, such as a container's writable layer. */
    Usage usage(Path directory);

    @Override
    void close();
}
