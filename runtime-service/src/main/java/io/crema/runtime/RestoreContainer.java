package io.crema.runtime;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.conf.CheckpointConfiguration.ContainerLevel;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ImageSpec;
import io.crema.image.Image;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.monitor.ContainerMonitor.Monitored;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.RuntimeJson;
import io.crema.runtime.selinux.Labels;
import io.crema.runtime.spec.BuiltSpec;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a container out of a checkpoint that a request gives as its image: the path of an archive,
 * or an image that holds one. CreateContainer unpacks it and prepares the root file system; its
 * processes come to life in StartContainer, by the OCI runtime's restore below conmon.
 */
final class RestoreContainer {
    private static final Logger LOG = LoggerFactory.getLogger(RestoreContainer.class);

    /** Where a checkpoint image is mounted while it is unpacked. */
    static final String VIEW = "view";

    /** Two blocks of zeros. */
    private static final int EMPTY_ARCHIVE_BYTES = 1024;

    private final NodeServices node;
    private final Inventory inventory;

    RestoreContainer(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    /**
     * Unpacks the checkpoint into the container's directory; empty when the request names an
     * ordinary image.
     */
    Optional<Checkpoint> unpack(
            ContainerConfig config, PodSandbox sandbox, Path directory, Deadline deadline) {
        String wanted = config.getImage().getImage();
        boolean isArchive = wanted.startsWith("/") && Files.isRegularFile(Path.of(wanted));
        Optional<Image> image = isArchive ? Optional.empty() : checkpointImage(wanted);
        if (!isArchive && image.isEmpty()) {
            return Optional.empty();
        }
        requireAllowed(sandbox, config);
        if (isArchive) {
            node.images().requireTrustedArchive(Path.of(wanted), sandbox.record().namespace());
        }
        node.criu().require(node.handlers().named(sandbox.record().runtimeHandler()), deadline);
        RunPodSandbox.createDirectories(directory);
        forOwner(directory);
        if (image.isPresent()) {
            unpack(
                    image.get(),
                    config.getImage(),
                    sandbox.record().namespace(),
                    directory,
                    deadline);
        } else {
            node.images().archives().unpack(Path.of(wanted), directory, deadline);
        }
        // The archive may have brought a mode of its own.
        forOwner(directory);
        Checkpoint checkpoint = Checkpoint.read(wanted, directory);
        checkpoint.check(config);
        return Optional.of(checkpoint);
    }

    /** It holds the memory of processes. */
    private static void forOwner(Path directory) {
        try {
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot set the mode of " + directory + ": " + e, e);
        }
    }

    /** Nothing in such an image can be run, so for all others no manifest is read. */
    private Optional<Image> checkpointImage(String wanted) {
        return node.images()
                .find(wanted)
                .filter(found ->
                        found.configuration().entrypoint().isEmpty()
                                && found.configuration().command().isEmpty())
                .filter(found ->
                        node.images()
                                .archives()
                                .annotations(found)
                                .containsKey(CheckpointFiles.IMAGE_ANNOTATION));
    }

    private void requireAllowed(PodSandbox sandbox, ContainerConfig config) {
        ContainerLevel level = node.settings().configuration().checkpoint().containerLevel();
        if (level != ContainerLevel.CHECKPOINT_RESTORE) {
            throw new PodException(
                    ErrorKind.UNIMPLEMENTED,
                    "restoring is switched off on this node: container_level_enabled is "
                            + level
                            + " in [crio.checkpoint_restore]");
        }
        if (SandboxRequests.namespaces(sandbox.config()).hasUsernsOptions()
                && SandboxRequests.pinned(sandbox.config()).contains(NamespaceKind.USER)) {
            throw new PodException(
                    ErrorKind.UNIMPLEMENTED,
                    sandbox
                            + " has users of its own, into which CRIU cannot restore; use a pod"
                            + " without userns_options");
        }
        Labels labels =
                node.selinux()
                        .ofContainer(
                                sandbox.id(),
                                sandbox.config(),
                                config.getLinux().getSecurityContext(),
                                false);
        if (labels.process().isPresent() || !labels.files().isEmpty()) {
            throw new PodException(
                    ErrorKind.UNIMPLEMENTED,
                    "SELinux labels containers on this node (selinux in [crio.runtime]), and a"
                            + " restored process would have the label that its archive says"
                            + " instead of that of "
                            + sandbox
                            + "; restore on a node without selinux");
        }
    }

    /** An image's layers hold what the archive does; what is written must not be the image's. */
    private void unpack(
            Image image, ImageSpec wanted, String namespace, Path directory, Deadline deadline) {
        String named = wanted.getUserSpecifiedImage();
        node.images().requireTrusted(image, named.isEmpty() ? wanted.getImage() : named, namespace);
        Path view = directory.resolveSibling(VIEW);
        Path archive = directory.resolveSibling("view.tar");
        RunPodSandbox.createDirectories(view);
        try {
            node.images().mountReadOnly(image, view, "");
            node.images().archives().pack(view, archive, deadline);
            node.images().archives().unpack(archive, directory, deadline);
        } finally {
            Mounts.unmountAll(node.linux(), view);
            Trees.deleteIfExists(view);
            Trees.deleteIfExists(archive);
        }
    }

    /** The image that the container ran, which CRIU's files refer to. */
    Image image(Checkpoint checkpoint, String namespace) {
        Image image =
                node.images()
                        .find(checkpoint.image())
                        .orElseThrow(() ->
                                new PodException(
                                        ErrorKind.NOT_FOUND,
                                        "the container in "
                                                + checkpoint.name()
                                                + " ran the image "
                                                + checkpoint.readableImage()
                                                + " ("
                                                + checkpoint.image()
                                                + "), which is not on this node; pull it first"
                                                + " (crictl pull "
                                                + checkpoint.readableImage()
                                                + ")"));
        node.images().requireTrusted(image, checkpoint.readableImage(), namespace);
        return image;
    }

    /** Before the writable layer is mounted. */
    void applyChanges(Checkpoint checkpoint, Image image, Container container, Deadline deadline) {
        Path changes = checkpoint.directory().resolve(CheckpointFiles.CHANGES);
        List<String> removed = checkpoint.removed();
        if (!Files.exists(changes)) {
            if (removed.isEmpty()) {
                return;
            }
            try {
                Files.write(changes, new byte[EMPTY_ARCHIVE_BYTES]);
            } catch (IOException e) {
                throw new PodException(ErrorKind.INTERNAL, "cannot write " + changes + ": " + e, e);
            }
        }
        node.images()
                .archives()
                .applyChanges(
                        image, changes, removed, node.layout().upper(container.id()), deadline);
        Trees.deleteIfExists(changes);
    }

    /**
     * Tells CRIU, by its own file of options, to leave the processes in the cgroup into which the
     * OCI runtime put it: left to itself it makes that of the old container again, and not every
     * runtime can say so.
     */
    void configureCriu(Container container) {
        Path bundle = node.layout().bundle(container.id());
        Path config = bundle.resolve(BuiltSpec.CONFIG_FILE);
        Path options = bundle.resolve("criu.conf");
        try {
            Files.writeString(options, "manage-cgroups=ignore\n");
            if (RuntimeJson.READER.readTree(Files.readAllBytes(config))
                    instanceof ObjectNode spec) {
                spec.withObject("/annotations").put("org.criu.config", options.toString());
                Files.write(config, RuntimeJson.READER.writeValueAsBytes(spec));
            }
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot add CRIU's options to " + config + ": " + e, e);
        }
    }

    /** The log goes on where it was. */
    void copyLog(Checkpoint checkpoint, Container container, Deadline deadline) {
        String target = container.record().logPath();
        Path from = checkpoint.directory().resolve(CheckpointFiles.LOG);
        if (target.isEmpty() || !Files.isRegularFile(from)) {
            return;
        }
        RunPodSandbox.createDirectories(Path.of(target).resolveSibling("."));
        try (CheckpointLog log = new CheckpointLog(from.toString())) {
            log.mark();
            log.copyTo(Path.of(target), deadline);
        }
    }

    /** Brings the processes of a created container to life. */
    void start(Container container, Deadline deadline) {
        OciRuntime runtime = node.handlers().named(container.record().runtimeHandler());
        node.criu().require(runtime, deadline);
        Path directory = node.layout().restore(container.id());
        PodSandbox sandbox = inventory.sandbox(container.sandbox().value());
        Path images = directory.resolve(CheckpointFiles.IMAGES);
        Monitored monitored =
                node.monitor()
                        .create(
                                MonitorRequests.of(node, sandbox, container).restoring(images),
                                deadline);
        container.update(before ->
                before.restored(
                        new ProcessIdentity(monitored.pid(), monitored.pidStartTicks()),
                        new ProcessIdentity(
                                monitored.monitorPid(), monitored.monitorStartTicks())));
        nameHost(sandbox);
    }

    /** CRIU gave the pod's UTS namespace the name that the checkpoint's pod had. */
    private void nameHost(PodSandbox sandbox) {
        if (SandboxRequests.pinned(sandbox.config()).contains(NamespaceKind.UTS)) {
            node.linux()
                    .setUp(
                            Map.of(
                                    NamespaceKind.UTS,
                                    node.layout().namespace(sandbox.id(), NamespaceKind.UTS)),
                            sandbox.record().hostname());
        }
    }

    /** The memory of the processes, once they have it; their removal deletes it otherwise. */
    void deleteImages(Container container) {
        Path images = node.layout().restore(container.id()).resolve(CheckpointFiles.IMAGES);
        try {
            Trees.deleteTree(images);
        } catch (CremaException e) {
            LOG.warn(
                    "{} runs, but what it was restored from is not deleted yet (its removal does"
                            + " that): {}",
                    container,
                    e.toString());
        }
    }
}
