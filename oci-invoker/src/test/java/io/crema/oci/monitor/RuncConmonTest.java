package io.crema.oci.monitor;

import java.nio.file.Path;
import org.junit.jupiter.api.Tag;

/** conmon with runc. */
@Tag("root")
class RuncConmonTest extends ConmonMonitorContract {
    @Override
    Path runtimeExecutable() {
        return Path.of("/usr/sbin/runc");
    }
}
