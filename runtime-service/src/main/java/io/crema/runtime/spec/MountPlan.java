package io.crema.runtime.spec;

import static java.util.Objects.requireNonNull;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.MountPropagation;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.RuntimeSpec.IdMapping;
import io.crema.runtime.selinux.Relabelling;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The mounts of one container: those of its request over the defaults, outer places before inner
 * ones.
 */
final class MountPlan {
    static final KernelVersion RECURSIVE_READ_ONLY_SINCE = new KernelVersion(5, 12);
    private static final Set<String> MOUNT_OPTIONS = Set.of("noexec", "nodev", "nosuid");

    private final SpecRequest request;
    private final SpecSettings settings;
    private final NodeFacts node;
    private final Linux linux;
    private final HostPaths hostPaths;
    private final PropagationCheck propagation;
    private final String fileLabel;
    private final Deadline deadline;

    private final List<RuntimeSpec.Mount> requested = new ArrayList<>();
    private boolean anySlave;
    private boolean anyShared;

    /**
     * @param fileLabel the SELinux label of the container's files; empty for none
     * @param deadline for giving volumes that label
     */
    MountPlan(
            SpecRequest request,
            SpecSettings settings,
            NodeFacts node,
            Linux linux,
            String fileLabel,
            Deadline deadline) {
        this.linux = linux;
        this.fileLabel = fileLabel;
        this.deadline = deadline;
        this.request = request;
        this.settings = settings;
        this.node = node;
        this.hostPaths =
                new HostPaths(
                        settings.runtime().bindMountPrefix(),
                        settings.runtime().absentMountSourcesToReject());
        this.propagation = new PropagationCheck(linux);
    }

    /**
     * Checks and translates the request's mounts.
     *
     * @return those as they are done, for the status
     */
    List<Mount> translate() {
        List<Mount> effective = new ArrayList<>();
        for (int i = 0; i < request.config().getMountsCount(); i++) {
            Mount mount = request.config().getMounts(i);
            effective.add(translate(i, "mounts[" + i + "]", mount));
        }
        return effective;
    }

    /** Adds one mount and returns it as it is done. */
    private Mount translate(int index, String field, Mount mount) {
        String place =
                HostPaths.checked(field + ".container_path", mount.getContainerPath()).toString();
        if (place.equals("/")) {
            throw PodException.invalid(
                    field + ".container_path must not be /: that is the image's place");
        }
        boolean isRecursive = isRecursivelyReadOnly(field, mount);
        Optional<ImageVolume> image = imageOf(index);
        Path source =
                image.isPresent()
                        ? insideImage(field, mount, image.get())
                        : hostPaths.mountSource(field + ".host_path", mount.getHostPath());
        if (mount.getSelinuxRelabel() && image.isEmpty() && !isFree()) {
            relabel(field, source);
        }
        Path shown = source;
        if (mount.getUidMappingsCount() > 0 || mount.getGidMappingsCount() > 0) {
            checkMappings(field, mount);
            if (image.isEmpty()) {
                shown = idMapped(index, field, source);
            }
        }
        List<String> options = new ArrayList<>();
        options.add("rbind");
        String propagationOption = propagation(field, mount.getPropagation(), source);
        options.add(propagationOption);
        options.add(isRecursive ? "rro" : mount.getReadonly() ? "ro" : "rw");
        for (String option : mount.getMountOptionsList()) {
            if (!MOUNT_OPTIONS.contains(option)) {
                throw PodException.invalid(
                        field
                                + ".mount_options: '"
                                + option
                                + "' is not one of noexec, nodev and nosuid");
            }
            options.add(option);
        }
        if (image.isPresent()) {
            // Programs in an image volume may be run: mount_options can forbid it.
            options.addAll(List.of("nosuid", "nodev"));
        }
        requested.add(RuntimeSpec.Mount.bind(place, shown.toString(), options));
        return asDone(mount, propagationOption, image);
    }

    private static Mount asDone(Mount mount, String option, Optional<ImageVolume> image) {
        Mount.Builder done = mount.toBuilder();
        if (option.equals("rslave")) {
            done.setPropagation(MountPropagation.PROPAGATION_HOST_TO_CONTAINER);
        }
        image.ifPresent(volume -> done.getImageBuilder().setImageRef(volume.image().value()));
        return done.build();
    }

    private Optional<ImageVolume> imageOf(int index) {
        return request.imageVolumes().stream().filter(one -> one.mount() == index).findFirst();
    }

    private Path insideImage(String field, Mount mount, ImageVolume volume) {
        String wanted = mount.getImageSubPath();
        if (wanted.isEmpty()) {
            return volume.directory();
        }
        if (wanted.startsWith("/") || wanted.indexOf('\0') >= 0 || hasParent(wanted)) {
            throw PodException.invalid(
                    field
                            + ".image_sub_path must be relative and without .., not '"
                            + wanted
                            + "'");
        }
        try (RootDirectory root = new RootDirectory(linux, volume.directory())) {
            return root.resolvedDirectory(wanted)
                    .orElseThrow(() ->
                            new PodException(
                                    ErrorKind.CRI_REASON,
                                    "ImageVolumeMountFailed: "
                                            + field
                                            + ".image_sub_path: there is no directory "
                                            + wanted
                                            + " in the image "
                                            + mount.getImage().getImage()));
        }
    }

    private static boolean hasParent(String path) {
        for (Path name : Path.of(path)) {
            if (name.toString().equals("..")) {
                return true;
            }
        }
        return false;
    }

