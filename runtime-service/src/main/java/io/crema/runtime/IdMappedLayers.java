package io.crema.runtime;

import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.spec.RuntimeSpec.IdMapping;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether the file system of the images can be shown with shifted owners, tried once by a mount
 * that is nowhere: only that tells, and a pod that needs it should hear of it before it is made.
 */
final class IdMappedLayers {
    private static final Logger LOG = LoggerFactory.getLogger(IdMappedLayers.class);
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final List<IdMapping> MAPPING = List.of(new IdMapping(0, 65536, 65536));

    private final NodeServices node;
    // Guarded by this.
    private boolean isKnown;
    private Optional<String> known = Optional.empty();

    IdMappedLayers(NodeServices node) {
        this.node = node;
    }

    /** Why they cannot, in words; empty when they can, or when it could not be found out. */
    synchronized Optional<String> missing() {
        if (isKnown) {
            return known;
        }
        Path root = node.images().imageUsage().mountPoint();
        try {
            Path layers = root.resolve("layers");
            node.userNamespaces()
                    .with(
                            MAPPING,
                            MAPPING,
                            Deadline.after(LIMIT),
                            users ->
                                    node.linux()
                                            .tryIdMapped(
                                                    Files.isDirectory(layers) ? layers : root,
                                                    users));
        } catch (LinuxException e) {
            if (!e.call().equals("mount_setattr")) {
                return unknown(e);
            }
            known =
                    Optional.of(
                            "the file system of "
                                    + root
                                    + " has no idmapped mounts ("
                                    + e.getMessage()
                                    + "); use ext4, xfs, btrfs or tmpfs");
        } catch (CremaException e) {
            return unknown(e);
        }
        isKnown = true;
        return known;
    }

    /** A container's layers will tell. */
    private static Optional<String> unknown(Exception e) {
        LOG.warn("cannot try whether images can be shown to other users: {}", e.toString());
        return Optional.empty();
    }
}
