package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.oci.runtime.OciRuntime;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerRecord;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import io.crema.runtime.state.Records;
import io.crema.runtime.state.SandboxRecord;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the inventory agree with disk and kernel when the daemon starts. Pods that were complete
 * are taken over with what became of them meanwhile; what was only half made is undone; after a
 * reboot every pod is removed (kubelet makes them anew) and its network released; debris without a
 * record is cleared away.
 */
final class Recovery {
    private static final Logger LOG = LoggerFactory.getLogger(Recovery.class);
    private static final Duration STEP_TIME = Duration.ofSeconds(30);
    private static final Duration RETRY_EVERY = Duration.ofSeconds(10);

    private final NodeServices node;
    private final Inventory inventory;
    private final ContainerExits exits;
    private final PodTeardown podTeardown;
    private final ContainerTeardown containerTeardown;
    private final InterruptedCheckpoint checkpoints;

    Recovery(
            NodeServices node,
            Inventory inventory,
            ContainerExits exits,
            PodTeardown podTeardown,
            ContainerTeardown containerTeardown,
            InterruptedCheckpoint checkpoints) {
        this.node = node;
        this.inventory = inventory;
        this.exits = exits;
        this.podTeardown = podTeardown;
        this.containerTeardown = containerTeardown;
        this.checkpoints = checkpoints;
    }

    void run() {
        Layout layout = node.layout();
        RunPodSandbox.createDirectories(layout.sandboxes());
        RunPodSandbox.createDirectories(layout.containers());
        RunPodSandbox.createDirectories(layout.bundles());
        boolean rebooted = !Files.exists(layout.bootMarker());
        List<PodSandbox> sandboxes = readSandboxes();
        List<PodSandbox> goners = new ArrayList<>();
        for (PodSandbox sandbox : sandboxes) {
            if (rebooted || !sandbox.record().complete()) {
                goners.add(sandbox);
            } else {
                inventory.add(sandbox);
            }
        }
        int restored = 0;
        int removed = 0;
        for (Container container : readContainers()) {
            if (inventory.sandbox(container.sandbox()).isEmpty()
                    || !container.record().complete()) {
                undo(container);
                removed++;
            } else {
                restore(container);
                restored++;
            }
        }
        for (PodSandbox sandbox : goners) {
            undo(sandbox);
        }
        clearDebris();
        releaseUnknownNetworks();
        markBoot(layout);
        LOG.info(
                "recovered pods={} containers={} removed_pods={} removed_containers={} rebooted={}",
                inventory.sandboxes().size(),
                restored,
                goners.size(),
                removed,
                rebooted);
    }

    private List<PodSandbox> readSandboxes() {
        List<PodSandbox> found = new ArrayList<>();
        for (Path directory : children(node.layout().sandboxes())) {
            try {
                found.add(
                        new PodSandbox(
                                node.layout(),
                                Records.read(
                                        directory.resolve("record.json"), SandboxRecord.class)));
            } catch (IOException | IllegalArgumentException e) {
                LOG.warn(
                        "pod sandbox {} has no readable record, removing it: {}",
                        directory,
                        e.toString());
                clear(directory);
            }
        }
        return found;
    }

    /** What cannot be deleted now must not keep the daemon, and with it all pods, down. */
    private static void clear(Path directory) {
        try {
            Trees.deleteTree(directory);
        } catch (CremaException e) {
            LOG.warn(
                    "{} is left over and not cleared away; the next start tries again, or unmount"
                            + " what is below it and delete it: {}",
                    directory,
                    e.toString());
        }
    }

    private void attempt(Container container, String what, Runnable step) {
        try {
            step.run();
        } catch (CremaException e) {
            LOG.warn(
                    "could not {} of {} ({}) and goes on without; if it does not do what it should,"
                            + " remove it (crictl rm -f {}), and it is made again: {}",
                    what,
                    container,
                    container.id(),
                    container.id().shortForm(),
                    e.toString());
        }
    }

    private List<Container> readContainers() {
        List<Container> found = new ArrayList<>();
        for (Path directory : children(node.layout().containers())) {
            try {
                found.add(
                        new Container(
                                node.layout(),
                                Records.read(
                                        directory.resolve("record.json"), ContainerRecord.class)));
            } catch (IOException | IllegalArgumentException e) {
                LOG.warn(
                        "container {} has no readable record, removing it: {}",
                        directory,
                        e.toString());
                try {
                    Mounts.unmountPassing(node.linux(), directory);
                    clear(directory);
                } catch (CremaException unmount) {
                    LOG.warn("cannot unmount what is below {}: {}", directory, unmount.toString());
                }
            }
        }
        return found;
    }

    private void restore(Container container) {
        try {
            node.images().use(container.record().image(), container.id().value());
        } catch (CremaException e) {
            // Its layers are mounted; it runs on, and its image may be pulled again.
            LOG.warn("{} uses an image that is gone: {}", container, e.toString());
        }
        inventory.add(container);
        attempt(
                container,
                "keep the image volumes",
                () -> new ImageVolumes(node).useAgain(container));
        attempt(container, "end the checkpoint", () -> checkpoints.end(container));
        if (!container.state().isAlive()) {
            return;
        }
        if (container.record().awaitsRestore()) {
            attempt(container, "undo the restore", () -> undoRestore(container));
            return;
        }
        if (container.state() instanceof ContainerState.Created
                && container.record().startRequestedAtNanos() != 0) {
            attempt(container, "learn the start", () -> observeStart(container));
        }
        ProcessIdentity process = container.record().process();
        if (process != null && LiveProcess.isAlive(node.linux(), process)) {
            exits.follow(container);
        } else {
            attempt(container, "learn the start", () -> observeStart(container));
            exits.settle(container);
        }
    }

