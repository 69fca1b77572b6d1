package io.crema.image;

import java.nio.file.Path;

/**
 * How owners of an image's files appear in a user namespace, and how the kernel is told.
 *
 * @param userNamespace a pin of the namespace
 * @param scratch a directory of the caller's for mounts that last no longer than the call; what a
 *     crash leaves there the caller unmounts
 */
public record IdShift(Path userNamespace, Path scratch, Range uids, Range gids) {
    /** Ids from {@code inside} on are those from {@code onNode} on to the node. */
    public record Range(long inside, long onNode, long length) {
        /** An id on the node; one that the range lacks becomes that of id 0. */
        public int onNode(int id) {
            long unsigned = Integer.toUnsignedLong(id);
            boolean isInside = unsigned >= inside && unsigned - inside < length;
            return (int) (onNode + (isInside ? unsigned : 0) - inside);
        }
    }
}
