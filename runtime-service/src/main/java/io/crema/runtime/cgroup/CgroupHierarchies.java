package io.crema.runtime.cgroup;

import com.google.common.base.CharMatcher;
import com.google.common.base.Splitter;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.linux.MountTable;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Where control groups are mounted on this node (cgroups(7)). With version 1, also in the hybrid
 * layout, each controller has a hierarchy of its own or shares one; with version 2 there is one
 * hierarchy for all.
 *
 * @param mounts version 1: mount point by controller, named hierarchies as {@code name=systemd}
 * @param unified the mount of version 2, which the hybrid layout has beside the others
 * @param unifiedControllers the controllers of version 2
 */
public record CgroupHierarchies(
        Version version,
        Map<String, Path> mounts,
        Optional<Path> unified,
        Set<String> unifiedControllers) {
    /** Which interface the OCI runtime uses. */
    public enum Version {
        V1,
        V2
    }

    private static final Splitter WORDS = Splitter.on(CharMatcher.whitespace()).omitEmptyStrings();
    private static final Path USUAL_MOUNT = Path.of("/sys/fs/cgroup");

    // Words among the super options of a hierarchy's mount that name no controller.
    private static final Set<String> OPTIONS =
            Set.of("rw", "ro", "none", "noprefix", "clone_children", "xattr", "seclabel");

    public CgroupHierarchies {
        mounts = Collections.unmodifiableMap(new LinkedHashMap<>(mounts));
        unifiedControllers = Set.copyOf(unifiedControllers);
        if (version == Version.V2 && unified.isEmpty()) {
            throw new IllegalArgumentException("cgroup version 2 without its mount");
        }
    }

    /**
     * Reads the mount table below a root directory.
     *
     * @param root / but in tests
     */
    public static CgroupHierarchies detect(Path root) {
        Path table = root.resolve("proc/self/mountinfo");
        try {
            return of(root, MountTable.parse(Files.readAllBytes(table)));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot read the mount table " + table + ": " + e, e);
        }
    }

    private static CgroupHierarchies of(Path root, List<MountEntry> entries) throws IOException {
        Map<String, Path> mounts = new LinkedHashMap<>();
        Optional<Path> unified = Optional.empty();
        boolean isUnified = false;
        for (MountEntry entry : entries) {
            if (!entry.mountPoint().startsWith(USUAL_MOUNT)) {
                continue; // bind mounts inside containers and chroots
            }
            Path mountPoint = below(root, entry.mountPoint());
            if (entry.type().equals("cgroup2")) {
                unified = Optional.of(mountPoint);
                isUnified = entry.mountPoint().equals(USUAL_MOUNT);
            } else if (entry.type().equals("cgroup")) {
                for (String option : entry.superOptions().split(",", -1)) {
                    if (!OPTIONS.contains(option) && !option.startsWith("release_agent=")) {
                        mounts.putIfAbsent(option, mountPoint);
                    }
                }
            }
        }
        if (unified.isEmpty() && mounts.isEmpty()) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "no control groups are mounted at "
                            + USUAL_MOUNT
                            + "; mount cgroup2 there (mount -t cgroup2 none "
                            + USUAL_MOUNT
                            + ")");
        }
        Set<String> controllers =
                unified.isPresent() ? controllersOf(unified.orElseThrow()) : Set.of();
        return new CgroupHierarchies(
                isUnified ? Version.V2 : Version.V1, mounts, unified, controllers);
    }

    private static Path below(Path root, Path absolute) {
        return root.resolve(absolute.getRoot().relativize(absolute));
    }

    private static Set<String> controllersOf(Path mount) throws IOException {
        Path file = mount.resolve("cgroup.controllers");
        if (!Files.exists(file)) {
            return Set.of();
        }
        return Set.copyOf(WORDS.splitToList(Files.readString(file, StandardCharsets.US_ASCII)));
    }

    public boolean isUnified() {
        return version == Version.V2;
    }

    /** Whether containers can be given limits of this controller. */
    public boolean has(String controller) {
        return isUnified()
                ? unifiedControllers.contains(controller)
                : mounts.containsKey(controller);
    }

    /** The mount point whose cgroups a controller sees; empty when it is not there. */
    public Optional<Path> mountOf(String controller) {
        if (isUnified()) {
            return unifiedControllers.contains(controller) ? unified : Optional.empty();
        }
        return Optional.ofNullable(mounts.get(controller));
    }

    /**
     * The directory of a cgroup as a controller sees it; empty when the controller is not there.
     */
    public Optional<Path> directory(String controller, CgroupPath cgroup) {
        return mountOf(controller).map(cgroup::below);
    }

    /**
     * All mount points that a container's cgroup lies below, each once. In the hybrid layout
     * version 2 is among them: runc makes the cgroup there too.
     */
    public List<Path> roots() {
        Set<Path> roots = new LinkedHashSet<>(mounts.values());
        unified.ifPresent(roots::add);
        return isUnified() ? List.of(unified.orElseThrow()) : new ArrayList<>(roots);
    }
}
