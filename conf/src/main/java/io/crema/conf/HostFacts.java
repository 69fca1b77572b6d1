package io.crema.conf;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What some fallbacks depend on.
 *
 * @param systemd whether systemd is this machine's init (sd_booted(3))
 */
public record HostFacts(boolean systemd) {
    public static HostFacts detect() {
        return new HostFacts(Files.isDirectory(Path.of("/run/systemd/system")));
    }
}
