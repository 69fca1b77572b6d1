package io.crema.oci.process;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxPolling.Interest;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;

/** A descriptor read line by line through the poll loop; one line is asked for at a time. */
public final class Lines {
    private final PollLoop loop;
    private final Descriptor descriptor;
    private final int maxLineBytes;
    private final Queue<String> whole = new ArrayDeque<>();
    private final ByteArrayOutputStream partial = new ByteArrayOutputStream();
    private boolean isAtEnd;

    Lines(PollLoop loop, Descriptor descriptor, int maxLineBytes) {
        this.loop = loop;
        this.descriptor = descriptor;
        this.maxLineBytes = maxLineBytes;
    }

    /**
     * The next line without its newline; a last line without newline counts; empty at the end of
     * the stream. The future of the previous call must be done; cancelling one may lose a line.
     */
    public CompletableFuture<Optional<String>> next() {
        return take().map(CompletableFuture::completedFuture)
                .orElseGet(() -> loop.watch(descriptor, Interest.READABLE, this::receive));
    }

    /** A line or the end, as far as already received. */
    private synchronized Optional<Optional<String>> take() {
        if (whole.isEmpty()) {
            return isAtEnd ? Optional.of(Optional.empty()) : Optional.empty();
        }
        return Optional.of(Optional.of(whole.remove()));
    }

    private synchronized Optional<Optional<String>> receive() {
        loop.read(descriptor).ifPresentOrElse(this::split, this::end);
        return take();
    }

    private synchronized void split(ByteBuffer bytes) {
        while (bytes.hasRemaining()) {
            byte b = bytes.get();
            if (b == '\n') {
                endLine();
            } else if (partial.size() < maxLineBytes) {
                partial.write(b);
            } else {
                throw new LinuxException(
                        "read",
                        descriptor + ", a line longer than " + maxLineBytes + " bytes",
                        Errno.E2BIG);
            }
        }
    }

    private synchronized void end() {
        isAtEnd = true;
        if (partial.size() > 0) {
            endLine();
        }
    }

    private synchronized void endLine() {
        whole.add(partial.toString(StandardCharsets.UTF_8));
        partial.reset();
    }
}
