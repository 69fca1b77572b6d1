package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.Mount;
import io.crema.image.IdShift;
import io.crema.image.Image;
import io.crema.runtime.spec.ImageVolume;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The images that containers mount as volumes. Each is in use and mounted below the container's
 * bundle from its creation to its removal; both are undone by steps that pass over what is not
 * there.
 */
final class ImageVolumes {
    private static final Logger LOG = LoggerFactory.getLogger(ImageVolumes.class);

    private final NodeServices node;

    ImageVolumes(NodeServices node) {
        this.node = node;
    }

    /** Whether a mount shows an image instead of a path of the node. */
    static boolean isImage(Mount mount) {
        return !mount.getImage().getImage().isEmpty();
    }

    /**
     * Mounts the images that a request names.
     *
     * @param namespace of the pod, for the signature policy
     * @throws PodException INVALID_ARGUMENT for what the CRI forbids, else with the word that
     *     kubelet looks for
     */
    List<ImageVolume> mount(
            ContainerId id,
            String namespace,
            ContainerConfig config,
            Optional<IdShift> shift,
            String label) {
        for (int i = 0; i < config.getMountsCount(); i++) {
            check("mounts[" + i + "]", config.getMounts(i));
        }
        List<ImageVolume> volumes = new ArrayList<>();
        for (int i = 0; i < config.getMountsCount(); i++) {
            if (isImage(config.getMounts(i))) {
                volumes.add(mount(id, i, namespace, config.getMounts(i), shift, label));
            }
        }
        return volumes;
    }

    private static void check(String field, Mount mount) {
        if (!isImage(mount)) {
            if (!mount.getImageSubPath().isEmpty()) {
                throw PodException.invalid(field + ".image_sub_path is for image volumes only");
            }
            return;
        }
        if (!mount.getHostPath().isEmpty()) {
            throw PodException.invalid(
                    field + ".host_path must be empty: the mount's source is the image");
        }
        if (!mount.getReadonly()) {
            throw PodException.invalid(field + ".readonly must be set: an image is never written");
        }
    }

    private ImageVolume mount(
            ContainerId id,
            int index,
            String namespace,
            Mount mount,
            Optional<IdShift> shift,
            String label) {
        String field = "mounts[" + index + "].image";
        String wanted = mount.getImage().getImage();
        try {
            Image image =
                    node.images()
                            .find(wanted)
                            .orElseThrow(() ->
                                    new PodException(
                                            ErrorKind.NOT_FOUND,
                                            "image "
                                                    + wanted
                                                    + " is not on this node; pull it first (crictl"
                                                    + " pull "
                                                    + wanted
                                                    + ")"));
            String named = mount.getImage().getUserSpecifiedImage();
            node.images().requireTrusted(image, named.isEmpty() ? wanted : named, namespace);
            node.images().use(image.id(), user(id, index));
            Path directory = node.layout().imageVolume(id, index);
            RunPodSandbox.createDirectories(directory);
            node.images().mountReadOnly(image, directory, label, shift);
            return new ImageVolume(index, image.id(), directory);
        } catch (CremaException e) {
            throw new PodException(
                    ErrorKind.CRI_REASON,
                    "ImageVolumeMountFailed: " + field + ": " + e.getMessage(),
                    e);
        }
    }

    /** Uses again, after a restart, what the mounts of a container still show. */
    void useAgain(Container container) {
        List<Mount> mounts = container.effective().getMountsList();
        for (int i = 0; i < mounts.size(); i++) {
            if (isImage(mounts.get(i))) {
                try {
                    node.images()
                            .use(
                                    new ImageId(mounts.get(i).getImage().getImageRef()),
                                    user(container.id(), i));
                } catch (CremaException | IllegalArgumentException e) {
                    LOG.warn("{} mounts an image that is gone: {}", container, e.toString());
                }
            }
        }
    }

    /** Unmounts a container's images and ends their use. */
    void release(Container container) {
        unmount(node, node.layout().bundle(container.id()));
        List<Mount> mounts = container.config().getMountsList();
        for (int i = 0; i < mounts.size(); i++) {
            if (isImage(mounts.get(i))) {
                node.images().release(user(container.id(), i));
            }
        }
    }

    /** Unmounts what the mounts of a container took below its bundle. */
    static void unmount(NodeServices node, Path bundle) {
        for (String name : List.of(Layout.IMAGE_VOLUMES, Layout.ID_MAPPED, Layout.SCRATCH)) {
            Path directory = bundle.resolve(name);
            if (Files.isDirectory(directory)) {
                for (Path place : Recovery.children(directory)) {
                    Mounts.unmountAll(node.linux(), place);
                }
            }
        }
    }

    private static String user(ContainerId id, int index) {
        return id.value() + " (volume " + index + ")";
    }
}
