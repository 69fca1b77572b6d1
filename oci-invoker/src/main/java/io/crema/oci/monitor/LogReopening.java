package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Lets conmon go on in a new log file. conmon makes the file under a temporary name and renames it
 * over the path, so asking it while it still writes to that path would destroy what is there, and
 * it has no answer to the request. Both are solved by looking at the file it has open.
 */
final class LogReopening {
    private static final byte[] REQUEST = "2 0 0\n".getBytes(StandardCharsets.US_ASCII);
    private static final Duration FIRST_PAUSE = Duration.ofMillis(1);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);

    private final Linux linux;
    // conmon mixes up two requests that it reads at once, so there is one at a time per container.
    private final Map<ContainerId, CompletableFuture<Boolean>> running = new ConcurrentHashMap<>();

    LogReopening(Linux linux) {
        this.linux = linux;
    }

    void reopen(ContainerId container, Path bundle, Path logFile, Deadline deadline) {
        CompletableFuture<Boolean> own = new CompletableFuture<>();
        CompletableFuture<Boolean> other = running.putIfAbsent(container, own);
        while (other != null) {
            Await.result(other, deadline, step(container));
            other = running.putIfAbsent(container, own);
        }
        try {
            reopenAlone(container, bundle, logFile, deadline);
        } finally {
            running.remove(container);
            own.complete(true);
        }
    }

    private void reopenAlone(ContainerId container, Path bundle, Path logFile, Deadline deadline) {
        int monitor =
                monitorPid(bundle)
                        .filter(pid -> MonitorProcess.isAlive(pid, container))
                        .orElseThrow(() -> ended(container));
        if (writesTo(monitor, logFile)) {
            return;
        }
        ask(container, bundle);
        Duration pause = FIRST_PAUSE;
        while (!writesTo(monitor, logFile)) {
            if (!MonitorProcess.isAlive(monitor, container)) {
                throw ended(container);
            }
            if (deadline.hasPassed()) {
                throw new DeadlineExceededException(step(container));
            }
            Await.pause(pause, step(container));
            pause = pause.multipliedBy(2);
            pause = pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
        }
    }

    /** Not blocking: a fifo that nobody reads fails with ENXIO. */
    private void ask(ContainerId container, Path bundle) {
        Path fifo = MonitorFiles.control(bundle);
        try (Descriptor control =
                linux.open(fifo, EnumSet.of(OpenFlag.WRITE_ONLY, OpenFlag.NON_BLOCKING), 0)) {
            linux.write(control, REQUEST, 0, REQUEST.length);
        } catch (LinuxException e) {
            throw new OciRuntimeException(
                    ErrorKind.FAILED_PRECONDITION,
                    "cannot ask the monitor of container "
                            + container
                            + " for a new log file: "
                            + e.getMessage(),
                    e);
        }
    }

    private static boolean writesTo(int monitor, Path logFile) {
        Optional<Object> wanted = fileKey(logFile);
        if (wanted.isEmpty()) {
            return false;
        }
        Path descriptors = Path.of("/proc/" + monitor + "/fd");
        try (DirectoryStream<Path> open = Files.newDirectoryStream(descriptors)) {
            for (Path descriptor : open) {
                if (fileKey(descriptor).equals(wanted)) {
                    return true;
                }
            }
        } catch (IOException e) {
            return false; // it has ended, which the caller sees next
        }
        return false;
    }

    /** Device and inode of what the path leads to. */
    private static Optional<Object> fileKey(Path path) {
        try {
            return Optional.ofNullable(
                    Files.readAttributes(path, BasicFileAttributes.class).fileKey());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static Optional<Integer> monitorPid(Path bundle) {
        try {
            return Optional.of(
                    Integer.parseInt(Files.readString(MonitorFiles.monitorPid(bundle)).strip()));
        } catch (IOException | NumberFormatException e) {
            return Optional.empty();
        }
    }

    private static OciRuntimeException ended(ContainerId container) {
        return new OciRuntimeException(
                ErrorKind.FAILED_PRECONDITION,
                "the monitor of container "
                        + container
                        + " has ended, so its log cannot be reopened; a container that is still"
                        + " running must be restarted to be logged again");
    }

    private static String step(ContainerId container) {
        return "the monitor of container " + container + " to reopen its log";
    }
}
