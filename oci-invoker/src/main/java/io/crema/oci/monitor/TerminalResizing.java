package io.crema.oci.monitor;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells conmon new sizes of a container's terminal. conmon mixes up lines that it reads at once, so
 * they are sent one after the other, at a pace it keeps up with; of many, the last one counts.
 */
final class TerminalResizing {
    private static final Logger LOG = LoggerFactory.getLogger(TerminalResizing.class);
    // conmon refuses more.
    private static final int MAX_SIZE = 1000;
    private static final Duration PACE = Duration.ofMillis(20);
    private static final int PATIENCE = 100;

    private record Size(int columns, int rows) {}

    private final Linux linux;
    // The size that is still to be sent, of those terminals that a thread looks after.
    private final Map<Path, Size> pending = new ConcurrentHashMap<>();

    TerminalResizing(Linux linux) {
        this.linux = linux;
    }

    /** Does not wait; a container that has ended is passed over. */
    void resize(Path bundle, int columns, int rows) {
        Size size = new Size(Math.min(columns, MAX_SIZE), Math.min(rows, MAX_SIZE));
        if (pending.put(bundle, size) == null) {
            Thread.ofVirtual().name("resize " + bundle.getFileName()).start(() -> send(bundle));
        }
    }

    private void send(Path bundle) {
        Size sent = null;
        while (true) {
            Size next = pending.get(bundle);
            if (next == null || next.equals(sent)) {
                if (next == null || pending.remove(bundle, next)) {
                    return;
                }
                continue;
            }
            try {
                send(bundle, next);
                sent = next;
            } catch (LinuxException e) {
                LOG.debug("cannot resize the terminal in {}: {}", bundle, e.toString());
                pending.remove(bundle);
                return;
            }
            Await.pause(PACE, "the monitor to resize a terminal");
        }
    }

    /** Not blocking: a fifo that nobody reads fails with ENXIO, a full one with EAGAIN. */
    private void send(Path bundle, Size size) {
        byte[] line =
                ("1 " + size.rows + " " + size.columns + "\n").getBytes(StandardCharsets.US_ASCII);
        try (Descriptor control =
                linux.open(
                        MonitorFiles.control(bundle),
                        EnumSet.of(OpenFlag.WRITE_ONLY, OpenFlag.NON_BLOCKING),
                        0)) {
            for (int i = 0; i < PATIENCE && linux.unreadBytes(control) > 0; i++) {
                Await.pause(PACE, "the monitor to read its commands");
            }
            linux.write(control, line, 0, line.length);
        }
    }
}
