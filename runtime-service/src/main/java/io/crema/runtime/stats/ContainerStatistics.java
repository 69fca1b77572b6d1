package io.crema.runtime.stats;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.cri.v1.ContainerAttributes;
import io.crema.cri.v1.ContainerStats;
import io.crema.cri.v1.FilesystemIdentifier;
import io.crema.cri.v1.FilesystemUsage;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.stats.WritableLayerUsage.Measured;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Makes the CRI's ContainerStats of running containers. */
final class ContainerStatistics {
    /** How long an answer waits, in all, for layers that were never measured before. */
    private static final Duration LAYER_PATIENCE = Duration.ofMillis(2);

    /** Figures of one container as read and as the CRI has them. */
    record Reading(CgroupUsage usage, ContainerStats stats) {}

    private final CgroupReader cgroups;
    private final CgroupPlaces places;
    private final WritableLayerUsage layers;
    private final CpuRates rates;
    private final Recent<Reading> recent;
    private final FilesystemIdentifier fileSystem;
    private final Clock clock;

    /**
     * @param containerFileSystem mount point of the file system of writable layers, as ImageFsInfo
     *     tells it
     */
    ContainerStatistics(
            CgroupReader cgroups,
            CgroupPlaces places,
            WritableLayerUsage layers,
            CpuRates rates,
            Recent<Reading> recent,
            Path containerFileSystem,
            Clock clock) {
        this.cgroups = cgroups;
        this.places = places;
        this.layers = layers;
        this.rates = rates;
        this.recent = recent;
        this.fileSystem =
                FilesystemIdentifier.newBuilder()
                        .setMountpoint(containerFileSystem.toString())
                        .build();
        this.clock = clock;
    }

    /**
     * Reads the running ones among the containers; those that end meanwhile are left out. Layers
     * are measured by another thread while this one reads the cgroups.
     */
    Map<ContainerId, Reading> read(Collection<Container> containers) {
        Map<ContainerId, CgroupUsage> usages = new LinkedHashMap<>();
        Map<ContainerId, Reading> readings = new LinkedHashMap<>();
        for (Container container : containers) {
            if (isRunning(container)) {
                Optional<Reading> young = recent.young(container.id().value());
                if (young.isPresent()) {
                    readings.put(container.id(), young.get());
                } else {
                    layers.refresh(container.id());
                }
            }
        }
        for (Container container : containers) {
            if (isRunning(container) && !readings.containsKey(container.id())) {
                cgroups.usage(places.of(container))
                        .ifPresent(usage -> usages.put(container.id(), usage));
            }
        }
        Deadline patience = Deadline.after(LAYER_PATIENCE);
        for (Container container : containers) {
            CgroupUsage usage = usages.get(container.id());
            if (usage != null) {
                recent.get(
                                container.id().value(),
                                () -> Optional.of(reading(container, usage, patience)))
                        .ifPresent(reading -> readings.put(container.id(), reading));
            }
        }
        return readings;
    }

    static boolean isRunning(Container container) {
        return container.state() instanceof ContainerState.Running;
    }

    private Reading reading(Container container, CgroupUsage usage, Deadline patience) {
        long now = Nanos.of(clock.instant());
        OptionalLong rate =
                usage.cpuNanos().isEmpty()
                        ? OptionalLong.empty()
                        : rates.observe(container.id().value(), usage.cpuNanos().getAsLong());
        ContainerStats.Builder stats =
                ContainerStats.newBuilder()
                        .setAttributes(attributes(container))
                        .setWritableLayer(writableLayer(container.id(), patience));
        UsageMessages.cpu(usage, rate, now).ifPresent(stats::setCpu);
        UsageMessages.memory(usage, now).ifPresent(stats::setMemory);
        UsageMessages.swap(usage, now).ifPresent(stats::setSwap);
        UsageMessages.io(usage, now).ifPresent(stats::setIo);
        return new Reading(usage, stats.build());
    }

    private FilesystemUsage writableLayer(ContainerId id, Deadline patience) {
        Measured measured = layers.latest(id, patience);
        return FilesystemUsage.newBuilder()
                .setTimestamp(measured.atNanos())
                .setFsId(fileSystem)
                .setUsedBytes(UsageMessages.value(measured.usedBytes()))
                .setInodesUsed(UsageMessages.value(measured.inodes()))
                .build();
    }

    /** What is known of a container that does not run. */
    static ContainerStats withoutFigures(Container container) {
        return ContainerStats.newBuilder().setAttributes(attributes(container)).build();
    }

    private static ContainerAttributes attributes(Container container) {
        return ContainerAttributes.newBuilder()
                .setId(container.id().value())
                .setMetadata(container.config().getMetadata())
                .putAllLabels(container.config().getLabelsMap())
                .putAllAnnotations(container.config().getAnnotationsMap())
                .build();
    }
}
