package io.crema.image.layer;

import io.crema.oci.linux.LinuxFiles.FileStatus;

/**
 * How overlayfs marks what hides lower layers (Linux, filesystems/overlayfs.rst), and how layers
 * say it (image-spec, layer.md).
 */
public final class Overlay {
    static final String OPAQUE_ATTRIBUTE = "trusted.overlay.opaque";
    static final String WHITEOUT_PREFIX = ".wh.";
    static final String OPAQUE_MARKER = ".wh..wh..opq";

    /** Book-keeping of AUFS that old Docker versions left in layers; means nothing to anybody. */
    static final String AUFS_PREFIX = ".wh..wh.";

    private static final byte[] YES = {'y'};

    private Overlay() {}

    static byte[] yes() {
        return YES.clone();
    }

    /** A character device 0:0 hides the name in all lower layers. */
    static boolean isWhiteout(FileStatus status) {
        return status.isCharacterDevice() && status.deviceMajor() == 0 && status.deviceMinor() == 0;
    }

    /** Attributes that steer overlayfs itself; no layer may smuggle them in. */
    static boolean isOverlayAttribute(String name) {
        return name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.");
    }
}
