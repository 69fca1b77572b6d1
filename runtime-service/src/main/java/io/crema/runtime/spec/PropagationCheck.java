package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxMounts;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether mounts can travel between the node and a container at a path (mount_namespaces(7)). Reads
 * the mount table once, and only when it is asked.
 */
public final class PropagationCheck {
    private final LinuxMounts mounts;
    private @Nullable List<MountEntry> table;

    public PropagationCheck(LinuxMounts mounts) {
        this.mounts = mounts;
    }

    /** Mounts made on the node must reach the container. */
    public void requireSharedOrSlave(String field, Path source) {
        MountEntry mount = mountOf(source);
        if (!mount.isShared() && !mount.isSlave()) {
            throw refusal(field, "PROPAGATION_HOST_TO_CONTAINER", source, mount, "shared or slave");
        }
    }

    /** Mounts made in the container must reach the node. */
    public void requireShared(String field, Path source) {
        MountEntry mount = mountOf(source);
        if (!mount.isShared()) {
            throw refusal(field, "PROPAGATION_BIDIRECTIONAL", source, mount, "shared");
        }
    }

    private static PodException refusal(
            String field, String mode, Path source, MountEntry mount, String needed) {
        return new PodException(
                ErrorKind.FAILED_PRECONDITION,
                field
                        + ": "
                        + mode
                        + " needs "
                        + source
                        + " on a "
                        + needed
                        + " mount, but "
                        + mount.mountPoint()
                        + " is not one; mount --make-rshared "
                        + mount.mountPoint()
                        + " makes it one");
    }

    // Of several mounts on one directory the last hides the others.
    private MountEntry mountOf(Path source) {
        if (table == null) {
            table = mounts.mounts();
        }
        MountEntry best = null;
        for (MountEntry entry : table) {
            if (source.startsWith(entry.mountPoint())
                    && (best == null
                            || entry.mountPoint().getNameCount()
                                    >= best.mountPoint().getNameCount())) {
                best = entry;
            }
        }
        if (best == null) {
            throw new PodException(
                    ErrorKind.INTERNAL, "the mount table has no mount that holds " + source);
        }
        return best;
    }
}
