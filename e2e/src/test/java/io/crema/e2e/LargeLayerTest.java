package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.TestImages;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.LargeLayerRegistry;
import io.crema.e2e.registry.LargeLayerRegistry.Lie;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One large layer: what is transferred when its pull is killed, and over how many connections. The
 * layer has 72 MiB, or {@code -Dcrema.largeLayerMebibytes}.
 */
@Tag("e2e")
@Timeout(600)
class LargeLayerTest {
    private static final long BYTES = Long.getLong("crema.largeLayerMebibytes", 72) << 20;

    /** Slow enough that few bytes are on their way when the daemon dies. */
    private static final long RATE = Math.max(24 << 20, BYTES / 20);

    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static LargeLayerRegistry registry;
    private static TestNode node;
    private static TestImages images;

    @BeforeAll
    static void startNode() throws IOException {
        network = TestRegistry.network();
        registry = new LargeLayerRegistry(network, directory, BYTES);
        Path dropIns = Files.createDirectory(directory.resolve("registries.conf.d"));
        Files.writeString(
                dropIns.resolve("mirror.conf"),
                """
                [[registry]]
                prefix = "%1$s/mirrored"
                location = "%1$s/large"
                insecure = true
                [[registry.mirror]]
                location = "%1$s/wrong"
                insecure = true
                """
                        .formatted(registry.address()));
        node =
                TestNode.start(
                        NodeSetup.standard()
                                .in(network)
                                .withRegistry(registry.address())
                                .withConfiguration(
                                        "[crema.image]\nregistries_conf_dir = \""
                                                + dropIns
                                                + "\"\n"));
        images = node.images();
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, registry, () -> TestRegistry.release(network));
    }

    @AfterEach
    void removeImages() {
        registry.tell(Lie.NONE);
        images.removePulled();
    }

    @Test
    void aKilledPullGoesOnWhereItWas() throws Exception {
        Peers.differ(node, "containerd 1.6 begins anew after its end");
        registry.serve(RATE, true);
        killAt(registry.layerBytes() / 10 * 9);
        assertThat(images.find(registry.reference())).isEmpty();
        assertThat(images.list()).noneMatch(image -> image.getSize() > BYTES / 2);
        String id = images.pull(registry.reference());
        assertThat(images.find(registry.reference()).orElseThrow().getId()).isEqualTo(id);
        System.err.printf(
                "resumed: %d of %d bytes were sent in all: %.4f%n",
                registry.sentBytes(),
                registry.layerBytes(),
                registry.sentBytes() / (double) registry.layerBytes());
        assertThat(registry.sentBytes()).isLessThan(registry.layerBytes() / 100 * 105);
        assertThat(kept()).isEmpty();
    }

    @Test
    void whatWasKeptIsNotTrusted() throws Exception {
        Peers.differ(node, "the files are Crema's");
        registry.serve(RATE, true);
        killAt(registry.layerBytes() / 2, () -> damage(kept()));
        images.pull(registry.reference());
        assertThat(images.find(registry.reference())).isPresent();
        assertThat(kept()).isEmpty();
    }

    @Test
    void aSlowRegistryIsAskedOverSeveralConnections() {
        Peers.differ(node, "containerd 1.6 has one connection for each layer");
        registry.serve(BYTES / 6, true);
        long begin = System.nanoTime();
        images.pull(registry.reference());
        assertThat(registry.mostAtOnce()).isBetween(3, 4);
        assertThat(System.nanoTime() - begin).isLessThan(5_500_000_000L);
    }

    @Test
    void aMirrorsWrongBytesOverSeveralConnectionsComeFromTheRegistryItself() throws IOException {
        Peers.differ(node, "containerd 1.6 reads no registries.conf");
        registry.serve(BYTES / 2, true);
        String id = images.pull(registry.address() + "/mirrored/one:1");
        assertThat(registry.mostAtOnce()).isGreaterThan(1);
        assertThat(registry.sentBytes())
                .isBetween(2 * registry.layerBytes(), 2 * registry.layerBytes() + (1 << 20));
        assertThat(kept()).isEmpty();
        assertThat(images.pull(registry.reference())).isEqualTo(id);
    }

    @Test
    void aRegistryWithoutRangesIsAskedOnce() {
        registry.serve(BYTES / 3, false);
        images.pull(registry.reference());
        assertThat(registry.mostAtOnce()).isEqualTo(1);
        assertThat(registry.sentBytes()).isEqualTo(registry.layerBytes());
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
    void aRegistryThatLiesIsRefusedInTimeAndNothingStays(Lie lie) throws IOException {
        if (lie != Lie.SHORTER) {
            Peers.differ(node, "containerd 1.6 reads on, for ever if need be");
        }
        registry.serve(16 * BYTES, false);
        registry.tell(lie);
        long begin = System.nanoTime();
        assertThatThrownBy(() -> images.pull(registry.reference()))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining(registry.address());
        assertThat(System.nanoTime() - begin).isLessThan(60_000_000_000L);
        assertThat(images.find(registry.reference())).isEmpty();
        Peers.differ(node, "the files are Crema's");
        assertThat(registry.sentBytes()).isLessThan(2 * registry.layerBytes());
        assertThat(kept()).isEmpty();
        registry.tell(Lie.NONE);
        images.pull(registry.reference());
    }

    private interface Deed {
        void run() throws IOException;
    }

    private static void killAt(long sentBytes) throws Exception {
        killAt(sentBytes, () -> {});
    }

    private static void killAt(long sentBytes, Deed meanwhile) throws Exception {
        Thread victim =
                Thread.ofVirtual()
                        .start(() ->
                                assertThatThrownBy(() -> images.pull(registry.reference()))
                                        .isInstanceOf(StatusRuntimeException.class));
        registry.awaitSent(sentBytes);
        node.kill();
        victim.join();
        meanwhile.run();
        node.startDaemon();
    }

    private static List<Path> kept() throws IOException {
        Path partial;
        try (Stream<Path> found =
                Files.find(node.directory(), 4, (path, _) -> path.endsWith("partial"))) {
            partial = found.findFirst().orElseThrow();
        }
        try (Stream<Path> files = Files.list(partial)) {
            return files.toList();
        }
    }

    private static void damage(List<Path> files) throws IOException {
        Path content =
                files.stream()
                        .filter(file -> !file.toString().endsWith(".journal"))
                        .findFirst()
                        .orElseThrow();
        try (FileChannel channel =
                FileChannel.open(content, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            channel.read(one, 1 << 20);
            channel.write(ByteBuffer.wrap(new byte[] {(byte) (one.get(0) ^ 1)}), 1 << 20);
        }
    }
}
