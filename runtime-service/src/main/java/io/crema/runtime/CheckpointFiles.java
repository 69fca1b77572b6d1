package io.crema.runtime;

/**
 * The names in a checkpoint archive and the annotations around it: the form of CRI-O and Podman,
 * which checkpointctl reads.
 */
final class CheckpointFiles {
    /** What the container was and when the checkpoint was taken. */
    static final String CONFIG = "config.dump";

    /** The runtime spec. */
    static final String SPEC = "spec.dump";

    /** What CRIU wrote. */
    static final String IMAGES = "checkpoint";

    /** The one of CRIU's files that every whole checkpoint has. */
    static final String INVENTORY = "inventory.img";

    /** What the container changed in its root file system. */
    static final String CHANGES = "rootfs-diff.tar";

    /** What it removed there, as a JSON list. */
    static final String REMOVED = "deleted.files";

    /** The sources of its bind mounts. */
    static final String BIND_MOUNTS = "bind.mounts";

    /** The container's log; also the annotation that tells its place. */
    static final String LOG = "io.kubernetes.cri-o.LogPath";

    /** On an image that is a checkpoint: the container's name. */
    static final String IMAGE_ANNOTATION = "io.kubernetes.cri-o.annotations.checkpoint.name";

    private CheckpointFiles() {}
}
