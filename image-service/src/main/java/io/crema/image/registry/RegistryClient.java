package io.crema.image.registry;

import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.image.Images.Credentials;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import java.util.List;

/**
 * Fetches images from registries as configuration says: mirrors first, credentials only to the host
 * they are for, transient failures retried. Safe for any number of threads; every call waits on the
 * caller's thread, ends at its deadline, and ends with ImageException CANCELLED when that thread is
 * interrupted.
 *
 * <p>Errors are {@link io.crema.image.ImageException}s: CRI_REASON {@code RegistryUnavailable: …}
 * when no registry could be reached or all answered 5xx, PERMISSION_DENIED for 401 and 403,
 * NOT_FOUND for 404, RESOURCE_EXHAUSTED for 429, INVALID_ARGUMENT for images that we refuse, and
 * FAILED_PRECONDITION for registries that configuration blocks.
 */
public interface RegistryClient extends AutoCloseable {
    /**
     * The full references a name stands for, to be tried in this order until one exists. A full
     * name is itself with its default tag; a short name goes through aliases and the
     * unqualified-search registries.
     *
     * @throws io.crema.image.ImageException INVALID_ARGUMENT when configuration has no registry for
     *     a short name or forbids guessing
     */
    List<ImageReference> candidates(ImageName name);

    /**
     * Finds the image of this machine's platform: fetches the manifest, and through an index the
     * one of this platform. Tries the reference's mirrors, then its registry.
     *
     * @param credentials of the request; where empty, the configured files are asked
     */
    ResolvedImage resolve(ImageReference reference, Credentials credentials, Deadline deadline);

    /**
     * The signatures of an image as this node is told to find them (containers-registries.d(5)).
     *
     * @param digests of the manifest and of the indexes that led to it
     * @throws io.crema.image.ImageException when they cannot be had, other than by not being there
     */
    FoundSignatures signatures(Source source, List<Digest> digests, Deadline deadline);

    /**
     * A small blob, such as the image configuration, verified by size and digest.
     *
     * @param maxBytes refuse what is larger
     */
    byte[] fetchBlob(Source source, ContentDescriptor descriptor, int maxBytes, Deadline deadline);

    /** All bytes of a blob from an offset on. */
    default BlobStream openBlob(
            Source source, ContentDescriptor descriptor, long offset, Deadline deadline) {
        return openBlob(source, descriptor, offset, descriptor.sizeBytes(), deadline);
    }

    /**
     * The bytes of a blob in [offset, end). Returns at once; the first read connects.
     *
     * @param deadline for the whole transfer
     */
    BlobStream openBlob(
            Source source, ContentDescriptor descriptor, long offset, long end, Deadline deadline);

    /** As above, from whichever place of the image has the blob. */
    default byte[] fetchBlob(
            ResolvedImage image, ContentDescriptor descriptor, int maxBytes, Deadline deadline) {
        return fetchBlob(image.source(), descriptor, maxBytes, deadline);
    }

    /** As above, from whichever place of the image has the blob; places may take turns. */
    default BlobStream openBlob(
            ResolvedImage image,
            ContentDescriptor descriptor,
            long offset,
            long end,
            Deadline deadline) {
        return openBlob(image.source(), descriptor, offset, end, deadline);
    }

    /**
     * The bytes of a blob in [offset, end), from a server that sends exactly those; another is
     * refused, as UNAVAILABLE.
     */
    default BlobStream openExactly(
            ResolvedImage image,
            ContentDescriptor descriptor,
            long offset,
            long end,
            Deadline deadline) {
        return openBlob(image, descriptor, offset, end, deadline);
    }

    /** Ends all transfers. */
    @Override
    void close();
}
