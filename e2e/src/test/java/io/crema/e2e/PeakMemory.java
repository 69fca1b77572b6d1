package io.crema.e2e;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** Looks every few milliseconds at the memory that a process has of its own, until closed. */
final class PeakMemory implements AutoCloseable {
    private static final long LOOK_MILLIS = 20;

    private final Path status;
    private final Thread looking;
    private volatile long mostKibibytes;
    private volatile boolean isOver;

    PeakMemory(long process) {
        this.status = Path.of("/proc/" + process + "/status");
        this.looking = Thread.ofPlatform().daemon().name("memory of " + process).start(this::look);
    }

    private void look() {
        try {
            while (!isOver) {
                // Without pages of files: heap, buffers, stacks, code and what the JVM keeps.
                for (String line : Files.readAllLines(status)) {
                    if (line.startsWith("RssAnon:")) {
                        String number = line.substring(line.indexOf(':') + 1, line.indexOf('k'));
                        mostKibibytes = Math.max(mostKibibytes, Long.parseLong(number.strip()));
                    }
                }
                TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
            }
        } catch (IOException e) {
            // It ended.
        } catch (InterruptedException e) {
            // It was closed.
        }
    }

    /** The most that was seen so far. */
    long mebibytes() {
        return mostKibibytes / 1024;
    }

    @Override
    public void close() {
        isOver = true;
        looking.interrupt();
    }
}
