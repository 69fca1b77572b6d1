package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.oci.linux.LinuxProcesses;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.ProcessIdentity;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends the checkpoint that a daemon was taking when it died: the container goes on, and what was
 * being written is deleted. The OCI runtime, and CRIU below it, may have outlived that daemon; CRIU
 * freezes the container again when it is done with it, so their end comes first.
 */
final class InterruptedCheckpoint {
    private static final Logger LOG = LoggerFactory.getLogger(InterruptedCheckpoint.class);
    private static final int SIGKILL = 9;
    private static final Set<String> FREEZING = Set.of("pause", "checkpoint");
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration LOCK_LIMIT = Duration.ofMinutes(10);
    private static final Duration POLL = Duration.ofMillis(50);

    private final NodeServices node;
    private final Inventory inventory;
    private final ResumeContainer resume;

    InterruptedCheckpoint(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
        this.resume = new ResumeContainer(node);
    }

    /** What takes its time goes on behind the start of the daemon. */
    void end(Container container) {
        if (!new CheckpointDirectory(node, container.id()).exists()) {
            return;
        }
        if (survivors(container.id()).isEmpty()) {
            resume.letGoOn(container);
        }
        Thread.ofPlatform()
                .daemon()
                .name("checkpoint " + container.id())
                .start(() -> endBehind(container));
    }

    private void endBehind(Container container) {
        try {
            container.lock(Deadline.after(LOCK_LIMIT));
            try {
                if (inventory.container(container.id()).isEmpty()) {
                    return; // removed, and the directory with it
                }
                awaitSurvivors(container);
                resume.letGoOn(container);
                new CheckpointDirectory(node, container.id()).delete();
            } finally {
                container.lock().unlock();
            }
        } catch (CremaException e) {
            LOG.warn(
                    "the checkpoint of {} that was being taken when the daemon ended cannot be"
                            + " cleared away; its next checkpoint or its removal tries again: {}",
                    container,
                    e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void awaitSurvivors(Container container) throws InterruptedException {
        Deadline patience = Deadline.after(PATIENCE);
        List<ProcessIdentity> left = survivors(container.id());
        while (!left.isEmpty() && !patience.hasPassed() && container.state().isAlive()) {
            Thread.sleep(POLL);
            left = survivors(container.id());
        }
        for (ProcessIdentity survivor : left) {
            LOG.warn("killing the checkpoint of {} (process {})", container, survivor.pid());
            // It leads a process group, which CRIU is in, too; see LinuxProcesses.SpawnRequest.
            var _ = node.linux().killGroup(survivor.pid(), SIGKILL);
        }
        Deadline killed = Deadline.after(PATIENCE);
        while (!killed.hasPassed()
                && left.stream().anyMatch(one -> LiveProcess.isAlive(node.linux(), one))) {
            Thread.sleep(POLL);
        }
    }

    /** The container's id comes last in these operations, as it does in no monitor's line. */
    private List<ProcessIdentity> survivors(ContainerId container) {
        List<ProcessIdentity> found = new ArrayList<>();
        LinuxProcesses processes = node.linux();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : all) {
                List<String> line = commandLine(process);
                if (!line.isEmpty()
                        && line.getLast().equals(container.value())
                        && line.stream().anyMatch(FREEZING::contains)) {
                    int pid = Integer.parseInt(process.getFileName().toString());
                    processes
                            .startTimeTicks(pid)
                            .ifPresent(ticks -> found.add(new ProcessIdentity(pid, ticks)));
                }
            }
        } catch (IOException e) {
            LOG.warn("cannot look for what is left of the checkpoint of {}: {}", container, e);
        }
        return found;
    }

    private static List<String> commandLine(Path process) {
        try {
            String line =
                    new String(
                            Files.readAllBytes(process.resolve("cmdline")), StandardCharsets.UTF_8);
            return List.of(line.split("\0", -1)).stream().filter(word -> !word.isEmpty()).toList();
        } catch (IOException e) {
            return List.of(); // it has ended
        }
    }
}
