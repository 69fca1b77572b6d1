package io.crema.image.store;

import io.crema.conf.ImageSettings;
import io.crema.image.layer.UnpackLimits;
import io.crema.image.trust.ImageTrust;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;

/**
 * How an image store works.
 *
 * @param root where everything lies; made when it is not there, used by one process at a time
 * @param pinnedNames patterns of crio.conf's {@code pinned_images}, and the sandbox image
 * @param limits bounds of one layer
 * @param parallelLayers layers that are fetched and unpacked at once, over all pulls; each takes
 *     two threads and about 1.2 MiB outside the heap
 * @param artifacts whether artifacts are pulled, which are no images
 * @param pullProgressTimeout how long a pull may get nowhere; zero for ever
 * @param trust decides which images are accepted
 * @param removeUntags whether removing by a name removes only that name while others are left
 * @param abandonedPullGrace how long a pull goes on when nobody waits for it any more
 */
public record StoreOptions(
        Path root,
        List<String> pinnedNames,
        UnpackLimits limits,
        int parallelLayers,
        boolean artifacts,
        Duration pullProgressTimeout,
        ImageTrust trust,
        boolean removeUntags,
        Duration abandonedPullGrace,
        Clock clock) {
    /** As CRI-O's and containerd's default. */
    private static final int PARALLEL_LAYERS = 3;

    private static final Duration PROGRESS = Duration.ofMinutes(1);

    /** Longer than kubelet's longest pause before it asks again. */
    private static final Duration GRACE = Duration.ofMinutes(6);

    public StoreOptions {
        pinnedNames = List.copyOf(pinnedNames);
        if (parallelLayers < 1) {
            throw new IllegalArgumentException("parallelLayers must be positive");
        }
    }

    /** What a daemon uses. */
    public static StoreOptions at(Path root, List<String> pinnedNames) {
        return new StoreOptions(
                root,
                pinnedNames,
                UnpackLimits.defaults(),
                PARALLEL_LAYERS,
                true,
                PROGRESS,
                ImageTrust.ofAll(),
                false,
                GRACE,
                Clock.systemUTC());
    }

    /** What a daemon of that configuration uses. */
    public static StoreOptions of(Path root, List<String> pinnedNames, ImageSettings settings) {
        return new StoreOptions(
                root,
                pinnedNames,
                UnpackLimits.defaults()
                        .withLayer(settings.maxLayerEntries(), settings.maxLayerBytes()),
                settings.maxParallelLayers(),
                settings.artifactMounts(),
                settings.pullProgressTimeout(),
                ImageTrust.ofAll(),
                settings.removeUntags(),
                GRACE,
                Clock.systemUTC());
    }

    /** The same with or without artifacts. */
    public StoreOptions withArtifacts(boolean allowed) {
        return new StoreOptions(
                root,
                pinnedNames,
                limits,
                parallelLayers,
                allowed,
                pullProgressTimeout,
                trust,
                removeUntags,
                abandonedPullGrace,
                clock);
    }

    /** The same under a signature policy. */
    public StoreOptions withTrust(ImageTrust newTrust) {
        return new StoreOptions(
                root,
                pinnedNames,
                limits,
                parallelLayers,
                artifacts,
                pullProgressTimeout,
                newTrust,
                removeUntags,
                abandonedPullGrace,
                clock);
    }

    /** The same with names removed one by one, or all at once. */
    public StoreOptions withRemoveUntags(boolean untags) {
        return new StoreOptions(
                root,
                pinnedNames,
                limits,
                parallelLayers,
                artifacts,
                pullProgressTimeout,
                trust,
                untags,
                abandonedPullGrace,
                clock);
    }
}
