package io.crema.runtime.spec;

import io.crema.base.ContainerId;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.image.ImageConfiguration;
import io.crema.runtime.state.Layout;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;

/**
 * Everything about one container that its specification is built from.
 *
 * @param imageName how messages call the image
 * @param rootFileSystem where the container's root is mounted, writable: users are looked up in it
 *     and missing directories made
 * @param bundle the directory for config.json and the files that it refers to
 * @param targetPid the first process of the container named by target_id, for PID mode TARGET; the
 *     caller has checked that it runs in the same pod
 * @param imageVolumes the mounts of the request whose source is an image
 * @param anonymousVolumes the directory below which volumes that the image declares may be kept
 */
public record SpecRequest(
        ContainerId id,
        ContainerConfig config,
        SandboxFacts sandbox,
        ImageConfiguration image,
        String imageName,
        Path rootFileSystem,
        Path bundle,
        Handler handler,
        OptionalInt targetPid,
        List<ImageVolume> imageVolumes,
        Path anonymousVolumes) {
    public SpecRequest {
        imageVolumes = List.copyOf(imageVolumes);
    }

    LinuxContainerSecurityContext security() {
        return config.getLinux().getSecurityContext();
    }

    /** Where a mount's source is shown to the OCI runtime with its owners shifted. */
    Path idMappedMount(int mount) {
        return bundle.resolve(Layout.ID_MAPPED).resolve(Integer.toString(mount));
    }

    PodAnnotations podAnnotations() {
        return new PodAnnotations(sandbox.config().getAnnotationsMap(), handler.configuration());
    }

    boolean isPrivileged() {
        return security().getPrivileged();
    }
}
