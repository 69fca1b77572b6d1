package io.crema.oci.monitor;

import io.crema.oci.linux.LinuxMounts.MountEntry;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has the kernel begin early what the OCI runtime would wait for later. Whoever moves another
 * process into a cgroup waits for an RCU grace period (about 11 ms), unless somebody did so within
 * the last one; an exec consists of that wait by half. Moving ourselves to where we are changes
 * nothing and begins the same wait, which so passes while the runtime is being started. Both cgroup
 * versions share that wait: one hierarchy is enough.
 *
 * <p>A kernel with {@code favordynmods} does not wait, and neither does a runtime that starts its
 * processes in their cgroup; then this costs some microseconds in vain.
 */
final class CgroupHeadStart {
    private static final Logger LOG = LoggerFactory.getLogger(CgroupHeadStart.class);
    private static final String PROCESSES = "cgroup.procs";
    private static final Path OWN_CGROUPS = Path.of("/proc/self/cgroup");
    private static final long KEEP_THREAD_SECONDS = 5;

    private final Supplier<List<MountEntry>> mounts;
    private final Path ownCgroups;
    // The write blocks, so it has a thread; one at most, because one wait serves all.
    private final ThreadPoolExecutor thread =
            new ThreadPoolExecutor(
                    0,
                    1,
                    KEEP_THREAD_SECONDS,
                    TimeUnit.SECONDS,
                    new SynchronousQueue<>(),
                    Thread.ofPlatform().daemon().name("cgroup-head-start").factory(),
                    new ThreadPoolExecutor.DiscardPolicy());
    private @Nullable List<MountEntry> mountTable; // of that thread alone
    private volatile boolean isUseless;

    CgroupHeadStart(Supplier<List<MountEntry>> mounts) {
        this(mounts, OWN_CGROUPS);
    }

    CgroupHeadStart(Supplier<List<MountEntry>> mounts, Path ownCgroups) {
        this.mounts = mounts;
        this.ownCgroups = ownCgroups;
    }

    /** Does not wait, and does nothing while an earlier one is under way. */
    void begin() {
        thread.execute(this::moveToWhereWeAre);
    }

    /** False once it was tried in vain. */
    boolean isOfUse() {
        return !isUseless;
    }

    /** Takes no more of them; true when the last one came to its end within the time. */
    boolean end(Duration patience) throws InterruptedException {
        thread.shutdown();
        return thread.awaitTermination(patience.toNanos(), TimeUnit.NANOSECONDS);
    }

    private void moveToWhereWeAre() {
        if (isUseless) {
            return;
        }
        try {
            // Asked each time: where we were at first is wrong once an administrator has moved us.
            Path file = own().orElseThrow(() -> new IOException("no cgroup of ours is mounted"));
            try (FileOutputStream out = new FileOutputStream(file.toFile())) {
                out.write('0'); // the writer's own process
            }
        } catch (IOException | RuntimeException e) {
            // Starts only take longer.
            isUseless = true;
            LOG.debug("cgroups have no head start: {}", e.toString());
        }
    }

    /** The list of processes of a cgroup that we are in, of whichever hierarchy. */
    private Optional<Path> own() throws IOException {
        List<MountEntry> table = mountTable;
        if (table == null) {
            table = mounts.get();
            mountTable = table;
        }
        for (String line : Files.readAllLines(ownCgroups)) {
            String[] parts = line.split(":", 3); // number, controllers, path
            if (parts.length < 3) {
                continue;
            }
            for (MountEntry mount : table) {
                if (isOf(mount, parts[1])) {
                    Path file =
                            mount.mountPoint().resolve(parts[2].substring(1)).resolve(PROCESSES);
                    if (Files.isWritable(file)) {
                        return Optional.of(file);
                    }
                }
            }
        }
        return Optional.empty();
    }

    private static boolean isOf(MountEntry mount, String controllers) {
        if (controllers.isEmpty()) {
            return mount.type().equals("cgroup2");
        }
        return mount.type().equals("cgroup")
                && List.of(mount.superOptions().split(",", -1))
                        .containsAll(List.of(controllers.split(",", -1)));
    }
}
