package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A container's log as it was at one moment, copied later: its length then is all that must be
 * known while the container is frozen, because a log only grows, and the open file stays the same
 * when it is rotated.
 */
final class CheckpointLog implements AutoCloseable {
    private static final long PIECE_BYTES = 4 << 20;

    private final String log;
    private @Nullable FileChannel open;
    private long bytes;

    /**
     * @param log empty when the container has none
     */
    CheckpointLog(String log) {
        this.log = log;
    }

    /** The moment; a log that is not there is none. */
    void mark() {
        if (log.isEmpty()) {
            return;
        }
        try {
            FileChannel channel = FileChannel.open(Path.of(log), StandardOpenOption.READ);
            open = channel;
            bytes = channel.size();
        } catch (NoSuchFileException e) {
            // Somebody took it away; the checkpoint is as good without.
        } catch (IOException e) {
            throw failure(Path.of(log), e);
        }
    }

    /** Does nothing when there was none; replaces what is there. */
    void copyTo(Path target, Deadline deadline) {
        FileChannel from = open;
        if (from == null) {
            return;
        }
        try {
            Files.deleteIfExists(target);
            try (FileChannel to =
                    FileChannel.open(
                            target,
                            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rw-------")))) {
                long done = 0;
                while (done < bytes) {
                    deadline.check("the log " + log + " to be copied");
                    long count = from.transferTo(done, Math.min(PIECE_BYTES, bytes - done), to);
                    if (count <= 0) {
                        return; // somebody has cut it short
                    }
                    done += count;
                }
            }
        } catch (IOException e) {
            throw failure(target, e);
        }
    }

    private PodException failure(Path at, IOException e) {
        return new PodException(
                ErrorKind.INTERNAL, "cannot copy the log " + log + " (at " + at + "): " + e, e);
    }

    @Override
    public void close() {
        FileChannel channel = open;
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                // It was only read.
            }
        }
    }
}
