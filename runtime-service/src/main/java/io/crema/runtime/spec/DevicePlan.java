package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.Device;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxSpec;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The device nodes of one container and what its cgroup lets it do with devices: nothing but the
 * usual harmless ones, and those that are asked for.
 */
final class DevicePlan {
    private static final Path DEV = Path.of("/dev");
    private static final String ALL_ACCESS = "rwm";

    /** Below /dev: file systems of their own, and what the OCI runtime makes for each container. */
    private static final Set<String> NOT_FOR_CONTAINERS =
            Set.of("pts", "shm", "fd", "mqueue", "console", ".lxc", ".lxd-mounts", ".udev");

    private static final int MAX_NODES = 10_000;

    private static final List<DeviceRule> USUAL =
            List.of(
                    new DeviceRule(true, "c", null, null, "m"), // nodes may be made, not used
                    new DeviceRule(true, "b", null, null, "m"),
                    new DeviceRule(true, "c", 1L, 3L, ALL_ACCESS), // null
                    new DeviceRule(true, "c", 1L, 5L, ALL_ACCESS), // zero
                    new DeviceRule(true, "c", 1L, 7L, ALL_ACCESS), // full
                    new DeviceRule(true, "c", 1L, 8L, ALL_ACCESS), // random
                    new DeviceRule(true, "c", 1L, 9L, ALL_ACCESS), // urandom
                    new DeviceRule(true, "c", 5L, 0L, ALL_ACCESS), // tty
                    new DeviceRule(true, "c", 5L, 1L, ALL_ACCESS), // console
                    new DeviceRule(true, "c", 5L, 2L, ALL_ACCESS), // ptmx
                    new DeviceRule(true, "c", 136L, null, ALL_ACCESS)); // pts/*

    private final LinuxFiles files;
    private final Path hostDevices;
    private final Map<String, LinuxSpec.Device> nodes = new LinkedHashMap<>();
    private final List<DeviceRule> rules = new ArrayList<>();
    private @Nullable Long ownerUid;
    private @Nullable Long ownerGid;

    DevicePlan(LinuxFiles files) {
        this(files, DEV);
    }

    /**
     * @param hostDevices /dev but in tests
     */
    DevicePlan(LinuxFiles files, Path hostDevices) {
        this.files = files;
        this.hostDevices = hostDevices;
        rules.add(new DeviceRule(false, null, null, null, ALL_ACCESS));
    }

    /** The devices that are asked for will belong to this user instead of the host's. */
    void ownedBy(@Nullable Long uid, @Nullable Long gid) {
        ownerUid = uid;
        ownerGid = gid;
    }

    /** Every device of the node, and leave to use any. */
    void addHostDevices() {
        rules.add(new DeviceRule(true, null, null, null, ALL_ACCESS));
        for (Path path : nodesBelow(hostDevices, "/dev")) {
            Optional<FileStatus> status = files.status(path, false);
            if (status.isPresent() && isDevice(status.get())) {
                Path place = DEV.resolve(hostDevices.relativize(path));
                nodes.put(place.toString(), node(place.toString(), status.get(), null, null));
            }
        }
    }

    /** Leave to use the usual devices only. */
    void addUsualRules() {
        rules.addAll(USUAL);
    }

    /**
     * Adds a device of the request.
     *
     * @param hostDevicesAreThere whether the node's devices are in the container already, so that a
     *     device in another's place would hide it
     */
    void add(String field, Device device, boolean hostDevicesAreThere) {
        Path source = HostPaths.checked(field + ".host_path", device.getHostPath());
        Path place =
                device.getContainerPath().isEmpty()
                        ? source
                        : HostPaths.checked(field + ".container_path", device.getContainerPath());
        if (hostDevicesAreThere
                && !place.equals(source)
                && Files.exists(place, LinkOption.NOFOLLOW_LINKS)) {
            throw PodException.invalid(
                    field
                            + ".container_path: "
                            + place
                            + " is another device of the node, all of which a privileged container"
                            + " has");
        }
        add(field, source, place, device.getPermissions());
    }

