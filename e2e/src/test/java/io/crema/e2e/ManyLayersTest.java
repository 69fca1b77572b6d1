package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.registry.LargeLayerRegistry;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.StatusRuntimeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Ten layers of middling size, each 16 MiB or {@code -Dcrema.manyLayersMebibytes}: what is
 * transferred when their pull is killed.
 */
@Tag("e2e")
@Timeout(600)
class ManyLayersTest {
    private static final int LAYERS = 10;
    private static final long BYTES = Long.getLong("crema.manyLayersMebibytes", 16) << 20;

    /** Of each connection. */
    private static final long RATE = Math.max(6 << 20, BYTES / 6);

    @TempDir private static Path directory;

    @Test
    void aKilledPullOfManyLayersLosesLittle() throws Exception {
        NetworkNamespace network = TestRegistry.network();
        try (LargeLayerRegistry registry =
                        new LargeLayerRegistry(network, directory, BYTES, LAYERS);
                TestNode node =
                        TestNode.start(
                                NodeSetup.standard()
                                        .in(network)
                                        .withRegistry(registry.address()))) {
            Peers.differ(node, "containerd 1.6 begins unfinished layers anew");
            registry.serve(RATE, true);
            Thread victim =
                    Thread.ofVirtual()
                            .start(() ->
                                    assertThatThrownBy(
                                                    () -> node.images().pull(registry.reference()))
                                            .isInstanceOf(StatusRuntimeException.class));
            registry.awaitSent(registry.layerBytes() / 10 * 9);
            node.kill();
            victim.join();
            node.startDaemon();
            assertThat(node.images().find(registry.reference())).isEmpty();
            node.images().pull(registry.reference());
            System.err.printf(
                    "resumed: %d of %d bytes were sent in all: %.4f%n",
                    registry.sentBytes(),
                    registry.layerBytes(),
                    registry.sentBytes() / (double) registry.layerBytes());
            assertThat(registry.sentBytes()).isLessThan(registry.layerBytes() / 100 * 105);
            try (Stream<Path> kept = Files.list(node.directory().resolve("root/partial"))) {
                assertThat(kept).isEmpty();
            }
        } finally {
            TestRegistry.release(network);
        }
    }
}
