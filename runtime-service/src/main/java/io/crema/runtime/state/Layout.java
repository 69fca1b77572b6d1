package io.crema.runtime.state;

import io.crema.base.ContainerId;
import io.crema.base.PodSandboxId;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import java.nio.file.Path;

/**
 * Where everything of pods lies on disk, as pure functions. {@code root} survives a reboot, {@code
 * volatileRoot} is on a tmpfs and vanishes with one.
 *
 * @param namespaces directory below which namespaces are pinned
 * @param bootMarker a file on a tmpfs whose absence says that the machine was rebooted since the
 *     last start (crio.conf's {@code version_file})
 */
public record Layout(Path root, Path volatileRoot, Path namespaces, Path bootMarker) {
    /** The directory in a bundle below which image volumes are mounted. */
    public static final String IMAGE_VOLUMES = "images";

    /** The directory in a container's own for what its image declares as volumes. */
    public static final String ANONYMOUS_VOLUMES = "volumes";

    /** The directory in a bundle below which sources of mounts are shown with shifted owners. */
    public static final String ID_MAPPED = "idmapped";

    /** The directory in a bundle for mounts that last no longer than one step. */
    public static final String SCRATCH = "scratch";

    /** The file in a sandbox's directory that holds its pair of SELinux categories. */
    public static final String SELINUX_LEVEL = "selinux-level";

    public Path sandboxes() {
        return root.resolve("sandboxes");
    }

    public Path sandbox(PodSandboxId id) {
        return sandboxes().resolve(id.value());
    }

    public Path sandboxRecord(PodSandboxId id) {
        return sandbox(id).resolve("record.json");
    }

    public Path resolvConf(PodSandboxId id) {
        return sandbox(id).resolve("resolv.conf");
    }

    public Path hostname(PodSandboxId id) {
        return sandbox(id).resolve("hostname");
    }

    public Path hosts(PodSandboxId id) {
        return sandbox(id).resolve("hosts");
    }

    /**
     * Stays empty: cAdvisor measures the writable layer of what it takes for the pod's container,
     * and complains without one.
     */
    public Path sandboxUpper(PodSandboxId id) {
        return sandbox(id).resolve("diff");
    }

    /** Named for cAdvisor only, which derives {@link #sandboxUpper} from it. */
    public Path sandboxMerged(PodSandboxId id) {
        return sandbox(id).resolve("merged");
    }

    /** The exit and oom files of the pod's init process. */
    public Path sandboxPersist(PodSandboxId id) {
        return sandbox(id).resolve("persist");
    }

    public Path containers() {
        return root.resolve("containers");
    }

    public Path container(ContainerId id) {
        return containers().resolve(id.value());
    }

    public Path containerRecord(ContainerId id) {
        return container(id).resolve("record.json");
    }

    /** The writable layer. CAdvisor looks for it by this name, as a sibling of {@link #merged}. */
    public Path upper(ContainerId id) {
        return container(id).resolve("diff");
    }

    /** A link to the mounted root file system. */
    public Path merged(ContainerId id) {
        return container(id).resolve("merged");
    }

    public Path work(ContainerId id) {
        return container(id).resolve("work");
    }

    /** What the image of a container declares as volumes, when such are kept outside of it. */
    public Path anonymousVolumes(ContainerId id) {
        return container(id).resolve(ANONYMOUS_VOLUMES);
    }

    /** The exit and oom files of a container, written by its monitor. */
    public Path persist(ContainerId id) {
        return container(id).resolve("persist");
    }

    /** What a checkpoint of a container is put together from; only while it is taken. */
    public Path checkpoint(ContainerId id) {
        return container(id).resolve("checkpoint");
    }

    /** The unpacked checkpoint from which a container goes on. */
    public Path restore(ContainerId id) {
        return container(id).resolve("restore");
    }

    public Path bundles() {
        return volatileRoot.resolve("containers");
    }

    /** A container's OCI bundle; the init process of a pod has one under the sandbox's id. */
    public Path bundle(ContainerId id) {
        return bundles().resolve(id.value());
    }

    public Path rootFileSystem(ContainerId id) {
        return bundle(id).resolve("rootfs");
    }

    /** Where the image of a container's mount is mounted for the OCI runtime to bind. */
    public Path imageVolume(ContainerId id, int mount) {
        return bundle(id).resolve(IMAGE_VOLUMES).resolve(Integer.toString(mount));
    }

    public Path namespaceDirectory(PodSandboxId id) {
        return namespaces.resolve("ns").resolve(id.value());
    }

    public Path namespace(PodSandboxId id, NamespaceKind kind) {
        return namespaceDirectory(id).resolve(kind.fileName());
    }

    public Path sharedMemory(PodSandboxId id) {
        return volatileRoot.resolve("shm").resolve(id.value());
    }
}