    /**
     * Adds a device of the configuration: {@code host:container:permissions}, the last two
     * optional.
     */
    void addConfigured(String text) {
        String[] parts = text.split(":", -1);
        String permissions = ALL_ACCESS;
        String place = parts[0];
        if (parts.length == 2) {
            // The second of two is a path or permissions.
            if (parts[1].startsWith("/")) {
                place = parts[1];
            } else {
                permissions = parts[1];
            }
        } else if (parts.length == 3) {
            place = parts[1];
            permissions = parts[2];
        } else if (parts.length > 3) {
            throw PodException.invalid("additional_devices: '" + text + "' has too many parts");
        }
        String field = "additional_devices '" + text + "'";
        add(
                field,
                HostPaths.checked(field, parts[0]),
                HostPaths.checked(field, place),
                permissions);
    }

    /**
     * Adds the devices that a pod's annotation names, separated by commas, each in the form of
     * {@link #addConfigured}.
     *
     * @param allowed the only ones that may be named
     */
    void addAnnotated(String text, List<Path> allowed) {
        for (String device : text.split(",", -1)) {
            if (device.isEmpty()) {
                continue;
            }
            int colon = device.indexOf(':');
            Path source =
                    HostPaths.checked(
                            "annotations: devices",
                            colon < 0 ? device : device.substring(0, colon));
            if (!allowed.contains(source)) {
                throw PodException.invalid(
                        "annotations: devices: "
                                + source
                                + " is not in allowed_devices, which has "
                                + allowed);
            }
            addConfigured(device);
        }
    }

    private void add(String field, Path source, Path place, String permissions) {
        checkPermissions(field, permissions);
        Optional<FileStatus> status = files.status(source, true);
        if (status.isEmpty()) {
            throw PodException.invalid(field + ": there is no device " + source + " on this node");
        }
        if (status.get().isDirectory()) {
            boolean any = false;
            for (Path path : nodesBelow(source, field)) {
                Optional<FileStatus> inside = files.status(path, false);
                if (inside.isPresent() && isDevice(inside.get())) {
                    add(place.resolve(source.relativize(path)), inside.get(), permissions);
                    any = true;
                }
            }
            if (!any) {
                throw PodException.invalid(field + ": there is no device in " + source);
            }
        } else if (isDevice(status.get())) {
            add(place, status.get(), permissions);
        } else {
            throw PodException.invalid(field + ": " + source + " is not a device");
        }
    }

    private void add(Path place, FileStatus status, String permissions) {
        LinuxSpec.Device node = node(place.toString(), status, ownerUid, ownerGid);
        nodes.put(place.toString(), node);
        rules.add(new DeviceRule(true, node.type(), node.major(), node.minor(), permissions));
    }

    private static void checkPermissions(String field, String permissions) {
        boolean isValid = !permissions.isEmpty() && permissions.length() <= ALL_ACCESS.length();
        for (int i = 0; i < permissions.length(); i++) {
            isValid &= ALL_ACCESS.indexOf(permissions.charAt(i)) >= 0;
        }
        if (!isValid) {
            throw PodException.invalid(
                    field + ".permissions must be some of r, w and m, not '" + permissions + "'");
        }
    }

    private static boolean isDevice(FileStatus status) {
        return status.isCharacterDevice() || status.isBlockDevice();
    }

    private static LinuxSpec.Device node(
            String place, FileStatus status, @Nullable Long uid, @Nullable Long gid) {
        return new LinuxSpec.Device(
                status.isBlockDevice() ? "b" : "c",
                place,
                (long) status.deviceMajor(),
                (long) status.deviceMinor(),
                status.mode() & 07777,
                uid == null ? Integer.toUnsignedLong(status.uid()) : uid,
                gid == null ? Integer.toUnsignedLong(status.gid()) : gid);
    }

    private static List<Path> nodesBelow(Path directory, String field) {
        List<Path> found = new ArrayList<>();
        collect(directory, field, found);
        return found;
    }

    private static void collect(Path directory, String field, List<Path> found) {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (NOT_FOR_CONTAINERS.contains(entry.getFileName().toString())) {
                    continue;
                }
                if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                    collect(entry, field, found);
                } else if (!Files.isSymbolicLink(entry)) {
                    found.add(entry);
                }
                if (found.size() > MAX_NODES) {
                    throw PodException.invalid(
                            field + ": more than " + MAX_NODES + " files in " + directory);
                }
            }
        } catch (NoSuchFileException e) {
            return; // devices come and go
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot list the devices in " + directory + ": " + e, e);
        }
    }

    List<LinuxSpec.Device> nodes() {
        return nodes.values().stream().toList();
    }

    List<DeviceRule> rules() {
        return List.copyOf(rules);
    }
}
