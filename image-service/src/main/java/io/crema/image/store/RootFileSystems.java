package io.crema.image.store;

import io.crema.base.CleanupStack;
import io.crema.base.ErrorKind;
import io.crema.image.IdShift;
import io.crema.image.ImageException;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxMounts.MountFlag;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Mounts the layers of an image on top of each other (Linux, filesystems/overlayfs.rst).
 *
 * <p>The kernel takes one page of options. Where the paths of many layers do not fit, the
 * directories are opened and named by their descriptors, which is good for about 300 layers; so it
 * is where a path has characters that mean something in the options.
 */
final class RootFileSystems {
    private static final int MAX_OPTIONS_BYTES = 4095;
    private static final Set<OpenFlag> DIRECTORY = Set.of(OpenFlag.PATH, OpenFlag.DIRECTORY);
    private static final Set<UnmountFlag> DETACH = Set.of(UnmountFlag.DETACH);
    private static final int DEFAULT_MODE = 0755;

    /**
     * Of image volumes. Not noexec, which KEP-4639 wishes: the validation suite runs programs in
     * them, and what is locked here could not be lifted for a container in a user namespace.
     */
    private static final Set<MountFlag> VOLUME =
            Set.of(MountFlag.READ_ONLY, MountFlag.NO_SUID, MountFlag.NO_DEV);

    private final Linux linux;
    private final StorePaths paths;

    RootFileSystems(Linux linux, StorePaths paths) {
        this.linux = linux;
        this.paths = paths;
    }

    /**
     * @param layers lowest first
     * @param what the image, for messages
     */
    void mount(
            List<StoredLayer> layers,
            Path upper,
            Path work,
            Path target,
            String mountLabel,
            String what,
            Optional<IdShift> shift) {
        List<StoredLayer> visible = visibleTopFirst(layers);
        giveRootAttributes(visible, upper, shift);
        mountShifted(
                shift,
                directories(visible),
                List.of("upperdir", "workdir"),
                List.of(upper, work),
                target,
                Set.of(),
                mountLabel,
                what);
    }

    void mountReadOnly(
            List<StoredLayer> layers,
            Path target,
            String mountLabel,
            String what,
            Optional<IdShift> shift) {
        List<Path> lower = new ArrayList<>(directories(visibleTopFirst(layers)));
        // Without an upper directory the kernel wants two lower ones at least.
        if (lower.size() == 1) {
            lower.add(paths.empty(layers.isEmpty() ? 1 : 0));
        }
        mountShifted(shift, lower, List.of(), List.of(), target, VOLUME, mountLabel, what);
    }

    /**
     * From the top to the first layer whose root hides the rest; overlayfs itself ignores such a
     * mark on a root. The same layer twice, which the kernel refuses, shows as much as its upper
     * one.
     */
    private static List<StoredLayer> visibleTopFirst(List<StoredLayer> layers) {
        Set<StoredLayer> visible = new LinkedHashSet<>();
        for (StoredLayer layer : layers.reversed()) {
            visible.add(layer);
            if (layer.hidesAllBelow()) {
                break;
            }
        }
        return List.copyOf(visible);
    }

    /** The directories of an image's layers from the top to the first that hides all below it. */
    List<Path> topFirst(List<StoredLayer> layers) {
        return layers.isEmpty() ? List.of() : directories(visibleTopFirst(layers));
    }

    private List<Path> directories(List<StoredLayer> topFirst) {
        if (topFirst.isEmpty()) {
            return List.of(paths.empty(0));
        }
        List<Path> directories = new ArrayList<>(topFirst.size());
        for (StoredLayer layer : topFirst) {
            directories.add(StorePaths.files(paths.layer(layer.key())));
        }
        return directories;
    }

