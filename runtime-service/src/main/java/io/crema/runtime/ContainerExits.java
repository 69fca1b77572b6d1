package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.cri.v1.NamespaceMode;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.monitor.ContainerMonitor.Exit;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.ProcessIdentity;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Learns that containers have ended: from the exit files of their monitors, and from the processes
 * themselves in case a monitor died before it could write one.
 */
final class ContainerExits implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ContainerExits.class);

    /** A living monitor writes the exit file within milliseconds of the end. */
    private static final Duration MONITOR_TIME = Duration.ofSeconds(5);

    private static final Duration MONITOR_POLL = Duration.ofMillis(50);

    /** How long a start under way may hide that its container has ended. */
    private static final Duration START_TIME = Duration.ofSeconds(5);

    /** A restore has processes that may end long before all of them are there. */
    private static final Duration RESTORE_TIME = StartContainer.BUDGET.multipliedBy(2);

    private static final Duration KILL_TIME = Duration.ofSeconds(10);

    /** What is reported when nobody knows the exit code, as CRI-O and containerd do. */
    private static final int LOST_EXIT_CODE = 255;

    private static final String OUT_OF_MEMORY = "OOMKilled";

    private final NodeServices node;
    private final Inventory inventory;
    private final OutOfMemory outOfMemory;
    private final RuntimeCounters counters;
    private final AutoCloseable watch;

    ContainerExits(NodeServices node, Inventory inventory, RuntimeCounters counters) {
        this.node = node;
        this.counters = counters;
        this.inventory = inventory;
        this.outOfMemory = new OutOfMemory(node.cgroups(), node.facts().cgroups().isUnified());
        this.watch =
                node.monitor()
                        .watchExits(id ->
                                Thread.ofVirtual().name("exit " + id).start(() -> exited(id)));
    }

    private void exited(ContainerId id) {
        inventory.container(id).ifPresent(this::settle);
    }

    /** Watches the process of a container until it ends. */
    void follow(Container container) {
        ProcessIdentity process = container.record().process();
        Optional<Descriptor> descriptor =
                process == null ? Optional.empty() : LiveProcess.open(node.linux(), process);
        if (descriptor.isEmpty()) {
            settle(container);
            return;
        }
        Descriptor open = descriptor.get();
        var _ =
                node.pollLoop()
                        .readable(open)
                        .whenComplete((ended, failure) -> {
                            open.close();
                            Thread.ofVirtual()
                                    .name("end " + container.id())
                                    .start(() -> settle(container));
                        });
    }

    /** Records the end of a container whose process has ended; does nothing while it lives. */
    void settle(Container container) {
        try {
            if (!container.state().isAlive() || recordExit(container)) {
                return;
            }
            ProcessIdentity process = container.record().process();
            if (container.record().awaitsRestore()
                    || (process != null && LiveProcess.isAlive(node.linux(), process))) {
                return;
            }
            awaitMonitor(container);
        } catch (RuntimeException e) {
            LOG.error("cannot record the end of {}: {}", container, e.toString());
        }
    }

    private void awaitMonitor(Container container) {
        Deadline deadline = Deadline.after(MONITOR_TIME);
        ProcessIdentity monitor = container.record().monitor();
        while (!deadline.hasPassed()) {
            boolean gone = monitor == null || !LiveProcess.isAlive(node.linux(), monitor);
            if (!container.state().isAlive() || recordExit(container)) {
                return;
            }
            if (gone) {
                break;
            }
            pause();
        }
        LOG.warn("{} ended and its monitor left no exit code", container);
        boolean isFirst =
                ended(
                        container,
                        new ContainerState.Ended(
                                node.nowNanos(),
                                LOST_EXIT_CODE,
                                "Unknown",
                                "the container's monitor (conmon) ended before it, so its exit code"
                                        + " was lost"));
        if (isFirst) {
            counters.lostMonitor(nameOf(container));
        }
    }

    private boolean recordExit(Container container) {
        Optional<Exit> exit =
                node.monitor()
                        .exit(
                                node.layout().persist(container.id()),
                                node.layout().bundle(container.id()));
        exit.ifPresent(found -> {
            String reason = reason(container, found);
            boolean isFirst =
                    ended(
                            container,
                            new ContainerState.Ended(
                                    nanos(found.finishedAt()), found.code(), reason, ""));
            if (isFirst && reason.equals(OUT_OF_MEMORY)) {
                counters.ranOutOfMemory(nameOf(container));
            }
        });
        return exit.isPresent();
    }

    /**
     * A container may end before its start has returned and been written down. How that went is
     * waited for: a container that ran is told with the time of its start, and one that could not
     * be started with the cause.
     */
    private void awaitStart(Container container) {
        long requested = container.record().startRequestedAtNanos();
        if (requested == 0 || !(container.state() instanceof ContainerState.Created)) {
            return;
        }
        Duration patience =
                Files.isDirectory(node.layout().restore(container.id()))
                        ? RESTORE_TIME
                        : START_TIME;
        try {
            if (container.lock().tryLock(patience.toMillis(), TimeUnit.MILLISECONDS)) {
                container.lock().unlock();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        container.observe(new ContainerState.Started(requested));
    }

    /** Whether nobody told of this end before; two may learn of it at once. */
    private boolean ended(Container container, ContainerState.Ended event) {
        awaitStart(container);
        boolean isFirst = container.observe(event);
        if (container.config().getLinux().getSecurityContext().getNamespaceOptions().getPid()
                != NamespaceMode.CONTAINER) {
            killCgroup(container);
        }
        return isFirst;
    }

    /** Kills whatever is left in the container's cgroup. */
    void killCgroup(Container container) {
        node.cgroups()
                .killContainer(
                        container.record().cgroupParent(),
                        container.id(),
                        Deadline.after(KILL_TIME));
    }

    private String reason(Container container, Exit exit) {
        if (outOfMemory.killed(container, exit)) {
            return OUT_OF_MEMORY;
        }
        return exit.code() == 0 ? "Completed" : "Error";
    }

    /** As CRI-O names containers. */
    private String nameOf(Container container) {
        return inventory
                .sandbox(container.sandbox())
                .map(sandbox ->
                        "k8s_"
                                + container.record().name()
                                + "_"
                                + sandbox.record().name()
                                + "_"
                                + sandbox.record().namespace()
                                + "_"
                                + sandbox.config().getMetadata().getUid()
                                + "_"
                                + container.config().getMetadata().getAttempt())
                .orElse(container.record().name());
    }

    private static long nanos(Instant instant) {
        return instant.getEpochSecond() * 1_000_000_000L + instant.getNano();
    }

    private static void pause() {
        CompletableFuture<Void> never = new CompletableFuture<>();
        never.completeOnTimeout(null, MONITOR_POLL.toMillis(), TimeUnit.MILLISECONDS).join();
    }

    @Override
    public void close() {
        try {
            watch.close();
        } catch (Exception e) {
            LOG.warn("cannot stop watching exits: {}", e.toString());
        }
    }
}
