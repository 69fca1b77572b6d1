package io.crema.runtime.selinux;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
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
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives files and whole volumes the label of a container. */
public final class Relabelling {
    private static final Logger LOG = LoggerFactory.getLogger(Relabelling.class);
    private static final String ATTRIBUTE = "security.selinux";
    private static final Duration TELL_EVERY = Duration.ofSeconds(10);
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);
    private static final Set<OpenFlag> PLACE = Set.of(OpenFlag.PATH, OpenFlag.NO_FOLLOW);
    private static final Set<Resolve> NO_LINKS = Set.of(Resolve.BENEATH, Resolve.NO_SYMLINKS);
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
    private final Deadline deadline;
    private long tellAt = System.nanoTime() + TELL_EVERY.toNanos();
    private long done;

    /**
     * @param deadline looked at before each file of a volume
     */
    public Relabelling(LinuxFiles files, Deadline deadline) {
        this.files = files;
        this.deadline = deadline;
    }

    /** One file of ours; where its file system has no labels, it needs none. */
    public static void label(LinuxFiles files, Path path, String label) {
        Path parent = path.getParent();
        if (label.isEmpty() || parent == null) {
            return;
        }
        try (Descriptor directory = files.open(parent, DIRECTORY, 0)) {
            files.setAttributeAt(
                    directory, String.valueOf(path.getFileName()), ATTRIBUTE, bytes(label));
        } catch (LinuxException e) {
            if (!e.errno().is(Errno.ENOENT) && !e.errno().is(Errno.EOPNOTSUPP)) {
                throw e;
            }
        }
    }

    /**
     * A volume and all that is in it; no symbolic link is followed, nothing outside is reached, and
     * what is mounted inside is somebody else's. Each file is held by a descriptor while it is
     * labelled, so that renaming it or what lies above leads nowhere else.
     *
     * @param source without symbolic links
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
        try {
            tree(source, label, skipsLabelled, path -> false);
        } catch (LinuxException e) {
            if (e.errno().is(Errno.ELOOP)) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        field
                                + ".selinux_relabel: somebody put a symbolic link into the path "
                                + source
                                + " while it was looked at; nothing was relabelled",
                        e);
            }
            throw new PodException(
                    e.kind(), field + ".selinux_relabel of " + source + ": " + e.getMessage(), e);
        }
    }

    /**
     * What {@link #volume} does, without its refusals.
     *
     * @param keepsLabels which paths below the source keep their labels with all that is in them
     * @throws LinuxException as the system call does
     */
    void tree(Path source, String label, boolean skipsLabelled, Predicate<String> keepsLabels) {
        try (Descriptor top = reached(source)) {
            boolean isDirectory = files.status(top).isDirectory();
            if (isDirectory && skipsLabelled && isLabelled(top, label)) {
                return;
            }
            // The top comes last, so that it tells whether all is done.
            if (!isDirectory || below(source, top, label, keepsLabels)) {
                var _ = set(top, label);
            }
        }
    }

    /**
     * What the path means now, followed by no symbolic link: the path was resolved before, and
     * whoever may write on the way could have put links into it since.
     */
    private Descriptor reached(Path source) {
        Path start = Path.of("/");
        try (Descriptor from = files.open(start, DIRECTORY, 0)) {
            return files.openAt(from, start.relativize(source).toString(), PLACE, 0, NO_LINKS);
        }
    }

    private boolean isLabelled(Descriptor directory, String label) {
        return files.attributeAt(directory, ".", ATTRIBUTE)
                .filter(now -> Arrays.equals(now, bytes(label)))
                .isPresent();
    }

    /** False when the file system has no labels of its own. */
    private boolean below(
            Path source, Descriptor top, String label, Predicate<String> keepsLabels) {
        Deque<String> ahead = new ArrayDeque<>();
        ahead.add(".");
        while (!ahead.isEmpty()) {
            String path = ahead.removeLast();
            Optional<Descriptor> opened = inside(top, path, DIRECTORY);
            if (opened.isEmpty()) {
                continue;
            }
            try (Descriptor directory = opened.get()) {
                for (String name : files.list(directory)) {
                    tell(source);
                    String below = path.equals(".") ? name : path + "/" + name;
                    if (keepsLabels.test(below)) {
                        continue;
                    }
                    Optional<Descriptor> entry = inside(directory, name, PLACE);
                    if (entry.isEmpty()) {
                        continue;
                    }
                    try (Descriptor place = entry.get()) {
                        if (!set(place, label)) {
                            return false;
                        }
                        done++;
                        if (files.status(place).isDirectory()) {
                            ahead.add(below);
                        }
                    }
                }
            }
        }
        return true;
    }

    /** Empty when it has gone or changed meanwhile, and where something else is mounted. */
    private Optional<Descriptor> inside(Descriptor directory, String path, Set<OpenFlag> flags) {
        try {
            return Optional.of(files.openAt(directory, path, flags, 0, INSIDE));
        } catch (LinuxException e) {
            if (e.errno().is(Errno.ENOENT)
                    || e.errno().is(Errno.ENOTDIR)
                    || e.errno().is(Errno.ELOOP)
                    || e.errno().is(Errno.EXDEV)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** False when the file system has no labels of its own. */
    private boolean set(Descriptor place, String label) {
        try {
            files.setAttribute(place, ATTRIBUTE, bytes(label));
            return true;
        } catch (LinuxException e) {
            if (e.errno().is(Errno.EOPNOTSUPP)) {
                return false;
            }
            throw e;
        }
    }

    private void tell(Path source) {
        if (deadline.hasPassed()) {
            throw new DeadlineExceededException(
                    "the SELinux labels in "
                            + source
                            + ", of which "
                            + done
                            + " files have theirs");
        }
        if (System.nanoTime() - tellAt > 0) {
            LOG.info("relabelling {}: {} files so far", source, done);
            tellAt = System.nanoTime() + TELL_EVERY.toNanos();
        }
    }

    private static byte[] bytes(String label) {
        return (label + "\0").getBytes(StandardCharsets.UTF_8);
    }
}