    /** A container that may reach everything needs no labels changed. */
    private boolean isFree() {
        String own = request.security().getSelinuxOptions().getType();
        String ofPod =
                request.sandbox()
                        .config()
                        .getLinux()
                        .getSecurityContext()
                        .getSelinuxOptions()
                        .getType();
        return (own.isEmpty() ? ofPod : own).equals("spc_t");
    }

    private void relabel(String field, Path source) {
        if (!fileLabel.isEmpty()) {
            new Relabelling(linux, deadline)
                    .volume(field, source, fileLabel, request.podAnnotations().skipsRelabelling());
        }
    }

    /** Kubelet gives every mount of a pod the mapping of the pod. */
    private void checkMappings(String field, Mount mount) {
        Optional<UserMapping> users = request.sandbox().users();
        if (users.isEmpty()) {
            throw PodException.invalid(
                    field
                            + ".uidMappings: the pod has no user namespace (userns_options.mode POD)");
        }
        List<IdMapping> uids =
                mount.getUidMappingsList().stream().map(UserMapping::mapping).toList();
        List<IdMapping> gids =
                mount.getGidMappingsList().stream().map(UserMapping::mapping).toList();
        if (!uids.equals(List.of(users.get().uids()))
                || !gids.equals(List.of(users.get().gids()))) {
            throw PodException.invalid(
                    field
                            + (uids.equals(List.of(users.get().uids()))
                                    ? ".gidMappings"
                                    : ".uidMappings")
                            + " must be those of the pod's userns_options");
        }
    }

    /**
     * Mounts a source with its owners shifted, below the bundle, from where the OCI runtime binds
     * it: so it works with runtimes that cannot shift themselves.
     */
    private Path idMapped(int index, String field, Path source) {
        Path place = request.idMappedMount(index);
        Path users = request.sandbox().userNamespace().orElseThrow();
        try {
            if (Files.isDirectory(source)) {
                Files.createDirectories(place);
            } else {
                Files.createDirectories(requireNonNull(place.getParent()));
                Files.createFile(place);
            }
            linux.mountIdMapped(source, place, users);
            return place;
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, field + ": cannot make " + place + ": " + e, e);
        } catch (LinuxException e) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    field
                            + ".uidMappings: "
                            + source
                            + " cannot be shown in a user namespace: its file system, or one mounted"
                            + " below it, has no idmapped mounts (NFS never has): "
                            + e.getMessage(),
                    e);
        }
    }

    private boolean isRecursivelyReadOnly(String field, Mount mount) {
        if (!mount.getRecursiveReadOnly()) {
            return false;
        }
        if (!mount.getReadonly()) {
            throw PodException.invalid(field + ".recursive_read_only needs readonly");
        }
        if (mount.getPropagation() != MountPropagation.PROPAGATION_PRIVATE) {
            throw PodException.invalid(
                    field + ".recursive_read_only needs propagation PROPAGATION_PRIVATE");
        }
        if (node.kernel().compareTo(RECURSIVE_READ_ONLY_SINCE) < 0) {
            throw recursiveReadOnlyUnsupported(
                    field,
                    "Linux " + node.kernel() + " is older than " + RECURSIVE_READ_ONLY_SINCE);
        }
        if (!request.handler().features().recursiveReadOnlyMounts()) {
            throw recursiveReadOnlyUnsupported(
                    field,
                    "the OCI runtime of handler '"
                            + request.handler().name()
                            + "' has no mount option rro");
        }
        return true;
    }

    // Kubelet looks for this word at the start of the message.
    private static PodException recursiveReadOnlyUnsupported(String field, String reason) {
        return new PodException(
                ErrorKind.CRI_REASON,
                "RROUnsupported: " + field + ".recursive_read_only: " + reason);
    }

    private String propagation(String field, MountPropagation mode, Path source) {
        String name = field + ".propagation";
        return switch (mode) {
            case PROPAGATION_PRIVATE -> {
                // A container that sees the mounts of others would keep them busy for ever if it
                // did not see them go.
                if (coversStorage(source)) {
                    anySlave = true;
                    yield "rslave";
                }
                yield "rprivate";
            }
            case PROPAGATION_HOST_TO_CONTAINER -> {
                propagation.requireSharedOrSlave(name, source);
                anySlave = true;
                yield "rslave";
            }
            case PROPAGATION_BIDIRECTIONAL -> {
                propagation.requireShared(name, source);
                anyShared = true;
                yield "rshared";
            }
            case UNRECOGNIZED -> throw PodException.invalid(name + ": this value is unknown");
        };
    }

    private boolean coversStorage(Path source) {
        for (Path root : settings.storageRoots()) {
            if (root.startsWith(source)) {
                return true;
            }
        }
        return false;
    }

    /**
     * The propagation of the container's root that lets its mounts do what they are asked for; null
     * for the OCI runtime's default.
     */
    @Nullable String rootPropagation() {
        if (anyShared) {
            return "rshared";
        }
        return anySlave ? "rslave" : null;
    }

    /** Whether the request has a mount at exactly this place. */
    boolean isTaken(String place) {
        return requested.stream().anyMatch(mount -> mount.destination().equals(place));
    }

    /** Whether the request has a mount at this place or around it. */
    boolean isCovered(String place) {
        Path path = Path.of(place);
        return requested.stream().anyMatch(mount -> path.startsWith(mount.destination()));
    }

    /** The defaults and the request's mounts, outer places first, else in their order. */
    List<RuntimeSpec.Mount> inOrder(List<RuntimeSpec.Mount> defaults) {
        List<RuntimeSpec.Mount> all = new ArrayList<>(defaults);
        all.addAll(requested);
        all.sort(Comparator.comparingInt(mount -> depth(mount.destination())));
        return all;
    }

    private static int depth(String place) {
        return (int) place.chars().filter(character -> character == '/').count();
    }
}
