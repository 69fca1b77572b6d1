package io.crema.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.server.base.ServerException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two daemons never share a root directory. */
final class StoreLockTest {
    @TempDir private Path root;

    @Test
    void aSecondDaemonIsRefusedUntilTheFirstIsGone() {
        Linux linux = JnaLinux.load();
        try (StoreLock first = StoreLock.take(linux, root)) {
            assertThat(first).isNotNull();
            assertThatThrownBy(() -> StoreLock.take(linux, root))
                    .isInstanceOf(ServerException.class)
                    .hasMessageContaining("another crema daemon uses " + root)
                    .hasMessageContaining("--root");
        }
        StoreLock.take(linux, root).close();
    }
}
