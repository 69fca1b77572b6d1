package io.crema.runtime.stats;

import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** Names of block devices as in /dev, found in sysfs and kept: they stay while a device exists. */
final class BlockDevices {
    /**
     * Devices come and go on nodes that attach volumes; beyond this all names are looked up anew.
     */
    private static final int NAMES_MAX = 4096;

    private static final String NAME_KEY = "DEVNAME=";

    private final LinuxFiles files;
    private final KernelFiles kernel;
    private final Path sys;
    private final Map<Long, String> names = new ConcurrentHashMap<>();

    BlockDevices(LinuxFiles files, KernelFiles kernel, Path sys) {
        this.files = files;
        this.kernel = kernel;
        this.sys = sys;
    }

    /**
     * A block device.
     *
     * @param name such as /dev/vda1
     */
    record Device(int major, int minor, String name) {}

    /** Such as /dev/vda; the two numbers with a colon between for a device without a name. */
    String name(int major, int minor) {
        long number = ((long) major << 32) | minor;
        String known = names.get(number);
        if (known != null) {
            return known;
        }
        if (names.size() >= NAMES_MAX) {
            names.clear();
        }
        String found = lookUp(directory(major, minor)).orElse(major + ":" + minor);
        names.put(number, found);
        return found;
    }

    private Optional<String> lookUp(Path directory) {
        try (KernelText text = kernel.take()) {
            if (!text.read(directory.resolve("uevent"))) {
                return Optional.empty();
            }
            while (text.nextLine()) {
                if (text.nextWord() && text.wordStartsWith(NAME_KEY)) {
                    return Optional.of("/dev/" + text.word().substring(NAME_KEY.length()));
                }
            }
            return Optional.empty();
        }
    }

    /**
     * The device with the file system that holds a path; empty when that is on none, as with btrfs,
     * overlay and tmpfs.
     */
    Optional<Device> holding(Path path) {
        Optional<FileStatus> status = files.status(path, true);
        if (status.isEmpty()) {
            return Optional.empty();
        }
        int major = major(status.get().device());
        int minor = minor(status.get().device());
        return major == 0
                ? Optional.empty()
                : Optional.of(new Device(major, minor, name(major, minor)));
    }

    /** The whole disk of a partition, because cgroups count by disk; the device itself if it is. */
    Device disk(Device device) {
        Path directory = directory(device.major, device.minor);
        if (!Files.exists(directory.resolve("partition"))) {
            return device;
        }
        try (KernelText text = kernel.take()) {
            Path parent = directory.toRealPath().getParent();
            if (parent == null
                    || !text.read(parent.resolve("dev"))
                    || !text.nextLine()
                    || !text.nextWord()
                    || !text.cutWordAt(':')) {
                return device;
            }
            int major = (int) text.number();
            text.nextWord();
            int minor = (int) text.number();
            return new Device(major, minor, name(major, minor));
        } catch (IOException e) {
            return device; // detached meanwhile
        }
    }

    private Path directory(int major, int minor) {
        return sys.resolve("dev/block").resolve(major + ":" + minor);
    }

    /** The kernel's packing of device numbers, as glibc's major(3) takes it apart. */
    static int major(long device) {
        return (int) (((device >>> 32) & 0xFFFFF000L) | ((device >>> 8) & 0xFFFL));
    }

    static int minor(long device) {
        return (int) (((device >>> 12) & 0xFFFFFF00L) | (device & 0xFFL));
    }
}