    /** Nobody knows the processes of a restore that the daemon did not see the end of. */
    private void undoRestore(Container container) {
        if (container.record().startRequestedAtNanos() == 0) {
            return;
        }
        containerTeardown.endRestore(container, Deadline.after(STEP_TIME));
        container.observe(
                new ContainerState.Ended(
                        node.nowNanos(),
                        StartContainer.START_ERROR_CODE,
                        "StartError",
                        "the daemon was restarted while the checkpoint was being restored"));
    }

    /** The daemon died between asking for the start and writing down that it happened. */
    private void observeStart(Container container) {
        ContainerRecord record = container.record();
        if (!(record.state() instanceof ContainerState.Created)
                || record.startRequestedAtNanos() == 0) {
            return;
        }
        OciRuntime runtime = node.handlers().named(record.runtimeHandler());
        Optional<OciRuntime.State> state = runtime.state(container.id(), Deadline.after(STEP_TIME));
        if (state.isPresent() && !state.get().status().equals("created")) {
            container.observe(new ContainerState.Started(record.startRequestedAtNanos()));
        }
    }

    private void undo(Container container) {
        try {
            containerTeardown.undoHalfMade(container);
        } catch (RuntimeException e) {
            LOG.warn(
                    "cannot remove half-made {}, the next start tries again: {}",
                    container,
                    e.toString());
        }
    }

    private void undo(PodSandbox sandbox) {
        try {
            podTeardown.undoHalfMade(sandbox);
        } catch (RuntimeException e) {
            LOG.warn(
                    "cannot take down {} yet, trying again every {} s: {}",
                    sandbox,
                    RETRY_EVERY.toSeconds(),
                    e.toString());
            // Kubelet sees it as not ready and can remove it, too.
            sandbox.update(SandboxRecord::stopping);
            inventory.add(sandbox);
            Thread.ofVirtual().name("undo " + sandbox.id()).start(() -> retryUndo(sandbox));
        }
    }

    private void retryUndo(PodSandbox sandbox) {
        while (inventory.sandbox(sandbox.id()).isPresent()) {
            try {
                Thread.sleep(RETRY_EVERY);
                podTeardown.undoHalfMade(sandbox);
                inventory.remove(sandbox);
                LOG.info("took down {}", sandbox);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            } catch (RuntimeException e) {
                LOG.debug("cannot take down {} yet: {}", sandbox, e.toString());
            }
        }
    }

    /**
     * Bundles, pins and shared memory whose record is gone: their removal was cut short at the end.
     */
    private void clearDebris() {
        Layout layout = node.layout();
        for (Path bundle : children(layout.bundles())) {
            String id = bundle.getFileName().toString();
            if (!known(id)) {
                LOG.info("clearing left-over bundle {}", bundle);
                Mounts.unmountAll(node.linux(), bundle.resolve("rootfs"));
                ImageVolumes.unmount(node, bundle);
                Trees.deleteTree(bundle);
            }
        }
        for (Path pins : children(layout.namespaces().resolve("ns"))) {
            if (!known(pins.getFileName().toString())) {
                LOG.info("clearing left-over namespaces {}", pins);
                for (Path pin : children(pins)) {
                    Mounts.unmountAll(node.linux(), pin);
                }
                Trees.deleteTree(pins);
            }
        }
        for (Path shared : children(layout.volatileRoot().resolve("shm"))) {
            if (!known(shared.getFileName().toString())) {
                Mounts.unmountAll(node.linux(), shared);
                Trees.deleteTree(shared);
            }
        }
    }

    /** Attachments in the CNI cache whose pod has no record any more. */
    private void releaseUnknownNetworks() {
        Set<PodSandboxId> known = new HashSet<>();
        inventory.sandboxes().forEach(sandbox -> known.add(sandbox.id()));
        try {
            if (node.networks().attachments().stream()
                    .allMatch(attachment -> known.contains(attachment.sandbox()))) {
                return;
            }
            var collected = node.networks().collectGarbage(known, Deadline.after(STEP_TIME));
            LOG.info("released networks of unknown pods: {}", collected.detached());
            for (String failure : collected.failures()) {
                LOG.warn("a network of an unknown pod is not released yet: {}", failure);
            }
        } catch (CremaException e) {
            LOG.warn("networks of unknown pods are not released yet: {}", e.toString());
        }
    }

    private boolean known(String id) {
        return id.length() == 64
                && (inventory.sandbox(new PodSandboxId(id)).isPresent()
                        || inventory.container(new ContainerId(id)).isPresent());
    }

    static List<Path> children(Path directory) {
        List<Path> found = new ArrayList<>();
        if (!Files.isDirectory(directory)) {
            return found;
        }
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory)) {
            stream.forEach(found::add);
        } catch (IOException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot list " + directory + ": " + e, e);
        }
        return found;
    }

    private static void markBoot(Layout layout) {
        try {
            Files.writeString(
                    layout.bootMarker(),
                    "written at start; its absence means the machine was rebooted\n");
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot write " + layout.bootMarker() + ": " + e, e);
        }
    }
}
