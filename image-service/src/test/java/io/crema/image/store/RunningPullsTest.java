package io.crema.image.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.PullProgress;
import io.crema.image.PullProgress.LayerState;
import io.crema.image.PullProgress.Phase;
import io.crema.image.layer.TarBytes;
import io.crema.image.layer.UnpackLimits;
import io.crema.image.registry.MemoryRegistry;
import io.crema.image.registry.MemoryRegistry.Layer;
import io.crema.image.trust.ImageTrust;
import io.crema.oci.linux.jna.JnaLinux;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Tag("root")
@Timeout(60)
final class RunningPullsTest {
    private static final Deadline SOON = Deadline.after(Duration.ofMinutes(1));
    private static final String NAME = "registry.test/app:1";

    @TempDir Path directory;
    private final MemoryRegistry registry = new MemoryRegistry();
    private final Layer low = layer("low");
    private final Layer high = layer("high");
    private ImageStore store;

    @BeforeEach
    void open() {
        store =
                new ImageStore(
                        new StoreOptions(
                                directory.resolve("store"),
                                List.of(),
                                UnpackLimits.defaults(),
                                1,
                                true,
                                Duration.ofSeconds(1),
                                ImageTrust.ofAll(),
                                false,
                                Duration.ofMinutes(1),
                                Clock.systemUTC()),
                        JnaLinux.load(),
                        registry);
        registry.serve(NAME, "", List.of(low, high));
    }

    @AfterEach
    void close() {
        store.close();
    }

    private static Layer layer(String name) {
        byte[] tar = new TarBytes().file(name, name).end();
        return new Layer(tar, TarBytes.gzip(tar));
    }

    private CompletableFuture<Image> pulling() {
        CompletableFuture<Image> result = new CompletableFuture<>();
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        result.complete(store.pull(NAME, Credentials.none(), SOON));
                    } catch (RuntimeException e) {
                        result.completeExceptionally(e);
                    }
                });
        return result;
    }

    @Test
    void aPullUnderWayTellsItsLayers() throws Exception {
        registry.hold(low.digest());
        CompletableFuture<Image> result = pulling();
        registry.awaitOpened(low.digest());
        PullProgress seen = store.pulls().getFirst();
        while (seen.layers().isEmpty()) {
            // The first layer may be on its way before the list of them is shown.
            Thread.sleep(5);
            seen = store.pulls().getFirst();
        }
        assertThat(seen.reference()).isEqualTo(NAME);
        assertThat(seen.phase()).isEqualTo(Phase.LAYERS);
        assertThat(seen.layers())
                .extracting(PullProgress.Layer::state)
                .containsExactly(LayerState.FETCHING, LayerState.WAITING);
        assertThat(seen.layers())
                .extracting(PullProgress.Layer::digest)
                .containsExactly(low.digest().toString(), high.digest().toString());
        assertThat(seen.sizeBytes())
                .isEqualTo(low.compressed().length + (long) high.compressed().length);
        registry.release(low.digest());
        result.get(20, TimeUnit.SECONDS);
        assertThat(store.pulls()).isEmpty();
        assertThat(store.pullTotals().succeeded()).isEqualTo(1);
        store.pull(NAME, Credentials.none(), SOON);
        assertThat(store.pullTotals().reusedLayers()).isEqualTo(2);
        assertThat(store.pullTotals().skippedBytes()).isEqualTo(seen.sizeBytes());
    }

    @Test
    void aPullWithoutProgressEndsInItsTime() throws Exception {
        registry.hold(low.digest());
        long before = System.nanoTime();
        ImageException stalled =
                catchThrowableOfType(
                        ImageException.class, () -> store.pull(NAME, Credentials.none(), SOON));
        assertThat(stalled.kind()).isEqualTo(ErrorKind.CRI_REASON);
        assertThat(stalled).hasMessageStartingWith("RegistryUnavailable: pulling " + NAME);
        assertThat(Duration.ofNanos(System.nanoTime() - before))
                .isBetween(Duration.ofMillis(900), Duration.ofSeconds(10));
        assertThat(store.pullTotals().failed()).isEqualTo(1);
        assertThat(store.list()).isEmpty();
        registry.release(low.digest());
        assertThat(store.pull(NAME, Credentials.none(), SOON).repoTags()).containsExactly(NAME);
    }
}
