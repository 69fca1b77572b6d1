package io.crema.runtime;

import io.crema.base.CleanupStack;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.conf.CheckpointConfiguration.ContainerLevel;
import io.crema.cri.v1.CheckpointContainerRequest;
import io.crema.cri.v1.CheckpointContainerResponse;
import io.crema.image.Image;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.OciRuntime.CheckpointPlaces;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes a running container down as an archive: its processes by CRIU through the OCI runtime, its
 * changed files, its log and its specification. The container is frozen from the first of these to
 * the last, so that they belong together, and goes on afterwards whatever happened. The archive
 * appears at its place whole or not at all.
 */
final class CheckpointContainer {
    private static final Logger log = LoggerFactory.getLogger(CheckpointContainer.class);

    /** Where the image is mounted while its files are compared, below what is being written. */
    static final String LOWER = "lower";

    private static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(2);
    private static final Duration LONGEST_TIMEOUT = Duration.ofDays(1);
    private static final Duration RESUME_LIMIT = Duration.ofSeconds(30);

    private final NodeServices node;
    private final Inventory inventory;
    private final JoinableWork<Boolean> work =
            new JoinableWork<>("CheckpointContainer", done -> {});

    CheckpointContainer(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    CheckpointContainerResponse run(CheckpointContainerRequest request, Deadline deadline) {
        Duration timeout = timeout(request.getTimeout());
        Path location = location(request.getLocation());
        Container container = inventory.container(request.getContainerId());
        if (node.settings().configuration().checkpoint().containerLevel() == ContainerLevel.NONE) {
            throw new PodException(
                    ErrorKind.UNIMPLEMENTED,
                    "checkpoints are switched off on this node: container_level_enabled is none in"
                            + " [crio.checkpoint_restore]");
        }
        Deadline limit = deadline.atMost(timeout);
        work.run(
                container.id().value(),
                request,
                limit,
                steps -> {
                    perform(container, location, Deadline.after(timeout), steps);
                    return true;
                });
        return CheckpointContainerResponse.getDefaultInstance();
    }

    private static Duration timeout(long seconds) {
        if (seconds < 0) {
            throw PodException.invalid("timeout must not be negative: " + seconds);
        }
        if (seconds == 0) {
            return DEFAULT_TIMEOUT;
        }
        return seconds > LONGEST_TIMEOUT.toSeconds()
                ? LONGEST_TIMEOUT
                : Duration.ofSeconds(seconds);
    }

    private static Path location(String given) {
        if (given.isEmpty()) {
            throw PodException.invalid("location is empty: name the archive to be written");
        }
        Path location = Path.of(given).normalize();
        if (!location.isAbsolute() || location.getFileName() == null) {
            throw PodException.invalid("location must be an absolute path: '" + given + "'");
        }
        if (Files.isDirectory(location, LinkOption.NOFOLLOW_LINKS)) {
            throw PodException.invalid(
                    "location: " + location + " is a directory; name the archive to be written");
        }
        Path parent = location.getParent();
        if (parent == null || !Files.isDirectory(parent)) {
            throw PodException.invalid(
                    "location: the directory of " + location + " does not exist; make it first");
        }
        return location;
    }

    private void perform(
            Container container, Path location, Deadline deadline, JoinableWork.Steps steps) {
        OciRuntime runtime = node.handlers().named(container.record().runtimeHandler());
        requireRunning(container);
        steps.enter("criu's look at this node");
        node.criu().require(runtime, deadline);
        steps.enter("the lock of the container");
        container.lock(deadline);
        try (CleanupStack undo = new CleanupStack()) {
            requireRunning(container);
            Path directory = node.layout().checkpoint(container.id());
            delete(directory);
            makeDirectory(directory);
            undo.push("delete " + directory, () -> delete(directory));
            dump(container, runtime, directory, deadline, steps);
            steps.enter("the archive " + location);
            deadline.check("the archive " + location);
            pack(directory, location);
        } finally {
            container.lock().unlock();
        }
    }

    private static void requireRunning(Container container) {
        if (!(container.state() instanceof ContainerState.Running)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    container + " does not run, so there is nothing to write down");
        }
    }

