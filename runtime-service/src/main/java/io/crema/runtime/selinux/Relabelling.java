package io.crema.runtime.selinux;

import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Resolve;
import io.crema.runtime.state.PodException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives files and whole volumes the label of a container. */
public final class Relabelling {
    private static final Logger log = LoggerFactory.getLogger(Relabelling.class);
    private static final String ATTRIBUTE = "security.selinux";
    private static final Duration TELL_EVERY = Duration.ofSeconds(10);
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);
    private static final Set<Resolve> INSIDE =
            Set.of(Resolve.BENEATH, Resolve.NO_SYMLINKS, Resolve.NO_CROSS_DEVICE);

    /** Whoever relabelled one of these for a container would lock the node itself out. */
    private static final Set<String> FORBIDDEN =
            Set.of(
                    "/",
                    "/bin",
                    "/boot",
                    "/dev",
                    "/etc",
                    "/etc/passwd",
                    "/etc/pki",
                    "/etc/shadow",
                    "/home",
                    "/lib",
                    "/lib64",
                    "/media",
                    "/opt",
                    "/proc",
                    "/root",
                    "/run",
                    "/sbin",
                    "/srv",
                    "/sys",
                    "/tmp",
                    "/usr",
                    "/var",
                    "/var/lib",
                    "/var/log");

    private final LinuxFiles files;
    private long tellAt = System.nanoTime() + TELL_EVERY.toNanos();
    private long done;

    public Relabelling(LinuxFiles files) {
        this.files = files;
    }

    /** One file; where its file system has no labels, it needs none. */
    public static void label(LinuxFiles files, Path path, String label) {
        var _ = takes(files, path, label);
    }

    private static boolean takes(LinuxFiles files, Path path, String label) {
        Path parent = path.getParent();
        if (label.isEmpty() || parent == null) {
            return false;
        }
        try (Descriptor directory = files.open(parent, DIRECTORY, 0)) {
            return set(files, directory, String.valueOf(path.getFileName()), label);
        }
    }

    /**
     * A volume and all that is in it; no symbolic link is followed, nothing outside is reached, and
     * what is mounted inside is somebody else's.
     *
     * @param field for messages
     * @param skipsLabelled whether a volume whose top is labelled so already is passed over
     */
    public void volume(String field, Path source, String label, boolean skipsLabelled) {
        if (FORBIDDEN.contains(source.normalize().toString())) {
            throw PodException.invalid(
                    field
                            + ".selinux_relabel: "
                            + source
                            + " is the node's own and must keep its labels; mount a directory of"
                            + " its own, or drop selinux_relabel");
        }
        if (skipsLabelled
                && files.attribute(source, ATTRIBUTE)
                        .filter(now -> Arrays.equals(now, bytes(label)))
                        .isPresent()) {
            return;
        }
        try {
            if (!takes(files, source, label)) {
                return;
            }
            boolean isDirectory =
                    files.status(source, false).filter(FileStatus::isDirectory).isPresent();
            if (isDirectory) {
                below(source, label);
            }
        } catch (LinuxException e) {
            throw new PodException(
                    e.kind(), field + ".selinux_relabel of " + source + ": " + e.getMessage(), e);
        }
    }

    private void below(Path source, String label) {
        try (Descriptor root = files.open(source, DIRECTORY, 0)) {
            Deque<String> ahead = new ArrayDeque<>();
            ahead.add(".");
            while (!ahead.isEmpty()) {
                String path = ahead.removeLast();
                Optional<Descriptor> opened = open(root, path);
                if (opened.isEmpty()) {
                    continue;
                }
                try (Descriptor directory = opened.get()) {
                    for (String name : files.list(directory)) {
                        if (!set(files, directory, name, label)) {
                            continue; // another file system is mounted there
                        }
                        tell(source);
                        boolean isDirectory =
                                files.statusAt(directory, name)
                                        .filter(FileStatus::isDirectory)
                                        .isPresent();
                        if (isDirectory) {
                            ahead.add(path.equals(".") ? name : path + "/" + name);
                        }
                    }
                }
            }
        }
    }

    /** Empty when it has gone meanwhile, and where another file system is mounted. */
    private Optional<Descriptor> open(Descriptor root, String path) {
        try {
            return Optional.of(files.openAt(root, path, DIRECTORY, 0, INSIDE));
        } catch (LinuxException e) {
            if (e.errno().is(Errno.ENOENT)
                    || e.errno().is(Errno.ENOTDIR)
                    || e.errno().is(Errno.EXDEV)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private void tell(Path source) {
        done++;
        if (Thread.currentThread().isInterrupted()) {
            throw new PodException(
                    ErrorKind.CANCELLED, "relabelling of " + source + " was cancelled");
        }
        if (System.nanoTime() - tellAt > 0) {
            log.info("relabelling {}: {} files so far", source, done);
            tellAt = System.nanoTime() + TELL_EVERY.toNanos();
        }
    }

    /** False when the file system has no labels of its own. */
    private static boolean set(LinuxFiles files, Descriptor directory, String name, String label) {
        try {
            files.setAttributeAt(directory, name, ATTRIBUTE, bytes(label));
            return true;
        } catch (LinuxException e) {
            if (e.errno().is(Errno.ENOENT)) {
                return true;
            }
            if (e.errno().is(Errno.EOPNOTSUPP)) {
                return false;
            }
            throw e;
        }
    }

    private static byte[] bytes(String label) {
        return (label + "\0").getBytes(StandardCharsets.UTF_8);
    }
}
