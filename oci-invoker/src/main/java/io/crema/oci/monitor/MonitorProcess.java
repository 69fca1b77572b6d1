package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.process.PollLoop;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A conmon that is no child of ours, known by its pid and the container id on its command line. */
final class MonitorProcess {
    private static final int SIGKILL = 9;

    private MonitorProcess() {}

    /** Whether the pid is that of the container's conmon and not of somebody who got it later. */
    static boolean isAlive(int pid, ContainerId container) {
        try {
            // A zombie's command line is empty.
            byte[] commandLine = Files.readAllBytes(Path.of("/proc/" + pid + "/cmdline"));
            return new String(commandLine, StandardCharsets.UTF_8).contains(container.value());
        } catch (IOException e) {
            return false;
        }
    }

    /** Waits until the monitor has ended; false when the time is over. */
    static boolean awaitEnd(
            Linux linux, PollLoop loop, int pid, ContainerId container, Deadline deadline) {
        Optional<Descriptor> process = linux.openProcess(pid);
        if (process.isEmpty()) {
            return true;
        }
        try (Descriptor descriptor = process.get()) {
            return !isAlive(pid, container) || awaitEnd(loop, descriptor, deadline);
        }
    }

    /** Kills the monitor and waits until it has ended. */
    static void end(Linux linux, PollLoop loop, int pid, ContainerId container, Duration limit) {
        Optional<Descriptor> process = linux.openProcess(pid);
        if (process.isEmpty()) {
            return;
        }
        try (Descriptor descriptor = process.get()) {
            if (isAlive(pid, container)) {
                linux.kill(descriptor, SIGKILL);
                awaitEnd(loop, descriptor, Deadline.after(limit));
            }
        }
    }

    private static boolean awaitEnd(PollLoop loop, Descriptor process, Deadline deadline) {
        CompletableFuture<Descriptor> ended = loop.readable(process);
        try {
            Await.result(ended, deadline, "the end of conmon");
            return true;
        } catch (io.crema.base.DeadlineExceededException e) {
            return false;
        } finally {
            ended.cancel(false);
        }
    }
}