    /**
     * The root directory of an overlay is that of its upper directory, so this gets what the
     * topmost layer says that says anything about the root.
     */
    private void giveRootAttributes(
            List<StoredLayer> topFirst, Path upper, Optional<IdShift> shift) {
        Optional<StoredLayer> saying = topFirst.stream().filter(StoredLayer::rootGiven).findFirst();
        try (Descriptor directory =
                linux.open(upper, Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY), 0)) {
            if (saying.isEmpty()) {
                linux.changeOwner(directory, uid(shift, 0), gid(shift, 0));
                linux.changeMode(directory, DEFAULT_MODE);
                return;
            }
            Path root = StorePaths.files(paths.layer(saying.get().key()));
            FileStatus status =
                    linux.status(root, false)
                            .orElseThrow(() ->
                                    new ImageException(
                                            ErrorKind.INTERNAL,
                                            "layer " + root + " is not there any more"));
            linux.changeOwner(directory, uid(shift, status.uid()), gid(shift, status.gid()));
            linux.changeMode(directory, status.mode() & 07777);
            for (String name : linux.attributeNames(root)) {
                if (!name.startsWith("trusted.overlay.") && !name.equals("security.selinux")) {
                    linux.attribute(root, name)
                            .ifPresent(value -> linux.setAttribute(directory, name, value));
                }
            }
            linux.changeTimes(directory, status.modifiedSeconds(), status.modifiedNanos());
        }
    }

    private static int uid(Optional<IdShift> shift, int uid) {
        return shift.map(one -> one.uids().onNode(uid)).orElse(uid);
    }

    private static int gid(Optional<IdShift> shift, int gid) {
        return shift.map(one -> one.gids().onNode(gid)).orElse(gid);
    }

    /**
     * Overlays cannot be shifted themselves, so their layers are; the overlay keeps those mounts,
     * and only their places are given up again.
     */
    private void mountShifted(
            Optional<IdShift> shift,
            List<Path> lower,
            List<String> keys,
            List<Path> values,
            Path target,
            Set<MountFlag> flags,
            String mountLabel,
            String what) {
        if (shift.isEmpty()) {
            mount(lower, keys, values, target, flags, mountLabel, what);
            return;
        }
        try (CleanupStack places = new CleanupStack()) {
            List<Path> shifted = new ArrayList<>(lower.size());
            for (int i = 0; i < lower.size(); i++) {
                Path place = shift.get().scratch().resolve(Integer.toString(i));
                Files.createDirectories(place);
                places.push("remove " + place, () -> Files.deleteIfExists(place));
                linux.mountIdMapped(lower.get(i), place, shift.get().userNamespace());
                places.push("unmount " + place, () -> linux.unmount(place, DETACH));
                shifted.add(place);
            }
            mount(shifted, keys, values, target, flags, mountLabel, what);
        } catch (IOException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL, "cannot make a place for the layers of " + what, e);
        } catch (LinuxException e) {
            if (e.call().equals("mount_setattr")) {
                throw new ImageException(
                        ErrorKind.FAILED_PRECONDITION,
                        what
                                + " cannot be shown in a user namespace: the file system of "
                                + paths.root()
                                + " has no idmapped mounts ("
                                + e.getMessage()
                                + "); use ext4, xfs, btrfs or tmpfs and Linux 5.19 or later",
                        e);
            }
            throw e;
        }
    }

    private void mount(
            List<Path> lower,
            List<String> keys,
            List<Path> values,
            Path target,
            Set<MountFlag> flags,
            String mountLabel,
            String what) {
        String tail = mountLabel.isEmpty() ? "" : ",context=\"" + mountLabel + "\"";
        String plain = options(texts(lower), keys, texts(values)) + tail;
        boolean fits = plain.getBytes(StandardCharsets.UTF_8).length <= MAX_OPTIONS_BYTES;
        if (fits && isPlain(lower) && isPlain(values)) {
            linux.mount("overlay", target, "overlay", flags, plain);
            return;
        }
        try (CleanupStack opened = new CleanupStack()) {
            String options = options(open(lower, opened), keys, open(values, opened)) + tail;
            if (options.length() > MAX_OPTIONS_BYTES) {
                throw new ImageException(
                        ErrorKind.FAILED_PRECONDITION,
                        what
                                + " has "
                                + lower.size()
                                + " layers, more than the kernel takes in one mount; build it with"
                                + " fewer layers");
            }
            linux.mount("overlay", target, "overlay", flags, options);
        }
    }

    private static String options(List<String> lower, List<String> keys, List<String> values) {
        StringBuilder options = new StringBuilder("lowerdir=").append(String.join(":", lower));
        for (int i = 0; i < keys.size(); i++) {
            options.append(',').append(keys.get(i)).append('=').append(values.get(i));
        }
        return options.toString();
    }

    private static List<String> texts(List<Path> directories) {
        return directories.stream().map(Path::toString).toList();
    }

    /** Short names of open directories; they stay open until the mount is made. */
    private List<String> open(List<Path> directories, CleanupStack opened) {
        List<String> names = new ArrayList<>(directories.size());
        for (Path directory : directories) {
            Descriptor descriptor = linux.open(directory, DIRECTORY, 0);
            opened.push("close " + directory, descriptor::close);
            names.add("/dev/fd/" + descriptor.number());
        }
        return names;
    }

    private static boolean isPlain(List<Path> directories) {
        for (Path directory : directories) {
            String text = directory.toString();
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                if (c == ':' || c == ',' || c == '\\' || c == '"') {
                    return false;
                }
            }
        }
        return true;
    }
}
