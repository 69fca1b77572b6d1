package io.crema.runtime;

import io.crema.base.CleanupStack;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.DurableFile;
import io.crema.base.ErrorKind;
import io.crema.conf.CheckpointConfiguration.ContainerLevel;
import io.crema.cri.v1.CheckpointContainerRequest;
import io.crema.cri.v1.CheckpointContainerResponse;
import io.crema.image.Image;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
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
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes a running container down as an archive: its processes by CRIU through the OCI runtime, its
 * changed files, its log and its specification. The container is frozen and locked while these are
 * taken, so that they belong together, and goes on afterwards whatever happened; the archive is
 * packed while it runs. It appears at its place whole and on the disk, or not at all.
 */
final class CheckpointContainer {
    private static final Logger LOG = LoggerFactory.getLogger(CheckpointContainer.class);

    private static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(2);
    private static final Duration LONGEST_TIMEOUT = Duration.ofDays(1);

    private final NodeServices node;
    private final Inventory inventory;
    private final ResumeContainer resume;
    private final JoinableWork<Boolean> work =
            new JoinableWork<>("CheckpointContainer", done -> {});

    CheckpointContainer(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
        this.resume = new ResumeContainer(node);
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
        CheckpointDirectory directory = new CheckpointDirectory(node, container.id());
        Path unfinished =
                location.resolveSibling("." + location.getFileName() + "-" + UUID.randomUUID());
        try (CheckpointLog containerLog = new CheckpointLog(container.record().logPath())) {
            var _ =
                    CleanupStack.run(undo -> {
                        steps.enter("the lock of the container");
                        container.lock(deadline);
                        try {
                            requireRunning(container);
                            undo.push("delete the checkpoint of " + container, directory::delete);
                            directory.make(unfinished);
                            dump(container, runtime, directory, containerLog, deadline, steps);
                        } finally {
                            container.lock().unlock();
                        }
                        // The note of it goes with the container when that is removed meanwhile.
                        undo.push("delete " + unfinished, () -> Trees.deleteIfExists(unfinished));
                        containerLog.copyTo(
                                directory.files().resolve(CheckpointFiles.LOG), deadline);
                        pack(container, directory, unfinished, location, deadline, steps);
                        return true;
                    });
        }
        try {
            directory.delete();
        } catch (CremaException e) {
            LOG.warn(
                    "the checkpoint of {} is at {}, but what it was made of is left over; the next"
                            + " checkpoint or the removal of the container tries again to delete"
                            + " it: {}",
                    container,
                    location,
                    e.toString());
        }
    }

    private static void requireRunning(Container container) {
        if (!(container.state() instanceof ContainerState.Running)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    container + " does not run, so there is nothing to write down");
        }
    }

    /** All that must not change meanwhile; the rest is done while the container runs. */
    private void dump(
            Container container,
            OciRuntime runtime,
            CheckpointDirectory directory,
            CheckpointLog containerLog,
            Deadline deadline,
            JoinableWork.Steps steps) {
        try {
            steps.enter("the OCI runtime's pause");
            runtime.pause(container.id(), deadline);
            steps.enter("CRIU below the OCI runtime");
            runtime.checkpoint(
                    container.id(),
                    new CheckpointPlaces(directory.images(), directory.files()),
                    deadline);
            steps.enter("the container's changed files");
            new CheckpointRecord(node, inventory).write(container, directory.files());
            saveChanges(container, directory.files(), deadline);
            containerLog.mark();
        } catch (RuntimeException e) {
            try {
                resume.letGoOn(container);
            } catch (RuntimeException frozen) {
                frozen.addSuppressed(e);
                throw frozen;
            }
            throw e;
        }
        resume.letGoOn(container);
    }

    private void saveChanges(Container container, Path directory, Deadline deadline) {
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
                                directory.resolve(CheckpointFiles.CHANGES),
                                deadline);
        if (!removed.isEmpty()) {
            CheckpointRecord.writeList(directory.resolve(CheckpointFiles.REMOVED), removed);
        }
    }

    /** From here on nothing is locked; the container may be removed meanwhile. */
    private void pack(
            Container container,
            CheckpointDirectory directory,
            Path unfinished,
            Path location,
            Deadline deadline,
            JoinableWork.Steps steps) {
        try {
            steps.enter("the archive " + location);
            node.images().archives().pack(directory.files(), unfinished, deadline);
            steps.enter("the disk to take the archive " + location);
            try (Descriptor archive =
                    node.linux().open(unfinished, Set.of(OpenFlag.READ_ONLY), 0)) {
                node.linux().sync(archive);
            }
            deadline.check("the archive " + location);
            var _ = inventory.container(container.id().value()); // or it was removed
            Files.move(unfinished, location, StandardCopyOption.ATOMIC_MOVE);
            DurableFile.forceDirectory(location.resolveSibling("."));
        } catch (IOException | CremaException e) {
            if (inventory.container(container.id()).isEmpty()) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        container + " was removed before its checkpoint was at " + location,
                        e);
            }
            throw e instanceof CremaException told
                    ? told
                    : new PodException(
                            ErrorKind.INTERNAL,
                            "cannot put the archive at " + location + ": " + e,
                            e);
        }
    }
}
