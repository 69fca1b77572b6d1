package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.oci.spec.RuntimeSpec.Mount;
import io.crema.runtime.state.PodException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * The mounts that every container has unless its request brings its own for the same place: the
 * kernel's file systems, the pod's shared memory, and its names and resolver.
 */
final class DefaultMounts {
    static final String SHARED_MEMORY = "/dev/shm";
    private static final String SHARED_MEMORY_SIZE = "size=65536k";
    private static final Path HOST_MESSAGE_QUEUES = Path.of("/dev/mqueue");
    private static final Path ZONES = Path.of("/usr/share/zoneinfo");
    private static final Path LOCAL_ZONE = Path.of("/etc/localtime");

    /** Empty; programs take its presence for "this is a container". */
    private static final String CONTAINER_MARKER = "/run/.containerenv";

    private final SpecRequest request;
    private final SpecSettings settings;
    private final boolean ownIpc;
    private final boolean isSystemd;
    private final boolean readOnlyRoot;

    /**
     * @param ownIpc whether the container has an IPC namespace of its own
     * @param isSystemd whether its first process expects a machine
     */
    DefaultMounts(
            SpecRequest request,
            SpecSettings settings,
            boolean ownIpc,
            boolean isSystemd,
            boolean readOnlyRoot) {
        this.request = request;
        this.settings = settings;
        this.ownIpc = ownIpc;
        this.isSystemd = isSystemd;
        this.readOnlyRoot = readOnlyRoot;
    }

    /**
     * @param isTaken whether the request has a mount at exactly this place
     * @param isCovered whether the request has a mount at this place or around it
     */
    List<Mount> list(
            Predicate<String> isTaken, Predicate<String> isCovered, List<GeneratedFile> files) {
        List<Mount> mounts = new ArrayList<>();
        for (Mount mount : kernelFileSystems()) {
            if (!isCovered.test(mount.destination())) {
                mounts.add(mount);
            }
        }
        for (Mount mount : podFiles()) {
            // Programs need these also when a volume covers /etc.
            if (!isTaken.test(mount.destination())) {
                mounts.add(mount);
            }
        }
        for (Mount mount : temporaryFileSystems()) {
            if (!isCovered.test(mount.destination())) {
                mounts.add(mount);
            }
        }
        if (!isCovered.test(CONTAINER_MARKER)) {
            Path marker = request.bundle().resolve("containerenv");
            files.add(new GeneratedFile(marker, new byte[0]));
            mounts.add(Mount.bind(CONTAINER_MARKER, marker.toString(), fileOptions("ro")));
        }
        return mounts;
    }

    private List<Mount> kernelFileSystems() {
        boolean isPrivileged = request.isPrivileged();
        String sysMode = isPrivileged ? "rw" : "ro";
        String cgroupMode = isPrivileged || isSystemd ? "rw" : "ro";
        List<Mount> mounts = new ArrayList<>();
        mounts.add(Mount.of("/proc", "proc", "proc", List.of("nosuid", "noexec", "nodev")));
        mounts.add(
                Mount.of(
                        "/dev",
                        "tmpfs",
                        "tmpfs",
                        List.of("nosuid", "strictatime", "mode=755", SHARED_MEMORY_SIZE)));
        mounts.add(
                Mount.of(
                        "/dev/pts",
                        "devpts",
                        "devpts",
                        List.of(
                                "nosuid",
                                "noexec",
                                "newinstance",
                                "ptmxmode=0666",
                                "mode=0620",
                                "gid=5")));
        mounts.add(messageQueues());
        mounts.add(sharedMemory());
        mounts.add(sys(sysMode));
        mounts.add(
                Mount.of(
                        "/sys/fs/cgroup",
                        "cgroup",
                        "cgroup",
                        List.of("nosuid", "noexec", "nodev", "relatime", cgroupMode)));
        return mounts;
    }

    /**
     * Only who owns the network namespace can mount sysfs; the others get the node's, read-only.
     */
    private Mount sys(String mode) {
        if (request.sandbox().users().isPresent() && request.sandbox().isHostNetwork()) {
            if (!request.handler().features().recursiveReadOnlyMounts()) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        "a pod on the node's network with users of its own needs a recursively"
                                + " read-only /sys, and the OCI runtime of handler '"
                                + request.handler().name()
                                + "' has no mount option rro");
            }
            return Mount.bind(
                    "/sys",
                    "/sys",
                    List.of("rbind", "rprivate", "nosuid", "noexec", "nodev", "rro"));
        }
        return Mount.of("/sys", "sysfs", "sysfs", List.of("nosuid", "noexec", "nodev", mode));
    }

    private Mount messageQueues() {
        if (request.sandbox().isHostIpc() && !ownIpc && Files.isDirectory(HOST_MESSAGE_QUEUES)) {
            return Mount.bind(
                    HOST_MESSAGE_QUEUES.toString(),
                    HOST_MESSAGE_QUEUES.toString(),
                    List.of("rbind", "rprivate", "nosuid", "noexec", "nodev"));
        }
        return Mount.of("/dev/mqueue", "mqueue", "mqueue", List.of("nosuid", "noexec", "nodev"));
    }

    private Mount sharedMemory() {
        if (ownIpc) {
            return Mount.of(
                    SHARED_MEMORY,
                    "tmpfs",
                    "shm",
                    List.of(
                            "nosuid",
                            "noexec",
                            "nodev",
                            "mode=1777",
                            request.podAnnotations()
                                    .sharedMemoryBytes()
                                    .map(bytes -> "size=" + bytes)
                                    .orElse(SHARED_MEMORY_SIZE)));
        }
        return Mount.bind(
                SHARED_MEMORY,
                request.sandbox().sharedMemory().toString(),
                List.of("bind", "rprivate", "rw"));
    }

    private List<Mount> podFiles() {
        SandboxFacts sandbox = request.sandbox();
        List<String> options = fileOptions(readOnlyRoot ? "ro" : "rw");
        List<Mount> mounts = new ArrayList<>();
        mounts.add(Mount.bind("/etc/resolv.conf", sandbox.resolvConf().toString(), options));
        mounts.add(Mount.bind("/etc/hostname", sandbox.hostnameFile().toString(), options));
        sandbox.hosts()
                .ifPresent(file -> mounts.add(Mount.bind("/etc/hosts", file.toString(), options)));
        String zone = settings.runtime().timezone();
        if (!zone.isEmpty()) {
            Path file = zone.equals("Local") ? LOCAL_ZONE : ZONES.resolve(zone);
            mounts.add(Mount.bind("/etc/localtime", file.toString(), fileOptions("ro")));
        }
        return mounts;
    }

    private static List<String> fileOptions(String mode) {
        return List.of("bind", "rprivate", mode, "nosuid", "noexec", "nodev");
    }

    private List<Mount> temporaryFileSystems() {
        List<Mount> mounts = new ArrayList<>();
        if (isSystemd) {
            for (String place : List.of("/run", "/run/lock", "/tmp", "/var/log/journal")) {
                mounts.add(temporary(place));
            }
        } else if (settings.runtime().readOnlyRootFileSystems()) {
            for (String place : List.of("/run", "/tmp", "/var/tmp")) {
                mounts.add(temporary(place));
            }
        }
        return mounts;
    }

    private static Mount temporary(String place) {
        String mode = place.endsWith("tmp") ? "mode=1777" : "mode=755";
        return Mount.of(place, "tmpfs", "tmpfs", List.of("nosuid", "nodev", "rw", mode));
    }
}