    /** All that must not change meanwhile. */
    private void dump(
            Container container,
            OciRuntime runtime,
            Path directory,
            Deadline deadline,
            JoinableWork.Steps steps) {
        try {
            steps.enter("the OCI runtime's pause");
            runtime.pause(container.id(), deadline);
            steps.enter("CRIU below the OCI runtime");
            Path images = directory.resolve(CheckpointFiles.IMAGES);
            makeDirectory(images);
            runtime.checkpoint(container.id(), new CheckpointPlaces(images, directory), deadline);
            steps.enter("the container's changed files");
            deadline.check("the changed files of " + container);
            new CheckpointRecord(node, inventory).write(container, directory);
            saveChanges(container, directory);
        } catch (RuntimeException e) {
            try {
                letGoOn(container);
            } catch (RuntimeException frozen) {
                frozen.addSuppressed(e);
                throw frozen;
            }
            throw e;
        }
        letGoOn(container);
    }

    /** Whatever the OCI runtime says; a container must not stay frozen. */
    private void letGoOn(Container container) {
        try {
            resume(container, node.handlers().named(container.record().runtimeHandler()));
        } catch (CremaException e) {
            log.warn("the OCI runtime cannot resume {}, thawing its cgroup: {}", container, e);
            try {
                node.cgroups().thawContainer(container.record().cgroupParent(), container.id());
            } catch (CremaException thaw) {
                thaw.addSuppressed(e);
                throw new PodException(
                        ErrorKind.INTERNAL,
                        container
                                + " is still frozen after its checkpoint: the OCI runtime cannot"
                                + " resume it ("
                                + e.getMessage()
                                + ") and its cgroup cannot be thawed ("
                                + thaw.getMessage()
                                + "); resume it by the OCI runtime's resume or remove it (crictl rm"
                                + " -f "
                                + container.id().shortForm()
                                + ")",
                        thaw);
            }
        }
    }

    /** A container that was killed meanwhile has nothing to let go on. */
    private void resume(Container container, OciRuntime runtime) {
        if (container.state().isAlive()
                && runtime.state(container.id(), Deadline.after(RESUME_LIMIT))
                        .filter(state -> state.status().equals("paused"))
                        .isPresent()) {
            runtime.resume(container.id(), Deadline.after(RESUME_LIMIT));
        }
    }

    private void saveChanges(Container container, Path directory) {
        Image image =
                node.images()
                        .find(container.record().image().value())
                        .orElseThrow(() ->
                                new PodException(
                                        ErrorKind.FAILED_PRECONDITION,
                                        "the image of " + container + " is gone; pull it again"));
        List<String> removed =
                node.images()
                        .archives()
                        .saveChanges(
                                image,
                                node.layout().upper(container.id()),
                                directory.resolve(CheckpointFiles.CHANGES));
        if (!removed.isEmpty()) {
            CheckpointRecord.writeList(directory.resolve(CheckpointFiles.REMOVED), removed);
        }
    }

    private void pack(Path directory, Path location) {
        Path partial =
                location.resolveSibling("." + location.getFileName() + "-" + UUID.randomUUID());
        try {
            node.images().archives().pack(directory, partial);
            Files.move(partial, location, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot put the archive at " + location + ": " + e, e);
        } finally {
            Trees.deleteIfExists(partial);
        }
    }

    private static void makeDirectory(Path directory) {
        try {
            Files.createDirectory(
                    directory,
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot make the directory " + directory + ": " + e, e);
        }
    }

    /** After a crash: what was being written is deleted, and a frozen container goes on. */
    void recover(Container container) {
        Path directory = node.layout().checkpoint(container.id());
        if (!Files.exists(directory)) {
            return;
        }
        letGoOn(container);
        delete(directory);
    }

    private void delete(Path directory) {
        Mounts.unmountAll(node.linux(), directory.resolve(LOWER));
        Trees.deleteTree(directory);
    }
}
