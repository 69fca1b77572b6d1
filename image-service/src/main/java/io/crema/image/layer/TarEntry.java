package io.crema.image.layer;

import java.util.Map;

/**
 * One entry of a layer, its header decoded and its name checked.
 *
 * @param path components separated by single slashes, without {@code .} and {@code ..}; empty for
 *     the root
 * @param linkTarget for links: of a symbolic link as it is, of a hard link as {@code path}
 * @param mode permission bits with set-id and sticky bits
 * @param sizeBytes apparent size of a regular file, 0 for everything else
 * @param attributes extended attributes by name
 * @param fragments of a sparse file: offset and length of each piece of content in turn; empty
 *     otherwise
 */
record TarEntry(
        Kind type,
        String path,
        String linkTarget,
        int mode,
        long uid,
        long gid,
        long sizeBytes,
        long modifiedSeconds,
        int modifiedNanos,
        int deviceMajor,
        int deviceMinor,
        Map<String, byte[]> attributes,
        long[] fragments,
        boolean isSparse) {
    enum Kind {
        REGULAR_FILE,
        HARD_LINK,
        SYMBOLIC_LINK,
        CHARACTER_DEVICE,
        BLOCK_DEVICE,
        DIRECTORY,
        FIFO
    }

    /** The last component; empty for the root. */
    String name() {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    /** The directory's path; empty for the root. */
    String parent() {
        int slash = path.lastIndexOf('/');
        return slash < 0 ? "" : path.substring(0, slash);
    }
}
