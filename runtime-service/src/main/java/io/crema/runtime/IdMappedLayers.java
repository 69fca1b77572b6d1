package io.crema.runtime;

import io.crema.base.CleanupStack;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.spec.RuntimeSpec.IdMapping;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether the file system of the images can be shown with shifted owners, tried once with an empty
 * directory in it: only a mount tells, and a pod that needs it should hear of it before it is made.
 */
final class IdMappedLayers {
    private static final Logger LOG = LoggerFactory.getLogger(IdMappedLayers.class);
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final String NAME = "idmap-probe";
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
            attempt(root.resolve("." + NAME));
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
        } catch (CremaException | IOException | IllegalStateException e) {
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

    private void attempt(Path source) throws IOException {
        Path target = node.layout().volatileRoot().resolve(NAME);
        Path pin = target.resolveSibling(NAME + "-users");
        Mounts.unmountAll(node.linux(), target); // of a daemon that died meanwhile
        Mounts.unmountAll(node.linux(), pin);
        try (CleanupStack undo = new CleanupStack()) {
            undo.push("delete " + source, () -> Files.deleteIfExists(source));
            Files.createDirectories(source);
            undo.push("delete " + target, () -> Files.deleteIfExists(target));
            Files.createDirectories(target);
            node.userNamespaces()
                    .createAndPin(
                            Map.of(NamespaceKind.USER, pin),
                            MAPPING,
                            MAPPING,
                            "",
                            Map.of(),
                            Deadline.after(LIMIT));
            undo.push("unpin " + pin, () -> node.linux().unpin(Set.of(pin)));
            node.linux().mountIdMapped(source, target, pin);
            undo.push(
                    "unmount " + target,
                    () -> node.linux().unmount(target, EnumSet.of(UnmountFlag.DETACH)));
        }
    }
}
