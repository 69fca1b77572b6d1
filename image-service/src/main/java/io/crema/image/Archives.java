package io.crema.image;

import io.crema.base.Deadline;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Tar archives of what belongs to one container rather than to an image: its changes to the root
 * file system, and the files of a checkpoint. What is unpacked may come from anywhere: no entry
 * reaches beyond the directory that is filled. To be called from platform threads, which making
 * files may hold up for long. Each ends at its deadline, between two pieces of a file if need be,
 * and leaves what it has made for the caller to delete.
 */
public interface Archives {
    /**
     * Writes what a container changed, without marks for what it removed, which are returned. The
     * container must be frozen meanwhile. Sockets are left out: their process makes them again.
     *
     * @param upper the container's writable layer above the image's
     * @param archive must not exist; only its owner can read it
     * @return absolute paths inside the container of what was removed, a directory once for all
     *     that was below it
     */
    List<String> saveChanges(Image image, Path upper, Path archive, Deadline deadline);

    /**
     * Gives an empty writable layer the changes that {@link #saveChanges} wrote, before it is
     * mounted above the image's layers.
     *
     * @param archive absent in a checkpoint without changes, then nothing is unpacked
     */
    void applyChanges(
            Image image, Path archive, List<String> removed, Path upper, Deadline deadline);

    /**
     * Writes a directory tree as an archive.
     *
     * @param archive must not exist; only its owner can read it
     */
    void pack(Path directory, Path archive, Deadline deadline);

    /** Unpacks an archive that is not compressed into an empty directory. */
    void unpack(Path archive, Path directory, Deadline deadline);

    /** The annotations of an image's manifest; none where there is no manifest of its own. */
    Map<String, String> annotations(Image image);
}
